//! How long an outcome is remembered.

use std::time::Duration;

use hapax::limits::RETENTION_MAX;
use hapax::{Claim, ClaimOptions, Namespace, Policy, Resolution};

use crate::site::answers::{claim, completed, state};
use crate::site::site::Site;
use crate::site::times::{DAY, HOUR, MILLISECOND, SECOND};
use crate::world::world::World;

fn pay(site: &Site) -> Namespace {
    let policy = Policy::at_most_once().retention(HOUR);
    site.store.namespace("pay", policy).unwrap()
}

fn claim_for_a_week(pay: &Namespace, key: &str) -> hapax::Lease {
    let week = ClaimOptions::new().retention(HOUR * 24 * 7);
    match pay.claim_with(key, week).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key} is free: {other:?}"),
    }
}

pub(crate) fn what_a_claim_asked_for_holds_after_a_crash(world: &dyn World) {
    let mut site = Site::new(world);
    let work = pay(&site);
    let _doubted = claim_for_a_week(&work, "doubted");
    let ticket = claim_for_a_week(&work, "detached").detach().unwrap();
    drop(work);
    site.crash();
    let pay = pay(&site);
    site.store
        .attach(&ticket)
        .unwrap()
        .complete("late")
        .unwrap();
    let settled = site
        .store
        .reconcile(|_| Some(Resolution::Happened(b"known".to_vec())));
    assert_eq!(settled.unwrap().resolved(), 1);
    site.advance(HOUR * 24 * 6);
    for key in ["doubted", "detached"] {
        assert!(
            matches!(pay.claim(key).unwrap(), Claim::Completed(_)),
            "{key}"
        );
    }
    site.advance(HOUR * 25);
    for key in ["doubted", "detached"] {
        assert!(
            matches!(pay.claim(key).unwrap(), Claim::Granted(_)),
            "{key}"
        );
    }
    site.validate();
}

pub(crate) fn retention_at_the_limits_of_integers_neither_wraps_nor_expires_early(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().retention(RETENTION_MAX));
    claim(&work, "key").complete("done").unwrap();
    site.advance(RETENTION_MAX);
    completed(work.claim("key").unwrap());
    site.advance(2 * SECOND);
    assert_eq!(state(&work, "key"), None);
    // Past the last second that 32 bits count.
    site.advance(100 * 365 * DAY);
    claim(&work, "late").complete("done").unwrap();
    completed(work.claim("late").unwrap());
    site.advance(Duration::MAX);
    claim(&work, "latest").complete("done").unwrap();
    completed(work.claim("latest").unwrap());
    site.validate();
}

pub(crate) fn the_smallest_lease_and_retention_work(world: &dyn World) {
    let site = Site::new(world);
    let policy = Policy::at_least_once().lease(MILLISECOND);
    let work = site.namespace(
        policy
            .retention(2 * MILLISECOND)
            .attempt_retention(2 * MILLISECOND),
    );
    claim(&work, "key").complete("done").unwrap();
    completed(work.claim("key").unwrap());
    site.advance(2 * SECOND);
    assert_eq!(state(&work, "key"), None);
    let lease = claim(&work, "key");
    site.advance(MILLISECOND);
    assert!(lease.is_lost());
}

pub(crate) fn a_change_of_retention_never_moves_existing_records(world: &dyn World) {
    for (before, after) in [(HOUR, DAY), (DAY, HOUR)] {
        let mut site = Site::new(world);
        let policy = |kept| {
            Policy::at_least_once()
                .retention(kept)
                .failed_retention(kept)
                .attempt_retention(kept)
        };
        let work = site.namespace(policy(before));
        claim(&work, "done").complete("done").unwrap();
        claim(&work, "failed").fail("failed").unwrap();
        claim(&work, "released").release("again").unwrap();
        let expiry = |work: &Namespace| {
            ["done", "failed", "released"].map(|key| work.get(key).unwrap().unwrap().expires_at())
        };
        let was = expiry(&work);
        drop(work);
        site.crash();
        let work = site.namespace(policy(after));
        assert_eq!(expiry(&work), was);
        claim(&work, "new").complete("new").unwrap();
        site.advance(2 * HOUR);
        assert_eq!(state(&work, "done").is_some(), before == DAY);
        assert_eq!(state(&work, "failed").is_some(), before == DAY);
        assert_eq!(state(&work, "released").is_some(), before == DAY);
        assert_eq!(state(&work, "new").is_some(), after == DAY);
    }
}
