//! Stores that are opened and closed all day: what each life leaves behind is merged again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Builder, Claim, LogKind, Policy, Store};
use tempfile::TempDir;

use crate::logs::KINDS;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const GRACE: Duration = Duration::from_secs(121);

/// In seconds.
const DAY: i64 = 24 * 3600;

/// Segments that may lie there after any number of short lives, as `docs/guarantees.md` says.
const SEGMENTS_MAX: u64 = 18;

fn segments(path: &Path) -> u64 {
    fs::read_dir(path.join("segments")).unwrap().count() as u64
}

/// A life in which one key is completed.
fn live(builder: Builder, key: &str) -> Store {
    let store = builder.open().unwrap();
    let policy = Policy::at_least_once().retention(HOUR);
    let jobs = store.namespace("jobs", policy).unwrap();
    let Claim::Granted(lease) = jobs.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.complete(key.as_bytes()).unwrap();
    store
}

fn check(store: &Store, keys: impl Iterator<Item = String>) {
    let policy = Policy::at_least_once().retention(HOUR);
    let jobs = store.namespace("jobs", policy).unwrap();
    for key in keys {
        match jobs.claim(&key).unwrap() {
            Claim::Completed(answer) => assert_eq!(answer.response(), key.as_bytes()),
            other => panic!("{key}: {other:?}"),
        }
    }
    store.validate();
}

/// A life of less than two minutes never gave a segment back: 500 of them, with one key each, left
/// 939 MiB on sled, and opening took longer with each.
#[test]
fn lives_with_one_key_each_do_not_add_up() {
    for (kind, lives) in KINDS.into_iter().zip([40_u64, 100]) {
        let root = TempDir::new().unwrap();
        let path = root.path().join("store");
        for life in 0..lives {
            let store = live(Store::builder(&path).log_kind(kind), &life.to_string());
            store.close().unwrap();
            assert!(segments(&path) <= SEGMENTS_MAX, "{kind:?}, life {life}");
        }
        // A reader merges nothing.
        let before = segments(&path);
        let store = Store::builder(&path).read_only().open().unwrap();
        assert_eq!(store.stats().live_records(), lives);
        assert!(store.health().is_alive(), "{kind:?}");
        store.close().unwrap();
        assert_eq!(segments(&path), before);
        let store = Store::builder(&path).log_kind(kind).open().unwrap();
        check(&store, (0..lives).map(|life| life.to_string()));
        assert!(store.stats().segments() <= SEGMENTS_MAX, "{kind:?}");
        store.close().unwrap();
    }
}

fn memory(log: &MemoryLog, clock: &ManualClock) -> Builder {
    Store::in_memory().log(log).clock(clock)
}

/// A life of less than two minutes never dropped expired keys, so a store that is opened once a
/// minute kept every key that it had ever seen.
#[test]
fn what_expired_in_short_lives_goes() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    for life in 0..300 {
        let store = live(memory(&log, &clock), &life.to_string());
        clock.advance(MINUTE);
        let first = (life + 1_i32 - 59).max(0);
        check(&store, (first..=life).map(|life| life.to_string()));
        let stats = store.stats();
        assert!(stats.segments() <= SEGMENTS_MAX, "life {life}: {stats:?}");
        // Sixty live keys, and those that expired in one of the last steps.
        assert!(stats.keys() <= 70, "life {life}: {stats:?}");
        if life % 2 == 0 {
            store.close().unwrap();
        } else {
            log.crash();
        }
    }
}

/// A clock that is ahead at open makes everything look expired. For two minutes the store drops
/// nothing for that reason, and another life does not shorten them, unless its clock says the same.
#[test]
fn what_only_a_wrong_clock_says_has_expired_stays() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    for life in 0..3 {
        let store = live(memory(&log, &clock), &life.to_string());
        clock.advance(MINUTE);
        store.close().unwrap();
    }
    let live_records = |wall: &str| {
        let store = memory(&log, &clock).open().unwrap();
        clock.advance(MINUTE);
        let live = store.stats().live_records();
        store.validate();
        store.close().unwrap();
        println!("{wall}: {live}");
        live
    };
    assert_eq!(live_records("right"), 3);
    clock.step_wall(DAY);
    assert_eq!(live_records("ahead"), 3);
    clock.step_wall(-DAY);
    assert_eq!(live_records("right again"), 3);
    clock.step_wall(2 * DAY);
    assert_eq!(
        live_records("ahead again, and further"),
        0,
        "both say that a day has passed"
    );
}

/// The two minutes themselves: they are counted from open, as ever.
#[test]
fn what_expired_while_the_store_was_closed_goes_two_minutes_after_open() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    live(memory(&log, &clock), "key").close().unwrap();
    clock.advance(HOUR * 24);
    let store = memory(&log, &clock).open().unwrap();
    clock.advance(MINUTE);
    assert_eq!(store.stats().live_records(), 1);
    clock.advance(GRACE);
    assert_eq!(store.stats().live_records(), 0);
}

/// Waits for what the janitor does first.
fn wait_for_reserve(path: &Path) -> u64 {
    let reserve = path.join("RESERVE");
    loop {
        match fs::metadata(&reserve) {
            Ok(metadata) if metadata.len() >= 2 << 20 => return metadata.len(),
            _ => std::thread::yield_now(),
        }
    }
}

/// A store in which nothing happened had prepared a segment for 8192 frames and taken a reserve of
/// 16 MiB; the first change waited for the segment.
#[test]
fn a_store_in_which_nothing_happens_prepares_nothing() {
    for kind in KINDS {
        let root = TempDir::new().unwrap();
        let store = Store::builder(root.path()).log_kind(kind).open().unwrap();
        assert_eq!(wait_for_reserve(root.path()), 2 << 20);
        assert_eq!(segments(root.path()), 0);
        let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
        assert!(jobs.insert("key").unwrap());
        assert_eq!(segments(root.path()), 1);
        let bytes = store.stats().disk_bytes();
        assert!(bytes < (2 << 20), "{kind:?}: {bytes}");
        if kind == LogKind::Sled {
            let db = root.path().join("segments/0000000000000001/db");
            let bytes = fs::metadata(db).unwrap().len();
            assert!(bytes < (1 << 19), "512 keys, not 8192: {bytes}");
        }
        store.close().unwrap();
    }
}
