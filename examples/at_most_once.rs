//! At-most-once payments: the provider times out after taking the money, or before. No customer is
//! charged twice: a payment with an unknown outcome stays in doubt, and a reconciler asks the
//! provider.
//!
//! `cargo run --example at_most_once`

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use hapax::{Claim, Namespace, Policy, Resolution, Store};

const ORDERS: u32 = 20;

enum PspError {
    Declined,
    Timeout,
}

/// A stand-in for a payment provider. It charges at every call, even under a key that it knows, so it does
/// not prevent a second charge.
#[derive(Default)]
struct Provider {
    charges: Vec<(String, u32)>,
    calls: u32,
}

impl Provider {
    fn charge(&mut self, key: &str, order: u32) -> Result<String, PspError> {
        self.calls += 1;
        if order % 10 == 3 {
            return Err(PspError::Declined);
        }
        // The network fails at first.
        let bad_day = self.calls <= ORDERS;
        if bad_day && order % 5 == 1 {
            return Err(PspError::Timeout);
        }
        self.charges.push((key.to_owned(), order));
        if bad_day && order % 5 == 2 {
            return Err(PspError::Timeout);
        }
        Ok(format!("receipt for order {order}"))
    }

    fn find(&self, key: &str) -> Option<String> {
        let (_, order) = self.charges.iter().find(|(used, _)| used == key)?;
        Some(format!("receipt for order {order}"))
    }
}

#[derive(Default, Debug)]
struct Answers {
    charged: u32,
    replayed: u32,
    declined: u32,
    unknown: u32,
}

/// A customer sends every order again, because some answers never arrived.
fn pay_all(pay: &Namespace, psp: &mut Provider) -> Result<Answers, Box<dyn Error>> {
    let mut answers = Answers::default();
    for order in 0..ORDERS {
        match pay.claim(format!("order-{order}"))? {
            Claim::Granted(lease) => match psp.charge(&lease.derived_key("psp"), order) {
                // The process fails here: the lease is dropped without an outcome.
                Ok(_) if order == 15 => answers.unknown += 1,
                Ok(receipt) => {
                    lease.complete(receipt)?;
                    answers.charged += 1;
                }
                Err(PspError::Declined) => {
                    lease.fail("declined")?;
                    answers.declined += 1;
                }
                Err(PspError::Timeout) => {
                    lease.doubt("the provider timed out")?;
                    answers.unknown += 1;
                }
            },
            Claim::Completed(_) => answers.replayed += 1,
            Claim::Failed(_) => answers.declined += 1,
            Claim::InDoubt(_) | Claim::InProgress(_) => answers.unknown += 1,
            Claim::Mismatch(_) => return Err("no fingerprint was sent".into()),
        }
    }
    Ok(answers)
}

fn open(path: &Path) -> hapax::Result<(Store, Namespace)> {
    let store = Store::open(path)?;
    let pay = store.namespace("payments", Policy::at_most_once())?;
    Ok((store, pay))
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("dedup");
    let mut psp = Provider::default();

    let (store, pay) = open(&path)?;
    println!("first:  {:?}", pay_all(&pay, &mut psp)?);
    println!("again:  {:?}", pay_all(&pay, &mut psp)?);
    store.close()?;
    drop((store, pay));

    // After a restart the doubts are still there. The provider is asked under the key that the
    // holder used; a real one is asked once it can no longer carry out a call that is on its way.
    let (store, pay) = open(&path)?;
    let settled = store.reconcile(|doubt| {
        let receipt = psp.find(&doubt.derived_key("psp")).map(String::into_bytes);
        Some(receipt.map_or(Resolution::NeverHappened, Resolution::Happened))
    })?;
    println!("reconciled: {settled:?}");
    println!("third:  {:?}", pay_all(&pay, &mut psp)?);
    let last = pay_all(&pay, &mut psp)?;
    println!("fourth: {last:?}");

    let orders: BTreeSet<u32> = psp.charges.iter().map(|(_, order)| *order).collect();
    let twice = psp.charges.len() - orders.len();
    println!("{} orders charged, {twice} of them twice", orders.len());
    let replayed = last.replayed == 18 && last.declined == 2;
    if twice != 0 || orders.len() != 18 || settled.resolved() != 9 || !replayed {
        return Err("every order that was not declined is charged once".into());
    }
    Ok(())
}
