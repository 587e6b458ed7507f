//! What operators do: each action under a name and a reason.

use std::task::Poll;

use hapax::limits::ACTOR_BYTES_MAX;
use hapax::operator::Attribution;
use hapax::{Claim, ClaimOptions, ErrorKind, KeyState, Lease, Policy, Resolution};

use crate::site::answers::{claim, completed, failed, in_doubt};
use crate::site::site::{Site, both};
use crate::site::times::MINUTE;
use crate::world::world::World;

fn refused(lease: Lease) -> ErrorKind {
    lease.complete("late").unwrap_err().kind()
}

pub(crate) fn who_acts_and_why_has_to_fit_a_line(_world: &dyn World) {
    let most = "x".repeat(ACTOR_BYTES_MAX);
    let by = Attribution::new(most.clone(), most.clone()).unwrap();
    assert_eq!((by.actor(), by.reason()), (&*most, &*most));
    assert_eq!(Attribution::new("bob", "").unwrap().reason(), "");
    let over = format!("{most}x");
    for (actor, reason, kind) in [
        ("", "why", ErrorKind::Invalid),
        ("a\nb", "why", ErrorKind::Invalid),
        ("bob", "why\u{7}", ErrorKind::Invalid),
        // Neither is a control character to Unicode, and both make of one line what it is not.
        ("bob", "why\u{2028}carol: because", ErrorKind::Invalid),
        ("\u{202e}bob", "why", ErrorKind::Invalid),
        (&*over, "why", ErrorKind::TooLarge),
        ("bob", &*over, ErrorKind::TooLarge),
    ] {
        assert_eq!(Attribution::new(actor, reason).unwrap_err().kind(), kind);
    }
}

pub(crate) fn a_namespace_is_opened_under_the_policy_that_is_stored(world: &dyn World) {
    let mut site = Site::new(world);
    let none = site.store.open_namespace("work").unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoNamespace);
    let policy = Policy::at_least_once().lease(MINUTE * 7);
    site.namespace(policy.clone()).insert("a").unwrap();
    site.crash();
    let opened = site.store.open_namespace("work").unwrap();
    assert_eq!(*opened.policy(), policy);
    assert!(opened.contains("a").unwrap());
    let other = site.store.open_namespace("wrok").unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NoNamespace);
    assert!(other.to_string().contains("\"work\""), "{other}");
    // A name that no namespace can have is refused before it is looked up, and not repeated in the error.
    let long = "w".repeat(1 << 20);
    for (name, kind) in [("", ErrorKind::Invalid), (&long, ErrorKind::TooLarge)] {
        let error = site.store.open_namespace(name).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().len() < 200, "{error}");
    }
    let operator = site.operator();
    let token = claim(&opened, "b").token();
    for error in [
        operator.release("wrok", "b", token).unwrap_err(),
        operator.forget("wrok", "b").map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NoNamespace);
    }
    assert_eq!(
        operator.fail("work", "", token, "x").unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

pub(crate) fn a_key_that_is_released_can_be_claimed_and_its_holder_is_superseded(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let (token, operator) = (lease.token(), site.operator());
    operator.release("work", "key", token).unwrap();
    assert!(lease.is_lost());
    assert_eq!(refused(lease), ErrorKind::Superseded);
    let info = work.get("key").unwrap().unwrap();
    assert_eq!(info.state(), KeyState::Released);
    assert_eq!(info.reason(), b"alice: INC-42: it hangs");
    assert!(info.token() > token);
    let again = operator.release("work", "key", token).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Superseded);
    let idle = operator.release("work", "key", info.token()).unwrap_err();
    assert_eq!(idle.kind(), ErrorKind::AlreadySettled);
    let none = operator.release("work", "none", token).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotHeld);
    drop((work, operator));
    site.crash();
    let work = site.namespace(Policy::at_least_once());
    let next = claim(&work, "key");
    assert_eq!(next.attempt(), 2);
    assert_eq!(next.last_reason(), b"alice: INC-42: it hangs");
}

/// A key that an operator took from a living holder runs a second time beside it. The bound on
/// duplicate effects did not count that.
pub(crate) fn what_an_operator_releases_counts_as_a_possible_duplicate(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    site.operator()
        .release("work", "key", lease.token())
        .unwrap();
    claim(&work, "key").complete("again").unwrap();
    assert_eq!(refused(lease), ErrorKind::Superseded);
    let indicators = site.store.metrics().indicators();
    assert_eq!(indicators.duplicate_effects_max(), 1);
}

pub(crate) fn the_last_attempt_that_is_released_is_a_failure(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    site.operator()
        .release("work", "key", lease.token())
        .unwrap();
    assert_eq!(refused(lease), ErrorKind::Superseded);
    let failed = failed(work.claim("key").unwrap());
    // Callers got the actor and the reason as their answer, which are for operators only.
    assert_eq!(
        failed.error(),
        b"an operator ended the last attempt that the policy allows"
    );
}

pub(crate) fn a_waiter_hears_what_an_operator_did(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        let mut waiting = work.claim_async("key", ClaimOptions::new().wait(MINUTE));
        assert!(site.poll(&mut waiting).is_pending());
        site.operator()
            .fail("work", "key", lease.token(), "given up")
            .unwrap();
        match site.poll(&mut waiting) {
            Poll::Ready(Ok(Claim::Failed(failed))) => {
                assert_eq!(failed.error(), b"given up");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(refused(lease), ErrorKind::Superseded);
    }
}

pub(crate) fn what_promises_at_most_once_is_put_in_doubt_and_resolved(world: &dyn World) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    let token = lease.token();
    let by = site.operator();
    let refusal = by.release("work", "key", token).unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::InUse);
    assert_eq!(refusal.current().unwrap().state(), KeyState::InProgress);
    by.doubt("work", "key", token).unwrap();
    assert_eq!(refused(lease), ErrorKind::Superseded);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert_eq!(doubt.reason(), b"alice: INC-42: it hangs");
    for refusal in [
        by.doubt("work", "key", doubt.token()).unwrap_err(),
        by.fail("work", "key", doubt.token(), "x").unwrap_err(),
    ] {
        assert_eq!(refusal.kind(), ErrorKind::InUse);
    }
    let elsewhere = Site::new(world);
    let foreign = elsewhere
        .operator()
        .resolve(&doubt, Resolution::NeverHappened);
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Invalid);
    by.resolve(&doubt, Resolution::Happened(b"yes".to_vec()))
        .unwrap();
    drop((work, by, doubt));
    site.crash();
    let work = site.namespace(Policy::at_most_once());
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"yes");
}

/// A holder whose key an operator had put in doubt counted as gone: the doubt could be resolved as
/// "never happened" without force, and the key ran again while the first run went on to its effect.
pub(crate) fn a_holder_that_an_operator_put_in_doubt_is_alive_until_its_guard_is_gone(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let by = site.operator();
        for ends in [
            (|lease| drop(lease)) as fn(Lease),
            |lease| assert_eq!(refused(lease), ErrorKind::Superseded),
            |lease| {
                let again = lease.complete("late").unwrap_err().into_lease().unwrap();
                drop(again);
            },
        ] {
            let lease = claim(&work, "key");
            by.doubt("work", "key", lease.token()).unwrap();
            let doubt = work.doubt_of("key").unwrap().unwrap();
            assert!(doubt.holder_alive());
            assert!(
                work.doubts()
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
                    .holder_alive()
            );
            assert!(in_doubt(work.claim("key").unwrap()).holder_alive());
            let alive = by.resolve(&doubt, Resolution::NeverHappened).unwrap_err();
            assert_eq!(alive.kind(), ErrorKind::InUse);
            ends(lease);
            site.rest();
            assert!(!work.doubt_of("key").unwrap().unwrap().holder_alive());
            assert!(
                !work
                    .doubts()
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
                    .holder_alive()
            );
            by.resolve(&doubt, Resolution::NeverHappened).unwrap();
            assert!(work.forget("key").unwrap());
        }
        let lease = claim(&work, "key");
        by.doubt("work", "key", lease.token()).unwrap();
        let doubt = work.doubt_of("key").unwrap().unwrap();
        by.resolve_forced(&doubt, Resolution::NeverHappened)
            .unwrap();
        assert_eq!(claim(&work, "key").attempt(), 1);
        assert_eq!(refused(lease), ErrorKind::Superseded);
    }
}

pub(crate) fn a_lapsed_key_in_doubt_is_resolved_by_force_while_its_holder_lives(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once().lease(MINUTE));
    let lease = claim(&work, "key");
    site.advance(MINUTE);
    let by = site.operator();
    let lapsed = by.doubt("work", "key", lease.token()).unwrap_err();
    assert_eq!(lapsed.kind(), ErrorKind::InUse);
    let doubt = in_doubt(work.claim("key").unwrap());
    let alive = by.resolve(&doubt, Resolution::NeverHappened).unwrap_err();
    assert_eq!(alive.kind(), ErrorKind::InUse);
    by.resolve_forced(&doubt, Resolution::NeverHappened)
        .unwrap();
    assert_eq!(refused(lease), ErrorKind::Superseded);
    assert_eq!(claim(&work, "key").attempt(), 1);
}

pub(crate) fn operators_forget_keys(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let by = site.operator();
    claim(&work, "done").complete("x").unwrap();
    assert!(by.forget("work", "done").unwrap());
    assert!(!by.forget("work", "done").unwrap());
    let lease = claim(&work, "held");
    let held = by.forget("work", "held").unwrap_err();
    assert_eq!(held.kind(), ErrorKind::InUse);
    assert!(by.forget_forced("work", "held", lease.token()).unwrap());
    assert_eq!(refused(lease), ErrorKind::NotHeld);
}
