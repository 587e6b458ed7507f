//! The smallest claim, complete and replay, and a reopen in between.
//!
//! `cargo run --example basic`

use std::error::Error;

use hapax::{Claim, Policy, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("dedup");
    let mut mails_sent = 0;

    // The same request arrives three times; the process is restarted before the third.
    {
        let store = Store::open(&path)?;
        println!("request 1: {}", welcome(&store, "user-7", &mut mails_sent)?);
        println!("request 2: {}", welcome(&store, "user-7", &mut mails_sent)?);
        store.close()?;
    }
    let store = Store::open(&path)?;
    println!(
        "request 3: {} (after a restart)",
        welcome(&store, "user-7", &mut mails_sent)?
    );
    println!("request 4: {}", welcome(&store, "user-8", &mut mails_sent)?);

    println!("{mails_sent} mails for 2 users and 4 requests");
    if mails_sent != 2 {
        return Err("each user gets one mail".into());
    }
    Ok(())
}

/// Sends a mail unless it was sent before, and says how that ended.
fn welcome(store: &Store, user: &str, mails_sent: &mut u32) -> Result<String, Box<dyn Error>> {
    let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
    Ok(match mail.claim(user)? {
        Claim::Granted(lease) => {
            // The effect. Returning early here, or a panic, would release the key for a retry.
            *mails_sent += 1;
            let response = format!("mail {mails_sent} to {user}");
            lease.complete(&response)?;
            format!("granted, did the work: {response:?}")
        }
        Claim::Completed(answer) => {
            let response = String::from_utf8_lossy(answer.response());
            format!("completed before, stored answer: {response:?}")
        }
        Claim::InProgress(busy) => {
            format!("running, come back within {:?}", busy.lease_left())
        }
        Claim::Failed(answer) => {
            format!("failed for good: {}", answer.error().escape_ascii())
        }
        Claim::InDoubt(_) | Claim::Mismatch(_) => {
            unreachable!("only at-most-once keys are in doubt, and no fingerprint was sent")
        }
    })
}
