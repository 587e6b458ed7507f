//! Calls that bring many keys: every other one is new, the rest were settled before.

use hapax::{BatchClaim, Claim, Lease};

use crate::rig::{Key, NEW, Rig, counted_calls};

/// Keys of a call.
const BATCH: u64 = 4096;

/// The keys that were settled last; a batch brings some of them again.
const LATELY: u64 = 32_768;

/// Runs `call` on batches, until these have brought [`NEW`] new keys.
fn batches(rig: &mut Rig, mut call: impl FnMut(&Rig, &[Key])) {
    for batch in 0..NEW / (BATCH / 2) {
        let old: Vec<Key> = (0..BATCH / 2)
            .map(|i| rig.recent(LATELY, batch * BATCH + i))
            .collect();
        let new = rig.fresh(BATCH / 2);
        let mixed: Vec<Key> = new.into_iter().zip(old).flat_map(|(a, b)| [a, b]).collect();
        call(rig, &mixed);
    }
}

fn claim_all(rig: &Rig, keys: &[Key]) -> Vec<Lease> {
    let lease = |answer| match answer {
        BatchClaim::Claim(Claim::Granted(lease)) => Some(lease),
        BatchClaim::Refused(error) => panic!("{error}"),
        _ => None,
    };
    let answers = rig.jobs.claim_many(keys).expect("answers");
    answers.into_iter().filter_map(lease).collect()
}

pub(crate) fn claim_many(rig: &mut Rig) -> u64 {
    batches(rig, |rig, keys| {
        let leases = counted_calls(|| claim_all(rig, keys));
        assert_eq!(leases.len(), keys.len() / 2, "every other one is new");
        rig.complete_all(leases);
    });
    NEW * 2
}

/// Completions of what such batches were granted.
pub(crate) fn complete_many(rig: &mut Rig) -> u64 {
    batches(rig, |rig, keys| {
        let leases = claim_all(rig, keys);
        counted_calls(|| rig.complete_all(leases));
    });
    NEW
}

pub(crate) fn insert_many(rig: &mut Rig) -> u64 {
    batches(rig, |rig, keys| {
        let answers = counted_calls(|| rig.jobs.insert_many(keys).expect("answers"));
        let new = answers
            .into_iter()
            .filter(|answer| matches!(answer, Ok(true)));
        assert_eq!(new.count(), keys.len() / 2, "every other one is new");
    });
    NEW * 2
}
