//! Waiting for a key: which callers are woken or granted.

use hapax::{Doubt, ErrorKind, FingerprintPolicy, KeyState, Pending, Policy, Result};

use crate::site::answers::{claim, completed, failed, granted, in_doubt, state, with_print};
use crate::site::polls::patient;
use crate::site::site::{Site, both};
use crate::site::times::{HOUR, MINUTE};
use crate::world::world::World;

// Woken by the transition.

pub(crate) fn a_thousand_waiters_get_one_copy_of_the_response(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        let waiters = site.queue(&work, 1000);
        assert_eq!(site.store.stats().waiters(), 1000);
        lease.complete(vec![7; 10_000]).unwrap();
        let (answers, rest) = site.sweep(waiters);
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
        assert_eq!(site.store.stats().waiters(), 0);
        site.validate();
    }
}

pub(crate) fn waiters_get_a_final_failure_and_a_doubt_as_well(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        let waiters = site.queue(&work, 3);
        lease.fail("declined").unwrap();
        for answer in site.sweep(waiters).0 {
            assert_eq!(failed(answer).error(), b"declined");
        }
        work.forget("key").unwrap();
        let lease = claim(&work, "key");
        let waiters = site.queue(&work, 3);
        lease.doubt("timed out").unwrap();
        let doubts: Vec<Doubt> = site.sweep(waiters).0.into_iter().map(in_doubt).collect();
        assert_eq!(doubts.len(), 3);
        assert_eq!(doubts[0].reason(), b"timed out");
        assert!(
            doubts.iter().all(|doubt| !doubt.holder_alive()),
            "the holder has said so"
        );
    }
}

/// The answers of waiters used to be compared by equality alone, under every policy.
pub(crate) fn a_waiter_is_told_whether_its_fingerprint_was_compared(world: &dyn World) {
    for (fingerprints, compared) in [
        (FingerprintPolicy::Optional, true),
        (FingerprintPolicy::Ignored, false),
    ] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_least_once().fingerprints(fingerprints));
        let options = || with_print(&work, "a").wait(HOUR);
        let lease = granted(work.claim_with("key", options()).unwrap());
        let waiter = site.queued(&work, options());
        let plain = site.queued(&work, patient());
        lease.complete("done").unwrap();
        assert_eq!(
            completed(site.ready(waiter).unwrap()).fingerprint_compared(),
            compared
        );
        assert!(!completed(site.ready(plain).unwrap()).fingerprint_compared());
    }
}

/// Under `Sync` no caller is told of an outcome that a power cut could still undo; a waiter for a
/// key that went into doubt used to be.
pub(crate) fn what_a_waiter_is_told_is_on_the_medium(world: &dyn World) {
    type Start = fn(hapax::Lease) -> Pending<Result<()>>;
    let starts: [(Start, KeyState); 3] = [
        (|lease| lease.complete_async("c"), KeyState::Completed),
        (|lease| lease.fail_async("f"), KeyState::Failed),
        (|lease| lease.doubt_async("d"), KeyState::InDoubt),
    ];
    for (start, outcome) in starts {
        let mut site = Site::new(world);
        let work = site.namespace(Policy::at_least_once());
        let lease = claim(&work, "key");
        let waiter = site.queued(&work, patient());
        let _unpolled = start(lease);
        drop(site.ready(waiter).unwrap());
        drop(work);
        site.crash();
        let work = site.namespace(Policy::at_least_once());
        assert_eq!(state(&work, "key"), Some(outcome));
    }
}

// Released: exactly one.

pub(crate) fn a_holder_that_releases_three_times_makes_four_executions(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let mut lease = claim(&work, "key");
        let mut waiters = site.queue(&work, 10);
        let mut tokens = vec![lease.token()];
        for attempt in 2..=4 {
            lease.release("again").unwrap();
            let (answers, rest) = site.sweep(waiters);
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
        let (answers, rest) = site.sweep(waiters);
        assert_eq!((answers.len(), rest.len()), (7, 0));
        for answer in answers {
            assert_eq!(completed(answer).attempts(), 4);
        }
        site.validate();
    }
}

/// A grant that goes to a caller which has gone is taken back, and those in line decide again. One that
/// comes late to that stays before all who came after it, however often that happens.
pub(crate) fn a_caller_keeps_its_place_however_often_those_before_it_give_up(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let mut lease = claim(&work, "key");
        let mut line = site.queue(&work, 4);
        let mut behind = Vec::new();
        while line.len() > 1 {
            lease.release("again").unwrap();
            drop(line.remove(0));
            // Another claims first, and one more gets in line before those who waited look.
            lease = claim(&work, "key");
            behind.push(site.queued(&work, patient()));
            line = line
                .into_iter()
                .map(|waiter| site.waiting(waiter))
                .collect();
            site.validate();
        }
        lease.release("again").unwrap();
        let (answers, _) = site.sweep(behind);
        assert!(answers.is_empty(), "they came later");
        let (answers, _) = site.sweep(line);
        drop(granted(answers.into_iter().next().unwrap()));
        site.validate();
    }
}

pub(crate) fn a_dropped_lease_hands_the_key_on_under_at_least_once(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let waiters = site.queue(&work, 3);
    drop(lease);
    let (answers, rest) = site.sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 2));
    assert_eq!(granted(answers.into_iter().next().unwrap()).attempt(), 2);
}

pub(crate) fn the_last_release_of_max_attempts_fails_all_who_wait(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    let waiters = site.queue(&work, 3);
    lease.release("no more").unwrap();
    let (answers, rest) = site.sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (3, 0));
    for answer in answers {
        assert_eq!(failed(answer).error(), b"no more");
    }
}

// Lapses.

pub(crate) fn a_lapse_under_at_least_once_grants_exactly_one(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.checkpoint("half").unwrap();
    let waiters = site.queue(&work, 3);
    site.advance(MINUTE);
    let (answers, rest) = site.sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 2));
    let second = granted(answers.into_iter().next().unwrap());
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"half"[..])
    );
    second.complete("done").unwrap();
    assert_eq!(site.sweep(rest).0.len(), 2);
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
}

pub(crate) fn the_last_lapse_of_max_attempts_fails_all_who_wait(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(1));
    let lease = claim(&work, "key");
    let waiters = site.queue(&work, 3);
    site.advance(MINUTE);
    let (answers, rest) = site.sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (3, 0));
    answers.into_iter().for_each(|answer| drop(failed(answer)));
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::AlreadySettled
    );
}

pub(crate) fn a_lapse_under_at_most_once_puts_all_in_doubt(world: &dyn World) {
    for alive in [true, false] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        let token = lease.token();
        let waiters = site.queue(&work, 5);
        // A detached lease has no guard: nothing in this process settles it on its own.
        let kept = if alive {
            Some(lease)
        } else {
            drop(lease.detach().unwrap());
            None
        };
        site.advance(MINUTE);
        let (answers, rest) = site.sweep(waiters);
        assert_eq!((answers.len(), rest.len()), (5, 0));
        for doubt in answers.into_iter().map(in_doubt) {
            assert_eq!(doubt.token(), token);
            assert_eq!(doubt.holder_alive(), alive);
        }
        assert_eq!(
            site.store
                .metrics()
                .total("hapax_claims_total", &[("outcome", "in_doubt")]),
            5
        );
        drop(kept);
    }
}
