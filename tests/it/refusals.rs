//! Refusals of a store that is full, elsewhere, closed, or at odds with the clock.

use hapax::limits::RETENTION_MAX;
use hapax::{ErrorKind, Policy, Store};

use crate::contract_support::{DAY, HOUR, MINUTE, World, claim, completed, state};
use crate::limits::refused;

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

// Time.

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
