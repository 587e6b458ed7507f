//! Grants that are decided and never handed out: they do not count as attempts, and are never in
//! doubt.

use std::time::Duration;

use hapax::audit::{AuditFilter, AuditLevel, Transition};
use hapax::{Claim, ClaimOptions, ErrorKind, KeyState, Policy};

use crate::site::answers::{claim, granted, state};
use crate::site::polls::patient;
use crate::site::site::{Site, durabilities};
use crate::site::times::{HOUR, MINUTE, SECOND};
use crate::world::settings::Settings;
use crate::world::world::World;

/// Longer than a grant may be on its way: the write deadline and a lease.
const LATE: Duration = Duration::from_secs(120);

/// The same, step by step: the grant lies in the mailbox of a waiter that is not looked at before the
/// store is closed.
pub(crate) fn close_takes_back_what_is_on_its_way(world: &dyn World) {
    for durability in durabilities(world, MINUTE) {
        for policy in [
            Policy::at_least_once(),
            Policy::at_least_once().max_attempts(2),
            Policy::at_most_once(),
        ] {
            let mut site = Site::with(world, Settings::new().durability(durability));
            let space = site.namespace(policy.clone());
            let holder = claim(&space, "key");
            let waiter = site.queued(&space, patient());
            holder.release("again").unwrap();
            site.store.close().unwrap();
            assert_eq!(site.ready(waiter).unwrap_err().kind(), ErrorKind::Closed);
            drop(space);
            site.reopen();
            let space = site.namespace(policy.clone());
            let info = space.get("key").unwrap().unwrap();
            assert_eq!(
                (info.state(), info.attempt()),
                (KeyState::Released, 1),
                "{policy:?}"
            );
            assert_eq!(granted(space.claim("key").unwrap()).attempt(), 2);
            site.validate();
        }
    }
}

pub(crate) fn what_close_takes_back_is_in_the_audit_log(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_most_once().audit(AuditLevel::Keys);
    let space = site.namespace(policy);
    let holder = claim(&space, "key");
    let waiter = site.queued(&space, patient());
    holder.release("again").unwrap();
    drop(space);
    site.restart();
    drop(waiter);
    let entries = site.store.audit(AuditFilter::new()).unwrap();
    let last = entries.last().unwrap().unwrap();
    assert_eq!(last.transition(), Transition::Withdrawn);
}

/// A grant lapsed like any other when its task was not polled within the lease: the next claim was
/// one attempt further, and under at-most-once the key was in doubt, although no caller had ever been
/// told to run.
pub(crate) fn a_grant_not_fetched_before_its_lease_ends_is_neither_an_attempt_nor_a_doubt(
    world: &dyn World,
) {
    for durability in durabilities(world, SECOND) {
        for policy in [
            Policy::at_least_once(),
            Policy::at_least_once().max_attempts(2),
            Policy::at_most_once(),
        ] {
            let site = Site::with(world, Settings::new().durability(durability));
            let space = site.namespace(policy.clone());
            let holder = claim(&space, "key");
            let asleep = site.queued(&space, patient());
            holder.release("again").unwrap();
            site.advance(LATE);
            assert_eq!(state(&space, "key"), Some(KeyState::Released), "{policy:?}");
            assert!(site.store.doubts().unwrap().next().is_none());
            let next = granted(space.claim("key").unwrap());
            assert_eq!(next.attempt(), 2, "{policy:?}");
            next.complete("done").unwrap();
            assert!(matches!(site.ready(asleep).unwrap(), Claim::Completed(_)));
            site.validate();
        }
    }
}

/// As before, with another claim in line: the sleeping claim passes its grant on.
pub(crate) fn an_unfetched_grant_passes_to_the_next_in_line(world: &dyn World) {
    let site = Site::new(world);
    let space = site.namespace(Policy::at_most_once());
    let holder = claim(&space, "key");
    let asleep = site.queued(&space, patient());
    holder.release("again").unwrap();
    site.rest();
    let mut next = site.queued(&space, patient());
    assert!(site.poll(&mut next).is_pending());
    site.advance(LATE);
    assert_eq!(granted(site.ready(next).unwrap()).attempt(), 2);
    drop(asleep);
    site.validate();
}

pub(crate) fn a_lease_is_kept_alive_from_its_grant_on(world: &dyn World) {
    let site = Site::new(world);
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        let name = format!("{:?}", policy.guarantee());
        let space = site.store.namespace(&name, policy).unwrap();
        let kept = || ClaimOptions::new().keep_alive(HOUR);
        let lease = granted(space.claim_with("key", kept()).unwrap());
        let item = hapax::ClaimItem::new("item").options(kept());
        let mut batch = space.claim_many([item]).unwrap();
        let waiter = site.queued(&space, patient().keep_alive(HOUR));
        lease.release("again").unwrap();
        let handed = granted(site.ready(waiter).unwrap());
        let hapax::BatchClaim::Claim(of_batch) = batch.remove(0) else {
            panic!("no other caller claims it")
        };
        let of_batch = granted(of_batch);
        site.advance(50 * MINUTE);
        assert!(!handed.is_lost() && !of_batch.is_lost(), "{name}");
        site.advance(11 * MINUTE);
        assert!(handed.is_lost() && of_batch.is_lost(), "{name}");
    }
}
