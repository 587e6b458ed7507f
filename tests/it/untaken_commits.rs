//! Claims that are dropped while they wait for the medium: they never happened.

use std::task::Poll;

use hapax::{ClaimOptions, OnChange, Policy, Store};

use crate::contract_support::{both, claim, completed, granted, poll, state, total, with_print};

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

/// A claim that no caller received leaves the key as it was, absent keys included.
#[test]
fn a_first_attempt_that_is_taken_back_leaves_nothing() {
    // With threads a claim has to wait for its commit at the first poll.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let policy = Policy::at_least_once().max_attempts(1);
    let mut withdrawn = Vec::new();
    let store = Store::open(&path).unwrap();
    let space = store.namespace("work", policy.clone()).unwrap();
    for round in 0..50 {
        let key = format!("key {round}");
        let mut pending = space.claim_async(&key, ClaimOptions::new());
        if poll(&mut pending).is_pending() {
            drop(pending);
            assert_eq!(state(&space, &key), None, "provably nothing ran");
            withdrawn.push(key);
        }
    }
    assert!(!withdrawn.is_empty(), "at least one claim had to wait");
    store.validate();
    store.close().unwrap();
    drop(space);
    let store = Store::open(&path).unwrap();
    let space = store.namespace("work", policy).unwrap();
    for key in withdrawn {
        assert_eq!(claim(&space, &key).attempt(), 1);
    }
}
