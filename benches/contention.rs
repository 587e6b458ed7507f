//! Many threads at one key: what its holder, its answer and its release cost the others.

mod rig;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hapax::{Claim, ClaimOptions, Namespace};
use rig::{Rig, Sized, group, is_trial, key, together, usual_size};

fn threads() -> &'static [u64] {
    if is_trial() { &[2] } else { &[1, 2, 8, 32] }
}

/// Each thread makes as many calls as there are rounds; `made` brings the key to where it is met.
fn measure<K>(
    c: &mut Criterion,
    name: &str,
    made: impl Fn(&Rig, [u8; 16]) -> K,
    call: impl Fn(&Namespace, [u8; 16]) + Sync,
) {
    let mut sized = Sized::new(usual_size());
    for &threads in threads() {
        group(c, name, threads).bench_function(BenchmarkId::from_parameter(threads), |b| {
            let rig = sized.rig();
            let one = key(rig.take(1));
            let kept = made(rig, one);
            let jobs = &rig.jobs;
            b.iter_custom(|rounds| {
                together(threads, |_| (0..rounds).for_each(|_| call(jobs, one)))
            });
            drop(kept);
        });
    }
}

fn in_progress(c: &mut Criterion) {
    measure(c, "one key, in progress", Rig::lease, |jobs, one| {
        let claim = jobs.claim(one).expect("an answer");
        assert!(matches!(claim, Claim::InProgress(_)), "{claim:?}");
    });
}

fn completed(c: &mut Criterion) {
    measure(
        c,
        "one key, completed",
        Rig::claim_and_complete,
        |jobs, one| {
            let claim = jobs.claim(one).expect("an answer");
            assert!(matches!(claim, Claim::Completed(_)), "{claim:?}");
        },
    );
}

/// Each call waits for the key, gets it, and releases it to the next.
fn handed_on(c: &mut Criterion) {
    measure(
        c,
        "one key, handed on",
        |_, _| (),
        |jobs, one| {
            let options = ClaimOptions::new().wait(Duration::from_secs(30));
            match jobs.claim_with(one, options).expect("an answer") {
                Claim::Granted(lease) => lease.release("next").expect("it is held"),
                other => panic!("handed on, not {other:?}"),
            }
        },
    );
}

criterion_group!(benches, in_progress, completed, handed_on);
criterion_main!(benches);
