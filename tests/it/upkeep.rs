//! What keeps a store in order while it works: a survey from outside, compaction on demand, and
//! long calls that report their progress.

use std::time::Duration;

use hapax::maintenance::{Progress, ProgressUnit, SalvageOptions};
use hapax::scan::KeyFilter;
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Durability, ErrorKind, Guarantee, LogKind, Namespace, Policy, Store};

use crate::contract_support::total;
use crate::logs::KINDS;
use crate::reading;

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

/// Keeps what a call reports, and checks that it fits what [`Progress`] promises.
#[derive(Default)]
struct Told(Vec<Progress>);

impl Told {
    fn hear(&mut self) -> impl FnMut(Progress) {
        |progress| {
            assert!(progress.done() <= progress.total(), "{progress}");
            let before = self.0.last().map_or(0, Progress::done);
            assert!(progress.done() >= before, "{progress} after {before}");
            self.0.push(progress);
        }
    }

    fn check(&self, unit: ProgressUnit) {
        let last = self.0.last().unwrap();
        assert_eq!((last.done(), last.unit()), (last.total(), unit));
        assert!(last.total() > 0 && self.0.len() >= 3, "{:?}", self.0);
        assert_eq!(self.0[0].done(), 0);
    }
}

#[test]
fn a_survey_is_taken_beside_a_writer_and_without_a_lock() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        assert_eq!(
            Store::survey(&path).unwrap_err().kind(),
            ErrorKind::NotAStore
        );
        let builder = || Store::builder(&path).log_kind(log).segment_frames(4);
        let store = builder().open().unwrap();
        let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
        for key in 0..10 {
            complete(&pay, &format!("{key}"), b"done");
        }
        let survey = Store::survey(&path).unwrap();
        assert_eq!(survey.holder(), Some(std::process::id()));
        assert_eq!((survey.epoch(), survey.log_kind()), (1, log));
        assert_eq!(survey.segments().len() as u64, store.stats().segments());
        assert!(survey.disk_bytes() > 0 && survey.free_bytes() > 0);
        assert_eq!(survey.namespaces()[0].name, "pay");
        let policy = &survey.namespaces()[0].policy;
        assert_eq!(policy.guarantee(), Guarantee::AtMostOnce);
        store.close().unwrap();
        let before = reading::fingerprint(&path);
        let survey = Store::survey(&path).unwrap();
        assert!(reading::fingerprint(&path) == before);
        assert_eq!(survey.holder(), None, "LOCK still names a process");
        assert_eq!(survey.durable_frame(), store.stats().durable_frame());
        let reader = builder().read_only().open().unwrap();
        assert_eq!(Store::survey(&path).unwrap().holder(), None);
        reader.backup(place.path().join("backup")).unwrap();
        let backup = Store::survey(place.path().join("backup")).unwrap();
        assert!(backup.is_backup() && backup.store_id() == survey.store_id());
        std::fs::write(path.join("MARKS"), "").unwrap();
        assert_eq!(Store::survey(&path).unwrap_err().kind(), ErrorKind::Damaged);
    }
}

/// A survey must not block a writer, nor read nonsense from one.
#[test]
fn a_survey_disturbs_no_writer() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        Store::builder(&path).log_kind(log).open().unwrap();
        let (ended, path) = (std::sync::atomic::AtomicBool::new(false), &path);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5 {
                    let store = Store::builder(path).segment_frames(4).open().unwrap();
                    let jobs = store.namespace("jobs", Policy::at_least_once());
                    let jobs = jobs.unwrap();
                    for key in 0..8_u8 {
                        complete(&jobs, &format!("{key}"), b"");
                        jobs.forget(format!("{key}")).unwrap();
                    }
                    store.close().unwrap();
                }
                ended.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            let mut epoch = 0;
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                let survey = Store::survey(path).unwrap();
                assert!(survey.epoch() >= epoch);
                epoch = survey.epoch();
            }
        });
    }
}

/// A store of a few segments in which some keys live and most do not.
fn mostly_dead(store: &Store, live: usize) -> Namespace {
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    for key in 0..live {
        complete(&jobs, &format!("live-{key}"), format!("{key}").as_bytes());
        let dead = format!("dead-{key}");
        complete(&jobs, &dead, &[1; 100]);
        if key % 4 == 0 {
            jobs.forget(&dead).unwrap();
        }
        // A frame, under any durability.
        store.sync().unwrap();
    }
    jobs
}

#[test]
fn compaction_on_demand_leaves_nothing_dead_that_can_go() {
    for durability in [
        Durability::Sync,
        Durability::Interval(Duration::from_secs(1)),
    ] {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let builder = || {
            let builder = Store::in_memory().log(&log).clock(&clock);
            builder.durability(durability).segment_frames(8)
        };
        let store = builder().open().unwrap();
        let jobs = mostly_dead(&store, 100);
        store.sync().unwrap();
        clock.advance(Duration::from_secs(1));
        let before = store.stats();
        let (live, segments) = (before.live_records(), before.segments());
        let dropped = total(&store, "hapax_compacted_segments_total");
        let mut told = Told::default();
        let compacted = store.compact_with(told.hear()).unwrap();
        assert!(
            compacted.segments_dropped() >= segments - 1,
            "{compacted:?}"
        );
        assert_eq!(total(&store, "hapax_compacted_segments_total") - dropped, {
            compacted.segments_dropped()
        });
        assert_eq!(store.stats().live_records(), live);
        told.check(ProgressUnit::Frames);
        store.validate();
        store.verify().unwrap();
        assert_eq!(answer(&jobs, "live-7"), b"7");
        // Every record lives, so a second compaction has nothing to do.
        let before = store.stats();
        let again = store.compact().unwrap();
        assert!(again.segments_dropped() <= 1, "{again:?}");
        assert!(store.stats().segments() <= before.segments());
        store.close().unwrap();
        drop((jobs, store));
        let store = builder().open().unwrap();
        assert_eq!(store.stats().live_records(), live);
    }
}

/// A compaction from the command line has just opened the store.
#[test]
fn what_has_expired_goes_at_once_on_request() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let builder = || {
        let builder = Store::in_memory().log(&log).clock(&clock);
        builder.segment_frames(8)
    };
    let store = builder().open().unwrap();
    mostly_dead(&store, 50);
    store.close().unwrap();
    clock.advance(Duration::from_secs(25 * 3600));
    let store = builder().open().unwrap();
    let segments = store.stats().segments();
    let compacted = store.compact().unwrap();
    assert_eq!(compacted.records_carried(), 0, "no record lives");
    assert_eq!(compacted.segments_dropped(), segments);
    assert!(compacted.is_complete());
    store.validate();
    clock.advance(Duration::from_secs(300));
    store.validate();
}

#[test]
fn compaction_on_demand_goes_on_beside_claims() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let builder = Store::builder(&path).log_kind(log).segment_frames(32);
        let store = builder.open().unwrap();
        let jobs = mostly_dead(&store, 40);
        let compacted = std::thread::scope(|scope| {
            let compact = scope.spawn(|| store.compact().unwrap());
            for key in 0..20 {
                complete(&jobs, &format!("new-{key}"), b"new");
            }
            compact.join().unwrap()
        });
        assert!(compacted.segments_dropped() > 1, "{compacted:?}");
        store.validate();
        store.verify().unwrap();
        for key in 0..40 {
            assert_eq!(
                answer(&jobs, &format!("live-{key}")),
                format!("{key}").as_bytes()
            );
        }
        store.close().unwrap();
        drop((jobs, store));
        reading::check(&path);
    }
}

#[test]
fn compaction_does_not_wait_for_readers_of_the_log() {
    let store = Store::in_memory().segment_frames(8).open().unwrap();
    mostly_dead(&store, 20);
    let scan = store.scan(KeyFilter::new()).unwrap();
    let error = store.compact().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse, "{error}");
    drop(scan);
    store.compact().unwrap();
    store.close().unwrap();
    assert_eq!(store.compact().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn long_calls_tell_how_far_they_have_come() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let store = Store::builder(at("store"))
        .log_kind(LogKind::Files)
        .segment_frames(16)
        .open()
        .unwrap();
    let jobs = mostly_dead(&store, 40);
    complete(&jobs, "large", &[1; 300_000]);
    let mut told = Told::default();
    let verified = store.verify_with(told.hear()).unwrap();
    told.check(ProgressUnit::Frames);
    assert_eq!(told.0.last().unwrap().done(), verified.frames());
    let mut told = Told::default();
    store.backup_with(at("backup"), told.hear()).unwrap();
    told.check(ProgressUnit::Frames);
    store.close().unwrap();
    let mut told = Told::default();
    Store::restore_with(at("backup"), at("back"), told.hear()).unwrap();
    told.check(ProgressUnit::Frames);
    let mut told = Told::default();
    let options = SalvageOptions::new();
    Store::salvage_with_progress(at("store"), at("saved"), options, told.hear()).unwrap();
    told.check(ProgressUnit::Bytes);
}
