//! `Lease::withdraw`: a holder says that no work has begun, and the key is as before.

use hapax::audit::{AuditFilter, AuditLevel, Transition};
use hapax::{ClaimOptions, KeyState, Policy};

use crate::site::answers::{completed, granted};
use crate::site::site::{Site, both, total};
use crate::site::times::{HOUR, MINUTE};
use crate::world::world::World;

pub(crate) fn a_grant_that_is_withdrawn_counts_no_attempt_and_leaves_no_doubt(world: &dyn World) {
    for policy in both() {
        for policy in [policy.clone(), policy.max_attempts(1)] {
            let site = Site::new(world);
            let work = site.namespace(policy);
            for _ in 0..3 {
                let lease = granted(work.claim("key").unwrap());
                assert_eq!(lease.attempt(), 1);
                lease.withdraw();
                site.validate();
                assert_eq!(work.get("key").unwrap().map(|info| info.state()), None);
                assert!(work.doubts().unwrap().next().is_none());
            }
            assert_eq!(total(&site.store, "hapax_withdrawn_grants_total"), 3);
            granted(work.claim("key").unwrap())
                .complete("done")
                .unwrap();
            assert_eq!(completed(work.claim("key").unwrap()).attempts(), 1);
        }
    }
}

pub(crate) fn a_released_key_keeps_its_attempt_and_reason(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = granted(work.claim("key").unwrap());
        lease.checkpoint("half").unwrap();
        lease.release("the provider is busy").unwrap();
        granted(work.claim("key").unwrap()).withdraw();
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
        assert_eq!(info.reason(), b"the provider is busy");
        assert_eq!(info.body(), b"half");
        site.validate();
    }
}

pub(crate) fn a_claim_that_waits_is_granted_what_is_withdrawn(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.max_attempts(1));
        let lease = granted(work.claim("key").unwrap());
        let mut waits = work.claim_async("key", ClaimOptions::new().wait(HOUR));
        assert!(site.poll(&mut waits).is_pending());
        lease.withdraw();
        let std::task::Poll::Ready(answer) = site.poll(&mut waits) else {
            panic!("it waits though the key is free")
        };
        assert_eq!(granted(answer.unwrap()).attempt(), 1);
        site.validate();
    }
}

pub(crate) fn a_holder_that_lost_its_key_withdraws_nothing(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let late = granted(work.claim("key").unwrap());
    site.advance(MINUTE);
    let current = granted(work.claim("key").unwrap());
    late.withdraw();
    site.validate();
    assert_eq!(work.get("key").unwrap().unwrap().token(), current.token());
    current.complete("done").unwrap();
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"done");
}

/// What was withdrawn comes back neither as an attempt nor as a doubt.
pub(crate) fn what_was_withdrawn_stays_so_after_reopening(world: &dyn World) {
    for policy in both() {
        let mut site = Site::new(world);
        let work = site.namespace(policy.max_attempts(1));
        granted(work.claim("key").unwrap()).withdraw();
        drop(work);
        site.restart();
        let work = site.store.open_namespace("work").unwrap();
        assert!(work.doubts().unwrap().next().is_none());
        assert_eq!(granted(work.claim("key").unwrap()).attempt(), 1);
    }
}

pub(crate) fn what_was_withdrawn_is_in_the_audit_log(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let policy = policy.max_attempts(1).audit(AuditLevel::Digests);
        let work = site.namespace(policy);
        granted(work.claim("key").unwrap()).withdraw();
        let told = site.store.audit(AuditFilter::new()).unwrap();
        let told = told.map(|entry| entry.unwrap().transition());
        assert_eq!(told.last(), Some(Transition::Withdrawn));
    }
}
