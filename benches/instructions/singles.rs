//! Calls for one key each.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hapax::{Claim, ClaimOptions, Lease};

use crate::rig::{HELD, Key, NEW, Rig, counted_calls, response};

/// New keys in pieces, none so large that more grants are held than were before.
fn pieces(rig: &mut Rig) -> Vec<Vec<Key>> {
    (0..NEW / HELD).map(|_| rig.fresh(HELD)).collect()
}

/// Claims of new keys: no record is written.
pub(crate) fn claim(rig: &mut Rig) -> u64 {
    for keys in pieces(rig) {
        let leases = counted_calls(|| rig.leases(&keys));
        rig.complete_all(leases);
    }
    NEW
}

/// As [`claim`], by a future that is ready when it is first polled.
pub(crate) fn claim_async(rig: &mut Rig) -> u64 {
    for keys in pieces(rig) {
        let leases: Vec<Lease> = counted_calls(|| {
            let leases = keys.iter().map(|key| lease_of_one_poll(rig, key));
            leases.collect()
        });
        rig.complete_all(leases);
    }
    NEW
}

fn lease_of_one_poll(rig: &Rig, key: &Key) -> Lease {
    let claim = pin!(rig.jobs.claim_async(key, ClaimOptions::new()));
    match claim.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(Claim::Granted(lease))) => lease,
        other => panic!("a new key is granted at once, not {other:?}"),
    }
}

/// Claims of keys that run.
pub(crate) fn claim_running(rig: &mut Rig) -> u64 {
    let keys = rig.fresh(HELD);
    let leases = rig.leases(&keys);
    counted_calls(|| {
        for key in &keys {
            let claim = rig.jobs.claim(key).expect("an answer");
            assert!(matches!(claim, Claim::InProgress(_)), "its holder is alive");
        }
    });
    rig.complete_all(leases);
    HELD
}

/// Claims of keys that were completed lately, with their responses.
pub(crate) fn replay(rig: &mut Rig) -> u64 {
    const AMONG: u64 = 4096;
    let keys: Vec<Key> = (0..NEW).map(|i| rig.recent(AMONG, i)).collect();
    counted_calls(|| {
        for key in &keys {
            match rig.jobs.claim(key).expect("an answer") {
                Claim::Completed(answer) => assert_eq!(answer.response()[..16], key[..]),
                other => panic!("it is completed, not {other:?}"),
            }
        }
    });
    NEW
}

/// New keys, marked as seen.
pub(crate) fn insert(rig: &mut Rig) -> u64 {
    let keys = rig.fresh(NEW);
    counted_calls(|| {
        for key in &keys {
            assert!(rig.jobs.insert(key).expect("an answer"), "it is new");
        }
    });
    NEW
}

/// The whole life of new keys: both calls count as one.
pub(crate) fn pair(rig: &mut Rig) -> u64 {
    let keys = rig.fresh(NEW);
    counted_calls(|| {
        for key in &keys {
            let outcome = rig.lease(key).complete(response(key));
            outcome.expect("it is stored");
        }
    });
    NEW
}

/// Ends of grants, which were claimed off the count.
fn settle(rig: &mut Rig, settle: impl Fn(Lease)) -> u64 {
    for keys in pieces(rig) {
        let leases = rig.leases(&keys);
        counted_calls(|| leases.into_iter().for_each(&settle));
    }
    NEW
}

pub(crate) fn complete(rig: &mut Rig) -> u64 {
    settle(rig, |lease| {
        let response = response(lease.key());
        lease.complete(response).expect("it is stored");
    })
}

pub(crate) fn fail(rig: &mut Rig) -> u64 {
    settle(rig, |lease| {
        let error = response(lease.key());
        lease.fail(error).expect("it is stored");
    })
}

pub(crate) fn release(rig: &mut Rig) -> u64 {
    settle(rig, |lease| lease.release("busy").expect("it is stored"))
}
