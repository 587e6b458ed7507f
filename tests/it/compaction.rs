//! Expiry and compaction: space comes back, and no live record is lost.

use std::time::Duration;

use hapax::scan::KeyFilter;
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Durability, Namespace, Policy, Store};

use crate::contract_support::total;
use crate::logs::KINDS;

const HOUR: Duration = Duration::from_secs(3600);
const GRACE: Duration = Duration::from_secs(121);

fn memory(log: &MemoryLog, clock: &ManualClock, durability: Durability) -> Store {
    let builder = Store::in_memory()
        .log(log)
        .clock(clock)
        .durability(durability);
    builder.open().unwrap()
}

fn complete(namespace: &Namespace, key: &str, body: &[u8]) {
    let Claim::Granted(lease) = namespace.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.complete(body).unwrap();
}

fn answer(namespace: &Namespace, key: &str) -> Vec<u8> {
    match namespace.claim(key).unwrap() {
        Claim::Completed(answer) => answer.response().to_vec(),
        other => panic!("{key}: {other:?}"),
    }
}

/// Writes keys that are forgotten at once until the log has moved on by a segment or two.
fn churn(namespace: &Namespace, rounds: usize) {
    let body = vec![1; 60_000];
    for round in 0..rounds {
        let key = format!("churn-{round}");
        complete(namespace, &key, &body);
        assert!(namespace.forget(&key).unwrap());
    }
}

#[test]
fn survivors_are_carried_and_dead_segments_go() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = memory(&log, &clock, Durability::Sync);
    let jobs = store
        .namespace("jobs", Policy::at_least_once().retention(HOUR * 24 * 30))
        .unwrap();
    let large: Vec<u8> = (0..700_000_u32).map(|i| (i % 253) as u8).collect();
    complete(&jobs, "small", b"kept");
    complete(&jobs, "large", &large);
    for _ in 0..4 {
        churn(&jobs, 700);
        clock.advance(GRACE);
        store.validate();
    }
    let stats = store.stats();
    assert!(
        total(&store, "hapax_compacted_segments_total") >= 3,
        "{stats:?}"
    );
    assert!(
        total(&store, "hapax_carried_records_total") >= 2,
        "{stats:?}"
    );
    assert!(
        total(&store, "hapax_journal_appended_bytes_total") > stats.log_bytes(),
        "what was dropped was appended once: {stats:?}"
    );
    assert_eq!(answer(&jobs, "small"), b"kept");
    assert_eq!(answer(&jobs, "large"), large);
    store.verify().unwrap();
    log.crash();
    let store = memory(&log, &clock, Durability::Sync);
    let jobs = store
        .namespace("jobs", Policy::at_least_once().retention(HOUR * 24 * 30))
        .unwrap();
    assert_eq!(answer(&jobs, "small"), b"kept");
    assert_eq!(answer(&jobs, "large"), large);
    store.validate();
}

#[test]
fn a_doubt_and_a_running_claim_outlive_their_segments() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = memory(&log, &clock, Durability::Sync);
    let pay = store
        .namespace("pay", Policy::at_most_once().lease(GRACE * 2))
        .unwrap();
    let Claim::Granted(doubted) = pay.claim("doubted").unwrap() else {
        panic!()
    };
    doubted.doubt("the provider timed out").unwrap();
    let Claim::Granted(running) = pay.claim("running").unwrap() else {
        panic!()
    };
    running.checkpoint("step 3").unwrap();
    for _ in 0..3 {
        churn(&pay, 700);
        clock.advance(GRACE);
        running.renew().unwrap();
    }
    clock.advance(Duration::from_secs(1));
    assert!(
        total(&store, "hapax_compacted_segments_total") >= 2,
        "{:?}",
        store.stats()
    );
    store.validate();
    log.crash();
    let store = memory(&log, &clock, Durability::Sync);
    let pay = store
        .namespace("pay", Policy::at_most_once().lease(GRACE * 2))
        .unwrap();
    let Claim::InDoubt(doubt) = pay.claim("doubted").unwrap() else {
        panic!()
    };
    assert_eq!(doubt.reason(), b"the provider timed out");
    let Claim::InDoubt(doubt) = pay.claim("running").unwrap() else {
        panic!()
    };
    assert_eq!(doubt.checkpoint(), b"step 3");
}

/// A dead head may go only once the record that replaced it is on the medium: otherwise a crash
/// would lose the completion together with the record that it replaced.
#[test]
fn a_crash_never_loses_a_record_together_with_the_one_that_replaced_it() {
    let interval = Durability::Interval(Duration::from_secs(60));
    for unsynced in 0..4 {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let store = memory(&log, &clock, interval);
        let jobs = store
            .namespace("jobs", Policy::at_least_once().retention(HOUR * 24 * 30))
            .unwrap();
        complete(&jobs, "kept", b"first");
        churn(&jobs, 700);
        store.sync().unwrap();
        clock.advance(GRACE);
        // From here on nothing is synced: a re-run replaces the record in the oldest segment.
        assert!(jobs.forget("kept").unwrap());
        complete(&jobs, "kept", b"second");
        clock.advance(Duration::from_millis(10));
        log.crash_keeping(unsynced);
        let store = memory(&log, &clock, interval);
        let jobs = store
            .namespace("jobs", Policy::at_least_once().retention(HOUR * 24 * 30))
            .unwrap();
        let found = answer(&jobs, "kept");
        assert!(
            found == b"first" || found == b"second",
            "{found:?} after {unsynced} unsynced frames"
        );
        store.validate();
    }
}

#[test]
fn nothing_is_dropped_by_expiry_in_the_first_minutes_after_open() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = memory(&log, &clock, Durability::Sync);
    let policy = || Policy::at_least_once().retention(HOUR);
    let jobs = store.namespace("jobs", policy()).unwrap();
    for key in 0..700 {
        complete(&jobs, &format!("{key}"), &[1; 60_000]);
    }
    store.close().unwrap();
    // The wall clock is wrong by a day at open, which the store still believes.
    clock.step_wall(24 * 3600);
    let builder = Store::in_memory().log(&log).clock(&clock);
    let store = builder.open().unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        (
            total(&store, "hapax_compacted_segments_total"),
            store.stats().keys()
        ),
        (0, 700)
    );
    store.validate();
    clock.advance(GRACE);
    clock.advance(Duration::from_secs(1));
    assert!(total(&store, "hapax_compacted_segments_total") >= 1);
    assert_eq!(store.stats().keys(), 0);
}

#[test]
fn disk_space_really_comes_back() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let builder = Store::builder(dir.path().join("store"))
            .log_kind(log)
            .clock(&clock);
        let store = builder
            .durability(Durability::Interval(Duration::from_secs(1)))
            .open()
            .unwrap();
        let jobs = store
            .namespace("jobs", Policy::at_least_once().retention(HOUR))
            .unwrap();
        for key in 0..2000 {
            complete(&jobs, &format!("{key}"), &[1; 60_000]);
        }
        store.sync().unwrap();
        let full = store.stats().disk_bytes();
        assert!(full > 100 * 1024 * 1024, "{full}");
        clock.advance(HOUR * 2);
        complete(&jobs, "one more", b"");
        clock.advance(Duration::from_secs(2));
        clock.advance(Duration::from_secs(2));
        let after = store.stats().disk_bytes();
        assert!(after < full / 3, "{after} of {full} bytes are left");
        store.validate();
    }
}

#[test]
fn a_scan_under_way_keeps_the_log_from_being_compacted() {
    let clock = ManualClock::new();
    let builder = Store::in_memory().clock(&clock).allow_at_most_once();
    let store = builder.open().unwrap();
    let policy = Policy::at_most_once().lease(Duration::from_secs(600));
    let jobs = store.namespace("jobs", policy).unwrap();
    for key in 0..700 {
        complete(&jobs, &key.to_string(), &[1; 60_000]);
    }
    let mut scan = jobs.scan(KeyFilter::new()).unwrap();
    scan.next().unwrap().unwrap();
    for key in 0..650 {
        assert!(jobs.forget(key.to_string()).unwrap());
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(total(&store, "hapax_compacted_segments_total"), 0);
    assert!(scan.all(|info| info.is_ok()));
    drop(scan);
    clock.advance(Duration::from_secs(1));
    assert!(
        total(&store, "hapax_compacted_segments_total") > 0,
        "{:?}",
        store.stats()
    );
    assert_eq!(jobs.scan(KeyFilter::new()).unwrap().count(), 50);
}
