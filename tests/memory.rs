//! Memory under hostile input, counted: every refusal costs next to nothing, and a flood that
//! expires leaves the store as large as it was.
//!
//! One test at a time has the counters.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::alloc::System;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hapax::operator::Attribution;
use hapax::scan::KeyFilter;
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    Claim, ClaimOptions, ErrorKind, Lease, Limits, Namespace, Pending, Policy, Resolution, Store,
    Ticket,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

const HUGE: usize = 64 * 1024 * 1024;

/// What a refusal may take: its text, and what the harness does meanwhile.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Bytes that were asked for while `act` ran.
fn taken<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let region = Region::new(ALLOCATOR);
    let result = act();
    let change = region.change();
    let grown = usize::try_from(change.bytes_reallocated).unwrap_or(0);
    (result, change.bytes_allocated + grown)
}

/// Bytes that are in use.
fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

#[track_caller]
fn cheap<T: Debug, E: Debug + Into<hapax::Error>>(act: impl FnOnce() -> Result<T, E>) {
    let (result, bytes) = taken(act);
    let error: hapax::Error = result.expect_err("a refusal").into();
    let kinds = [
        ErrorKind::TooLarge,
        ErrorKind::Invalid,
        ErrorKind::AtCapacity,
    ];
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(bytes <= REFUSAL_BYTES, "{bytes} bytes to say: {error}");
}

/// The immediate refusal of a call that does not block.
fn refusal<T: Debug>(mut pending: Pending<hapax::Result<T>>) -> hapax::Error {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut pending).poll(&mut context) {
        std::task::Poll::Ready(refused) => refused.unwrap_err(),
        std::task::Poll::Pending => panic!("a refusal waits for nothing"),
    }
}

fn store(limits: Limits) -> (ManualClock, Store, Namespace) {
    let clock = ManualClock::new();
    let store = Store::in_memory()
        .log(&MemoryLog::new())
        .clock(&clock)
        .limits(limits);
    let store = store.shards(8).open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    (clock, store, work)
}

fn lease(work: &Namespace, key: &str) -> Lease {
    match work.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_counters_count() {
    let _alone = alone();
    let (_, bytes) = taken(|| drop(vec![0_u8; HUGE]));
    assert!(bytes >= HUGE);
}

#[test]
fn a_huge_key_name_or_label_is_refused_before_it_is_copied() {
    let _alone = alone();
    let (_clock, store, work) = store(Limits::new());
    let huge = "k".repeat(HUGE);
    let ticket = format!(
        r#"{{"namespace":"work","key":[{}1],"token":"1"}}"#,
        "1,".repeat(1 << 16)
    );
    let ticket: Ticket = serde_json::from_str(&ticket).unwrap();
    let token = ticket.token();
    let operator = store.operator(Attribution::new("alice", "INC-42").unwrap());
    let metadata = vec![1; HUGE];
    let options = ClaimOptions::new().metadata(metadata);
    cheap(|| work.claim(&huge));
    // The async form once copied it, to show it in traces.
    cheap(|| Err::<(), _>(refusal(work.claim_async(&huge, ClaimOptions::new()))));
    cheap(|| work.insert(&huge));
    cheap(|| work.insert_many([&huge]));
    cheap(|| work.contains(&huge));
    cheap(|| work.get(&huge));
    cheap(|| work.forget(&huge));
    cheap(|| operator.forget_forced("work", &huge, token));
    cheap(|| store.attach(&ticket));
    cheap(|| store.namespace(&huge, Policy::at_least_once()));
    cheap(|| work.fingerprint(1).part(&huge, "x").build());
    // The metadata are the caller's, and go with the options.
    cheap(|| work.claim_with("key", options));
    assert_eq!(store.stats().keys(), 0);
}

#[test]
fn a_huge_outcome_is_refused_before_it_is_copied() {
    let _alone = alone();
    let (_clock, store, work) = store(Limits::new());
    let huge = vec![7_u8; HUGE];
    let mut held = lease(&work, "key");
    type Call = fn(Lease, &[u8]) -> hapax::Result<()>;
    let calls: [Call; 4] = [
        |lease, huge| lease.complete(huge),
        |lease, huge| lease.fail(huge),
        |lease, huge| lease.release(huge),
        |lease, huge| lease.doubt(huge),
    ];
    for call in calls {
        let (refused, bytes) = taken(|| call(held, &huge));
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(bytes <= REFUSAL_BYTES, "{bytes} bytes to say: {refused}");
        held = refused.into_lease().unwrap();
    }
    cheap(|| held.checkpoint(&huge));
    held.doubt("perhaps").unwrap();
    let doubt = store.doubts().unwrap().next().unwrap().unwrap();
    // The response is the caller's.
    let resolution = Resolution::Happened(huge);
    cheap(|| doubt.resolve(resolution));
    store.validate();
}

#[test]
fn a_huge_batch_is_refused_before_it_is_gathered() {
    let _alone = alone();
    let (_clock, store, work) = store(Limits::new().batch_items(16));
    let many = vec!["key"; 1 << 20];
    cheap(|| work.claim_many(many.iter()));
    cheap(|| work.insert_many(&many));
    cheap(|| work.claim_many(std::iter::repeat("key")));
    cheap(|| work.insert_many(std::iter::repeat("key")));
    assert_eq!(store.stats().keys(), 0);
}

#[test]
fn refusals_at_a_limit_leave_nothing_behind() {
    let _alone = alone();
    let limits = Limits::new()
        .live_keys(64)
        .running_keys(32)
        .waiters_per_key(4);
    let (_clock, store, work) = store(limits);
    let held: Vec<_> = (0..32)
        .map(|key| lease(&work, &format!("held {key}")))
        .collect();
    let wait = || ClaimOptions::new().wait(Duration::from_secs(60));
    let mut waiters: Vec<_> = (0..4).map(|_| work.claim_async("held 0", wait())).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for waiter in &mut waiters {
        assert!(std::pin::Pin::new(waiter).poll(&mut context).is_pending());
    }
    let mut flood = |number: usize| {
        cheap(|| work.claim(format!("flood {number}")));
        let mut more = work.claim_async("held 0", wait());
        let answer = std::pin::Pin::new(&mut more).poll(&mut context);
        assert!(answer.is_ready(), "the line is full");
    };
    (0..100).for_each(&mut flood);
    let before = in_use();
    (0..5000).for_each(&mut flood);
    let grown = in_use().saturating_sub(before);
    assert!(
        grown <= REFUSAL_BYTES,
        "{grown} bytes more after 5000 refusals"
    );
    drop(waiters);
    for lease in held {
        lease.complete("done").unwrap();
    }
    assert_eq!(store.scan(KeyFilter::new()).unwrap().count(), 32);
    store.validate();
}

/// Segment after segment of responses that expire: tables, journal, log and live counts stay as
/// large as what lives.
#[test]
fn a_flood_that_expires_does_not_grow_the_store() {
    const PER_ROUND: u32 = 600;
    let _alone = alone();
    let (clock, store, _) = store(Limits::new());
    let policy = Policy::at_least_once().retention(Duration::from_secs(60));
    let policy = policy
        .attempt_retention(Duration::from_secs(60))
        .lease(Duration::from_secs(9));
    let work = store.namespace("flood", policy).unwrap();
    let body = vec![3; 60_000];
    let mut used = Vec::new();
    for round in 0..14_u32 {
        let keys: Vec<String> = (0..PER_ROUND).map(|key| format!("{round} {key}")).collect();
        let claimed = work.claim_many(&keys).unwrap();
        let leases = claimed.into_iter().map(|claim| match claim {
            hapax::BatchClaim::Claim(Claim::Granted(lease)) => (lease, &body),
            other => panic!("{other:?}"),
        });
        assert!(work.complete_many(leases).iter().all(Result::is_ok));
        clock.advance(Duration::from_secs(60));
        used.push(in_use());
    }
    // The first minutes after open free nothing; after that each round is the same.
    let early = *used[6..9].iter().max().unwrap();
    let late = *used[11..].iter().max().unwrap();
    assert!(late <= early + early / 8, "{used:?}");
    let stats = store.stats();
    let dropped = store.metrics().total("hapax_compacted_segments_total", &[]);
    assert!(dropped > 5, "{stats:?}");
    assert!(stats.keys() <= u64::from(3 * PER_ROUND), "{stats:?}");
    store.validate();
}

/// Threads of this process whose names begin like this.
fn threads(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

/// A store on sled in which nothing happened held 26 MB of memory, eight threads beside its own and
/// 18 MiB of disk: a segment for 8192 frames was prepared at open, whether it was needed or not.
#[test]
#[cfg(target_os = "linux")]
fn a_store_in_which_nothing_happens_takes_next_to_nothing() {
    const STORES: usize = 20;
    let _alone = alone();
    let root = tempfile::TempDir::new().unwrap();
    let path = |at: usize| root.path().join(at.to_string());
    let before = in_use();
    let stores: Vec<_> = (0..STORES)
        .map(|at| Store::open(path(at)).unwrap())
        .collect();
    for at in 0..STORES {
        // The janitor takes it after it has checked whether to prepare a segment.
        let reserve = path(at).join("RESERVE");
        while std::fs::metadata(&reserve).map_or(0, |file| file.len()) < 2 << 20 {
            std::thread::yield_now();
        }
    }
    let each = in_use().saturating_sub(before) / STORES;
    println!("{each} bytes for each of {STORES} stores");
    assert!(each <= 1 << 20, "{each} bytes");
    assert_eq!(threads("sled-io"), 0);
    // A thread takes its name when it first runs.
    while threads("hapax-") < 3 * STORES {
        std::thread::yield_now();
    }
    assert_eq!(threads("hapax-"), 3 * STORES);
    drop(stores);
}
