//! What a claim, a completion, a replay and a renewal cost, on a real directory under `Interval`,
//! beside a given number of remembered keys.
//!
//! `cargo bench`, or `cargo bench -- --test` to see only that it runs. The keys of a run are never
//! used twice, so the tables grow as they do in service; a table that has doubled is replaced.

mod rig;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hapax::audit::AuditLevel;
use hapax::{Claim, Policy};

use rig::{BATCH, Sized, group, key, sizes, sizes_and_large, together, usual_size};

/// Claims alone, and the whole life of a key. Dropping the leases of the first releases them, so
/// nothing that runs piles up.
fn new_keys(c: &mut Criterion) {
    for keys in sizes_and_large() {
        let mut sized = Sized::new(keys);
        let id = || BenchmarkId::from_parameter(keys);
        group(c, "claim", BATCH).bench_function(id(), |b| {
            sized.measure(b, BATCH, |rig, fresh| {
                let claims = fresh.into_iter().map(|key| rig.claim(key));
                claims.collect::<Vec<_>>()
            });
        });
        group(c, "claim + complete", BATCH).bench_function(id(), |b| {
            sized.measure(b, BATCH, |rig, fresh| {
                fresh
                    .into_iter()
                    .for_each(|key| rig.claim_and_complete(key));
            });
        });
    }
}

/// The same life of a key with an audit log and without one: one entry per claim, one per outcome.
fn audited(c: &mut Criterion) {
    for (name, audit) in [
        ("off", AuditLevel::Off),
        ("digests", AuditLevel::Digests),
        ("keys", AuditLevel::Keys),
    ] {
        let mut sized = Sized::under(usual_size(), Policy::at_least_once().audit(audit));
        group(c, "claim + complete, audit", BATCH).bench_function(name, |b| {
            sized.measure(b, BATCH, |rig, fresh| {
                fresh
                    .into_iter()
                    .for_each(|key| rig.claim_and_complete(key));
            });
        });
    }
}

/// Rounds of a thread between two looks at the size of the store.
const ROUNDS_MOST: u64 = 64;

fn threads(c: &mut Criterion) {
    let mut sized = Sized::new(usual_size());
    for threads in [2, 4, 8] {
        let mut group = group(c, "claim + complete, threads", BATCH * threads);
        group.bench_function(BenchmarkId::from_parameter(threads), |b| {
            sized.rig();
            b.iter_custom(|rounds| {
                let part = |from: u64| {
                    let keys = (rounds - from).min(ROUNDS_MOST) * BATCH;
                    let rig = sized.rig();
                    let first = rig.take(keys * threads);
                    together(threads, |number| {
                        let first = first + number * keys;
                        (first..first + keys)
                            .for_each(|serial| rig.claim_and_complete(key(serial)));
                    })
                };
                let step = usize::try_from(ROUNDS_MOST).expect("it is small");
                (0..rounds).step_by(step).map(part).sum()
            });
        });
    }
}

/// The answer to a retry: one that follows the original closely, and any of those remembered, whose
/// records are read from the log.
fn replay(c: &mut Criterion) {
    let replayed = |claim| match claim {
        Claim::Completed(answer) => answer,
        other => panic!("completed, not {other:?}"),
    };
    for keys in sizes() {
        let mut sized = Sized::new(keys);
        let mut recent = None;
        let mut group = group(c, "replay", 1);
        group.bench_function(BenchmarkId::new("recent", keys), |b| {
            let rig = sized.rig();
            let recent = *recent.get_or_insert_with(|| {
                let recent = key(rig.take(1));
                rig.claim_and_complete(recent);
                recent
            });
            b.iter(|| replayed(rig.claim(recent)));
        });
        group.bench_function(BenchmarkId::new("any", keys), |b| {
            let rig = sized.rig();
            let mut serial = 0;
            b.iter(|| {
                // A prime stride meets all of them, and no two neighbours in a row.
                serial = (serial + 7919) % keys;
                replayed(rig.claim(key(serial)))
            });
        });
    }
}

/// What counting and timing cost: the same calls on two stores, one without both. Also what a
/// snapshot costs.
fn metrics(c: &mut Criterion) {
    for (name, counts) in [("with", true), ("without", false)] {
        let mut sized = Sized::counting(usual_size(), counts);
        group(c, "metrics, claim + complete", BATCH).bench_function(name, |b| {
            sized.measure(b, BATCH, |rig, fresh| {
                fresh
                    .into_iter()
                    .for_each(|key| rig.claim_and_complete(key));
            });
        });
        let mut recent = None;
        group(c, "metrics, replay", 1).bench_function(name, |b| {
            let rig = sized.rig();
            let recent = *recent.get_or_insert_with(|| {
                let recent = key(rig.take(1));
                rig.claim_and_complete(recent);
                recent
            });
            b.iter(|| rig.claim(recent));
        });
    }
    let mut sized = Sized::new(usual_size());
    group(c, "metrics, snapshot", 1).bench_function("text", |b| {
        let rig = sized.rig();
        b.iter(|| rig.store.metrics().to_prometheus());
    });
}

fn renew(c: &mut Criterion) {
    for keys in sizes() {
        let (mut sized, mut leases) = (Sized::new(keys), None);
        group(c, "renew", BATCH).bench_function(BenchmarkId::from_parameter(keys), |b| {
            let leases = leases.get_or_insert_with(|| {
                let rig = sized.rig();
                let fresh = rig.fresh(BATCH);
                fresh
                    .into_iter()
                    .map(|key| rig.lease(key))
                    .collect::<Vec<_>>()
            });
            b.iter(|| {
                for lease in &*leases {
                    lease.renew().expect("it has not lapsed");
                }
            });
        });
    }
}

criterion_group!(benches, new_keys, audited, threads, replay, metrics, renew);
criterion_main!(benches);
