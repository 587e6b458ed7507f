//! `max_attempts` against work that kills its process: each claim is on the medium before it is
//! granted, so every attempt counts.

use hapax::{
    BatchClaim, Claim, ClaimOptions, Durability, Failure, KeyState, Lease, Namespace, Policy,
    RunError, Store,
};

use crate::contract_support::{
    HOUR, MINUTE, SECOND, World, claim, completed, failed, granted, poll, ready, state,
};
use crate::contract_waiting::{patient, queued};

/// A holder whose process has died.
#[expect(clippy::mem_forget, reason = "a process that dies drops nothing")]
fn die(lease: Lease) {
    std::mem::forget(lease);
}

fn of_batch(mut answers: Vec<BatchClaim>) -> Claim {
    match answers.remove(0) {
        BatchClaim::Claim(claim) => claim,
        other => panic!("{other:?}"),
    }
}

type Ask = fn(&Namespace) -> Claim;

const WAYS: [(&str, Ask); 4] = [
    ("claim", |space| space.claim("key").unwrap()),
    ("claim_async", |space| {
        ready(space.claim_async("key", ClaimOptions::new())).unwrap()
    }),
    ("claim_many", |space| {
        of_batch(space.claim_many(["key"]).unwrap())
    }),
    ("claim_many_async", |space| {
        of_batch(ready(space.claim_many_async(["key"])).unwrap())
    }),
];

/// The first attempt left no record, and no call waited for the record of the second. Work that
/// killed its process at once was granted again after each restart, forever.
#[test]
fn a_job_that_kills_its_process_fails_for_good_after_its_last_attempt() {
    for (way, ask) in WAYS {
        let mut world = World::new();
        let policy = Policy::at_least_once().max_attempts(3);
        for attempt in 1..=3 {
            let space = world.namespace(policy.clone());
            let lease = granted(ask(&space));
            assert_eq!(lease.attempt(), attempt, "{way}");
            die(lease);
            drop(space);
            world.crash();
            world.store.validate();
        }
        let space = world.namespace(policy.clone());
        let answer = failed(ask(&space));
        assert_eq!(answer.attempts(), 3, "{way}");
        assert!(!answer.error().is_empty(), "it says why");
        assert_eq!(failed(ask(&space)).attempts(), 3, "and stays so");
    }
}

#[test]
fn run_once_counts_work_that_took_its_process_with_it() {
    let mut world = World::new();
    let policy = Policy::at_least_once().max_attempts(2);
    for attempt in 1..=2 {
        let space = world.namespace(policy.clone());
        let log = world.log.clone();
        // The power goes while the work runs, and nothing after it is written.
        let ran = space.run_once("key", |run| {
            assert_eq!(run.attempt(), attempt);
            log.crash();
            Ok::<_, Failure<String>>("done".to_owned())
        });
        assert!(ran.is_err(), "{ran:?}");
        drop(space);
        world.reopen();
    }
    let space = world.namespace(policy);
    let ran = space.run_once("key", |_| Ok::<_, Failure<String>>("done".to_owned()));
    assert!(matches!(ran, Err(RunError::Failed(answer)) if answer.attempts() == 2));
}

#[test]
fn attempts_that_are_handed_over_and_taken_over_are_counted_too() {
    let mut world = World::new();
    let policy = Policy::at_least_once().max_attempts(4);
    let space = world.namespace(policy.clone());
    let first = claim(&space, "key");
    let second = queued(&space, patient());
    first.release("again").unwrap();
    die(granted(ready(second).unwrap()));
    // The third takes the key over from the second, whose lease has lapsed, while it waits.
    let third = queued(&space, patient());
    world.clock.advance(MINUTE);
    let third = granted(ready(third).unwrap());
    assert_eq!(third.attempt(), 3);
    die(third);
    drop(space);
    world.crash();
    let space = world.namespace(policy.clone());
    let fourth = claim(&space, "key");
    assert_eq!(fourth.attempt(), 4);
    die(fourth);
    drop(space);
    world.crash();
    let space = world.namespace(policy);
    assert_eq!(failed(space.claim("key").unwrap()).attempts(), 4);
    world.store.validate();
}

#[test]
fn a_counted_attempt_settles_as_any_other() {
    let mut world = World::new();
    let policy = Policy::at_least_once().max_attempts(2);
    let space = world.namespace(policy.clone());
    claim(&space, "done").complete("receipt").unwrap();
    claim(&space, "failed").fail("no").unwrap();
    claim(&space, "released").release("again").unwrap();
    drop(claim(&space, "dropped"));
    let ticket = claim(&space, "detached").detach().unwrap();
    drop(space);
    world.crash();
    let space = world.namespace(policy);
    let done = completed(space.claim("done").unwrap());
    assert_eq!((done.response(), done.attempts()), (&b"receipt"[..], 1));
    assert_eq!(failed(space.claim("failed").unwrap()).error(), b"no");
    let lease = claim(&space, "released");
    assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"again"[..]));
    assert_eq!(claim(&space, "dropped").attempt(), 2);
    let lease = world.store.attach(&ticket).unwrap();
    lease.complete("later").unwrap();
    assert_eq!(state(&space, "detached"), Some(KeyState::Completed));
    world.store.validate();
}

/// A claim that no caller received leaves the key as it was, absent keys included.
#[test]
fn a_first_attempt_that_is_taken_back_leaves_nothing() {
    // With threads a claim has to wait for its commit at the first poll.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let policy = Policy::at_least_once().max_attempts(1);
    let mut withdrawn = Vec::new();
    let store = Store::open(&path).unwrap();
    let space = store.namespace("work", policy.clone()).unwrap();
    for round in 0..50 {
        let key = format!("key {round}");
        let mut pending = space.claim_async(&key, ClaimOptions::new());
        if poll(&mut pending).is_pending() {
            drop(pending);
            assert_eq!(state(&space, &key), None, "provably nothing ran");
            withdrawn.push(key);
        }
    }
    assert!(!withdrawn.is_empty(), "at least one claim had to wait");
    store.validate();
    store.close().unwrap();
    drop(space);
    let store = Store::open(&path).unwrap();
    let space = store.namespace("work", policy).unwrap();
    for key in withdrawn {
        assert_eq!(claim(&space, &key).attempt(), 1);
    }
}

#[test]
fn under_an_interval_an_attempt_is_counted_once_its_window_has_passed() {
    let window = Durability::Interval(SECOND);
    let policy = Policy::at_least_once().max_attempts(1).lease(HOUR);
    for (passes, policy) in [
        (true, policy.clone()),
        (false, policy.clone()),
        (false, policy.durability(Durability::Sync)),
    ] {
        let mut world = World::with(|builder| builder.durability(window));
        let space = world.namespace(policy.clone());
        die(claim(&space, "key"));
        if passes {
            world.clock.advance(SECOND);
        }
        drop(space);
        world.log.crash();
        world.store = world.builder().durability(window).open().unwrap();
        let space = world.namespace(policy.clone());
        let is_counted = matches!(space.claim("key").unwrap(), Claim::Failed(_));
        let is_synced = policy != Policy::at_least_once().max_attempts(1).lease(HOUR);
        assert_eq!(is_counted, passes || is_synced, "{policy:?}");
    }
}

#[test]
fn without_a_limit_of_attempts_a_claim_is_not_written() {
    let world = World::new();
    let (plain, counted) = (
        Policy::at_least_once(),
        Policy::at_least_once().max_attempts(9),
    );
    let plain = world.store.namespace("plain", plain).unwrap();
    let counted = world.store.namespace("counted", counted).unwrap();
    let frames = |space: &Namespace| {
        let before = world.store.stats().last_frame();
        die(claim(space, "key"));
        world.store.stats().last_frame() - before
    };
    assert_eq!((frames(&plain), frames(&counted)), (0, 1));
}
