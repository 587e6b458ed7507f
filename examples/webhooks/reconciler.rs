//! Settles keys in doubt: the ledger knows whether the effect happened.

use std::collections::HashMap;
use std::ops::AddAssign;

use hapax::{Resolution, Store};

use crate::Failure;
use crate::handler::EFFECT;
use crate::ledger::Ledger;

/// How doubts were settled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    /// The ledger has the effect: the response was rebuilt from it.
    pub(crate) happened: u64,
    /// The ledger does not have it: the key can run again.
    pub(crate) never_happened: u64,
}

impl Settled {
    pub(crate) fn all(self) -> u64 {
        self.happened + self.never_happened
    }
}

impl AddAssign for Settled {
    fn add_assign(&mut self, other: Self) {
        self.happened += other.happened;
        self.never_happened += other.never_happened;
    }
}

/// Settles every key in doubt. No handler may be running: its effect might come after the look.
///
/// The derived key is the same in every attempt, so the ledger is asked for it, as a payment
/// provider would be asked for its idempotency key.
pub(crate) fn reconcile(store: &Store, ledger: &Ledger) -> Result<Settled, Failure> {
    let entries = ledger.entries()?;
    let effects: HashMap<&str, _> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry))
        .collect();
    let mut settled = Settled::default();
    store.reconcile(|doubt| {
        Some(match effects.get(doubt.derived_key(EFFECT).as_str()) {
            Some(entry) => {
                settled.happened += 1;
                Resolution::Happened(entry.response())
            }
            None => {
                settled.never_happened += 1;
                Resolution::NeverHappened
            }
        })
    })?;
    Ok(settled)
}
