//! What a claim of a key that has no outcome yet answers: one test for each row and column of the contract's table.

use hapax::{Claim, ClaimOptions, FingerprintPolicy, KeyState, Namespace, OnChange, Policy};

use crate::site::answers::{
    claim, completed, granted, in_doubt, in_progress, mismatch, state, with_print,
};
use crate::site::site::{Site, both};
use crate::site::times::{DAY, HOUR, MINUTE, SECOND};
use crate::world::world::World;

pub(crate) fn required(policy: Policy) -> Policy {
    policy.fingerprints(FingerprintPolicy::Required)
}

/// Brings the key into a settled state under a fingerprint of body `a` and metadata `first`.
pub(crate) fn settle(namespace: &Namespace, key: &str, kind: KeyState) {
    let lease = first_claim(namespace, key);
    match kind {
        KeyState::Completed => lease.complete("response").unwrap(),
        KeyState::Failed => lease.fail("error").unwrap(),
        KeyState::InDoubt => lease.doubt("timed out").unwrap(),
        KeyState::Released => {
            lease.checkpoint("half way").unwrap();
            lease.release("try again").unwrap();
        }
        other => panic!("{other} is not settled"),
    }
}

fn first_claim(namespace: &Namespace, key: &str) -> hapax::Lease {
    let options = with_print(namespace, "a").metadata("first");
    granted(namespace.claim_with(key, options).unwrap())
}

pub(crate) fn again(namespace: &Namespace, key: &str, body: &str) -> Claim {
    let options = with_print(namespace, body).metadata("second");
    namespace.claim_with(key, options).unwrap()
}

// Row: absent or expired.

pub(crate) fn absent_is_granted_with_and_without_a_fingerprint(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let start = site.now();
        let work = site.namespace(policy);
        let lease = claim(&work, "plain");
        assert_eq!((lease.attempt(), lease.key()), (1, &b"plain"[..]));
        site.is_moment(lease.first_claimed_at(), start);
        assert_eq!(
            (lease.last_checkpoint(), lease.last_reason()),
            (&b""[..], &b""[..])
        );
        site.is_left(lease.lease_left(), MINUTE);
        let printed = granted(again(&work, "printed", "a"));
        assert!(
            printed.token() > lease.token(),
            "tokens rise across keys too"
        );
    }
}

pub(crate) fn expired_completed_and_failed_are_granted_again_with_any_fingerprint(
    world: &dyn World,
) {
    for (kind, body) in [
        (KeyState::Completed, "a"),
        (KeyState::Completed, "b"),
        (KeyState::Failed, "a"),
        (KeyState::Failed, "b"),
    ] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_least_once().retention(HOUR));
        settle(&work, "key", kind);
        site.advance(HOUR - site.slack());
        assert!(
            matches!(
                again(&work, "key", "a"),
                Claim::Completed(_) | Claim::Failed(_)
            ),
            "never dropped before the retention has passed"
        );
        site.advance(SECOND + 2 * site.slack());
        assert_eq!(state(&work, "key"), None, "never served after it");
        let lease = granted(again(&work, "key", body));
        assert_eq!(lease.attempt(), 1);
        site.is_moment(lease.first_claimed_at(), site.now());
        assert_eq!(lease.last_reason(), b"");
    }
}

pub(crate) fn expired_released_is_granted_again_without_attempts_or_checkpoint(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().attempt_retention(HOUR));
    settle(&work, "key", KeyState::Released);
    site.advance(HOUR + SECOND);
    let lease = granted(again(&work, "key", "a"));
    assert_eq!((lease.attempt(), lease.last_checkpoint()), (1, &b""[..]));
}

// Row: InProgress, the lease is live.

pub(crate) fn in_progress_live_with_the_same_fingerprint_is_in_progress(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let _lease = first_claim(&work, "key");
        site.advance(20 * SECOND);
        let busy = in_progress(again(&work, "key", "a"));
        site.is_left(busy.lease_left(), 40 * SECOND);
        assert_eq!(
            (busy.attempt(), busy.metadata()),
            (1, &b"first"[..]),
            "the holder's metadata, not that of the caller"
        );
        assert!(busy.fingerprint_compared());
    }
}

pub(crate) fn in_progress_live_tells_the_metadata_and_attempt_of_the_current_holder(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    settle(&work, "key", KeyState::Released);
    let _second = granted(again(&work, "key", "a"));
    let busy = in_progress(work.claim("key").unwrap());
    assert_eq!((busy.attempt(), busy.metadata()), (2, &b"second"[..]));
}

pub(crate) fn in_progress_live_with_another_fingerprint_is_a_mismatch_that_names_the_labels(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let request = |method: &str, body: &str| {
            let print = work
                .fingerprint(1)
                .part("method", method)
                .part("body", body);
            ClaimOptions::new().fingerprint(print.build().unwrap())
        };
        let _lease = granted(work.claim_with("key", request("POST", "a")).unwrap());
        let other = mismatch(work.claim_with("key", request("POST", "b")).unwrap());
        assert_eq!(
            (other.labels(), other.state()),
            (&["body".to_owned()][..], KeyState::InProgress)
        );
        let other = mismatch(work.claim_with("key", request("PUT", "b")).unwrap());
        assert_eq!(other.labels(), ["body", "method"]);
        let fewer = work.fingerprint(1).part("body", "a").build().unwrap();
        let fewer = ClaimOptions::new().fingerprint(fewer);
        let other = mismatch(work.claim_with("key", fewer).unwrap());
        assert_eq!(
            other.labels(),
            ["method"],
            "a part that one side lacks differs"
        );
    }
}

pub(crate) fn in_progress_live_is_not_compared_when_optional_and_one_side_has_no_fingerprint(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let _printed = first_claim(&work, "printed");
    assert!(!in_progress(work.claim("printed").unwrap()).fingerprint_compared());
    let _plain = claim(&work, "plain");
    assert!(!in_progress(again(&work, "plain", "a")).fingerprint_compared());
}

pub(crate) fn in_progress_live_is_not_compared_when_ignored(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().fingerprints(FingerprintPolicy::Ignored));
    let _lease = first_claim(&work, "key");
    assert!(!in_progress(again(&work, "key", "b")).fingerprint_compared());
    assert!(!in_progress(again(&work, "key", "a")).fingerprint_compared());
}

pub(crate) fn another_scheme_is_not_compared_when_optional_and_a_mismatch_when_required(
    world: &dyn World,
) {
    let deployed = |work: &Namespace| {
        let print = work.fingerprint(2).part("body", "a").build().unwrap();
        work.claim_with("key", ClaimOptions::new().fingerprint(print))
            .unwrap()
    };
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    settle(&work, "key", KeyState::Completed);
    assert!(!completed(deployed(&work)).fingerprint_compared());

    let site = Site::new(world);
    let work = site.namespace(required(Policy::at_least_once()));
    settle(&work, "key", KeyState::Completed);
    assert_eq!(mismatch(deployed(&work)).labels(), ["scheme"]);
}

// Row: InProgress, the lease has lapsed, AtLeastOnce.

pub(crate) fn lapsed_at_least_once_is_granted_as_the_next_attempt_with_the_last_checkpoint(
    world: &dyn World,
) {
    let site = Site::new(world);
    let start = site.now();
    let work = site.namespace(Policy::at_least_once());
    let first = first_claim(&work, "key");
    first.checkpoint("page 7").unwrap();
    site.advance(MINUTE);
    let second = granted(again(&work, "key", "a"));
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"page 7"[..])
    );
    assert!(second.token() > first.token());
    site.is_moment(second.first_claimed_at(), start);
    assert!(first.is_lost() && !second.is_lost());
    site.advance(MINUTE);
    let third = claim(&work, "key");
    assert_eq!(
        (third.attempt(), third.last_checkpoint()),
        (3, &b"page 7"[..])
    );
    assert!(third.token() > second.token());
}

pub(crate) fn lapsed_at_least_once_with_another_fingerprint_is_a_mismatch(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let first = first_claim(&work, "key");
    site.advance(MINUTE);
    let other = mismatch(again(&work, "key", "b"));
    assert_eq!(
        (other.labels(), other.state()),
        (&["body".to_owned()][..], KeyState::InProgress)
    );
    first.complete("late").unwrap();
}

/// A take-over that was not compared used to replace the stored fingerprint with its own absent
/// one, so a third request with another body passed as the same.
pub(crate) fn lapsed_at_least_once_keeps_the_stored_fingerprint_when_not_compared(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let _first = first_claim(&work, "key");
    site.advance(MINUTE);
    let second = claim(&work, "key");
    mismatch(again(&work, "key", "b"));
    second.complete("done").unwrap();
    mismatch(again(&work, "key", "b"));
    let answer = completed(again(&work, "key", "a"));
    assert!(answer.fingerprint_compared());
    assert_eq!(answer.metadata(), b"first", "the first request's metadata");
}

// Row: InProgress, the lease has lapsed, AtMostOnce.

pub(crate) fn lapsed_at_most_once_is_in_doubt(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let first = first_claim(&work, "key");
    first.checkpoint("charged").unwrap();
    site.advance(MINUTE);
    let doubt = in_doubt(again(&work, "key", "a"));
    assert_eq!((doubt.token(), doubt.attempt()), (first.token(), 1));
    assert_eq!(
        (doubt.metadata(), doubt.checkpoint()),
        (&b"first"[..], &b"charged"[..])
    );
    assert!(doubt.fingerprint_compared() && doubt.holder_alive());
    assert_eq!(doubt.derived_key("psp"), first.derived_key("psp"));
    site.advance(10 * 365 * DAY);
    assert!(!in_doubt(work.claim("key").unwrap()).fingerprint_compared());
    assert_eq!(
        state(&work, "key"),
        Some(KeyState::InDoubt),
        "for as long as it takes"
    );
}

pub(crate) fn lapsed_at_most_once_with_another_fingerprint_is_a_mismatch(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let _first = first_claim(&work, "key");
    site.advance(MINUTE);
    let other = mismatch(again(&work, "key", "b"));
    assert_eq!(
        (other.labels(), other.state()),
        (&["body".to_owned()][..], KeyState::InDoubt)
    );
}

// Row: InDoubt.

pub(crate) fn in_doubt_is_in_doubt_and_never_expires(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let start = site.now();
        let work = site.namespace(policy);
        settle(&work, "key", KeyState::InDoubt);
        let doubt = in_doubt(again(&work, "key", "a"));
        assert_eq!(
            (doubt.reason(), doubt.metadata()),
            (&b"timed out"[..], &b"first"[..])
        );
        assert!(!doubt.holder_alive() && doubt.fingerprint_compared());
        site.is_moment(doubt.since(), start);
        site.advance(20 * 365 * DAY);
        in_doubt(work.claim("key").unwrap());
    }
}

pub(crate) fn in_doubt_with_another_fingerprint_is_a_mismatch_even_where_a_change_reruns(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.on_change(OnChange::Rerun));
        settle(&work, "key", KeyState::InDoubt);
        let other = mismatch(again(&work, "key", "b"));
        assert_eq!(
            (other.labels(), other.state()),
            (&["body".to_owned()][..], KeyState::InDoubt)
        );
    }
}
