//! Waits that end without a grant, and grants that no caller took.

use std::sync::Barrier;
use std::task::Poll;
use std::time::Duration;

use hapax::{
    ClaimOptions, Durability, ErrorKind, KeyState, Limits, OnChange, Policy, Resolution, Store,
};

use crate::contract_support::{
    HOUR, MINUTE, SECOND, World, both, claim, completed, granted, in_doubt, in_progress, mismatch,
    poll, ready, secs, state, total, with_print,
};
use crate::contract_waiting::{patient, queue, queued, sweep};

// Giving up.

#[test]
fn a_waiter_is_answered_in_progress_at_its_deadline_and_touches_nothing() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let options = ClaimOptions::new().metadata("holder");
        let lease = granted(work.claim_with("key", options).unwrap());
        let brief = ClaimOptions::new().wait(10 * SECOND).metadata("waiter");
        let mut waiter = queued(&work, brief);
        let patient = queued(&work, patient());
        let look = || {
            let info = work.get("key").unwrap().unwrap();
            (
                info.state(),
                info.token(),
                secs(info.recorded_at()),
                info.metadata().to_vec(),
            )
        };
        let before = look();
        world.clock.advance(9 * SECOND);
        assert!(poll(&mut waiter).is_pending());
        world.clock.advance(SECOND);
        let busy = in_progress(ready(waiter).unwrap());
        assert_eq!(
            (busy.metadata(), busy.lease_left()),
            (&b"holder"[..], 50 * SECOND)
        );
        drop(patient);
        assert_eq!(look(), before);
        assert_eq!(world.store.stats().waiters(), 0);
        lease.complete("done").unwrap();
        world.store.validate();
    }
}

#[test]
fn a_waiter_in_a_thread_is_answered_at_its_deadline() {
    let store = Store::in_memory().open().unwrap();
    let work = store.namespace("work", Policy::at_least_once()).unwrap();
    let _lease = claim(&work, "key");
    let brief = ClaimOptions::new().wait(Duration::from_millis(20));
    in_progress(work.claim_with("key", brief).unwrap());
}

#[test]
fn a_batch_never_waits_for_a_key() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let _lease = claim(&work, "key");
    let item = hapax::ClaimItem::new("key").options(patient());
    assert_eq!(ready(work.claim_many_async([item])).unwrap().len(), 1);
}

// Grants that are never delivered.

#[test]
fn a_grant_to_a_waiter_that_has_gone_passes_to_the_next() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        lease.checkpoint("half").unwrap();
        let first = queued(&work, patient());
        let second = queued(&work, patient());
        lease.release("again").unwrap();
        drop(first);
        let lease = granted(ready(second).unwrap());
        assert_eq!(
            (lease.attempt(), lease.last_checkpoint()),
            (2, &b"half"[..])
        );
        assert_eq!(lease.last_reason(), b"again");
        assert_eq!(total(&world.store, "hapax_withdrawn_grants_total"), 1);
        lease.complete("done").unwrap();
        world.store.validate();
    }
}

#[test]
fn an_untaken_grant_after_a_lapse_counts_no_attempt() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let first = claim(&work, "key");
    first.checkpoint("half").unwrap();
    let waiter = queued(&work, patient());
    world.clock.advance(MINUTE);
    drop(waiter);
    let second = claim(&work, "key");
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"half"[..])
    );
    world.store.validate();
}

#[test]
fn a_claim_that_is_dropped_while_it_waits_for_the_medium_never_happened() {
    // With threads a claim under at-most-once has to wait for its commit at the first poll.
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let work = store.namespace("work", Policy::at_most_once()).unwrap();
    let mut withdrawn = 0;
    for round in 0..50 {
        let key = format!("key {round}");
        let mut pending = work.claim_async(&key, ClaimOptions::new());
        if let Poll::Ready(answer) = poll(&mut pending) {
            granted(answer.unwrap()).complete("it was quick").unwrap();
            continue;
        }
        drop(pending);
        withdrawn += 1;
        assert_eq!(state(&work, &key), None, "provably nothing ran");
        let lease = claim(&work, &key);
        assert_eq!(lease.attempt(), 1);
        lease.release("again").unwrap();
        let mut pending = work.claim_async(&key, ClaimOptions::new());
        let lease = match poll(&mut pending) {
            Poll::Ready(answer) => granted(answer.unwrap()),
            Poll::Pending => {
                drop(pending);
                claim(&work, &key)
            }
        };
        assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"again"[..]));
        lease.complete("done").unwrap();
    }
    assert!(withdrawn > 0, "at least one claim had to wait");
    assert!(total(&store, "hapax_withdrawn_grants_total") > 0);
    assert!(store.doubts().unwrap().next().is_none());
    store.validate();
}

#[test]
fn a_withdrawn_grant_leaves_a_released_key_as_it_was() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy.clone());
        let options = with_print(&work, "a").metadata("first");
        let lease = granted(work.claim_with("key", options).unwrap());
        lease.checkpoint("half").unwrap();
        let other = granted(work.claim("other").unwrap());
        // In line without a fingerprint, so not compared; granted at the release, never polled.
        let waiter = queued(&work, patient().metadata("waiter"));
        lease.release("again").unwrap();
        drop(waiter);
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
        assert_eq!(
            (info.metadata(), info.body()),
            (&b"first"[..], &b"half"[..])
        );
        assert_eq!(info.reason(), b"again");
        other.complete("done").unwrap();
        world.store.validate();
    }
}

#[test]
fn a_withdrawn_rerun_leaves_the_old_answer() {
    for policy in both() {
        // Polled by hand on a real directory, so that the grant waits for the medium.
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let work = store
            .namespace("work", policy.on_change(OnChange::Rerun))
            .unwrap();
        granted(work.claim_with("key", with_print(&work, "a")).unwrap())
            .complete(vec![3; 100_000])
            .unwrap();
        let mut pending = work.claim_async("key", with_print(&work, "b"));
        let polled = poll(&mut pending);
        let withdrawn = polled.is_pending();
        drop((pending, polled));
        if withdrawn {
            let answer = completed(work.claim_with("key", with_print(&work, "a")).unwrap());
            assert_eq!(answer.response(), vec![3; 100_000]);
        }
        store.validate();
    }
}

// Limits and ends.

#[test]
fn a_waiter_over_a_limit_is_answered_at_once() {
    let limits = [
        Limits::new().waiters_per_key(2),
        Limits::new().waiters(2),
        Limits::new().waiters_per_key(2).waiters(2),
    ];
    for limit in limits {
        let world = World::with(|builder| builder.limits(limit));
        let work = world.namespace(Policy::at_least_once());
        let lease = claim(&work, "key");
        let mut line = queue(&work, 2);
        in_progress(ready(work.claim_async("key", patient())).unwrap());
        drop(line.pop());
        line.push(queued(&work, patient()));
        lease.complete("done").unwrap();
        assert_eq!(sweep(line).0.len(), 2);
    }
}

#[test]
fn waiting_for_another_request_is_a_mismatch_at_once() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let _lease = granted(work.claim_with("key", with_print(&work, "a")).unwrap());
    let other = work.claim_async("key", with_print(&work, "b").wait(HOUR));
    assert_eq!(mismatch(ready(other).unwrap()).labels(), ["body"]);
}

#[test]
fn a_waiter_that_turns_out_to_ask_for_something_else_decides_again() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let a = queued(&work, with_print(&work, "a").wait(HOUR));
    let b = queued(&work, with_print(&work, "b").wait(HOUR));
    lease.release("again").unwrap();
    let lease = granted(ready(a).unwrap());
    assert_eq!(mismatch(ready(b).unwrap()).labels(), ["body"]);
    lease.complete("of a").unwrap();
}

#[test]
fn forgetting_a_running_key_lets_a_waiter_run() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let waiters = queue(&work, 2);
    world
        .operator()
        .forget_forced("work", "key", lease.token())
        .unwrap();
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 1));
    assert_eq!(granted(answers.into_iter().next().unwrap()).attempt(), 1);
}

#[test]
fn inserting_a_lapsed_key_answers_its_waiters() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    world.clock.advance(MINUTE);
    let doubt = in_doubt(work.claim_with("key", patient()).unwrap());
    doubt
        .resolve(Resolution::Happened(b"found".to_vec()))
        .unwrap();
    completed(work.claim_with("key", patient()).unwrap());
    drop(lease);
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
}

#[test]
fn close_wakes_waiters_with_closed() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let _lease = claim(&work, "key");
        let waiters = queue(&work, 3);
        world.store.close().unwrap();
        for waiter in waiters {
            assert_eq!(ready(waiter).unwrap_err().kind(), ErrorKind::Closed);
        }
    }
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

/// A lapse in a store whose log had failed used to grant the key to a waiter.
#[test]
fn a_poisoned_store_grants_nothing_to_waiters() {
    for durability in [Durability::Sync, Durability::Interval(SECOND)] {
        let world = World::with(|builder| builder.durability(durability));
        let work = world.namespace(Policy::at_least_once());
        let _held = claim(&work, "key");
        let waiter = queued(&work, patient());
        let other = claim(&work, "other");
        world.log.crash();
        let _ = other.complete("lost");
        assert_eq!(world.store.sync().unwrap_err().kind(), ErrorKind::Poisoned);
        world.clock.advance(MINUTE);
        assert_eq!(ready(waiter).unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(work.claim("new").unwrap_err().kind(), ErrorKind::Poisoned);
    }
}
