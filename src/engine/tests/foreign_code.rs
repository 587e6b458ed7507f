//! Code of users on threads of the store: its panics and its waits are its own affair.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::runtime::sync::refusals::allow_threads;
use crate::testing::ManualClock;
use crate::{Claim, ClaimOptions, ErrorKind, Lease, LogKind, Namespace, Pending, Policy, Store};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// Does something when it is woken.
struct OnWake<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        let act = self.0.lock().take();
        if let Some(act) = act {
            act();
        }
    }
}

fn waker(act: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(OnWake(Mutex::new(Some(act)))))
}

/// Panics when it is woken, and once more when it is dropped.
struct Spiteful;

impl Wake for Spiteful {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics, as this test wants");
    }
}

impl Drop for Spiteful {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a waker that panics on its end, as this test wants");
        }
    }
}

fn granted(claim: Claim) -> Lease {
    match claim {
        Claim::Granted(lease) => lease,
        other => panic!("{other:?}"),
    }
}

fn poll<T>(pending: &mut Pending<T>, waker: &Waker) -> Poll<T> {
    pin!(pending).poll(&mut Context::from_waker(waker))
}

/// The bug: a waker that panicked ended the step that woke it. Those who came after it in the same
/// step were never woken and slept past their deadlines; where the timer had met it, the store was
/// poisoned by "a bug of hapax".
#[test]
fn a_waker_that_panics_costs_nobody_else_their_wake() {
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once().lease(SECOND * 60));
    let jobs = jobs.unwrap();
    let lease = granted(jobs.claim("key").unwrap());
    let (woken, wakes) = mpsc::channel();
    let mut waits = Vec::new();
    for number in 0..5 {
        let options = ClaimOptions::new().wait(SECOND * 10);
        let mut pending = jobs.claim_async("key", options);
        let woken = woken.clone();
        let waker = match number {
            0 | 3 => Waker::from(Arc::new(Spiteful)),
            _ => waker(move || woken.send(number).unwrap()),
        };
        assert!(poll(&mut pending, &waker).is_pending());
        waits.push(pending);
    }
    let lost = pin!(lease.lost()).poll(&mut Context::from_waker(&Waker::from(Arc::new(Spiteful))));
    assert!(lost.is_pending());
    clock.advance(SECOND * 11);
    assert_eq!(wakes.try_iter().collect::<Vec<_>>(), [1, 2, 4]);
    for mut pending in waits {
        let answer = poll(&mut pending, Waker::noop());
        assert!(matches!(answer, Poll::Ready(Ok(Claim::InProgress(_)))));
    }
    assert!(store.health().is_ready(), "{}", store.health());
    clock.advance(SECOND * 60);
    assert!(lease.is_lost());
    store.validate();
    store.close().unwrap();
}

struct Bench {
    _place: tempfile::TempDir,
    store: Store,
    jobs: Namespace,
}

/// A store with threads of its own, on a disk.
fn bench() -> Bench {
    let place = tempfile::tempdir().unwrap();
    let store = Store::builder(place.path().join("store")).log_kind(LogKind::Files);
    let store = store.open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    Bench {
        _place: place,
        store,
        jobs,
    }
}

/// Polls a completion with `waker` until one is pending: a commit may come before the poll.
fn complete_with(jobs: &Namespace, waker: &Waker) -> Pending<crate::Result<()>> {
    for number in 0.. {
        let key = format!("polled-{:?}-{number}", waker.data());
        let lease = granted(jobs.claim(key).unwrap());
        let mut pending = lease.complete_async("done");
        if poll(&mut pending, waker).is_pending() {
            return pending;
        }
    }
    unreachable!("a commit takes longer than a poll, some time")
}

#[test]
fn a_waker_that_panics_on_the_thread_of_the_journal_ends_nothing() {
    let bench = bench();
    let pending = complete_with(&bench.jobs, &Waker::from(Arc::new(Spiteful)));
    for key in 0..20 {
        assert!(bench.jobs.insert(key.to_string()).unwrap());
    }
    assert!(bench.store.health().is_ready());
    drop(pending);
    bench.store.close().unwrap();
}

/// Work that makes durable changes and waits for each, and for a key that another caller runs.
fn work(
    jobs: &Namespace,
    done: &Sender<&'static str>,
    what: &'static str,
) -> impl FnOnce() + Send + 'static {
    let (jobs, done) = (jobs.clone(), done.clone());
    move || {
        for step in 0..3 {
            assert!(jobs.insert(format!("{what}-{step}")).unwrap());
        }
        let _held = granted(jobs.claim(format!("{what}-held")).unwrap());
        let wait = ClaimOptions::new().wait(Duration::from_millis(30));
        let answer = jobs.claim_with(format!("{what}-held"), wait).unwrap();
        assert!(matches!(answer, Claim::InProgress(_)), "{answer:?}");
        done.send(what).unwrap();
    }
}

fn next(done: &Receiver<&'static str>) -> &'static str {
    done.recv_timeout(PATIENCE)
        .expect("the thread that runs the waker goes on with its own work")
}

/// The bug: a waker that made a durable change and waited for it ran on the thread that was to write
/// the change. That thread waited for itself, for good, and no check noticed.
#[test]
fn a_waker_may_wait_for_the_store_on_the_threads_of_the_store() {
    let bench = bench();
    let (done, waits) = mpsc::channel();
    let journal = waker(work(&bench.jobs, &done, "journal"));
    let pending = complete_with(&bench.jobs, &journal);
    assert_eq!(next(&waits), "journal");
    drop(pending);

    let _held = granted(bench.jobs.claim("held").unwrap());
    let wait = ClaimOptions::new().wait(Duration::from_millis(30));
    let mut timed = bench.jobs.claim_async("held", wait);
    assert!(poll(&mut timed, &waker(work(&bench.jobs, &done, "timer"))).is_pending());
    assert_eq!(next(&waits), "timer");

    // Each in the waker of the one before.
    let (jobs, inner) = (bench.jobs.clone(), done.clone());
    let nested = waker(move || {
        let pending = complete_with(&jobs, &waker(work(&jobs, &inner, "inner")));
        jobs.insert("outer").unwrap();
        inner.send("outer").unwrap();
        drop(pending);
    });
    let pending = complete_with(&bench.jobs, &nested);
    let mut both = [next(&waits), next(&waits)];
    both.sort_unstable();
    assert_eq!(both, ["inner", "outer"]);
    drop((pending, timed));
    assert!(bench.store.health().is_ready(), "{}", bench.store.health());
    bench.store.close().unwrap();
}

/// The bug: where the system gave no thread, `Store::open` panicked. And a store that got some of its
/// threads, but not all, was never let go of, or waited for threads that had never begun.
#[test]
fn a_store_that_gets_no_thread_is_refused_and_opens_later() {
    for kind in [LogKind::Files, LogKind::Sled] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let open = || Store::builder(&path).log_kind(kind).open();
        let store = open().unwrap();
        let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
        jobs.insert("key").unwrap();
        store.close().unwrap();
        drop((jobs, store));
        for left in 0..4 {
            allow_threads(Some(left));
            let refused = open();
            allow_threads(None);
            // The one that reads ahead is no condition.
            let Err(error) = refused else {
                panic!("{left} threads are too few")
            };
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert!(error.to_string().contains("starting the thread"), "{error}");
        }
        let store = open().unwrap();
        let jobs = store.open_namespace("jobs").unwrap();
        assert!(jobs.contains("key").unwrap());
        // The last commit needs none of its own.
        allow_threads(Some(0));
        let closed = store.close();
        allow_threads(None);
        closed.unwrap();
    }
}

/// A caller that gives up leaves the line wherever it stands, and the others keep their order; those who
/// have given up do not count. It took a walk along the whole line for each.
#[test]
fn a_line_is_left_from_anywhere() {
    let store = Store::in_memory()
        .clock(&ManualClock::new())
        .open()
        .unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    let mut holder = granted(jobs.claim("key").unwrap());
    let patient = || ClaimOptions::new().wait(SECOND * 1000);
    let mut line: Vec<_> = (0..1000)
        .map(|number| (number, jobs.claim_async("key", patient())))
        .collect();
    for (_, pending) in &mut line {
        assert!(poll(pending, Waker::noop()).is_pending());
    }
    line.retain(|(number, _)| number % 7 == 3);
    assert_eq!(store.stats().waiters(), line.len() as u64);
    for (_, mut pending) in line {
        holder.release("next").unwrap();
        let Poll::Ready(Ok(Claim::Granted(lease))) = poll(&mut pending, Waker::noop()) else {
            panic!("the next in line is granted")
        };
        holder = lease;
    }
    assert_eq!(store.stats().waiters(), 0);
    store.validate();
}
