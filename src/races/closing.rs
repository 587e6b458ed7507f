//! The end of a store against everything that is still in progress.

use crate::races::{
    Bench, LONG, SECOND, at_least_once, explore, granted, join, patient, poll_once, response,
    spawn, yield_now,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use crate::runtime::sync::{Mutex, block_on};
use crate::{BatchClaim, Claim, ClaimOptions, Error, ErrorKind, Pending, Policy};

fn assert_closed(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}

#[test]
fn claims_and_waits_end_when_the_store_is_closed() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let held = granted(space.claim_with("held", patient()).unwrap());
        let waits = {
            let space = space.clone();
            spawn(move || assert_closed(&space.claim_with("held", patient()).unwrap_err()))
        };
        let runs = {
            let space = space.clone();
            spawn(move || {
                let completed = match space.claim("key") {
                    Ok(claim) => granted(claim).complete("done"),
                    Err(error) => Err(error),
                };
                completed.map_err(|error| assert_closed(&error)).is_ok()
            })
        };
        store.close().unwrap();
        assert_closed(&store.close().unwrap_err());
        let completed = runs.join().unwrap();
        waits.join().unwrap();
        assert!(held.is_lost());
        drop((held, space, store));

        let store = bench.reopen_after_crash();
        let space = at_least_once(&store);
        if completed {
            assert_eq!(response(&space, "key"), b"done");
        }
        granted(space.claim("held").unwrap())
            .complete("again")
            .unwrap();
    });
}

#[test]
fn of_two_that_close_one_is_told_that_it_was_the_second() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let lease = granted(space.claim("key").unwrap());
        let completes = spawn(move || lease.complete("done"));
        let closes = (0..2).map(|_| {
            let store = store.clone();
            spawn(move || store.close().map_err(|error| assert_closed(&error)).is_ok())
        });
        let closed = join(closes.collect::<Vec<_>>());
        assert_eq!(closed.iter().filter(|closed| **closed).count(), 1);
        let completed = completes.join().unwrap();
        drop((space, store));
        let store = bench.reopen_after_crash();
        match completed {
            Ok(()) => assert_eq!(response(&at_least_once(&store), "key"), b"done"),
            Err(error) => assert_closed(&error),
        }
    });
}

#[test]
fn the_last_handle_closes_the_store_on_any_thread() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let runs = ["a", "b"].map(|key| {
            let space = space.clone();
            spawn(move || granted(space.claim(key).unwrap()).complete(key).unwrap())
        });
        drop((space, store));
        join(runs);
        // The log is free, and everything is in it.
        let store = bench.open();
        store.validate();
        let space = at_least_once(&store);
        for key in ["a", "b"] {
            assert_eq!(response(&space, key), key.as_bytes());
        }
    });
}

/// The bug: a caller that began to watch a lease looked at the clock before it had the lock of the
/// shard. A lapse came between and woke all watchers, and this one watched on forever.
#[test]
fn a_lease_that_is_kept_alive_is_lost_at_its_ceiling() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let lease = granted(space.claim("key").unwrap());
        lease.keep_alive(SECOND * 3).unwrap();
        let lost = lease.lost();
        let watches = spawn(move || block_on(lost));
        bench.clock.advance(SECOND * 2);
        assert!(!lease.is_lost(), "kept alive");
        bench.clock.advance(SECOND * 3);
        watches.join().unwrap();
        assert!(lease.is_lost());
        granted(space.claim("key").unwrap())
            .complete("other")
            .unwrap();
        assert_eq!(
            lease.complete("late").unwrap_err().kind(),
            ErrorKind::Superseded
        );
        store.validate();
    });
}

#[test]
fn a_watcher_of_a_lease_hears_of_the_end_of_the_store() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let lease = granted(
            space
                .claim_with("key", ClaimOptions::new().lease(LONG))
                .unwrap(),
        );
        let lost = lease.lost();
        let watches = spawn(move || block_on(lost));
        let gives_up = {
            let lost = lease.lost();
            spawn(move || {
                poll_once(lost);
            })
        };
        let closes = spawn(move || store.close().unwrap());
        join([watches, gives_up, closes]);
        assert!(lease.is_lost());
    });
}

/// The bug: a read that met the end of the store was told that the log cannot be read.
#[test]
fn a_read_that_the_janitor_was_asked_for_is_answered_or_closed() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_least_once(&store);
        granted(space.claim("key").unwrap())
            .complete("done")
            .unwrap();
        drop((space, store));
        // In a segment of an earlier run, so not in memory.
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let reads = (0..2).map(|_| {
            let space = space.clone();
            spawn(move || match space.claim("key") {
                Ok(Claim::Completed(answer)) => assert_eq!(answer.response(), b"done"),
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert_closed(&error),
            })
        });
        let reads: Vec<_> = reads.collect();
        store.close().unwrap();
        join(reads);
    });
}

/// A task that is given up when it is woken, and all that it owns with it.
struct GivesUp(Mutex<Option<Pending<crate::Result<()>>>>);

impl Wake for GivesUp {
    fn wake(self: Arc<Self>) {
        let given_up = self.0.lock().take();
        drop(given_up);
    }
}

/// The bug: the journal thread woke the waiters for a commit under the lock of the writer. One of
/// them dropped the last handle, so the store was closed on that thread, and the last commit waited
/// for the lock that its own thread held.
#[test]
fn the_last_handle_may_go_away_inside_a_waker() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let lease = granted(space.claim("key").unwrap());
        let task = Arc::new(GivesUp(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&task));
        let mut completion = lease.complete_async("done");
        drop((space, store));
        // Its wake finds the task empty, or the future that it gives up.
        let pending = pin!(&mut completion)
            .poll(&mut Context::from_waker(&waker))
            .is_pending();
        if pending {
            *task.0.lock() = Some(completion);
        } else {
            drop(completion);
        }
        drop(waker);
        // Woken before the future was in its place, it is still there.
        let left = task.0.lock().take();
        drop(left);
        let store = bench.open_when_free();
        assert_eq!(response(&at_least_once(&store), "key"), b"done");
    });
}

/// The bug: once a minute the timers wrote the time into the marks, and waited for the writer to do
/// so. The timers are what notices a stuck writer, so with a sync that never ended no caller was
/// told.
#[test]
fn a_stuck_sync_is_noticed_by_timers_that_never_wait_for_it() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let lease = granted(space.claim_with("key", patient()).unwrap());
        let stuck = bench.log.hang_syncs();
        let completes = spawn(move || lease.complete("done").unwrap_err().kind());
        // The marks are due once a minute, and half a minute is the deadline of a write.
        let noticed = (0..2000).any(|_| {
            bench.clock.advance(SECOND * 31);
            yield_now();
            store.engine().journal.is_poisoned()
        });
        assert!(noticed, "the timers wait for the writer");
        assert_eq!(completes.join().unwrap(), ErrorKind::Poisoned);
        drop(stuck);
        assert!(store.close().is_err());
    });
}

/// The bug: a holder released while the store closed. The waiter behind it was granted, and answered
/// `Closed`; its grant was taken back after the last commit, so that after reopening the attempt had
/// been used, or the key was in doubt, though nothing had run.
#[test]
fn a_grant_that_ends_in_closed_is_neither_an_attempt_nor_a_doubt() {
    for policy in [
        Policy::at_least_once().max_attempts(2),
        Policy::at_most_once(),
    ] {
        let policy = policy.lease(SECOND);
        explore(move || {
            let bench = Bench::new();
            let store = bench.open_threads();
            let space = store.namespace("space", policy.clone()).unwrap();
            let holder = granted(space.claim_with("key", patient()).unwrap());
            let waits = {
                let space = space.clone();
                spawn(move || space.claim_with("key", patient()))
            };
            let releases = spawn(move || holder.release("again").is_ok());
            store.close().unwrap();
            let (released, answer) = (releases.join().unwrap(), waits.join().unwrap());
            let ran = match &answer {
                Ok(claim) => matches!(claim, Claim::Granted(_)),
                Err(error) => {
                    assert_closed(error);
                    false
                }
            };
            drop((answer, space, store));
            let store = bench.reopen_after_crash();
            let space = store.namespace("space", policy.clone()).unwrap();
            match space.claim("key").unwrap() {
                Claim::Granted(lease) => {
                    assert!(!ran, "what ran is counted");
                    assert_eq!(lease.attempt(), 2);
                }
                Claim::Failed(_) => assert!(ran || !released),
                Claim::InDoubt(_) => assert!(ran || !released, "nothing ran"),
                other => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn a_claim_that_ends_in_closed_leaves_nothing() {
    for policy in [
        Policy::at_least_once().max_attempts(1),
        Policy::at_most_once(),
    ] {
        let policy = policy.lease(SECOND);
        explore(move || {
            let bench = Bench::new();
            let store = bench.open_threads();
            let space = store.namespace("space", policy.clone()).unwrap();
            let claims = {
                let space = space.clone();
                spawn(move || space.claim_with("key", patient()))
            };
            let batch = {
                let space = space.clone();
                spawn(move || space.claim_many(["other"]))
            };
            store.close().unwrap();
            let single = claims.join().unwrap();
            let ran = single.map_err(|error| assert_closed(&error)).is_ok();
            match batch.join().unwrap() {
                Ok(mut answers) => match answers.remove(0) {
                    BatchClaim::Claim(claim) => drop(granted(claim)),
                    BatchClaim::Refused(error) => assert_closed(&error),
                    other => panic!("{other:?}"),
                },
                Err(error) => assert_closed(&error),
            }
            drop((space, store));
            let store = bench.reopen_after_crash();
            let space = store.namespace("space", policy.clone()).unwrap();
            if !ran {
                assert_eq!(granted(space.claim("key").unwrap()).attempt(), 1);
            }
        });
    }
}

/// Each key of a batch is there after reopening, if and only if the batch said so.
#[test]
fn a_batch_of_inserts_that_meets_the_close_tells_what_is_there() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let keys = ["a", "b", "c"];
        let inserts = {
            let space = space.clone();
            spawn(move || space.insert_many(keys))
        };
        store.close().unwrap();
        let told = match inserts.join().unwrap() {
            Ok(told) => told
                .into_iter()
                .map(|of| of.map_err(|error| assert_closed(&error)).is_ok())
                .collect(),
            Err(error) => {
                assert_closed(&error);
                vec![false; keys.len()]
            }
        };
        drop((space, store));
        let store = bench.reopen_after_crash();
        let space = at_least_once(&store);
        for (key, told) in keys.iter().zip(told) {
            assert_eq!(space.contains(key).unwrap(), told, "{key}");
        }
    });
}
