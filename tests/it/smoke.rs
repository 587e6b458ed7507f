//! The shortest way through the store.

use std::time::Duration;

use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Durability, Policy, Store};

use crate::contract_support::{completed, granted, mismatch, total, with_print};
use crate::logs::KINDS;

#[test]
fn a_key_goes_through_once_and_its_answer_survives_a_restart() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = Store::builder(&path).log_kind(log).open().unwrap();
        let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
        let Claim::Granted(lease) = mail.claim("user-7").unwrap() else {
            panic!("granted")
        };
        assert!(matches!(
            mail.claim("user-7").unwrap(),
            Claim::InProgress(_)
        ));
        lease.complete("sent").unwrap();
        let Claim::Completed(answer) = mail.claim("user-7").unwrap() else {
            panic!("completed")
        };
        assert_eq!(answer.response(), b"sent");
        store.validate();
        store.close().unwrap();
        drop((store, mail));

        let store = Store::open(&path).unwrap();
        let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
        let Claim::Completed(answer) = mail.claim("user-7").unwrap() else {
            panic!("completed")
        };
        assert_eq!(answer.response(), b"sent");
        store.validate();
        store.verify().unwrap();
    }
}

#[test]
fn a_large_response_is_stored_in_parts_and_given_back_whole() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = Store::builder(&path).log_kind(log).open().unwrap();
        let jobs = store.namespace("jobs", Policy::at_most_once()).unwrap();
        let body: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let Claim::Granted(lease) = jobs.claim("big").unwrap() else {
            panic!("granted")
        };
        lease.complete(&body).unwrap();
        let Claim::Completed(answer) = jobs.claim("big").unwrap() else {
            panic!("completed")
        };
        assert_eq!(answer.response(), body);
        drop((store, jobs));
        let store = Store::open(&path).unwrap();
        let jobs = store.namespace("jobs", Policy::at_most_once()).unwrap();
        let Claim::Completed(answer) = jobs.claim("big").unwrap() else {
            panic!("completed")
        };
        assert_eq!(answer.response(), body);
    }
}

#[test]
fn a_crash_of_a_memory_log_leaves_an_at_most_once_key_in_doubt() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let open = || Store::in_memory().log(&log).clock(&clock).open().unwrap();
    let store = open();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    let Claim::Granted(_lease) = pay.claim("order").unwrap() else {
        panic!("granted")
    };
    log.crash();
    let store = open();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    assert!(matches!(pay.claim("order").unwrap(), Claim::InDoubt(_)));
    store.validate();
}

#[test]
fn segments_go_when_their_records_have_expired() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let store = Store::in_memory()
        .log(&log)
        .clock(&clock)
        .durability(Durability::Interval(Duration::from_millis(50)))
        .open()
        .unwrap();
    let hour = Duration::from_secs(3600);
    let jobs = store
        .namespace("jobs", Policy::at_least_once().retention(hour))
        .unwrap();
    for round in 0..4 {
        for key in 0..4000 {
            let Claim::Granted(lease) = jobs.claim(format!("{round}-{key}")).unwrap() else {
                panic!("granted")
            };
            lease.complete(vec![7; 4096]).unwrap();
        }
        clock.advance(hour / 2);
        store.validate();
    }
    clock.advance(hour * 2);
    clock.advance(hour);
    let stats = store.stats();
    assert!(
        total(&store, "hapax_compacted_segments_total") >= 1 && stats.segments() == 1,
        "{stats:?}"
    );
    assert_eq!((stats.live_records(), stats.keys()), (0, 0), "{stats:?}");
    store.validate();
}

#[test]
fn a_store_in_memory_answers_as_any_other() {
    let store = Store::in_memory().open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    let claim_as = |body: &str| work.claim_with("key", with_print(&work, body)).unwrap();
    granted(claim_as("a")).complete("response").unwrap();
    assert!(completed(claim_as("a")).fingerprint_compared());
    mismatch(claim_as("b"));
}
