//! Waiting for a key: which callers are woken or granted, and what a grant leaves when no caller takes it.

use std::sync::Barrier;
use std::task::Poll;
use std::time::Duration;

use hapax::{
    Claim, ClaimOptions, Doubt, ErrorKind, FingerprintPolicy, KeyState, Namespace, Pending, Policy,
    Result, Store,
};

use crate::contract_support::{
    HOUR, MINUTE, World, both, claim, completed, failed, granted, in_doubt, poll, ready, state,
    waiting, with_print,
};

pub(crate) fn patient() -> ClaimOptions {
    ClaimOptions::new().wait(HOUR)
}

/// A waiter in line.
pub(crate) fn queued(work: &Namespace, options: ClaimOptions) -> Pending<Result<Claim>> {
    waiting(work.claim_async("key", options))
}

pub(crate) fn queue(work: &Namespace, waiters: usize) -> Vec<Pending<Result<Claim>>> {
    (0..waiters).map(|_| queued(work, patient())).collect()
}

/// The answers that have come, and the waiters that go on waiting.
pub(crate) fn sweep(
    queue: Vec<Pending<Result<Claim>>>,
) -> (Vec<Claim>, Vec<Pending<Result<Claim>>>) {
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

/// The answers of waiters used to be compared by equality alone, under every policy.
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

/// Under `Sync` no caller is told of an outcome that a power cut could still undo; a waiter for a
/// key that went into doubt used to be.
#[test]
fn what_a_waiter_is_told_is_on_the_medium() {
    type Start = fn(hapax::Lease) -> Pending<Result<()>>;
    let starts: [(Start, KeyState); 3] = [
        (|lease| lease.complete_async("c"), KeyState::Completed),
        (|lease| lease.fail_async("f"), KeyState::Failed),
        (|lease| lease.doubt_async("d"), KeyState::InDoubt),
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

/// A grant that goes to a caller which has gone is taken back, and those in line decide again. One that
/// comes late to that stays before all who came after it, however often that happens.
#[test]
fn a_caller_keeps_its_place_however_often_those_before_it_give_up() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let mut lease = claim(&work, "key");
        let mut line = queue(&work, 4);
        let mut behind = Vec::new();
        while line.len() > 1 {
            lease.release("again").unwrap();
            drop(line.remove(0));
            // Another claims first, and one more gets in line before those who waited look.
            lease = claim(&work, "key");
            behind.push(queued(&work, patient()));
            line = line.into_iter().map(waiting).collect();
            world.store.validate();
        }
        lease.release("again").unwrap();
        let (answers, _) = sweep(behind);
        assert!(answers.is_empty(), "they came later");
        let (answers, _) = sweep(line);
        drop(granted(answers.into_iter().next().unwrap()));
        world.store.validate();
    }
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
        // A detached lease has no guard: nothing in this process settles it on its own.
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
        assert_eq!(
            world
                .store
                .metrics()
                .total("hapax_claims_total", &[("outcome", "in_doubt")]),
            5
        );
        drop(kept);
    }
}
