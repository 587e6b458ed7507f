//! What a key costs in calls that bring many, on a real directory under `Interval`.

mod rig;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rig::{Sized, complete, granted, group, timed, usual_size};

/// Keys of a call.
const CALLS: [u64; 3] = [64, 1024, 4096];

fn new_keys(c: &mut Criterion) {
    let mut sized = Sized::new(usual_size());
    for keys in CALLS {
        let id = || BenchmarkId::from_parameter(keys);
        group(c, "claim_many", keys).bench_function(id(), |b| {
            sized.measure(b, keys, |rig, fresh| {
                rig.jobs.claim_many(fresh).expect("answers")
            });
        });
        group(c, "claim_many + complete_many", keys).bench_function(id(), |b| {
            sized.measure(b, keys, |rig, fresh| {
                let answers = rig.jobs.claim_many(fresh).expect("answers");
                complete(&rig.jobs, granted(answers));
            });
        });
        group(c, "insert_many", keys).bench_function(id(), |b| {
            sized.measure(b, keys, |rig, fresh| {
                rig.jobs.insert_many(fresh).expect("answers")
            });
        });
    }
}

/// Every other key was completed in the batch before.
fn mixed(c: &mut Criterion) {
    let mut sized = Sized::new(usual_size());
    for keys in CALLS {
        let mut group = group(c, "claim_many, half of it settled", keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            let rig = sized.rig();
            let mut settled = rig.fresh(keys / 2);
            for &key in &settled {
                rig.claim_and_complete(key);
            }
            b.iter_custom(|rounds| {
                let round = |_| {
                    let fresh = rig.fresh(keys / 2);
                    let old = std::mem::replace(&mut settled, fresh.clone());
                    let batch = fresh.into_iter().zip(old).flat_map(|(new, old)| [new, old]);
                    let (mut answers, batch) = (Vec::new(), batch.collect::<Vec<_>>());
                    let taken = timed(|| answers = rig.jobs.claim_many(batch).expect("answers"));
                    // Every other answer is a grant.
                    complete(&rig.jobs, granted(answers.into_iter().step_by(2).collect()));
                    taken
                };
                (0..rounds).map(round).sum()
            });
        });
    }
}

criterion_group!(benches, new_keys, mixed);
criterion_main!(benches);
