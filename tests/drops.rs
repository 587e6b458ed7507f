//! The last handle goes at a bad moment: no panic, no deadlock, and what was acknowledged is there.
//!
//! Every test runs on a directory, with each kind of log in turn. A wait longer than [`PATIENCE`] counts as a deadlock.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hapax::{Claim, ErrorKind, KeyState, Lease, LogKind, Namespace, Policy, Store};

const PATIENCE: Duration = Duration::from_secs(120);

/// Runs something that must end, on its own thread.
fn ends<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let run = move || {
        let _ = done.send(act());
    };
    std::thread::Builder::new().spawn(run).unwrap();
    result
        .recv_timeout(PATIENCE)
        .expect("it ends, and without a panic")
}

struct Bench {
    _directory: tempfile::TempDir,
    place: Place,
}

/// Where a store lies, and in which kind of log.
#[derive(Clone)]
struct Place {
    path: PathBuf,
    log: LogKind,
}

impl Bench {
    fn new(round: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let log = match round % 2 {
            0 => LogKind::Sled,
            _ => LogKind::Files,
        };
        Self {
            _directory: directory,
            place: Place { path, log },
        }
    }

    /// Opens the store again: its directory is free as soon as the last handle has gone.
    fn reopen(&self) -> (Store, [Namespace; 2]) {
        let (store, spaces) = open(&self.place);
        store.validate();
        store.verify().unwrap();
        (store, spaces)
    }
}

fn open(place: &Place) -> (Store, [Namespace; 2]) {
    // A thread that is just ending may hold the directory for a moment.
    let builder = Store::builder(&place.path).log_kind(place.log);
    let store = builder.wait_for_lock(PATIENCE).open().unwrap();
    let least = store.namespace("least", Policy::at_least_once()).unwrap();
    let most = store.namespace("most", Policy::at_most_once()).unwrap();
    (store, [least, most])
}

fn grant(space: &Namespace, key: &str) -> Lease {
    match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key} is new: {other:?}"),
    }
}

fn state(space: &Namespace, key: &str) -> Option<KeyState> {
    space.get(key).unwrap().map(|info| info.state())
}

#[test]
fn while_commits_are_in_flight() {
    for round in 0..20_u32 {
        let bench = Bench::new(round / 2);
        let place = bench.place.clone();
        let acknowledged = ends(move || {
            let (store, spaces) = open(&place);
            grant(&spaces[0], "before").complete("done").unwrap();
            let mut context = Context::from_waker(Waker::noop());
            let mut acknowledged = Vec::new();
            let mut waiting = Vec::new();
            for number in 0..10 + round {
                let key = format!("key-{number}");
                let lease = grant(&spaces[number as usize % 2], &key);
                let mut pending = Box::pin(lease.complete_async(vec![7; 40_000]));
                match pending.as_mut().poll(&mut context) {
                    Poll::Ready(result) => {
                        result.unwrap();
                        acknowledged.push(key);
                    }
                    Poll::Pending => waiting.push(pending),
                }
            }
            // Either order: the futures keep the store open.
            if round % 2 == 0 {
                drop(waiting);
                drop((store, spaces));
            } else {
                drop((store, spaces));
                drop(waiting);
            }
            acknowledged
        });
        let (store, spaces) = bench.reopen();
        assert_eq!(state(&spaces[0], "before"), Some(KeyState::Completed));
        for number in 0..10 + round {
            let key = format!("key-{number}");
            // It took effect when it was called, and closing the store makes that durable.
            let state = state(&spaces[number as usize % 2], &key);
            assert_eq!(
                state,
                Some(KeyState::Completed),
                "{key} of {acknowledged:?}"
            );
        }
        store.close().unwrap();
    }
}

#[test]
fn while_compaction_runs() {
    for round in 0..4 {
        let bench = Bench::new(round);
        let place = bench.place.clone();
        ends(move || {
            let (store, spaces) = open(&place);
            grant(&spaces[0], "before").complete("done").unwrap();
            drop(grant(&spaces[1], "doubted"));
            // A full segment of what is dead: the janitor closes it, carries, and removes it.
            for number in 0..34 + round {
                let key = format!("fill-{number}");
                grant(&spaces[0], &key)
                    .complete(vec![1; 1_000_000])
                    .unwrap();
                assert!(spaces[0].forget(&key).unwrap());
            }
            drop((store, spaces));
        });
        let (store, spaces) = bench.reopen();
        assert_eq!(state(&spaces[0], "before"), Some(KeyState::Completed));
        assert_eq!(state(&spaces[1], "doubted"), Some(KeyState::InDoubt));
        assert_eq!(state(&spaces[0], "fill-0"), None);
        store.close().unwrap();
    }
}

#[test]
fn while_a_panic_unwinds() {
    for round in 0..6 {
        let bench = Bench::new(round);
        let place = bench.place.clone();
        let told = ends(move || {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let (store, spaces) = open(&place);
                grant(&spaces[0], "before").complete("done").unwrap();
                let leases = [grant(&spaces[0], "held"), grant(&spaces[1], "held")];
                let mut pending = Box::pin(grant(&spaces[1], "late").complete_async("late"));
                let _ = pending
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                std::panic::panic_any((store, spaces, leases, "on purpose"));
            }));
            let payload = unwound.unwrap_err();
            let (store, spaces, leases, why) = *payload
                .downcast::<(Store, [Namespace; 2], [Lease; 2], &str)>()
                .unwrap();
            // Once more, and this time all of it goes while the stack unwinds.
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                let _held = (leases, spaces, store);
                std::panic::resume_unwind(Box::new(why));
            }));
            *unwound.unwrap_err().downcast::<&str>().unwrap()
        });
        assert_eq!(told, "on purpose");
        let (store, spaces) = bench.reopen();
        assert_eq!(state(&spaces[0], "before"), Some(KeyState::Completed));
        assert_eq!(state(&spaces[0], "held"), Some(KeyState::Released));
        assert_eq!(state(&spaces[1], "held"), Some(KeyState::InDoubt));
        assert_eq!(state(&spaces[1], "late"), Some(KeyState::Completed));
        store.close().unwrap();
    }
}

/// A waker that has the last handle, and drops it when it is woken.
struct LastHandle {
    store: Mutex<Option<(Store, [Namespace; 2])>>,
    woken: Mutex<Sender<String>>,
}

impl Wake for LastHandle {
    fn wake(self: Arc<Self>) {
        drop(self.store.lock().unwrap().take());
        let thread = std::thread::current().name().unwrap_or("").to_owned();
        let _ = self.woken.lock().unwrap().send(thread);
    }
}

#[test]
fn on_a_thread_of_the_store_inside_a_waker() {
    for round in 0..6 {
        let bench = Bench::new(round);
        let place = bench.place.clone();
        let (woken, wakes) = mpsc::channel();
        let (store, spaces) = open(&place);
        grant(&spaces[0], "before").complete("done").unwrap();
        let lease = grant(&spaces[0], "key");
        let last = Arc::new(LastHandle {
            store: Mutex::new(Some((store, spaces))),
            woken: Mutex::new(woken),
        });
        let waker = Waker::from(Arc::clone(&last));
        let mut pending = Box::pin(lease.complete_async("done"));
        let polled = pending.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            let thread = wakes.recv_timeout(PATIENCE).expect("the commit wakes it");
            assert!(thread.starts_with("hapax-"), "it was woken by {thread:?}");
        }
        drop((waker, last));
        ends(move || drop(pending));
        let (store, spaces) = bench.reopen();
        assert_eq!(state(&spaces[0], "before"), Some(KeyState::Completed));
        assert_eq!(state(&spaces[0], "key"), Some(KeyState::Completed));
        store.close().unwrap();
    }
}

/// Other callers are still working: each gets an outcome or an error, and no call waits forever.
#[test]
fn while_other_threads_use_the_store() {
    for round in 0..4 {
        let bench = Bench::new(round);
        let (store, spaces) = open(&bench.place);
        let (begun, begins) = mpsc::channel();
        let work = |thread: usize| {
            let (space, begun) = (spaces[thread % 2].clone(), begun.clone());
            let run = move || {
                let mut done = Vec::new();
                for step in 0..u64::MAX {
                    let key = format!("{thread}-{step}");
                    let settled = space.claim(&key).and_then(|claim| match claim {
                        Claim::Granted(lease) => lease.complete("done"),
                        other => panic!("{key} is new: {other:?}"),
                    });
                    match settled {
                        Ok(_) => done.push(key),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                            break;
                        }
                    }
                    let _ = begun.send(());
                }
                done
            };
            std::thread::Builder::new().spawn(run).unwrap()
        };
        let workers: Vec<_> = (0..4).map(work).collect();
        for _ in 0..100 {
            begins.recv_timeout(PATIENCE).unwrap();
        }
        store.close().unwrap();
        drop((store, spaces));
        let done = ends(move || {
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect::<Vec<_>>()
        });
        let (store, spaces) = bench.reopen();
        for (thread, keys) in done.iter().enumerate() {
            for key in keys {
                assert_eq!(
                    state(&spaces[thread % 2], key),
                    Some(KeyState::Completed),
                    "{key}"
                );
            }
        }
        store.close().unwrap();
    }
}
