//! A log that a store has written: what recovery is then made to read.

use std::time::Duration;

use arbitrary::Arbitrary;
use hapax::fuzzing::{Image, image_of};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Lease, Namespace, Policy, Store};

pub const KEYS: u8 = 6;
pub const NAMES: [&str; 2] = ["least", "most"];

pub fn policy(namespace: usize) -> Policy {
    let policy = match namespace {
        0 => Policy::at_least_once().max_attempts(3),
        _ => Policy::at_most_once(),
    };
    policy.retention(Duration::from_secs(100_000))
}

/// Something that leaves records.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Act {
    Claim(AnyKey),
    Complete(AnyKey, u8),
    Fail(AnyKey),
    Release(AnyKey),
    Doubt(AnyKey),
    Checkpoint(AnyKey, u8),
    Insert(AnyKey),
    Forget(AnyKey),
    Advance(u8),
    Reopen,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct AnyKey {
    most: bool,
    key: u8,
}

struct Writing {
    clock: ManualClock,
    log: MemoryLog,
    store: Store,
    spaces: [Namespace; 2],
    leases: Vec<(AnyKey, Lease)>,
}

/// Runs a store through a history, and gives what it has left on the medium.
pub fn write(clock: &ManualClock, history: &[Act]) -> Image {
    let log = MemoryLog::new();
    let (store, spaces) = open(clock, &log);
    let mut writing = Writing {
        clock: clock.clone(),
        log,
        store,
        spaces,
        leases: Vec::new(),
    };
    for act in history.iter().take(48) {
        writing.act(*act);
    }
    writing.store.close().expect("the log does not fail");
    image_of(&writing.log)
}

fn open(clock: &ManualClock, log: &MemoryLog) -> (Store, [Namespace; 2]) {
    let store = Store::in_memory().log(log).clock(clock).shards(2).open();
    let store = store.expect("what a store has written opens");
    let spaces = [0, 1].map(|index| {
        let space = store.namespace(NAMES[index], policy(index));
        space.expect("the same policy every time")
    });
    (store, spaces)
}

impl Writing {
    fn act(&mut self, act: Act) {
        let taken = match act {
            Act::Complete(key, _) | Act::Fail(key) | Act::Release(key) | Act::Doubt(key) => {
                Some(self.lease(key))
            }
            _ => None,
        };
        match (act, taken.flatten()) {
            (Act::Claim(key), _) => {
                if let Some(lease) = self.lease(key) {
                    self.leases.push((key, lease));
                }
            }
            (Act::Complete(_, size), Some(lease)) => {
                // Every eighth is cut into parts.
                let bytes = usize::from(size % 8) * usize::from(size) * 90;
                let _ = lease.complete(vec![size; bytes]);
            }
            (Act::Fail(_), Some(lease)) => drop(lease.fail("no")),
            (Act::Release(_), Some(lease)) => drop(lease.release("later")),
            (Act::Doubt(_), Some(lease)) => drop(lease.doubt("perhaps")),
            (Act::Checkpoint(key, size), _) => {
                if let Some(lease) = self.lease(key) {
                    let _ = lease.checkpoint(vec![size; usize::from(size)]);
                    self.leases.push((key, lease));
                }
            }
            (Act::Insert(key), _) => {
                let inserted = self.space(key).insert([key.key % KEYS]);
                inserted.expect("the log does not fail");
            }
            (Act::Forget(key), _) => drop(self.space(key).forget([key.key % KEYS])),
            (Act::Advance(seconds), _) => {
                self.clock.advance(Duration::from_secs(u64::from(seconds)));
            }
            (Act::Reopen, _) => {
                self.store.close().expect("the log does not fail");
                self.leases.clear();
                (self.store, self.spaces) = open(&self.clock, &self.log);
            }
            _ => {}
        }
    }

    fn space(&self, key: AnyKey) -> &Namespace {
        &self.spaces[usize::from(key.most)]
    }

    /// The lease of a key: the one that is held, or a new one.
    fn lease(&mut self, key: AnyKey) -> Option<Lease> {
        let number = key.key % KEYS;
        let is_it =
            |(held, _): &(AnyKey, Lease)| held.most == key.most && held.key % KEYS == number;
        if let Some(at) = self.leases.iter().position(is_it) {
            return Some(self.leases.swap_remove(at).1);
        }
        match self.space(key).claim([number]) {
            Ok(Claim::Granted(lease)) => Some(lease),
            Ok(_) => None,
            Err(error) => panic!("{error}"),
        }
    }
}
