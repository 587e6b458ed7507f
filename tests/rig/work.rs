//! Work without end: threads claim and settle keys at random, until they are stopped.

use hapax::{Claim, Lease, Namespace, Store};

use super::Draw;
use super::child::{body, say, spaces};

const THREADS: u64 = 4;
/// Keys that all rounds share, in each namespace.
const KEYS: u64 = 3000;

/// Works until the process is killed; ends at the first error if `may_fail`.
pub(crate) fn work(store: &Store, seed: u64, may_fail: bool) {
    let spaces = match spaces(store) {
        Ok(spaces) => spaces,
        Err(error) if may_fail => return say(&format!("error {:?}", error.kind())),
        Err(error) => panic!("{error}"),
    };
    say("open");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let spaces = &spaces;
            scope.spawn(move || {
                let mut draw = Draw(seed.wrapping_add(thread));
                for step in 0..u64::MAX {
                    let name = format!("ticket-{seed}-{thread}-{step}");
                    match one(spaces, &mut draw, &name) {
                        Ok(()) => {}
                        Err(error) if may_fail => {
                            return say(&format!("error {:?}", error.kind()));
                        }
                        Err(error) => panic!("{error}"),
                    }
                    let _ = store.stats();
                }
            });
        }
    });
}

fn one(spaces: &[Namespace; 2], draw: &mut Draw, name: &str) -> Result<(), hapax::Error> {
    let which = usize::try_from(draw.below(2)).unwrap();
    let space = &spaces[which];
    if draw.below(20) == 0 {
        return ticket(space, name);
    }
    let key = format!("key-{}", draw.below(KEYS));
    if draw.below(10) == 0 {
        let keys: Vec<String> = (0..20)
            .map(|_| format!("key-{}", draw.below(KEYS)))
            .collect();
        return many(space, which, &keys);
    }
    match space.claim(&key)? {
        Claim::Granted(lease) => {
            granted(which, &key, &lease);
            settle(which, &key, lease, draw.below(8))?;
        }
        Claim::Completed(answer) => {
            let (token, got) = (answer.token().as_i64(), answer.response());
            assert!(
                got == body(&key, token) || got == b"resolved",
                "the stored response of {key}"
            );
            say(&format!("answered {which} {key} {token}"));
        }
        Claim::InDoubt(_) | Claim::InProgress(_) => {}
        other => panic!("{other:?}"),
    }
    Ok(())
}

pub(crate) fn granted(which: usize, key: &str, lease: &Lease) {
    let checkpoint = String::from_utf8(lease.last_checkpoint().to_vec()).unwrap();
    say(&format!(
        "granted {which} {key} {} {checkpoint}",
        lease.token()
    ));
}

pub(crate) fn settle(which: usize, key: &str, lease: Lease, how: u64) -> Result<(), hapax::Error> {
    let token = lease.token().as_i64();
    match how {
        0 => drop(lease),
        1 => {
            say(&format!("releasing {which} {key} {token}"));
            lease.release("later")?;
            say(&format!("released {which} {key} {token}"));
        }
        2 => {
            lease.checkpoint(token.to_string())?;
            say(&format!("checkpoint {which} {key} {token}"));
            say(&format!("releasing {which} {key} {token}"));
            lease.release("half way")?;
            say(&format!("released {which} {key} {token}"));
        }
        _ => {
            lease.complete(body(key, token))?;
            say(&format!("completed {which} {key} {token}"));
        }
    }
    Ok(())
}

fn ticket(space: &Namespace, key: &str) -> Result<(), hapax::Error> {
    let Claim::Granted(lease) = space.claim(key)? else {
        panic!("no other thread knows {key}")
    };
    let ticket = lease.detach()?;
    say(&format!(
        "ticket {}",
        serde_json::to_string(&ticket).unwrap()
    ));
    Ok(())
}

fn many(space: &Namespace, which: usize, keys: &[String]) -> Result<(), hapax::Error> {
    let mut held = Vec::new();
    for (key, claim) in keys.iter().zip(space.claim_many(keys)?) {
        if let hapax::BatchClaim::Claim(Claim::Granted(lease)) = claim {
            granted(which, key, &lease);
            held.push((key, lease));
        }
    }
    let done: Vec<_> = held
        .iter()
        .map(|(key, lease)| (*key, lease.token().as_i64()))
        .collect();
    let items = held.into_iter().map(|(key, lease)| {
        let token = lease.token().as_i64();
        (lease, body(key, token))
    });
    for ((key, token), result) in done
        .into_iter()
        .zip(space.complete_many(items.collect::<Vec<_>>()))
    {
        result?;
        say(&format!("completed {which} {key} {token}"));
    }
    Ok(())
}
