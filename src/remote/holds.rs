//! [`Holds`]: the keys that this process holds, and the grants that are on their way to its callers.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::backend::{KeyRef, Row};
use crate::remote::hold::Hold;
use crate::runtime::sync::Mutex;
use crate::value::fencing_token::FencingToken;

/// The keys that this process holds, by token. What it sees of a key elsewhere tells a holder that it is superseded.
#[derive(Debug)]
pub(super) struct Holds(Mutex<Held>);

#[derive(Debug)]
struct Held {
    by_key: HashMap<KeyRef, Vec<Weak<Hold>>>,
    undelivered: HashMap<FencingToken, Arc<Hold>>,
    /// A task waits for the ends of undelivered grants.
    watched: bool,
    /// Keys at which those that are not held any more are swept.
    sweep_at: usize,
}

/// Fewer keys are not swept.
const SWEEP_MIN: usize = 1024;

impl Held {
    fn remember(&mut self, hold: &Arc<Hold>) {
        if self.by_key.len() >= self.sweep_at {
            self.by_key.retain(|_, holds| {
                holds.retain(|hold| hold.strong_count() > 0);
                !holds.is_empty()
            });
            self.sweep_at = (2 * self.by_key.len()).max(SWEEP_MIN);
        }
        let holds = self.by_key.entry(hold.key.clone()).or_default();
        holds.retain(|hold| hold.strong_count() > 0);
        holds.push(Arc::downgrade(hold));
    }
}

impl Holds {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Held {
            by_key: HashMap::new(),
            undelivered: HashMap::new(),
            watched: false,
            sweep_at: SWEEP_MIN,
        }))
    }

    /// A grant is on its way. True if nothing waits for its end yet.
    pub(super) fn add(&self, hold: &Arc<Hold>) -> bool {
        let mut held = self.0.lock();
        held.remember(hold);
        held.undelivered
            .insert(hold.granted.token, Arc::clone(hold));
        !std::mem::replace(&mut held.watched, true)
    }

    /// A lease that came of a ticket.
    pub(super) fn add_delivered(&self, hold: &Arc<Hold>) {
        self.0.lock().remember(hold);
    }

    /// A grant was handed out, or taken back; `None` if that was done before.
    pub(super) fn take(&self, token: FencingToken) -> Option<Arc<Hold>> {
        self.0.lock().undelivered.remove(&token)
    }

    /// The grants that are on their way.
    pub(super) fn undelivered(&self) -> Vec<Arc<Hold>> {
        let mut held = self.0.lock();
        held.undelivered.drain().map(|(_, hold)| hold).collect()
    }

    /// The grants whose end has come, and the next end; `None`, and no task any more, once none is on its way.
    pub(super) fn overdue(&self, now_ms: u64) -> Option<(Vec<Arc<Hold>>, u64)> {
        let mut held = self.0.lock();
        let until_ms = |hold: &Arc<Hold>| hold.with_state(|state| state.until_ms);
        let (over, left): (HashMap<_, _>, HashMap<_, _>) = std::mem::take(&mut held.undelivered)
            .into_iter()
            .partition(|(_, hold)| until_ms(hold) <= now_ms);
        held.undelivered = left;
        let next_ms = held.undelivered.values().map(until_ms).min();
        held.watched = next_ms.is_some() || !over.is_empty();
        let over: Vec<_> = over.into_values().collect();
        held.watched.then(|| (over, next_ms.unwrap_or(now_ms)))
    }

    /// Tells the holders of a key whose token is not the one of its row any more.
    /// `asked_ms` is when the look was sent, on the monotonic clock.
    pub(super) fn note(&self, key: &KeyRef, row: Option<&Row>, asked_ms: u64) {
        let holds: Vec<Arc<Hold>> = {
            let held = self.0.lock();
            let holds = held.by_key.get(key).into_iter().flatten();
            holds.filter_map(Weak::upgrade).collect()
        };
        for hold in holds {
            // A look from before the grant may be answered late.
            let is_over = match row {
                Some(row) => row.token > hold.granted.token,
                None => hold.with_state(|state| state.known_ms) < asked_ms,
            };
            if is_over {
                hold.end();
            }
        }
    }

    /// The store is closed: no hold is current any more.
    pub(super) fn end_all(&self) {
        let holds: Vec<Arc<Hold>> = {
            let held = self.0.lock();
            held.by_key
                .values()
                .flatten()
                .filter_map(Weak::upgrade)
                .collect()
        };
        holds.iter().for_each(|hold| hold.end());
    }
}
