//! What expiry costs: a claim that meets an expired key, and letting go of many at once. On a clock
//! that is moved, so the store has no threads and its work is done within `advance`.

mod rig;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hapax::Policy;
use hapax::testing::ManualClock;
use rig::{BATCH, Rig, group, group_of_few, key, sizes, timed};

const RETENTION: Duration = Duration::from_secs(2);

/// Nothing is dropped in the first two minutes after open.
const GRACE: Duration = Duration::from_secs(121);

fn open(clock: &ManualClock) -> Rig {
    let policy = Policy::at_least_once()
        .lease(RETENTION / 2)
        .attempt_retention(RETENTION)
        .retention(RETENTION);
    Rig::open(policy, |builder| builder.clock(clock))
}

/// All keys of the store expire within one call: their counts, their slots, their segments.
fn at_once(c: &mut Criterion) {
    for keys in sizes() {
        let mut group = group_of_few(c, "expiry at once", keys);
        let mut opened = None;
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            let (clock, rig) = opened.get_or_insert_with(|| {
                let clock = ManualClock::new();
                let rig = open(&clock);
                clock.advance(GRACE);
                (clock, rig)
            });
            b.iter_custom(|rounds| {
                let round = |_| {
                    rig.fill(keys);
                    let taken = timed(|| clock.advance(RETENTION * 2));
                    assert_eq!(rig.store.stats().keys(), 0, "all of them have expired");
                    taken
                };
                (0..rounds).map(round).sum()
            });
        });
    }
}

/// Keys that have expired, in tables that have not freed them.
struct Expired {
    clock: ManualClock,
    rig: Rig,
    /// The key that is claimed next.
    at: u64,
    since_open: Duration,
}

impl Expired {
    fn new(keys: u64) -> Self {
        let clock = ManualClock::new();
        let mut rig = open(&clock);
        rig.fill(keys);
        clock.advance(RETENTION * 2);
        Self {
            clock,
            rig,
            at: 0,
            since_open: RETENTION * 2,
        }
    }

    /// A batch of expired keys; starts at the first again when all were claimed and have expired
    /// once more. `None` when it is time for the store to free them.
    fn batch(&mut self, keys: u64) -> Option<Vec<[u8; 16]>> {
        if self.at + BATCH.min(keys) > keys {
            self.clock.advance(RETENTION * 2);
            self.since_open += RETENTION * 2;
            self.at = 0;
        }
        let from = self.at;
        self.at += BATCH.min(keys);
        (self.since_open < GRACE - RETENTION * 2).then(|| (from..self.at).map(key).collect())
    }
}

/// The claim of a key that has expired finds it absent, whether the table has freed it or not.
fn expired_keys(c: &mut Criterion) {
    for keys in sizes() {
        let mut expired: Option<Expired> = None;
        let mut group = group(c, "claim + complete of expired keys", BATCH.min(keys));
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            expired.get_or_insert_with(|| Expired::new(keys));
            b.iter_custom(|rounds| {
                let mut taken = Duration::ZERO;
                for _ in 0..rounds {
                    let batch = loop {
                        let expired = expired.get_or_insert_with(|| Expired::new(keys));
                        if let Some(batch) = expired.batch(keys) {
                            break batch;
                        }
                        *expired = Expired::new(keys);
                    };
                    let rig = &expired.as_ref().expect("it was made").rig;
                    taken += timed(|| {
                        for key in batch {
                            rig.claim_and_complete(key);
                        }
                    });
                }
                taken
            });
        });
    }
}

criterion_group!(benches, at_once, expired_keys);
criterion_main!(benches);
