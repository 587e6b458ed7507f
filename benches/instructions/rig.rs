//! The store that every scenario calls, its keys, and the function in which callgrind counts.

use std::hint::black_box;
use std::time::Duration;

use hapax::{BatchClaim, Claim, Durability, Lease, LogKind, Namespace, Policy, Store};
use tempfile::TempDir;

/// As those of `hapax-compare`, so that the counts can be held against its rates.
pub(crate) type Key = [u8; 16];

/// Keys that are settled before the first call is counted.
const SETTLED: u64 = 49_152;

/// New keys that the counted calls bring: a third of what is there, which is what a table grows by.
/// So each table grows once, wherever it stood, and the count has a fair share of growing.
pub(crate) const NEW: u64 = SETTLED / 3;

/// Grants that are held at a time.
pub(crate) const HELD: u64 = 8192;

/// Long, for valgrind makes everything some fifty times slower, and a caller that outruns the journal by a
/// window waits. The way of a call is the same in any window.
const WINDOW: Duration = Duration::from_secs(60);

/// Does some work where it is counted: callgrind counts the instructions of this function, of what
/// it calls, and no others.
#[inline(never)]
pub(crate) fn counted_calls<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// The i-th key, spread as a UUID is.
pub(crate) fn key(i: u64) -> Key {
    let high = mix(i.wrapping_add(0x9E37_79B9_7F4A_7C15));
    let low = mix(high ^ i);
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

/// The finalizer of splitmix64.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The response of a key.
pub(crate) fn response(key: &[u8]) -> [u8; 64] {
    let mut response = [2; 64];
    response[..key.len()].copy_from_slice(key);
    response
}

/// A store in a directory that goes with it.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) jobs: Namespace,
    store: Store,
    /// The number of the next key that was not used before.
    next: u64,
    _dir: TempDir,
}

impl Rig {
    /// A store with [`SETTLED`] keys, all of them on the medium.
    pub(crate) fn new(log: LogKind) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::builder(dir.path().join("store"))
            .durability(Durability::Interval(WINDOW))
            .log_kind(log)
            .open()
            .expect("the store opens");
        let jobs = store
            .namespace("jobs", Policy::at_least_once())
            .expect("a policy that holds");
        let mut rig = Self {
            jobs,
            store,
            next: 0,
            _dir: dir,
        };
        for _ in 0..SETTLED / HELD {
            let fresh = rig.fresh(HELD);
            let leases = rig.jobs.claim_many(fresh).expect("answers");
            rig.complete_all(leases.into_iter().map(granted));
        }
        rig.store.sync().expect("it is durable");
        rig
    }

    /// Keys that were not used before.
    pub(crate) fn fresh(&mut self, keys: u64) -> Vec<Key> {
        let from = self.next;
        self.next += keys;
        (from..self.next).map(key).collect()
    }

    /// One of the keys that were used last.
    pub(crate) fn recent(&self, among: u64, i: u64) -> Key {
        key(self.next - 1 - mix(i) % among)
    }

    pub(crate) fn lease(&self, key: &Key) -> Lease {
        match self.jobs.claim(key).expect("an answer") {
            Claim::Granted(lease) => lease,
            other => panic!("a new key is granted, not {other:?}"),
        }
    }

    pub(crate) fn leases(&self, keys: &[Key]) -> Vec<Lease> {
        keys.iter().map(|key| self.lease(key)).collect()
    }

    pub(crate) fn complete_all(&self, leases: impl IntoIterator<Item = Lease>) {
        let outcomes = leases.into_iter().map(|lease| {
            let response = response(lease.key());
            (lease, response)
        });
        for result in self.jobs.complete_many(outcomes) {
            result.expect("it is stored");
        }
    }
}

fn granted(answer: BatchClaim) -> Lease {
    match answer {
        BatchClaim::Claim(Claim::Granted(lease)) => lease,
        other => panic!("a new key is granted, not {other:?}"),
    }
}
