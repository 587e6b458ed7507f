//! A system that refuses for a while: what is no write of frames is tried again, and ends nothing.
//!
//! Each call of each worker fails with each of the errors that pass, the store goes on, says what
//! troubles it, and heals when the system does.

#![cfg(feature = "sim")]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::engine::engine::Engine;
use crate::engine::options::EngineOptions;
use crate::engine::tests::hooked_log::{Hook, HookedLog};
use crate::observe::health::Trouble;
use crate::runtime::clock::Clock;
use crate::runtime::sync::Drive;
use crate::store::handle::StoreInner;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::audit::AuditLevel;
use crate::{Claim, ClaimOptions, Error, ErrorKind, Lease, Limits, Namespace, Policy, Store};

const SECOND: Duration = Duration::from_secs(1);

const ERRORS: [Errno; 8] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::ACCESS,
    Errno::NOSPC,
    Errno::DQUOT,
    Errno::INTR,
    Errno::AGAIN,
];

/// What fails, how often it did, and what is free.
#[derive(Debug, Default)]
struct Failing {
    failing: Mutex<Option<(&'static str, Errno)>>,
    struck: Mutex<u64>,
    free: Mutex<Option<u64>>,
    reserve: Mutex<u64>,
}

impl Hook for Failing {
    fn before(&self, call: &'static str) -> io::Result<()> {
        match *self.failing.lock() {
            Some((failing, errno)) if failing == call => {
                *self.struck.lock() += 1;
                Err(errno.into())
            }
            _ => Ok(()),
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        *self.free.lock()
    }

    fn reserve(&self, bytes: u64) {
        *self.reserve.lock() = bytes;
    }
}

struct Bench {
    clock: ManualClock,
    log: MemoryLog,
    faults: Arc<Failing>,
    limits: Limits,
    frames: u32,
}

impl Bench {
    fn new(frames: u32) -> Self {
        Self {
            clock: ManualClock::new(),
            log: MemoryLog::new(),
            faults: Arc::default(),
            limits: Limits::default().free_disk_bytes(0),
            frames,
        }
    }

    fn open(&self) -> Store {
        let hook: Arc<dyn Hook> = self.faults.clone();
        let log = HookedLog::new(self.log.session().unwrap(), hook);
        let options = EngineOptions {
            limits: self.limits.clone(),
            shards: 2,
            max_offline: None,
            segment_frames: self.frames,
            drive: Drive::Steps,
            ..EngineOptions::default()
        };
        let engine = Engine::open(Arc::new(log), Clock::Manual(self.clock.clone()), options);
        let engine = engine.unwrap();
        engine.start().unwrap();
        Store::of(Arc::new(StoreInner { engine }))
    }

    fn fail(&self, call: &'static str, errno: Errno) {
        *self.faults.failing.lock() = Some((call, errno));
    }

    fn heal(&self) {
        *self.faults.failing.lock() = None;
    }

    /// Lets time pass, and the workers run.
    fn pass(&self, store: &Store, span: Duration) {
        self.clock.advance(span);
        store.engine().step_all();
        store.engine().step_all();
    }
}

fn jobs(store: &Store) -> Namespace {
    let policy = Policy::at_most_once().retention(SECOND * 3);
    let policy = policy.lease(SECOND * 2).audit(AuditLevel::Keys);
    let policy = policy.audit_retention(SECOND * 3);
    store.namespace("jobs", policy).unwrap()
}

/// A run of a key: refused before it began, or with an outcome.
type Run = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

fn run(jobs: &Namespace, key: String) -> Run {
    let jobs = jobs.clone();
    Box::pin(async move {
        let claim = jobs.claim_async(&key, ClaimOptions::new()).await?;
        let Claim::Granted(lease) = claim else {
            panic!("{key} is new: {claim:?}")
        };
        let completed = lease.complete_async("done").await;
        completed.expect("what was granted has an outcome");
        Ok(())
    })
}

/// Goes on with the keys that are under way. Claims are refused only for lack of room.
fn go_on(runs: &mut Vec<Run>) {
    runs.retain_mut(
        |run| match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
                false
            }
        },
    );
}

/// Some rounds of work, each of a few keys and some seconds; gives the runs that have not ended.
fn work(bench: &Bench, store: &Store, runs: &mut Vec<Run>, part: &str, rounds: u32) {
    let jobs = jobs(store);
    for round in 0..rounds {
        runs.extend((0..5).map(|key| run(&jobs, format!("{part}-{round}-{key}"))));
        for _ in 0..4 {
            go_on(runs);
            bench.pass(store, SECOND);
        }
    }
    go_on(runs);
}

fn upkeep(store: &Store) -> Vec<String> {
    let health = store.health();
    let upkeep = health
        .troubles()
        .iter()
        .filter_map(|trouble| match trouble {
            Trouble::Upkeep { doing, .. } => Some(doing.clone()),
            _ => None,
        });
    upkeep.collect()
}

/// The calls of the workers that write no frame.
const CALLS: [&str; 13] = [
    "activate",
    "prepare",
    "seal",
    "write_marks",
    "read_link",
    "read",
    "remove",
    "archives",
    "write_archive",
    "remove_archive",
    "disk_bytes",
    "free_bytes",
    "hold_reserve",
];

/// The bug: any failure of housekeeping poisoned the store, for good. One second without a free descriptor ended
/// it, even without a call. A client that opened enough connections to the process could do that from outside.
#[test]
fn what_is_no_write_of_frames_is_tried_again_and_heals() {
    for call in CALLS {
        for errno in ERRORS {
            passes(call, errno);
        }
    }
}

fn passes(call: &'static str, errno: Errno) {
    let bench = Bench::new(6);
    let what = format!("{call}: {errno:?}");
    let mut runs = Vec::new();
    let store = bench.open();
    work(&bench, &store, &mut runs, "first", 6);
    assert!(runs.is_empty());
    // It lives on, among what dies: compaction has something to carry, from the log itself.
    let keeps = store.namespace("keeps", Policy::at_least_once()).unwrap();
    keeps.insert("kept").unwrap();
    work(&bench, &store, &mut runs, "second", 4);
    store.close().unwrap();
    drop((keeps, store));

    if call == "hold_reserve" {
        *bench.faults.free.lock() = Some(1 << 40);
    }
    let store = bench.open();
    bench.fail(call, errno);
    bench.pass(&store, SECOND * 60);
    bench.pass(&store, SECOND * 70);
    work(&bench, &store, &mut runs, "failing", 4);
    assert!(
        *bench.faults.struck.lock() > 0,
        "{what}: it is never called"
    );
    let health = store.health();
    assert!(health.is_alive(), "{what}: {health}");
    assert!(!upkeep(&store).is_empty(), "{what}: {health}");
    assert!(
        health.to_string().contains("upkeep has failed for"),
        "{what}: {health}"
    );

    bench.heal();
    bench.pass(&store, SECOND * 6);
    work(&bench, &store, &mut runs, "healed", 6);
    assert!(runs.is_empty(), "{what}: {} are stuck", runs.len());
    assert_eq!(store.health().to_string(), "ok", "{what}");
    assert!(store.engine().compaction.segments_dropped() > 0, "{what}");
    assert!(store.stats().segments() < 8, "{what}: {:?}", store.stats());
    store.validate();
    store.close().unwrap();
    drop(store);
    let store = bench.open();
    store.validate();
    let keeps = store.open_namespace("keeps").unwrap();
    assert!(keeps.contains("kept").unwrap(), "{what}");
    let segments = store.stats().segments();
    assert!(segments < 8, "{what}: {segments} segments are left");
}

/// After a failed write or sync of frames it is unknown what is on the medium.
#[test]
fn a_write_of_frames_that_fails_is_the_last_one() {
    for call in ["append", "sync"] {
        for errno in ERRORS {
            let bench = Bench::new(6);
            let store = bench.open();
            let jobs = jobs(&store);
            bench.fail(call, errno);
            let error = jobs.claim("key").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Poisoned, "{call}: {error}");
            assert!(!store.health().is_alive());
        }
    }
}

/// A segment that cannot begin holds changes up, though nothing is lost: not for longer than a write
/// may take, or the callers that wait would wait for ever.
#[test]
fn a_segment_that_cannot_begin_for_too_long_poisons() {
    let bench = Bench::new(6);
    let store = bench.open();
    let mut runs = [run(&jobs(&store), "key".to_owned())];
    bench.fail("activate", Errno::MFILE);
    for second in 0..40 {
        let polled = runs[0]
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Pending => bench.pass(&store, SECOND),
            Poll::Ready(Err(error)) if second >= 30 => {
                assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
                assert!(error.to_string().contains("beginning a segment"), "{error}");
                return;
            }
            Poll::Ready(other) => panic!("{second}: {other:?}"),
        }
    }
    panic!("it waits for ever");
}

/// A namespace whose manifest could not be written can be made again.
#[test]
fn a_manifest_that_could_not_be_written_is_written_later() {
    for errno in ERRORS {
        let bench = Bench::new(6);
        let store = bench.open();
        bench.fail("write_manifest", errno);
        store
            .namespace("space", Policy::at_least_once())
            .unwrap_err();
        assert!(store.health().is_alive());
        bench.heal();
        let space = store.namespace("space", Policy::at_least_once()).unwrap();
        space.insert("key").unwrap();
    }
}

fn granted(jobs: &Namespace, key: usize) -> Result<Lease, Error> {
    match jobs.claim(key.to_string())? {
        Claim::Granted(lease) => Ok(lease),
        other => panic!("{key} is new: {other:?}"),
    }
}

/// The bug: that no further segment could be prepared was noted in the flag of the disk floor, and
/// the look at the free space overwrote it in the same round. On a file system without inodes claims
/// went on, and the completion after the effect poisoned the store.
#[test]
fn without_a_further_segment_claims_end_before_holders_do() {
    let bench = Bench::new(100);
    let store = bench.open();
    let jobs = store.namespace("most", Policy::at_most_once()).unwrap();
    granted(&jobs, 0).unwrap().complete("done").unwrap();
    bench.fail("prepare", Errno::NOSPC);
    bench.pass(&store, SECOND);
    let mut held = Vec::new();
    let mut refused = None;
    for key in 1..200 {
        match granted(&jobs, key) {
            Ok(lease) => held.push(lease),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
        bench.pass(&store, SECOND / 100);
    }
    let error = refused.expect("a segment takes a hundred frames");
    assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
    assert!(
        held.len() > 20,
        "{} were granted: there was room",
        held.len()
    );
    let health = store.health();
    assert!(!health.is_ready() && health.is_alive(), "{health}");
    assert!(
        health.to_string().contains("no further segment"),
        "{health}"
    );
    let error = held[0].checkpoint("half").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
    let large = held.pop().unwrap().complete(vec![1; 900_000]).unwrap_err();
    assert_eq!(large.kind(), ErrorKind::AtCapacity, "{large}");
    held.push(large.into_lease().unwrap());
    for lease in held {
        lease
            .complete("done")
            .expect("the room was there at the claim");
    }
    assert!(store.health().is_alive(), "{}", store.health());
    bench.heal();
    bench.pass(&store, SECOND * 6);
    granted(&jobs, 500).unwrap().complete("done").unwrap();
    assert_eq!(store.health().to_string(), "ok");
}

/// The bug: free space was asked for once a second, so a caller that wrote faster than that met the end of
/// a small disk instead of its floor. What was written since the last look counts.
#[test]
fn a_fast_writer_meets_the_floor_between_two_looks() {
    for floor in [0, 64 << 20] {
        let mut bench = Bench::new(8192);
        bench.limits = Limits::default().free_disk_bytes(floor);
        let store = bench.open();
        let jobs = store.namespace("most", Policy::at_most_once()).unwrap();
        *bench.faults.free.lock() = Some(floor.max(8 << 20) + (2 << 20));
        bench.pass(&store, SECOND);
        let mut done = 0;
        let error = loop {
            match granted(&jobs, done) {
                Ok(lease) => lease.complete(vec![1; 60_000]).unwrap(),
                Err(error) => break error,
            }
            done += 1;
        };
        assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
        assert!((25..36).contains(&done), "{done} of 60,000 bytes fit 2 MiB");
        assert!(!store.health().is_ready());
        bench.pass(&store, SECOND);
        drop(granted(&jobs, done).expect("the next look finds as much as before"));
    }
}

/// Each key that runs will need room for its outcome: what they need is not given to others.
#[test]
fn what_holders_will_need_is_not_granted_again() {
    let bench = Bench::new(8192);
    let store = bench.open();
    let jobs = store.namespace("least", Policy::at_least_once()).unwrap();
    *bench.faults.free.lock() = Some((8 << 20) + 100 * 1024);
    bench.pass(&store, SECOND);
    let mut held = Vec::new();
    let error = loop {
        match granted(&jobs, held.len()) {
            Ok(lease) => held.push(lease),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
    assert!(
        (90..=100).contains(&held.len()),
        "{} are granted",
        held.len()
    );
    for lease in held {
        lease.complete("done").unwrap();
    }
}

/// Another program fills the disk between two looks: the reserve makes room for running keys.
#[test]
fn the_reserve_goes_to_holders_before_a_write_fails() {
    let bench = Bench::new(8192);
    *bench.faults.free.lock() = Some(1 << 40);
    let store = bench.open();
    let jobs = store.namespace("most", Policy::at_most_once()).unwrap();
    bench.pass(&store, SECOND);
    assert!(*bench.faults.reserve.lock() > 0);
    let lease = granted(&jobs, 1).unwrap();
    *bench.faults.free.lock() = Some(1000);
    bench.clock.advance(SECOND);
    lease.complete("done").unwrap();
    assert_eq!(*bench.faults.reserve.lock(), 0, "before the write");
    bench.pass(&store, SECOND);
    assert_eq!(granted(&jobs, 2).unwrap_err().kind(), ErrorKind::AtCapacity);
    *bench.faults.free.lock() = Some(1 << 40);
    bench.pass(&store, SECOND);
    assert!(*bench.faults.reserve.lock() > 0, "it is taken again");
    drop(granted(&jobs, 2).unwrap());
}
