//! Refusals of a store that is full, elsewhere, closed, or at odds with the clock.

use std::time::Duration;

use hapax::limits::RETENTION_MAX;
use hapax::scan::KeyFilter;
use hapax::{BatchClaim, Claim, ErrorKind, KeyState, Limits, Policy, Result, Store};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, claim, completed, in_progress, state,
};
use crate::limits::{MILLISECOND, refused, world_and_work};

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
    assert!(work.insert("marked").unwrap(), "it is not running");
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
    refused(work.scan(KeyFilter::new()).map(drop), closed, &words);
    refused(work.doubts(), closed, &words);
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
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
}
