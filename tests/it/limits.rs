//! Limits and refusals: each has a kind, and a text that says what to do next.

use std::time::Duration;

use hapax::{
    BatchClaim, CHECKPOINT_BYTES_MAX, Claim, ClaimItem, ClaimOptions, Durability, Error, ErrorKind,
    Filter, Key, Lease, Limits, NAME_BYTES_MAX, Namespace, Oversize, Policy, RESPONSE_BYTES_MAX,
    RETENTION_MAX, Resolution, Response, Result, State, Store,
};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, claim, completed, failed, granted, in_doubt, in_progress,
    state,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// An error of this kind whose text names all of these.
#[track_caller]
fn refused<T: std::fmt::Debug>(
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

fn world_and_work(limits: Limits) -> (World, Namespace) {
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
                    hapax::RunError::Work(text) => panic!("{text}"),
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
        assert_eq!(work.scan(Filter::new()).unwrap().count(), keys.len());
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
    let refuse = |settled: Result<(), hapax::LeaseError>| -> Lease {
        let error = settled.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("OutcomeOnly"), "{error}");
        error.into_lease()
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
    refused.into_lease().complete(&body[1..]).unwrap();
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
    let error = error.into_lease().doubt(vec![b'r'; 4097]).unwrap_err();
    error.into_lease().release(vec![b'r'; 4096]).unwrap();
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

// Capacity.

#[test]
fn at_capacity_of_live_keys_new_claims_are_refused_and_holders_complete() {
    let (world, work) = world_and_work(Limits::new().live_keys(3));
    claim(&work, "done").complete("done").unwrap();
    let held = claim(&work, "held");
    claim(&work, "released").release("again").unwrap();
    let words = ["3 keys", "raise live_keys"];
    refused(work.claim("new"), ErrorKind::AtCapacity, &words);
    refused(work.insert("new"), ErrorKind::AtCapacity, &words);
    let batch = work.claim_many(["done", "new", "held", "new"]).unwrap();
    assert!(matches!(&batch[0], BatchClaim::Claim(Claim::Completed(_))));
    assert!(
        matches!(&batch[1], BatchClaim::Refused(error) if error.kind() == ErrorKind::AtCapacity)
    );
    assert!(matches!(&batch[2], BatchClaim::Claim(Claim::InProgress(_))));
    assert!(matches!(&batch[3], BatchClaim::RepeatOf { index: 1, .. }));
    completed(work.claim("done").unwrap());
    in_progress(work.claim("held").unwrap());
    claim(&work, "released").complete("in the end").unwrap();
    held.checkpoint("half").unwrap();
    held.complete("done").unwrap();
    refused(work.claim("new"), ErrorKind::AtCapacity, &words);
    work.forget("done").unwrap();
    world.clock.advance(10 * MINUTE);
    claim(&work, "new").complete("room again").unwrap();
    world.clock.advance(2 * DAY);
    assert_eq!(world.store.stats().keys(), 0);
    world.store.validate();
}

#[test]
fn at_capacity_of_running_keys_new_claims_are_refused_and_holders_complete() {
    let (world, work) = world_and_work(Limits::new().running_keys(2));
    let (one, _two) = (claim(&work, "one"), claim(&work, "two"));
    let words = ["2 keys are running", "raise running_keys"];
    refused(work.claim("three"), ErrorKind::AtCapacity, &words);
    in_progress(work.claim("one").unwrap());
    assert!(work.insert("marked").unwrap(), "nobody runs it");
    one.complete("done").unwrap();
    let three = claim(&work, "three");
    world.clock.advance(MINUTE);
    assert_eq!(
        claim(&work, "two").attempt(),
        2,
        "a take-over needs no more room"
    );
    three.complete("late").unwrap();
}

// Places.

#[test]
fn a_wrong_directory_is_not_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    refused(
        Store::builder(&missing).create(false).open(),
        ErrorKind::NotAStore,
        &["missing", "name the directory"],
    );
    assert!(!missing.exists(), "a refusal leaves nothing behind");
    let full = dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("notes.txt"), "mine").unwrap();
    refused(
        Store::open(&full),
        ErrorKind::NotAStore,
        &["full", "name the directory"],
    );
    assert_eq!(std::fs::read(full.join("notes.txt")).unwrap(), b"mine");
    let file = dir.path().join("file");
    std::fs::write(&file, "a file").unwrap();
    let error = Store::open(&file).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotAStore | ErrorKind::Io),
        "{error}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"a file");
}

#[test]
fn a_second_handle_is_locked_and_names_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    let pid = std::process::id().to_string();
    refused(
        Store::open(&path),
        ErrorKind::Locked,
        &[&pid, "wait_for_lock()", "close it"],
    );
    store.close().unwrap();
    let second = Store::open(&path).unwrap();
    drop(second);
    Store::open(&path).unwrap();

    let world = World::new();
    refused(
        world.builder().open(),
        ErrorKind::Locked,
        &["close it, or crash"],
    );
}

#[test]
fn a_closed_store_refuses_everything() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let ticket = claim(&work, "detached").detach().unwrap();
    world.store.close().unwrap();
    let (closed, words) = (ErrorKind::Closed, ["closed"]);
    refused(work.claim("key"), closed, &words);
    refused(work.claim_many(["key"]), closed, &words);
    refused(work.insert("key"), closed, &words);
    refused(work.contains("key"), closed, &words);
    refused(work.get("key"), closed, &words);
    refused(work.forget("key"), closed, &words);
    refused(work.scan(Filter::new()).map(drop), closed, &words);
    refused(work.in_doubt(), closed, &words);
    refused(
        world.store.namespace("new", Policy::at_least_once()),
        closed,
        &words,
    );
    refused(world.store.attach(&ticket), closed, &words);
    refused(world.store.sync(), closed, &words);
    refused(world.store.verify(), closed, &words);
    refused(world.store.reconcile(|_| None), closed, &words);
    refused(world.store.close(), closed, &words);
    refused(lease.renew(), closed, &words);
    refused(lease.checkpoint("c"), closed, &words);
    refused(lease.complete("late"), closed, &words);
}

// Time.

#[test]
fn retention_at_the_limits_of_integers_neither_wraps_nor_expires_early() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().retention(RETENTION_MAX));
    claim(&work, "key").complete("done").unwrap();
    world.clock.advance(RETENTION_MAX);
    completed(work.claim("key").unwrap());
    world.clock.advance(2 * SECOND);
    assert_eq!(state(&work, "key"), None);
    // Past the last second that 32 bits count.
    world.clock.advance(100 * 365 * DAY);
    claim(&work, "late").complete("done").unwrap();
    completed(work.claim("late").unwrap());
    world.clock.advance(Duration::MAX);
    claim(&work, "latest").complete("done").unwrap();
    completed(work.claim("latest").unwrap());
    world.store.validate();
}

#[test]
fn the_smallest_lease_and_retention_work() {
    let world = World::new();
    let policy = Policy::at_least_once().lease(MILLISECOND);
    let work = world.namespace(
        policy
            .retention(2 * MILLISECOND)
            .attempt_retention(2 * MILLISECOND),
    );
    claim(&work, "key").complete("done").unwrap();
    completed(work.claim("key").unwrap());
    world.clock.advance(2 * SECOND);
    assert_eq!(state(&work, "key"), None);
    let lease = claim(&work, "key");
    world.clock.advance(MILLISECOND);
    assert!(lease.is_lost());
}

#[test]
fn a_wall_clock_that_steps_by_years_neither_wipes_nor_freezes_the_store() {
    let years = 5 * 365 * 86_400;
    for step in [years, -years, i64::MAX, i64::MIN] {
        let world = World::new();
        let work = world.namespace(Policy::at_least_once().retention(HOUR));
        claim(&work, "key").complete("done").unwrap();
        let lease = claim(&work, "held");
        world.clock.step_wall(step);
        completed(work.claim("key").unwrap());
        assert!(!lease.is_lost(), "leases never see the wall clock");
        world.clock.advance(50 * MINUTE);
        completed(work.claim("key").unwrap());
        world.clock.advance(20 * MINUTE);
        assert_eq!(state(&work, "key"), None, "and it still expires, by {step}");
        world.store.validate();
    }
}

#[test]
fn a_step_back_while_closed_does_not_turn_store_time_back() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once().retention(HOUR));
    claim(&work, "key").complete("done").unwrap();
    drop(work);
    world.store.close().unwrap();
    world.clock.step_wall(-86_400 * 365);
    world.reopen();
    let work = world.namespace(Policy::at_least_once().retention(HOUR));
    completed(work.claim("key").unwrap());
    world.clock.advance(2 * HOUR);
    assert_eq!(state(&work, "key"), None);
}

#[test]
fn a_clock_that_jumped_past_max_offline_has_to_be_accepted() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().retention(RETENTION_MAX));
    claim(&work, "long").complete("done").unwrap();
    drop(work);
    let brief = world
        .store
        .namespace("brief", Policy::at_least_once())
        .unwrap();
    claim(&brief, "brief").complete("done").unwrap();
    drop(brief);
    world.store.close().unwrap();
    world.clock.step_wall(31 * 86_400);
    let words = [
        "31 days",
        "30 days",
        "check the clock",
        "accept_clock_jump()",
    ];
    refused(world.builder().open(), ErrorKind::ClockJump, &words);
    refused(
        world.builder().max_offline(DAY).open(),
        ErrorKind::ClockJump,
        &["1 days"],
    );
    drop(world.builder().max_offline(60 * DAY).open().unwrap());
    let store = world.builder().accept_clock_jump().open().unwrap();
    let brief = store.namespace("brief", Policy::at_least_once()).unwrap();
    assert_eq!(state(&brief, "brief"), None);
    let work = store
        .namespace("work", Policy::at_least_once().retention(RETENTION_MAX))
        .unwrap();
    assert_eq!(completed(work.claim("long").unwrap()).response(), b"done");
    store.close().unwrap();
    world.builder().open().unwrap();
}

// Bytes that are not what was asked for.

#[test]
fn a_stored_response_that_does_not_decode_is_given_back_and_never_run_again() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    claim(&work, "key").complete([0xff, 0xfe]).unwrap();
    let ran = work.run_once("key", |_| -> Result<String, hapax::Failure<String>> {
        panic!("it ran again")
    });
    let Err(hapax::RunError::Store(error)) = ran else {
        panic!("{ran:?}")
    };
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.payload(), Some(&[0xff, 0xfe][..]));
    assert!(error.to_string().contains("not run again"), "{error}");
    assert!(Vec::<u8>::from_bytes(error.payload().unwrap()).is_ok());
    assert_eq!(state(&work, "key"), Some(State::Completed));
}
