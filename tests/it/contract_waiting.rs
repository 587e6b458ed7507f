//! Waiting for a key: who is woken, who is granted, and what a grant that nobody took leaves.

use std::sync::Barrier;
use std::task::Poll;
use std::time::Duration;

use hapax::{
    Claim, ClaimOptions, Doubt, Durability, ErrorKind, FingerprintPolicy, Limits, Namespace,
    OnChange, Pending, Policy, Resolution, Result, State, Store,
};

use crate::contract_support::{
    HOUR, MINUTE, SECOND, World, both, claim, completed, failed, granted, in_doubt, in_progress,
    mismatch, poll, ready, state, waiting, with_print,
};

fn patient() -> ClaimOptions {
    ClaimOptions::new().wait(HOUR)
}

/// A waiter in line.
fn queued(work: &Namespace, options: ClaimOptions) -> Pending<Result<Claim>> {
    waiting(work.claim_async("key", options))
}

fn queue(work: &Namespace, waiters: usize) -> Vec<Pending<Result<Claim>>> {
    (0..waiters).map(|_| queued(work, patient())).collect()
}

/// The answers that have come, and the waiters that go on waiting.
fn sweep(queue: Vec<Pending<Result<Claim>>>) -> (Vec<Claim>, Vec<Pending<Result<Claim>>>) {
    let (mut answers, mut rest) = (Vec::new(), Vec::new());
    for mut waiter in queue {
        match poll(&mut waiter) {
            Poll::Ready(answer) => answers.push(answer.unwrap()),
            Poll::Pending => rest.push(waiter),
        }
    }
    (answers, rest)
}

// Woken by the transition.

#[test]
fn a_thousand_waiters_get_one_copy_of_the_response() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        let waiters = queue(&work, 1000);
        assert_eq!(world.store.stats().waiters(), 1000);
        lease.complete(vec![7; 10_000]).unwrap();
        let (answers, rest) = sweep(waiters);
        assert!(rest.is_empty());
        let bytes: Vec<_> = answers
            .into_iter()
            .map(|it| completed(it).into_bytes())
            .collect();
        assert_eq!((bytes.len(), &bytes[0][..]), (1000, &[7; 10_000][..]));
        assert!(
            bytes
                .iter()
                .all(|other| other.as_ptr() == bytes[0].as_ptr())
        );
        assert_eq!(world.store.stats().waiters(), 0);
        world.store.validate();
    }
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
fn waiters_get_a_final_failure_and_a_doubt_as_well() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        let waiters = queue(&work, 3);
        lease.fail("declined").unwrap();
        for answer in sweep(waiters).0 {
            assert_eq!(failed(answer).error(), b"declined");
        }
        work.forget("key").unwrap();
        let lease = claim(&work, "key");
        let waiters = queue(&work, 3);
        lease.doubt("timed out").unwrap();
        let doubts: Vec<Doubt> = sweep(waiters).0.into_iter().map(in_doubt).collect();
        assert_eq!(doubts.len(), 3);
        assert_eq!(doubts[0].reason(), b"timed out");
        assert!(
            doubts.iter().all(|doubt| !doubt.holder_alive()),
            "the holder has said so"
        );
    }
}

/// The answers of waiters used to be compared by equality alone, whatever the policy said.
#[test]
fn a_waiter_is_told_whether_its_fingerprint_was_compared() {
    for (fingerprints, compared) in [
        (FingerprintPolicy::Optional, true),
        (FingerprintPolicy::Ignored, false),
    ] {
        let world = World::new();
        let work = world.namespace(Policy::at_least_once().fingerprints(fingerprints));
        let options = || with_print(&work, "a").wait(HOUR);
        let lease = granted(work.claim_with("key", options()).unwrap());
        let waiter = queued(&work, options());
        let plain = queued(&work, patient());
        lease.complete("done").unwrap();
        assert_eq!(
            completed(ready(waiter).unwrap()).fingerprint_compared(),
            compared
        );
        assert!(!completed(ready(plain).unwrap()).fingerprint_compared());
    }
}

/// Under `Sync` nobody is told of an outcome that a power cut could still undo; a waiter that was
/// told of a doubt used to be.
#[test]
fn what_a_waiter_is_told_is_on_the_medium() {
    type Start = fn(hapax::Lease) -> Pending<Result<(), hapax::LeaseError>>;
    let starts: [(Start, State); 3] = [
        (|lease| lease.complete_async("c"), State::Completed),
        (|lease| lease.fail_async("f"), State::Failed),
        (|lease| lease.doubt_async("d"), State::InDoubt),
    ];
    for (start, outcome) in starts {
        let mut world = World::new();
        let work = world.namespace(Policy::at_least_once());
        let lease = claim(&work, "key");
        let waiter = queued(&work, patient());
        let _unpolled = start(lease);
        drop(ready(waiter).unwrap());
        drop(work);
        world.crash();
        let work = world.namespace(Policy::at_least_once());
        assert_eq!(state(&work, "key"), Some(outcome));
    }
}

// Released: exactly one.

#[test]
fn a_holder_that_releases_three_times_makes_four_executions() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let mut lease = claim(&work, "key");
        let mut waiters = queue(&work, 10);
        let mut tokens = vec![lease.token()];
        for attempt in 2..=4 {
            lease.release("again").unwrap();
            let (answers, rest) = sweep(waiters);
            assert_eq!((answers.len(), rest.len()), (1, 12 - attempt as usize - 1));
            waiters = rest;
            lease = granted(answers.into_iter().next().unwrap());
            assert_eq!(
                (lease.attempt(), lease.last_reason()),
                (attempt, &b"again"[..])
            );
            assert!(lease.token() > *tokens.last().unwrap());
            tokens.push(lease.token());
        }
        lease.complete("done").unwrap();
        let (answers, rest) = sweep(waiters);
        assert_eq!((answers.len(), rest.len()), (7, 0));
        for answer in answers {
            assert_eq!(completed(answer).attempts(), 4);
        }
        world.store.validate();
    }
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
fn a_dropped_lease_hands_the_key_on_under_at_least_once() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let waiters = queue(&work, 3);
    drop(lease);
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 2));
    assert_eq!(granted(answers.into_iter().next().unwrap()).attempt(), 2);
}

#[test]
fn the_last_release_of_max_attempts_fails_all_who_wait() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    let waiters = queue(&work, 3);
    lease.release("no more").unwrap();
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (3, 0));
    for answer in answers {
        assert_eq!(failed(answer).error(), b"no more");
    }
}

// Lapses.

#[test]
fn a_lapse_under_at_least_once_grants_exactly_one() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.checkpoint("half").unwrap();
    let waiters = queue(&work, 3);
    world.clock.advance(MINUTE);
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 2));
    let second = granted(answers.into_iter().next().unwrap());
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"half"[..])
    );
    second.complete("done").unwrap();
    assert_eq!(sweep(rest).0.len(), 2);
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
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
fn the_last_lapse_of_max_attempts_fails_all_who_wait() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    let waiters = queue(&work, 3);
    world.clock.advance(MINUTE);
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (3, 0));
    answers.into_iter().for_each(|answer| drop(failed(answer)));
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::AlreadySettled
    );
}

#[test]
fn a_lapse_under_at_most_once_puts_all_in_doubt() {
    for alive in [true, false] {
        let world = World::new();
        let work = world.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        let token = lease.token();
        let waiters = queue(&work, 5);
        // A detached lease has no guard: nobody in this process will settle it by itself.
        let kept = if alive {
            Some(lease)
        } else {
            drop(lease.detach().unwrap());
            None
        };
        world.clock.advance(MINUTE);
        let (answers, rest) = sweep(waiters);
        assert_eq!((answers.len(), rest.len()), (5, 0));
        for doubt in answers.into_iter().map(in_doubt) {
            assert_eq!(doubt.token(), token);
            assert_eq!(doubt.holder_alive(), alive);
        }
        assert_eq!(world.store.stats().answered_in_doubt(), 5);
        drop(kept);
    }
}

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
                info.recorded_at(),
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
        assert_eq!(world.store.stats().withdrawn(), 1);
        lease.complete("done").unwrap();
        world.store.validate();
    }
}

#[test]
fn a_grant_after_a_lapse_that_nobody_took_counts_no_attempt() {
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
    assert!(store.stats().withdrawn() > 0);
    assert!(store.in_doubt().unwrap().is_empty());
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
        assert_eq!((info.state(), info.attempt()), (State::Released, 1));
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
    work.forget_forced("key", lease.token()).unwrap();
    let (answers, rest) = sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 1));
    assert_eq!(granted(answers.into_iter().next().unwrap()).attempt(), 1);
}

#[test]
fn inserting_a_lapsed_key_answers_those_who_wait() {
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
    assert_eq!(state(&work, "key"), Some(State::Completed));
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

/// A caller that looked before the store closed and joined the line after it used to wait for
/// ever: nobody was left to wake it.
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

/// A lapse in a store whose log had failed used to grant the key to whoever waited.
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
