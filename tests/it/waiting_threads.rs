//! Threads that wait for a key, on the real clock.

use std::sync::Barrier;
use std::time::Duration;

use hapax::testing::MemoryLog;
use hapax::{Claim, ClaimOptions, Durability, ErrorKind, Policy, Store};

use crate::contract_support::{HOUR, MINUTE, claim, completed, granted, in_progress, waiting};
use crate::metrics::wait_for;

fn patient() -> ClaimOptions {
    ClaimOptions::new().wait(HOUR)
}

fn on(log: &MemoryLog, durability: Durability) -> Store {
    let builder = Store::in_memory().log(log).durability(durability);
    builder.open().unwrap()
}

#[test]
fn a_thousand_threads_get_one_copy_of_the_response() {
    let store = Store::in_memory().open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    let lease = claim(&work, "key");
    let start = Barrier::new(1001);
    let bytes = std::thread::scope(|scope| {
        let waiter = || {
            start.wait();
            completed(work.claim_with("key", patient()).unwrap()).into_bytes()
        };
        let threads: Vec<_> = (0..1000)
            .map(|_| {
                let thread = std::thread::Builder::new().stack_size(128 * 1024);
                thread.spawn_scoped(scope, waiter).unwrap()
            })
            .collect();
        start.wait();
        while store.stats().waiters() < 1000 {
            std::thread::yield_now();
        }
        lease.complete(vec![7; 10_000]).unwrap();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(
        bytes
            .iter()
            .all(|other| other.as_ptr() == bytes[0].as_ptr())
    );
}

#[test]
fn threads_that_wait_run_one_after_the_other_while_holders_release() {
    let store = Store::in_memory().open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    let start = Barrier::new(32);
    let run = || {
        start.wait();
        match work.claim_with("key", patient()).unwrap() {
            Claim::Granted(lease) if lease.attempt() < 4 => {
                lease.release("again").unwrap();
                1
            }
            Claim::Granted(lease) => {
                lease.complete("done").unwrap();
                1
            }
            Claim::Completed(_) => 0,
            other => panic!("{other:?}"),
        }
    };
    let executions: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(executions, 4);
}

#[test]
fn a_lapse_under_at_least_once_wakes_a_thread() {
    let store = Store::in_memory().open().unwrap();
    let brief = Policy::at_least_once().lease(Duration::from_millis(30));
    let work = store.namespace("work", brief).unwrap();
    let first = claim(&work, "key");
    let second = granted(work.claim_with("key", patient()).unwrap());
    assert_eq!(second.attempt(), 2);
    assert!(first.is_lost());
}

#[test]
fn a_waiter_in_a_thread_is_answered_at_its_deadline() {
    let store = Store::in_memory().open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    let _lease = claim(&work, "key");
    let brief = ClaimOptions::new().wait(Duration::from_millis(20));
    in_progress(work.claim_with("key", brief).unwrap());
}

/// A caller that looked before the store closed and joined the line afterwards used to wait
/// forever: nothing was left to wake it.
#[test]
fn close_never_leaves_a_thread_waiting() {
    for _ in 0..50 {
        let store = Store::in_memory().open().unwrap();
        let work = store.namespace("work", Policy::at_least_once()).unwrap();
        let _lease = claim(&work, "key");
        let start = Barrier::new(9);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let error = work.claim_with("key", patient()).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Closed);
                });
            }
            start.wait();
            store.close().unwrap();
        });
    }
}

#[test]
fn lost_wakes_a_thread_that_waits_for_it() {
    use std::sync::Arc;
    use std::task::{Context, Wake};
    struct Sender(std::sync::mpsc::Sender<()>);
    impl Wake for Sender {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }
    let store = Store::in_memory().open().unwrap();
    let brief = Policy::at_least_once().lease(Duration::from_millis(20));
    let work = store.namespace("work", brief).unwrap();
    let lease = claim(&work, "key");
    let (sender, woken) = std::sync::mpsc::channel();
    let waker = Arc::new(Sender(sender)).into();
    let mut lost = lease.lost();
    let mut context = Context::from_waker(&waker);
    while Future::poll(std::pin::Pin::new(&mut lost), &mut context).is_pending() {
        woken.recv().unwrap();
    }
    assert!(lease.is_lost());
}

/// A holder released while the store closed, and the waiter behind it was granted and answered
/// `Closed`. After reopening, that grant had used up the last attempt, or had left a doubt, though
/// nothing had run.
#[test]
fn a_waiter_that_hears_of_the_close_has_used_no_attempt() {
    for (policy, durability) in [
        (Policy::at_least_once().max_attempts(2), Durability::Sync),
        (
            Policy::at_least_once().max_attempts(2),
            Durability::Interval(MINUTE),
        ),
        (Policy::at_most_once(), Durability::Sync),
        (Policy::at_most_once(), Durability::Interval(MINUTE)),
    ] {
        let (mut refused, mut granted_at_all) = (0, 0);
        for round in 0..100 {
            let log = MemoryLog::new();
            let store = on(&log, durability);
            let space = store.namespace("work", policy.clone()).unwrap();
            let holder = claim(&space, "key");
            let start = Barrier::new(3);
            let (released, answer) = std::thread::scope(|scope| {
                let waits = scope.spawn(|| {
                    let queued = waiting(space.claim_async("key", patient()));
                    start.wait();
                    wait_for(queued)
                });
                let releases = scope.spawn(|| {
                    start.wait();
                    holder.release("again").is_ok()
                });
                start.wait();
                store.close().unwrap();
                (releases.join().unwrap(), waits.join().unwrap())
            });
            let ran = match &answer {
                Ok(Claim::Granted(lease)) => Some(lease.attempt()),
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                    None
                }
            };
            drop((answer, space, store));
            let store = on(&log, durability);
            let space = store.namespace("work", policy.clone()).unwrap();
            let next = space.claim("key").unwrap();
            let at = format!("round {round} of {policy:?}: released {released}, ran {ran:?}");
            match (released, ran) {
                (true, None) => {
                    refused += 1;
                    assert_eq!(granted(next).attempt(), 2, "{at}");
                }
                (true, Some(2)) => granted_at_all += 1,
                // The first attempt has died with the store.
                (false, None) => {}
                other => panic!("{at}: {other:?}"),
            }
            store.validate();
        }
        println!("{policy:?}: {refused} refused, {granted_at_all} granted");
    }
}
