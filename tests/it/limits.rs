//! Limits and refusals: each has a kind, and a text that says what to do next.

use std::time::Duration;

use hapax::limits::{CHECKPOINT_BYTES_MAX, NAME_BYTES_MAX, RESPONSE_BYTES_MAX, RETENTION_MAX};
use hapax::scan::KeyFilter;
use hapax::{
    Claim, ClaimItem, ClaimOptions, Durability, Error, ErrorKind, Key, Lease, Limits, Namespace,
    Oversize, Policy, Resolution, Result, Store,
};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, claim, completed, failed, granted, in_doubt, state,
};

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

// Keys and names.

#[test]
fn an_empty_or_oversized_key_is_refused_by_every_call() {
    let (world, work) = world_and_work(Limits::new());
    let long = vec![b'k'; 1025];
    for (key, kind, word) in [
        (&b""[..], ErrorKind::Invalid, "1 to 1024 bytes"),
        (&long[..], ErrorKind::TooLarge, "shorter key"),
    ] {
        refused(work.claim(key), kind, &[word]);
        refused(work.insert(key), kind, &[word]);
        refused(work.contains(key), kind, &[word]);
        refused(work.get(key), kind, &[word]);
        refused(work.forget(key), kind, &[word]);
        refused(
            work.claim_many(
                ["good", "also good"]
                    .map(Into::into)
                    .into_iter()
                    .chain([ClaimItem::new(key)]),
            ),
            kind,
            &[word, "item 2"],
        );
        refused(work.insert_many([&b"good"[..], key]), kind, &[word]);
        refused(
            work.run_once(key, |_| Ok::<_, hapax::Failure<String>>(()))
                .map_err(|error| match error {
                    hapax::RunError::Store(error) => error,
                    other => panic!("{other}"),
                }),
            kind,
            &[word],
        );
    }
    assert_eq!(
        world.store.stats().keys(),
        0,
        "nothing was claimed for a batch with a bad item"
    );
    let most = vec![b'k'; 1024];
    granted(work.claim(&most).unwrap()).complete("ok").unwrap();
    let (_world, work) = world_and_work(Limits::new().key_bytes(8));
    refused(work.claim("nine char"), ErrorKind::TooLarge, &["9", "8"]);
}

#[test]
fn hostile_keys_are_keys_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut keys: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0; 2],
        vec![0xff; 1024],
        b"../../etc/passwd".to_vec(),
        b"' OR 1=1; --".to_vec(),
        b"{\"a\":1}\r\n\x1b[2J".to_vec(),
        "\u{202e}\u{0}e\u{301}".into(),
        "e\u{301}".into(),
        "\u{e9}".into(),
        vec![0xc0, 0x80],
    ];
    keys.push(Key::join(["a", "bc"]).as_ref().to_vec());
    keys.push(Key::join(["ab", "c"]).as_ref().to_vec());
    for round in 0..2 {
        let store = Store::open(&path).unwrap();
        let work = store.namespace("work", Policy::at_least_once()).unwrap();
        for key in &keys {
            match work.claim(key).unwrap() {
                Claim::Granted(lease) if round == 0 => lease.complete(key).unwrap(),
                Claim::Completed(answer) if round == 1 => assert_eq!(answer.response(), key),
                other => panic!("{key:?}: {other:?}"),
            }
        }
        assert_eq!(work.scan(KeyFilter::new()).unwrap().count(), keys.len());
        store.close().unwrap();
    }
}

#[test]
fn names_of_namespaces_have_limits() {
    let world = World::new();
    let open = |name: &str| world.store.namespace(name, Policy::at_least_once());
    refused(open(""), ErrorKind::Invalid, &["empty", "name what"]);
    refused(
        open(&"n".repeat(NAME_BYTES_MAX + 1)),
        ErrorKind::TooLarge,
        &["shorten"],
    );
    open(&"n".repeat(NAME_BYTES_MAX)).unwrap();
    open("../\u{0}\n").unwrap();
}

// Sizes.

#[test]
fn an_oversized_response_is_refused_and_the_lease_given_back() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_response(10));
    let refuse = |settled: Result<()>| -> Lease {
        let error = settled.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("OutcomeOnly"), "{error}");
        error.into_lease().unwrap()
    };
    let lease = refuse(claim(&work, "key").complete([1; 11]));
    let lease = refuse(lease.fail([1; 11]));
    lease.complete([1; 10]).unwrap();
    claim(&work, "doubt").doubt("unsure").unwrap();
    let doubt = in_doubt(work.claim("doubt").unwrap());
    refused(
        doubt.resolve(Resolution::Happened(vec![1; 11])),
        ErrorKind::TooLarge,
        &["reference"],
    );
    doubt.resolve(Resolution::Happened(vec![1; 10])).unwrap();
}

#[test]
fn an_oversized_response_is_left_out_where_only_the_outcome_counts() {
    let world = World::new();
    let work = world.namespace(
        Policy::at_least_once()
            .max_response(10)
            .oversize(Oversize::OutcomeOnly),
    );
    claim(&work, "done").complete([1; 11]).unwrap();
    claim(&work, "failed").fail([1; 11]).unwrap();
    claim(&work, "doubt").doubt("unsure").unwrap();
    let doubt = in_doubt(work.claim("doubt").unwrap());
    doubt.resolve(Resolution::Happened(vec![1; 11])).unwrap();
    claim(&work, "fits").complete([1; 10]).unwrap();
    for key in ["done", "doubt"] {
        let answer = completed(work.claim(key).unwrap());
        assert!(answer.response_omitted() && answer.response().is_empty());
    }
    assert!(failed(work.claim("failed").unwrap()).error_omitted());
    assert!(!completed(work.claim("fits").unwrap()).response_omitted());
    world.store.validate();
}

#[test]
fn the_largest_response_is_stored_and_one_byte_more_is_not() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_response(RESPONSE_BYTES_MAX));
    let body = vec![9; RESPONSE_BYTES_MAX + 1];
    let refused = claim(&work, "key").complete(&body).unwrap_err();
    refused.into_lease().unwrap().complete(&body[1..]).unwrap();
    assert!(completed(work.claim("key").unwrap()).response() == &body[1..]);
    world.store.validate();
}

#[test]
fn metadata_reason_checkpoint_and_batch_have_limits() {
    let (_world, work) = world_and_work(Limits::new().batch_items(3));
    let options = |bytes: usize| ClaimOptions::new().metadata(vec![b'm'; bytes]);
    refused(
        work.claim_with("key", options(4097)),
        ErrorKind::TooLarge,
        &["metadata", "4097", "4096"],
    );
    let lease = granted(work.claim_with("key", options(4096)).unwrap());
    refused(
        lease.checkpoint(vec![0; CHECKPOINT_BYTES_MAX + 1]),
        ErrorKind::TooLarge,
        &["checkpoint", "reference"],
    );
    lease.checkpoint(vec![0; CHECKPOINT_BYTES_MAX]).unwrap();
    let error = lease.release(vec![b'r'; 4097]).unwrap_err();
    assert!(error.to_string().contains("shorten"), "{error}");
    let error = error
        .into_lease()
        .unwrap()
        .doubt(vec![b'r'; 4097])
        .unwrap_err();
    error
        .into_lease()
        .unwrap()
        .release(vec![b'r'; 4096])
        .unwrap();
    let lease = claim(&work, "key");
    assert_eq!(
        (lease.last_reason().len(), lease.last_checkpoint().len()),
        (4096, CHECKPOINT_BYTES_MAX)
    );
    let items = ["a", "b", "c", "d"];
    refused(
        work.claim_many(items),
        ErrorKind::TooLarge,
        &["4", "3", "split"],
    );
    refused(work.insert_many(items), ErrorKind::TooLarge, &["split"]);
    assert!(!work.contains("a").unwrap(), "checked before any work");
    assert_eq!(work.claim_many(&items[..3]).unwrap().len(), 3);
    assert!(work.claim_many(&items[..0]).unwrap().is_empty());
}

#[test]
fn fingerprints_have_limits() {
    let (_world, work) = world_and_work(Limits::new());
    let parts = |count: usize| {
        (0..count)
            .fold(work.fingerprint(1), |print, part| {
                print.part(&part.to_string(), "x")
            })
            .build()
    };
    refused(parts(0), ErrorKind::Invalid, &["add at least one"]);
    refused(parts(17), ErrorKind::TooLarge, &["16", "join"]);
    assert_eq!(parts(16).unwrap().labels().count(), 16);
    let one = |label: &str| work.fingerprint(1).part(label, "x").build();
    refused(one(""), ErrorKind::Invalid, &["name the part"]);
    refused(one(&"l".repeat(65)), ErrorKind::TooLarge, &["shorten"]);
    one(&"l".repeat(64)).unwrap();
    let twice = work.fingerprint(1).part("a", "x").part("a", "y").build();
    refused(twice, ErrorKind::Invalid, &["twice"]);
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

/// Only the retention of completions used to be looked at, so a claim's own lease could outlast
/// the memory of its failure.
#[test]
fn contradictory_options_are_refused_by_claim_with() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().failed_retention(2 * HOUR));
    let ask = |options: ClaimOptions| work.claim_with("key", options);
    let options = ClaimOptions::new;
    let lease = "lease is how long a holder may be silent";
    refused(ask(options().lease(DAY)), ErrorKind::Invalid, &[lease]);
    refused(ask(options().lease(2 * HOUR)), ErrorKind::Invalid, &[lease]);
    refused(
        ask(options().retention(MINUTE)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        ask(options().lease(HOUR).retention(HOUR)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        ask(options().lease(Duration::ZERO)),
        ErrorKind::Invalid,
        &["needs time to run"],
    );
    refused(
        ask(options().retention(Duration::ZERO)),
        ErrorKind::Invalid,
        &["at least"],
    );
    refused(
        ask(options().retention(Duration::MAX)),
        ErrorKind::Invalid,
        &["shorten"],
    );
    refused(
        ask(options().lease(Duration::MAX)),
        ErrorKind::Invalid,
        &[lease],
    );
    assert_eq!(state(&work, "key"), None);
    granted(ask(options().lease(HOUR).retention(3 * HOUR)).unwrap())
        .fail("no")
        .unwrap();
    world.clock.advance(2 * HOUR + MINUTE);
    failed(work.claim("key").unwrap());
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
