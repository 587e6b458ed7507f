//! What operators do: each action under a name and a reason.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use hapax::audit::{AuditEntry, AuditFilter, Origin, Transition};
use hapax::limits::{ACTOR_BYTES_MAX, CHECKPOINT_BYTES_MAX, RETENTION_MAX};
use hapax::operator::{Attribution, Insertion};
use hapax::{
    Claim, ClaimOptions, Error, ErrorKind, FingerprintPolicy, KeyState, Lease, Limits, Policy,
    Resolution,
};

use crate::contract_support::{
    MINUTE, SECOND, World, both, claim, completed, failed, in_doubt, total,
};

fn refused(lease: Lease) -> ErrorKind {
    lease.complete("late").unwrap_err().kind()
}

#[test]
fn who_acts_and_why_has_to_fit_a_line() {
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

#[test]
fn a_namespace_is_opened_under_the_policy_that_is_stored() {
    let mut world = World::new();
    let none = world.store.open_namespace("work").unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoNamespace);
    let policy = Policy::at_least_once().lease(MINUTE * 7);
    world.namespace(policy.clone()).insert("a").unwrap();
    world.crash();
    let opened = world.store.open_namespace("work").unwrap();
    assert_eq!(*opened.policy(), policy);
    assert!(opened.contains("a").unwrap());
    let other = world.store.open_namespace("wrok").unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NoNamespace);
    assert!(other.to_string().contains("\"work\""), "{other}");
    // A name that no namespace can have is refused before it is looked up, and not repeated in the error.
    let long = "w".repeat(1 << 20);
    for (name, kind) in [("", ErrorKind::Invalid), (&long, ErrorKind::TooLarge)] {
        let error = world.store.open_namespace(name).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().len() < 200, "{error}");
    }
    let operator = world.operator();
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

#[test]
fn a_key_that_is_released_can_be_claimed_and_its_holder_is_superseded() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let (token, operator) = (lease.token(), world.operator());
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
    world.crash();
    let work = world.namespace(Policy::at_least_once());
    let next = claim(&work, "key");
    assert_eq!(next.attempt(), 2);
    assert_eq!(next.last_reason(), b"alice: INC-42: it hangs");
}

/// A key that an operator took from a living holder runs a second time beside it. The bound on
/// duplicate effects did not count that.
#[test]
fn what_an_operator_releases_counts_as_a_possible_duplicate() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    world
        .operator()
        .release("work", "key", lease.token())
        .unwrap();
    claim(&work, "key").complete("again").unwrap();
    assert_eq!(refused(lease), ErrorKind::Superseded);
    let indicators = world.store.metrics().indicators();
    assert_eq!(indicators.duplicate_effects_max(), 1);
}

#[test]
fn the_last_attempt_that_is_released_is_a_failure() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    world
        .operator()
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

#[test]
fn a_waiter_hears_what_an_operator_did() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        let mut waiting = work.claim_async("key", ClaimOptions::new().wait(MINUTE));
        assert!(crate::contract_support::poll(&mut waiting).is_pending());
        world
            .operator()
            .fail("work", "key", lease.token(), "given up")
            .unwrap();
        match crate::contract_support::poll(&mut waiting) {
            std::task::Poll::Ready(Ok(Claim::Failed(failed))) => {
                assert_eq!(failed.error(), b"given up");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(refused(lease), ErrorKind::Superseded);
    }
}

#[test]
fn what_promises_at_most_once_is_put_in_doubt_and_resolved() {
    let mut world = World::with(hapax::Builder::allow_at_most_once);
    let work = world.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    let token = lease.token();
    let by = world.operator();
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
    let elsewhere = World::new();
    let foreign = elsewhere
        .operator()
        .resolve(&doubt, Resolution::NeverHappened);
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Invalid);
    by.resolve(&doubt, Resolution::Happened(b"yes".to_vec()))
        .unwrap();
    drop((work, by, doubt));
    world.log.crash();
    world.store = world.builder().allow_at_most_once().open().unwrap();
    let work = world.namespace(Policy::at_most_once());
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"yes");
}

/// A holder whose key an operator had put in doubt counted as gone: the doubt could be resolved as
/// "never happened" without force, and the key ran again while the first run went on to its effect.
#[test]
fn a_holder_that_an_operator_put_in_doubt_is_alive_until_its_guard_is_gone() {
    for policy in both() {
        let world = World::with(hapax::Builder::allow_at_most_once);
        let work = world.namespace(policy);
        let by = world.operator();
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

#[test]
fn a_lapsed_key_in_doubt_is_resolved_by_force_while_its_holder_lives() {
    let world = World::with(hapax::Builder::allow_at_most_once);
    let work = world.namespace(Policy::at_most_once().lease(MINUTE));
    let lease = claim(&work, "key");
    world.clock.advance(MINUTE);
    let by = world.operator();
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

#[test]
fn operators_forget_keys() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let by = world.operator();
    claim(&work, "done").complete("x").unwrap();
    assert!(by.forget("work", "done").unwrap());
    assert!(!by.forget("work", "done").unwrap());
    let lease = claim(&work, "held");
    let held = by.forget("work", "held").unwrap_err();
    assert_eq!(held.kind(), ErrorKind::InUse);
    assert!(by.forget_forced("work", "held", lease.token()).unwrap());
    assert_eq!(refused(lease), ErrorKind::NotHeld);
    by.accept_salvage().unwrap();
}

/// Imported keys stood in the audit log without a name, or not at all: an import had to act as an
/// ordinary caller.
#[test]
fn what_an_operator_inserts_is_there_after_a_crash_and_in_the_audit_log() {
    for policy in both() {
        let mut world = World::new();
        let work = world.namespace(policy.clone());
        let (by, appended) = (world.operator(), total(&world.store, "hapax_syncs_total"));
        let items = [
            Insertion::completed("paid", "receipt").retention(MINUTE),
            Insertion::failed("refused", "no such card").metadata("trace-1"),
            Insertion::released("later", "busy").checkpoint("page 3"),
            Insertion::in_doubt("unknown", "a timeout").checkpoint("sent"),
        ];
        let inserted = by.insert_many("work", items.clone()).unwrap();
        let inserted: Vec<bool> = inserted.into_iter().map(Result::unwrap).collect();
        assert_eq!(inserted, [true; 4]);
        assert_eq!(
            total(&world.store, "hapax_syncs_total") - appended,
            1,
            "one commit"
        );
        drop((work, by));
        world.crash();
        let work = world.namespace(policy);
        let entries = world.store.audit(AuditFilter::new()).unwrap();
        let entries: Vec<AuditEntry> = entries.map(Result::unwrap).collect();
        assert_eq!(entries.len(), 4);
        for (entry, item) in entries.iter().zip(&items) {
            assert_eq!(entry.key_digest(), Some(work.key_digest(item.key())));
            assert_eq!(entry.transition(), Transition::Inserted);
            assert_eq!(entry.origin(), Origin::Operator);
            let who = (entry.actor(), entry.reason());
            assert_eq!(who, ("alice", "INC-42: it hangs"));
        }
        let receipt = world.store.outcome_digest("receipt");
        assert_eq!(entries[0].outcome_digest(), Some(receipt));
        let again = world.operator().insert_many("work", items).unwrap();
        let again: Vec<bool> = again.into_iter().map(Result::unwrap).collect();
        assert_eq!(again, [false; 4]);
        let paid = completed(work.claim("paid").unwrap());
        assert_eq!(paid.response(), b"receipt");
        let answer = failed(work.claim("refused").unwrap());
        assert_eq!(
            (answer.error(), answer.metadata()),
            (&b"no such card"[..], &b"trace-1"[..])
        );
        let lease = claim(&work, "later");
        let left = (lease.last_checkpoint(), lease.last_reason());
        assert_eq!(left, (&b"page 3"[..], &b"busy"[..]));
        let doubt = in_doubt(work.claim("unknown").unwrap());
        let left = (doubt.checkpoint(), doubt.reason(), doubt.holder_alive());
        assert_eq!(left, (&b"sent"[..], &b"a timeout"[..], false));
        doubt.resolve(Resolution::NeverHappened).unwrap();
        assert_eq!(claim(&work, "unknown").last_checkpoint(), b"sent");
        world.clock.advance(MINUTE + SECOND);
        claim(&work, "paid").complete("again").unwrap();
        world.store.validate();
    }
}

#[test]
fn one_key_that_cannot_be_inserted_keeps_no_other_out() {
    let world = World::with(|builder| builder.limits(Limits::new().live_keys(4)));
    let work = world.namespace(Policy::at_least_once().max_response(10));
    let by = world.operator();
    let held = claim(&work, "held");
    let items = [
        Insertion::completed("first", "short"),
        Insertion::completed("", "no key"),
        Insertion::completed("long", "longer than ten"),
        Insertion::released("large", "").checkpoint(vec![0; CHECKPOINT_BYTES_MAX + 1]),
        Insertion::failed("far", "").retention(RETENTION_MAX + SECOND),
        Insertion::completed("held", "else"),
        Insertion::completed("first", "again"),
        Insertion::completed("second", ""),
        Insertion::completed("third", ""),
        Insertion::completed("one too many", ""),
    ];
    let inserted = by.insert_many("work", items).unwrap();
    let kind = |error: Error| error.kind();
    let inserted: Vec<_> = inserted.into_iter().map(|of| of.map_err(kind)).collect();
    let (invalid, large) = (Err(ErrorKind::Invalid), Err(ErrorKind::TooLarge));
    let full = Err(ErrorKind::AtCapacity);
    let expected = [
        Ok(true),
        invalid,
        large,
        large,
        invalid,
        Ok(false),
        Ok(false),
        Ok(true),
        Ok(true),
        full,
    ];
    assert_eq!(inserted, expected);
    held.complete("in time").unwrap();
    let none = by
        .insert("wrok", Insertion::completed("a", ""))
        .unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoNamespace);

    let strict = Policy::at_least_once().fingerprints(FingerprintPolicy::Required);
    world.store.namespace("strict", strict).unwrap();
    let item = Insertion::completed("a", "");
    let unlike = by.insert("strict", item).unwrap_err();
    assert_eq!(unlike.kind(), ErrorKind::Invalid);
}
