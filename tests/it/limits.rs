//! Limits and refusals: each has a kind, and a text that says what to do next.

use std::time::Duration;

use hapax::limits::{RESPONSE_BYTES_MAX, RETENTION_MAX};
use hapax::{Durability, Error, ErrorKind, Limits, Namespace, Policy, Result, Store};

use crate::contract_support::{DAY, HOUR, MINUTE, SECOND, World, claim, in_doubt};

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// An error of this kind whose text names all of these.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    result: Result<T, impl Into<Error>>,
    kind: ErrorKind,
    words: &[&str],
) {
    let error: Error = result.expect_err("a refusal").into();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

pub(crate) fn world_and_work(limits: Limits) -> (World, Namespace) {
    let world = World::with(|builder| builder.limits(limits));
    let work = world.namespace(Policy::at_least_once());
    (world, work)
}

// Contradictions.

#[test]
fn contradictory_policies_are_refused_by_namespace() {
    let world = World::new();
    let open = |policy: Policy| world.store.namespace("work", policy);
    let policy = Policy::at_least_once;
    let lease = "lease is how long a holder may be silent";
    refused(open(policy().lease(DAY)), ErrorKind::Invalid, &[lease]);
    refused(
        open(policy().lease(HOUR).retention(HOUR)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        open(policy().lease(HOUR).failed_retention(HOUR)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        open(policy().lease(HOUR).attempt_retention(HOUR)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        open(policy().lease(Duration::ZERO)),
        ErrorKind::Invalid,
        &["needs time to run"],
    );
    refused(
        open(policy().lease(MILLISECOND / 2)),
        ErrorKind::Invalid,
        &["needs time to run"],
    );
    for zero in [
        policy().retention(Duration::ZERO),
        policy().failed_retention(Duration::ZERO),
        policy().attempt_retention(Duration::ZERO),
    ] {
        refused(
            open(zero),
            ErrorKind::Invalid,
            &["retention is zero", "at least"],
        );
    }
    let ages = RETENTION_MAX + SECOND;
    refused(
        open(policy().retention(ages)),
        ErrorKind::Invalid,
        &["ten years", "shorten"],
    );
    refused(
        open(policy().retention(Duration::MAX)),
        ErrorKind::Invalid,
        &["shorten"],
    );
    refused(
        open(policy().max_attempts(0)),
        ErrorKind::Invalid,
        &["at least 1"],
    );
    refused(
        open(policy().max_response(RESPONSE_BYTES_MAX + 1)),
        ErrorKind::TooLarge,
        &["reference"],
    );
    let less = policy().durability(Durability::Interval(SECOND));
    refused(
        open(less),
        ErrorKind::Invalid,
        &["open the store with Interval"],
    );
    assert!(world.store.namespaces().is_empty(), "nothing was made");
}

#[test]
fn contradictory_options_are_refused_at_open() {
    let open = |limits: Limits| Store::in_memory().limits(limits).open();
    for zero in [
        Limits::new().key_bytes(0),
        Limits::new().metadata_bytes(0),
        Limits::new().batch_items(0),
        Limits::new().running_keys(0),
        Limits::new().unwritten_bytes(0),
    ] {
        refused(open(zero), ErrorKind::Invalid, &["allow at least 1"]);
    }
    for over in [
        Limits::new().key_bytes(1025),
        Limits::new().metadata_bytes(16 * 1024 + 1),
        Limits::new().reason_bytes(usize::MAX),
        Limits::new().batch_items(65_537),
    ] {
        refused(open(over), ErrorKind::TooLarge, &["lower it"]);
    }
    let interval = |window: Duration| Store::in_memory().durability(Durability::Interval(window));
    for window in [
        Duration::ZERO,
        MILLISECOND / 2,
        MINUTE + MILLISECOND,
        Duration::MAX,
    ] {
        refused(
            interval(window).open(),
            ErrorKind::Invalid,
            &["1 ms to 60 s"],
        );
    }
    interval(MILLISECOND).open().unwrap();
    interval(MINUTE).open().unwrap();
    let world = World::with(|builder| builder.durability(Durability::Interval(SECOND)));
    let policy = Policy::at_least_once().durability(Durability::Interval(Duration::ZERO));
    refused(
        world.store.namespace("work", policy),
        ErrorKind::Invalid,
        &["1 ms to 60 s"],
    );
    refused(
        Store::in_memory().shards(0).open(),
        ErrorKind::Invalid,
        &["65,536"],
    );
    let brief = Store::in_memory().write_deadline(MILLISECOND);
    refused(brief.open(), ErrorKind::Invalid, &["under a second"]);
}

#[test]
fn a_store_in_memory_refuses_at_most_once_unless_told_otherwise() {
    let store = Store::in_memory().open().unwrap();
    let words = ["cannot promise at-most-once", "allow_at_most_once()"];
    refused(
        store.namespace("pay", Policy::at_most_once()),
        ErrorKind::Invalid,
        &words,
    );
    drop(store.namespace("pay", Policy::at_least_once()).unwrap());
    refused(
        store.change_guarantee("pay", Policy::at_most_once()),
        ErrorKind::Invalid,
        &words,
    );
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    drop(claim(&pay, "key"));
    in_doubt(pay.claim("key").unwrap());
}
