//! Group commit: callers who wait for the medium, the journal thread, and a medium that fails.

use std::io;
use std::sync::Arc;

use crate::races::{
    Bench, SECOND, at_least_once, at_most_once, explore, granted, join, response, spawn, yield_now,
};
use crate::runtime::sync::{Drive, Mutex};
use crate::{Claim, Durability, ErrorKind, Namespace, Store};

/// Completes a key; true when that was acknowledged.
fn complete(space: &Namespace, key: &str) -> bool {
    let completed = match space.claim(key) {
        Ok(claim) => granted(claim).complete(key).map_err(Into::into),
        Err(error) => Err(error),
    };
    match completed {
        Ok(()) => true,
        Err(error) => {
            // The janitor may be the first to miss the medium, before anything is written.
            let expected = [ErrorKind::Poisoned, ErrorKind::AtCapacity];
            assert!(expected.contains(&error.kind()), "{error}");
            false
        }
    }
}

/// After a crash, every key that was acknowledged is answered.
fn check_after_crash(bench: &Bench, acknowledged: &[(&'static str, bool)]) {
    let store = bench.reopen_after_crash();
    let space = at_least_once(&store);
    for (key, _) in acknowledged.iter().filter(|(_, is)| *is) {
        assert_eq!(
            response(&space, key),
            key.as_bytes(),
            "{key} was acknowledged"
        );
    }
}

#[test]
fn no_change_is_acknowledged_before_the_medium_has_it() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let callers = ["a", "b"].map(|key| {
            let space = space.clone();
            spawn(move || (key, complete(&space, key)))
        });
        let log = bench.log.clone();
        let cut = spawn(move || log.crash());
        let acknowledged = join(callers);
        cut.join().unwrap();
        drop((space, store));
        check_after_crash(&bench, &acknowledged);
    });
}

#[test]
fn without_threads_a_waiter_commits_for_all() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_least_once(&store);
        let callers = ["a", "b", "c"].map(|key| {
            let space = space.clone();
            spawn(move || (key, complete(&space, key)))
        });
        let acknowledged = join(callers);
        assert!(acknowledged.iter().all(|(_, is)| *is));
        drop((space, store));
        check_after_crash(&bench, &acknowledged);
    });
}

#[test]
fn a_sync_that_fails_is_told_to_all_who_wait() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        bench.log.fail_next_sync(io::ErrorKind::StorageFull);
        let callers = ["a", "b"].map(|key| {
            let space = space.clone();
            spawn(move || complete(&space, key))
        });
        assert_eq!(join(callers), [false, false]);
        assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Poisoned);
        assert!(store.close().is_err(), "not everything is durable");
        drop((space, store));
        bench.reopen_after_crash();
    });
}

#[test]
fn an_append_that_fails_leaves_what_was_acknowledged_before() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let callers = ["a", "b"].map(|key| {
            let space = space.clone();
            spawn(move || (key, complete(&space, key)))
        });
        let log = bench.log.clone();
        let fails = spawn(move || log.fail_next_append(io::ErrorKind::Other));
        let acknowledged = join(callers);
        fails.join().unwrap();
        drop((space, store));
        check_after_crash(&bench, &acknowledged);
    });
}

#[test]
fn the_durable_position_rises_and_never_runs_ahead_of_the_medium() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_least_once(&store);
        let callers = ["a", "b"].map(|key| {
            let space = space.clone();
            spawn(move || assert!(complete(&space, key)))
        });
        let (log, other) = (bench.log.clone(), store.clone());
        let looks = spawn(move || {
            let mut last = 0;
            for _ in 0..4 {
                let durable = other.engine().journal.durable();
                assert!(durable >= last, "the position rises");
                assert!(usize::try_from(durable).unwrap() <= log.durable_frames());
                last = durable;
                yield_now();
            }
        });
        join(callers);
        looks.join().unwrap();
        store.validate();
    });
}

#[test]
fn a_claim_under_at_most_once_is_on_the_medium_before_it_is_granted() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_threads();
        let space = at_most_once(&store);
        let told = Arc::new(Mutex::new(Vec::new()));
        let callers = ["a", "b"].map(|key| {
            let (space, told) = (space.clone(), Arc::clone(&told));
            spawn(move || {
                if let Ok(claim) = space.claim(key) {
                    let lease = granted(claim);
                    told.lock().push(key);
                    // Acts like a process that is gone: nothing settles the key.
                    drop(lease.detach());
                }
            })
        });
        let log = bench.log.clone();
        let cut = spawn(move || log.crash());
        join(callers);
        cut.join().unwrap();
        drop((space, store));
        let store = bench.reopen_after_crash();
        let space = at_most_once(&store);
        for key in told.lock().iter() {
            let claim = space.claim(key).unwrap();
            assert!(matches!(claim, Claim::InDoubt(_)), "{key}: {claim:?}");
        }
    });
}

fn sync_after(store: &Store, space: &Namespace, key: &'static str) -> (&'static str, bool) {
    let synced = complete(space, key) && store.sync().is_ok();
    (key, synced)
}

#[test]
fn what_was_synced_by_hand_survives() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open_as(Durability::Interval(SECOND), Drive::Threads);
        let space = at_least_once(&store);
        let callers = ["a", "b"].map(|key| {
            let (store, space) = (store.clone(), space.clone());
            spawn(move || sync_after(&store, &space, key))
        });
        let log = bench.log.clone();
        let cut = spawn(move || log.crash());
        let synced = join(callers);
        cut.join().unwrap();
        drop((space, store));
        check_after_crash(&bench, &synced);
    });
}
