//! What a key costs in calls that bring many, on a real directory under `Interval`.

mod rig;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rig::{Sized, complete, granted, group, key, timed, usual_size};

/// Keys of a call.
const CALLS: [u64; 3] = [64, 1024, 4096];

fn new_keys(c: &mut Criterion) {
    let mut sized = Sized::new(usual_size());
    for keys in CALLS {
        group(c, "claim_many", keys).bench_function(BenchmarkId::from_parameter(keys), |b| {
            b.iter_custom(|rounds| {
                sized.rounds(rounds, keys, |rig, fresh| {
                    rig.jobs.claim_many(fresh).expect("answers")
                })
            });
        });
        group(c, "claim_many + complete_many", keys).bench_function(
            BenchmarkId::from_parameter(keys),
            |b| {
                b.iter_custom(|rounds| {
                    sized.rounds(rounds, keys, |rig, fresh| {
                        let answers = rig.jobs.claim_many(fresh).expect("answers");
                        complete(&rig.jobs, granted(answers));
                    })
                });
            },
        );
        group(c, "insert_many", keys).bench_function(BenchmarkId::from_parameter(keys), |b| {
            b.iter_custom(|rounds| {
                sized.rounds(rounds, keys, |rig, fresh| {
                    rig.jobs.insert_many(fresh).expect("answers")
                })
            });
        });
    }
}

/// Every other key was completed before.
fn mixed(c: &mut Criterion) {
    let mut sized = Sized::new(usual_size());
    for keys in CALLS {
        let mut group = group(c, "claim_many, half of it settled", keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            let mut settled = 0;
            b.iter_custom(|rounds| {
                let round = |_| {
                    let rig = sized.rig();
                    let mut batch = rig.fresh(keys / 2);
                    for _ in 0..keys / 2 {
                        settled = (settled + 7919) % usual_size();
                        batch.push(key(settled));
                    }
                    timed(|| rig.jobs.claim_many(batch).expect("answers"))
                };
                (0..rounds).map(round).sum()
            });
        });
    }
}

criterion_group!(benches, new_keys, mixed);
criterion_main!(benches);
