//! What a holder may do while the key is its own.

use hapax::{ErrorKind, KeyState, Lease, Policy};

use crate::site::answers::{claim, completed, failed, in_progress, state};
use crate::site::site::{Site, both};
use crate::site::times::{HOUR, MINUTE, SECOND};
use crate::world::world::World;

pub(crate) type Settle = fn(Lease) -> hapax::Result<()>;

/// Every way to settle a lease, and what it leads to.
pub(crate) const SETTLES: [(Settle, KeyState); 4] = [
    (|lease| lease.complete("c"), KeyState::Completed),
    (|lease| lease.fail("f"), KeyState::Failed),
    (|lease| lease.release("r"), KeyState::Released),
    (|lease| lease.doubt("d"), KeyState::InDoubt),
];

/// Every call on a lease that does not consume it.
pub(crate) const KEEPS: [fn(&Lease) -> hapax::Result<()>; 3] = [
    Lease::renew,
    |lease| lease.keep_alive(HOUR),
    |lease| lease.checkpoint("c"),
];

// Settling.

pub(crate) fn each_outcome_is_the_state_of_the_key_under_the_token_of_the_lease(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        for (settle, outcome) in SETTLES {
            let key = outcome.to_string();
            let lease = claim(&work, &key);
            let token = lease.token();
            settle(lease).unwrap();
            let info = work.get(&key).unwrap().unwrap();
            assert_eq!(
                (info.state(), info.token(), info.attempt()),
                (outcome, token, 1)
            );
        }
        let info = |key: &str| work.get(key).unwrap().unwrap();
        assert_eq!(info("completed").body(), b"c");
        assert_eq!(info("failed").body(), b"f");
        assert_eq!(info("released").reason(), b"r");
        assert_eq!(info("in doubt").reason(), b"d");
        assert_eq!(info("in doubt").expires_at(), None);
        site.validate();
    }
}

pub(crate) fn release_frees_the_key_and_keeps_attempts_and_the_last_error(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    for attempt in 1..5 {
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        lease.release(format!("error {attempt}")).unwrap();
    }
    assert_eq!(claim(&work, "key").last_reason(), b"error 4");
}

pub(crate) fn the_last_release_that_max_attempts_allows_is_a_final_failure(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.max_attempts(2));
        claim(&work, "key").release("first").unwrap();
        claim(&work, "key").release("second").unwrap();
        let answer = failed(work.claim("key").unwrap());
        assert_eq!((answer.error(), answer.attempts()), (&b"second"[..], 2));
    }
}

pub(crate) fn the_last_drop_that_max_attempts_allows_is_a_final_failure_under_at_least_once(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(1));
    drop(claim(&work, "key"));
    failed(work.claim("key").unwrap());
}

pub(crate) fn a_doubt_is_kept_for_the_reconciler_with_reason_and_checkpoint(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        lease.checkpoint("sent to the provider").unwrap();
        lease.doubt("it timed out").unwrap();
        let doubts: Vec<_> = site.store.doubts().unwrap().map(Result::unwrap).collect();
        assert_eq!(doubts.len(), 1);
        assert_eq!(doubts[0].reason(), b"it timed out");
        assert_eq!(doubts[0].checkpoint(), b"sent to the provider");
    }
}

pub(crate) fn many_are_settled_in_order_and_each_has_its_own_result(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_response(4));
    let leases = || ["a", "b", "c"].map(|key| claim(&work, key));
    let results = work.complete_many(leases().into_iter().zip(["ok", "too long", "ok"]));
    assert!(results[0].is_ok() && results[2].is_ok());
    let refused = results.into_iter().nth(1).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let failures = work.fail_many([(refused.into_lease().unwrap(), "no")]);
    assert!(failures[0].is_ok());
    let leases = ["d", "e"].map(|key| claim(&work, key));
    let released = work.release_many(leases.into_iter().map(|lease| (lease, "later")));
    assert!(released.iter().all(Result::is_ok));
    let states = ["a", "b", "c", "d", "e"].map(|key| state(&work, key).unwrap());
    use KeyState::{Completed, Failed, Released};
    assert_eq!(states, [Completed, Failed, Completed, Released, Released]);
}

// The lease itself.

pub(crate) fn renew_makes_the_lease_last_for_its_whole_time_again(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        for _ in 0..5 {
            site.advance(50 * SECOND);
            lease.renew().unwrap();
            site.is_left(lease.lease_left(), MINUTE);
        }
        assert!(!lease.is_lost());
        site.advance(MINUTE);
        assert!(lease.is_lost());
    }
}

pub(crate) fn renew_after_a_lapse_is_accepted_without_a_take_over_under_at_least_once(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    site.advance(2 * MINUTE);
    assert!(lease.is_lost());
    lease.renew().unwrap();
    assert!(!lease.is_lost());
    in_progress(work.claim("key").unwrap());
    site.advance(MINUTE);
    assert_eq!(claim(&work, "key").attempt(), 2);
}

pub(crate) fn renew_after_a_lapse_is_refused_under_at_most_once(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    site.advance(MINUTE);
    for keep in KEEPS {
        let error = keep(&lease).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse);
        assert_eq!(error.current().unwrap().state(), KeyState::InDoubt);
    }
    assert!(lease.is_lost());
    lease.complete("late").unwrap();
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"late");
}

pub(crate) fn keep_alive_renews_until_the_ceiling_and_no_longer(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        lease.keep_alive(HOUR).unwrap();
        site.advance(HOUR - SECOND - site.slack());
        assert!(!lease.is_lost());
        let busy = in_progress(work.claim("key").unwrap());
        assert!(
            busy.lease_left() <= MINUTE,
            "no caller is told to come back in an hour"
        );
        site.advance(SECOND + site.slack());
        assert!(lease.is_lost());
    }
}

pub(crate) fn keep_alive_ends_with_the_lease(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.keep_alive(HOUR).unwrap();
    lease.release("done for now").unwrap();
    let second = claim(&work, "key");
    site.advance(MINUTE);
    assert!(second.is_lost(), "the next lease is an ordinary one");
}

/// When the error of a refused call was dropped, the store went on renewing a lease without a
/// holder, up to the ceiling: an hour with `run_once`.
pub(crate) fn keep_alive_ends_when_the_lease_is_dropped_inside_its_error(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_response(4));
    let lease = claim(&work, "key");
    lease.keep_alive(HOUR).unwrap();
    drop(lease.complete("too long").unwrap_err());
    assert_eq!(
        state(&work, "key"),
        Some(KeyState::InProgress),
        "never released"
    );
    site.advance(MINUTE);
    assert_eq!(
        claim(&work, "key").attempt(),
        2,
        "it runs on until it lapses"
    );
}

pub(crate) fn a_checkpoint_replaces_the_last_one_and_survives_release_lapse_and_crash(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.checkpoint("one").unwrap();
    lease.checkpoint("two").unwrap();
    lease.release("again").unwrap();
    let lease = claim(&work, "key");
    assert_eq!(lease.last_checkpoint(), b"two");
    lease.checkpoint("three").unwrap();
    site.advance(MINUTE);
    let lease = claim(&work, "key");
    assert_eq!(lease.last_checkpoint(), b"three");
    lease.checkpoint("four").unwrap();
    site.crash();
    drop((lease, work));
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    assert_eq!(
        (lease.last_checkpoint(), lease.attempt()),
        (&b"four"[..], 4)
    );
    lease.complete("done").unwrap();
    site.validate();
}

pub(crate) fn a_derived_key_is_stable_across_attempts_and_restarts_and_differs_elsewhere(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let derived = lease.derived_key("psp");
    assert_ne!(derived, lease.derived_key("mail"));
    lease.release("again").unwrap();
    assert_eq!(claim(&work, "key").derived_key("psp"), derived);
    assert_ne!(claim(&work, "other").derived_key("psp"), derived);
    let other = site
        .store
        .namespace("other", Policy::at_least_once())
        .unwrap();
    assert_ne!(claim(&other, "key").derived_key("psp"), derived);
    drop((work, other));
    site.crash();
    let work = site.namespace(Policy::at_least_once());
    assert_eq!(claim(&work, "key").derived_key("psp"), derived);
    // Label and key are framed: another split of the same bytes gives another derived key.
    assert_ne!(
        claim(&work, "ab").derived_key("c"),
        claim(&work, "a").derived_key("bc")
    );
}

// `src/engine/tests/holders.rs` checks that the same outcome again is a no-op: there a token can be
// used twice without a lease.
