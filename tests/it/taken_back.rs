//! `Lease::withdraw`: a holder says that no work has begun, and the key is as before.

use hapax::audit::{AuditLevel, Transition};
use hapax::{ClaimOptions, KeyState, Policy, Store};

use crate::contract_support::{HOUR, MINUTE, World, both, completed, granted, poll, total};

#[test]
fn a_grant_that_is_withdrawn_counts_no_attempt_and_leaves_no_doubt() {
    for policy in both() {
        for policy in [policy.clone(), policy.max_attempts(1)] {
            let world = World::new();
            let work = world.namespace(policy);
            for _ in 0..3 {
                let lease = granted(work.claim("key").unwrap());
                assert_eq!(lease.attempt(), 1);
                lease.withdraw();
                world.store.validate();
                assert_eq!(work.get("key").unwrap().map(|info| info.state()), None);
                assert!(work.doubts().unwrap().next().is_none());
            }
            assert_eq!(total(&world.store, "hapax_withdrawn_grants_total"), 3);
            granted(work.claim("key").unwrap())
                .complete("done")
                .unwrap();
            assert_eq!(completed(work.claim("key").unwrap()).attempts(), 1);
        }
    }
}

#[test]
fn a_released_key_keeps_its_attempt_and_reason() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = granted(work.claim("key").unwrap());
        lease.checkpoint("half").unwrap();
        lease.release("the provider is busy").unwrap();
        granted(work.claim("key").unwrap()).withdraw();
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
        assert_eq!(info.reason(), b"the provider is busy");
        assert_eq!(info.body(), b"half");
        world.store.validate();
    }
}

#[test]
fn a_claim_that_waits_is_granted_what_is_withdrawn() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy.max_attempts(1));
        let lease = granted(work.claim("key").unwrap());
        let mut waits = work.claim_async("key", ClaimOptions::new().wait(HOUR));
        assert!(poll(&mut waits).is_pending());
        lease.withdraw();
        let std::task::Poll::Ready(answer) = poll(&mut waits) else {
            panic!("it waits though the key is free")
        };
        assert_eq!(granted(answer.unwrap()).attempt(), 1);
        world.store.validate();
    }
}

#[test]
fn a_holder_that_lost_its_key_withdraws_nothing() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let late = granted(work.claim("key").unwrap());
    world.clock.advance(MINUTE);
    let current = granted(work.claim("key").unwrap());
    late.withdraw();
    world.store.validate();
    assert_eq!(work.get("key").unwrap().unwrap().token(), current.token());
    current.complete("done").unwrap();
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"done");
}

/// What was withdrawn comes back neither as an attempt nor as a doubt, and the audit log tells of it.
#[test]
fn what_was_withdrawn_stays_so_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    for policy in both() {
        let policy = policy.max_attempts(1).audit(AuditLevel::Digests);
        let store = Store::open(&path).unwrap();
        let name = format!("{:?}", policy.guarantee());
        let work = store.namespace(&name, policy).unwrap();
        granted(work.claim("key").unwrap()).withdraw();
        let told = store.audit(hapax::audit::AuditFilter::new()).unwrap();
        let told = told.map(|entry| entry.unwrap().transition());
        assert_eq!(told.last(), Some(Transition::Withdrawn));
        store.close().unwrap();
        let store = Store::open(&path).unwrap();
        let work = store.open_namespace(&name).unwrap();
        assert!(work.doubts().unwrap().next().is_none());
        assert_eq!(granted(work.claim("key").unwrap()).attempt(), 1);
        drop(work);
        store.close().unwrap();
    }
}
