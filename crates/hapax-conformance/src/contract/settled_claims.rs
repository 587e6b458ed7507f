//! What a claim of a settled key answers, and of one that repeats in its batch.

use std::time::Duration;

use hapax::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, FingerprintPolicy, KeyState, OnChange, Policy,
};

use crate::contract::claims::{again, required, settle};
use crate::site::answers::{
    claim, completed, failed, granted, in_doubt, in_progress, mismatch, print, with_print,
};
use crate::site::site::{Site, both};
use crate::site::times::{HOUR, MINUTE, SECOND};
use crate::world::world::World;

// Row: Completed and Failed.

pub(crate) fn completed_is_answered_with_bytes_times_attempts_token_and_the_first_metadata(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let start = site.now();
        let work = site.namespace(policy.retention(HOUR));
        settle(&work, "key", KeyState::Released);
        site.advance(5 * SECOND);
        let second = granted(again(&work, "key", "a"));
        let token = second.token();
        site.advance(2 * SECOND);
        second.complete("response").unwrap();
        site.advance(SECOND);
        let answer = completed(again(&work, "key", "a"));
        assert_eq!(
            (answer.response(), answer.attempts()),
            (&b"response"[..], 2)
        );
        assert_eq!(answer.token(), token);
        assert_eq!(answer.metadata(), b"first");
        site.is_moment(answer.first_claimed_at(), start);
        site.is_moment(answer.settled_at(), start + 7);
        // Rounded up to a second.
        site.is_moment(answer.expires_at(), start + 7 + 3600 + 1);
        assert!(answer.fingerprint_compared() && !answer.response_omitted());
    }
}

pub(crate) fn failed_is_answered_with_bytes_times_attempts_token_and_the_first_metadata(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let start = site.now();
        let work = site.namespace(policy.failed_retention(2 * HOUR));
        settle(&work, "key", KeyState::Released);
        let second = granted(again(&work, "key", "a"));
        let token = second.token();
        second.fail("declined").unwrap();
        let answer = failed(again(&work, "key", "a"));
        assert_eq!((answer.error(), answer.attempts()), (&b"declined"[..], 2));
        assert_eq!((answer.token(), answer.metadata()), (token, &b"first"[..]));
        site.is_moment(answer.expires_at(), start + 7200 + 1);
        assert!(answer.fingerprint_compared() && !answer.error_omitted());
    }
}

pub(crate) fn completed_and_failed_with_another_fingerprint_are_mismatches(world: &dyn World) {
    for kind in [KeyState::Completed, KeyState::Failed] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_least_once());
        settle(&work, "key", kind);
        let other = mismatch(again(&work, "key", "b"));
        assert_eq!(
            (other.labels(), other.state()),
            (&["body".to_owned()][..], kind)
        );
    }
}

pub(crate) fn completed_and_failed_are_answered_uncompared_when_optional_and_one_side_has_no_fingerprint(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    settle(&work, "done", KeyState::Completed);
    settle(&work, "failed", KeyState::Failed);
    assert!(!completed(work.claim("done").unwrap()).fingerprint_compared());
    assert!(!failed(work.claim("failed").unwrap()).fingerprint_compared());
    mismatch(again(&work, "done", "b"));
}

pub(crate) fn completed_is_answered_uncompared_when_ignored(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().fingerprints(FingerprintPolicy::Ignored));
    settle(&work, "key", KeyState::Completed);
    assert!(!completed(again(&work, "key", "b")).fingerprint_compared());
}

pub(crate) fn required_fingerprints_compare_everything_and_refuse_a_claim_without_one(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(required(Policy::at_least_once()));
    settle(&work, "key", KeyState::Completed);
    assert!(completed(again(&work, "key", "a")).fingerprint_compared());
    assert_eq!(mismatch(again(&work, "key", "b")).labels(), ["body"]);
    let error = work.claim("key").unwrap_err();
    assert_eq!(error.kind(), hapax::ErrorKind::Invalid);
    // Marked without a fingerprint: one side is absent, and that differs.
    assert!(work.insert("marked").unwrap());
    assert!(mismatch(again(&work, "marked", "a")).labels().is_empty());
}

pub(crate) fn completed_and_failed_with_another_fingerprint_are_granted_where_a_change_reruns(
    world: &dyn World,
) {
    for policy in both() {
        for kind in [KeyState::Completed, KeyState::Failed] {
            let site = Site::new(world);
            let work = site.namespace(policy.clone().on_change(OnChange::Rerun));
            settle(&work, "key", kind);
            let old = work.get("key").unwrap().unwrap().token();
            let rerun = granted(again(&work, "key", "b"));
            assert_eq!((rerun.attempt(), rerun.last_checkpoint()), (1, &b""[..]));
            assert!(rerun.token() > old);
            mismatch(again(&work, "key", "a"));
            rerun.complete("new").unwrap();
            let answer = completed(again(&work, "key", "b"));
            assert_eq!(
                (answer.response(), answer.metadata()),
                (&b"new"[..], &b"second"[..])
            );
        }
    }
}

pub(crate) fn completed_with_the_same_fingerprint_is_replayed_where_a_change_reruns(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().on_change(OnChange::Rerun));
    settle(&work, "key", KeyState::Completed);
    completed(again(&work, "key", "a"));
    completed(work.claim("key").unwrap());
}

// Row: Released.

pub(crate) fn released_is_granted_as_the_next_attempt_with_the_last_checkpoint(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let start = site.now();
        let work = site.namespace(policy);
        settle(&work, "key", KeyState::Released);
        let old = work.get("key").unwrap().unwrap().token();
        site.advance(SECOND);
        let second = granted(again(&work, "key", "a"));
        assert_eq!(
            (second.attempt(), second.last_checkpoint()),
            (2, &b"half way"[..])
        );
        assert_eq!(second.last_reason(), b"try again");
        site.is_moment(second.first_claimed_at(), start);
        assert!(second.token() > old);
    }
}

/// A retry without a fingerprint used to wipe the stored one.
pub(crate) fn released_keeps_the_stored_fingerprint_and_metadata_when_not_compared(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        settle(&work, "key", KeyState::Released);
        let second = claim(&work, "key");
        assert_eq!(second.last_checkpoint(), b"half way");
        second.complete("done").unwrap();
        mismatch(again(&work, "key", "b"));
        assert_eq!(completed(again(&work, "key", "a")).metadata(), b"first");
    }
}

pub(crate) fn released_without_a_fingerprint_takes_the_first_one_that_is_sent(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    claim(&work, "key").release("again").unwrap();
    granted(again(&work, "key", "a")).complete("done").unwrap();
    assert!(completed(again(&work, "key", "a")).fingerprint_compared());
    mismatch(again(&work, "key", "b"));
}

pub(crate) fn released_with_another_fingerprint_is_granted_without_checkpoint_and_replaces_the_request(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        settle(&work, "key", KeyState::Released);
        let second = granted(again(&work, "key", "b"));
        assert_eq!((second.attempt(), second.last_checkpoint()), (2, &b""[..]));
        mismatch(again(&work, "key", "a"));
        second.complete("of b").unwrap();
        let answer = completed(again(&work, "key", "b"));
        assert_eq!((answer.metadata(), answer.attempts()), (&b"second"[..], 2));
        mismatch(again(&work, "key", "a"));
    }
}

// Row: the same key earlier in this batch.

pub(crate) fn a_repeat_in_a_batch_names_the_first_and_flags_another_fingerprint(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    settle(&work, "done", KeyState::Completed);
    let item = |key: &str, body: &str| ClaimItem::new(key).options(with_print(&work, body));
    let waiting = item("new", "a").options(with_print(&work, "a").wait(MINUTE));
    let items = [
        item("new", "a"),
        item("done", "a"),
        item("new", "a"),
        item("new", "b"),
        ClaimItem::new("new"),
        item("done", "b"),
        waiting,
    ];
    let answers = work.claim_many(items).unwrap();
    assert_eq!(answers.len(), 7);
    assert!(
        matches!(&answers[0], BatchClaim::Claim(Claim::Granted(lease)) if lease.attempt() == 1)
    );
    assert!(matches!(
        &answers[1],
        BatchClaim::Claim(Claim::Completed(_))
    ));
    let repeat = |at: usize| match &answers[at] {
        BatchClaim::RepeatOf { index, mismatch } => (*index, *mismatch),
        other => panic!("a repeat expected, got {other:?}"),
    };
    assert_eq!(repeat(2), (0, false));
    assert_eq!(repeat(3), (0, true));
    assert_eq!(
        repeat(4),
        (0, false),
        "one side has no fingerprint: not compared"
    );
    assert_eq!(repeat(5), (1, true));
    assert_eq!(repeat(6), (0, false), "never waited on");
}

// Beside the table.

pub(crate) fn the_same_key_in_two_namespaces_never_meets(world: &dyn World) {
    let site = Site::new(world);
    let one = site
        .store
        .namespace("one", Policy::at_least_once())
        .unwrap();
    let two = site.store.namespace("two", Policy::at_most_once()).unwrap();
    claim(&one, "key").complete("one").unwrap();
    claim(&two, "key").fail("two").unwrap();
    assert_eq!(completed(one.claim("key").unwrap()).response(), b"one");
    assert_eq!(failed(two.claim("key").unwrap()).error(), b"two");
}

pub(crate) fn answers_survive_a_restart_with_everything_that_they_carry(world: &dyn World) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    for kind in [
        KeyState::Completed,
        KeyState::Failed,
        KeyState::InDoubt,
        KeyState::Released,
    ] {
        settle(&work, &kind.to_string(), kind);
    }
    let before: Vec<_> = work
        .scan(hapax::scan::KeyFilter::new())
        .unwrap()
        .map(|info| format!("{:?}", info.unwrap()))
        .collect();
    drop(work);
    site.crash();
    let work = site.namespace(Policy::at_most_once());
    let after: Vec<_> = work
        .scan(hapax::scan::KeyFilter::new())
        .unwrap()
        .map(|info| format!("{:?}", info.unwrap()))
        .collect();
    assert_eq!((before.len(), &before), (4, &after));
    assert_eq!(print(&work, "a").labels().collect::<Vec<_>>(), ["body"]);
    assert!(completed(again(&work, "completed", "a")).fingerprint_compared());
    mismatch(again(&work, "failed", "b"));
    assert_eq!(
        in_doubt(again(&work, "in doubt", "a")).reason(),
        b"timed out"
    );
    let lease = granted(again(&work, "released", "a"));
    assert_eq!(
        (lease.attempt(), lease.last_checkpoint()),
        (2, &b"half way"[..])
    );
}

pub(crate) fn losing_a_claim_is_never_an_error_and_err_means_that_the_store_cannot_answer(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let _lease = claim(&work, "key");
    let waited = work.claim_with("key", ClaimOptions::new().wait(Duration::ZERO));
    in_progress(waited.unwrap());
    site.store.close().unwrap();
    assert_eq!(
        work.claim("key").unwrap_err().kind(),
        hapax::ErrorKind::Closed
    );
}
