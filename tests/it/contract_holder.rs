//! What a holder may do: every sentence of the contract on leases.

use std::task::Poll;

use hapax::{ErrorKind, KeyState, Lease, Namespace, Policy, Resolution, Store, Ticket};

use crate::contract_support::{
    HOUR, MINUTE, SECOND, World, both, claim, completed, failed, in_doubt, in_progress, poll,
    ready, state, waiting,
};

type Settle = fn(Lease) -> hapax::Result<()>;

/// Every way to settle a lease, and what it leads to.
const SETTLES: [(Settle, KeyState); 4] = [
    (|lease| lease.complete("c"), KeyState::Completed),
    (|lease| lease.fail("f"), KeyState::Failed),
    (|lease| lease.release("r"), KeyState::Released),
    (|lease| lease.doubt("d"), KeyState::InDoubt),
];

/// Every call on a lease that does not consume it.
const KEEPS: [fn(&Lease) -> hapax::Result<()>; 3] = [
    Lease::renew,
    |lease| lease.keep_alive(HOUR),
    |lease| lease.checkpoint("c"),
];

pub(crate) fn ticket_json(ticket: &Ticket) -> Ticket {
    serde_json::from_str(&serde_json::to_string(ticket).unwrap()).unwrap()
}

// Settling.

#[test]
fn each_outcome_is_the_state_of_the_key_under_the_token_of_the_lease() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        for (settle, outcome) in SETTLES {
            let key = outcome.to_string();
            let lease = claim(&work, &key);
            let token = lease.token();
            settle(lease).unwrap();
            let info = work.get(&key).unwrap().unwrap();
            assert_eq!(
                (info.state(), info.token(), info.attempt()),
                (outcome, token, 1)
            );
        }
        let info = |key: &str| work.get(key).unwrap().unwrap();
        assert_eq!(info("completed").body(), b"c");
        assert_eq!(info("failed").body(), b"f");
        assert_eq!(info("released").reason(), b"r");
        assert_eq!(info("in doubt").reason(), b"d");
        assert_eq!(info("in doubt").expires_at(), None);
        world.store.validate();
    }
}

#[test]
fn release_frees_the_key_and_keeps_attempts_and_the_last_error() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    for attempt in 1..5 {
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        lease.release(format!("error {attempt}")).unwrap();
    }
    assert_eq!(claim(&work, "key").last_reason(), b"error 4");
}

#[test]
fn the_last_release_that_max_attempts_allows_is_a_final_failure() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy.max_attempts(2));
        claim(&work, "key").release("first").unwrap();
        claim(&work, "key").release("second").unwrap();
        let answer = failed(work.claim("key").unwrap());
        assert_eq!((answer.error(), answer.attempts()), (&b"second"[..], 2));
    }
}

#[test]
fn the_last_drop_that_max_attempts_allows_is_a_final_failure_under_at_least_once() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(1));
    drop(claim(&work, "key"));
    failed(work.claim("key").unwrap());
}

#[test]
fn a_doubt_is_kept_for_the_reconciler_with_reason_and_checkpoint() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        lease.checkpoint("sent to the provider").unwrap();
        lease.doubt("it timed out").unwrap();
        let doubts: Vec<_> = world.store.doubts().unwrap().map(Result::unwrap).collect();
        assert_eq!(doubts.len(), 1);
        assert_eq!(doubts[0].reason(), b"it timed out");
        assert_eq!(doubts[0].checkpoint(), b"sent to the provider");
    }
}

#[test]
fn many_are_settled_in_order_and_each_has_its_own_result() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_response(4));
    let leases = || ["a", "b", "c"].map(|key| claim(&work, key));
    let results = work.complete_many(leases().into_iter().zip(["ok", "too long", "ok"]));
    assert!(results[0].is_ok() && results[2].is_ok());
    let refused = results.into_iter().nth(1).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let failures = work.fail_many([(refused.into_lease().unwrap(), "no")]);
    assert!(failures[0].is_ok());
    let leases = ["d", "e"].map(|key| claim(&work, key));
    let released = work.release_many(leases.into_iter().map(|lease| (lease, "later")));
    assert!(released.iter().all(Result::is_ok));
    let states = ["a", "b", "c", "d", "e"].map(|key| state(&work, key).unwrap());
    use KeyState::{Completed, Failed, Released};
    assert_eq!(states, [Completed, Failed, Completed, Released, Released]);
}

// The lease itself.

#[test]
fn renew_makes_the_lease_last_for_its_whole_time_again() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        for _ in 0..5 {
            world.clock.advance(50 * SECOND);
            lease.renew().unwrap();
            assert_eq!(lease.lease_left(), MINUTE);
        }
        assert!(!lease.is_lost());
        world.clock.advance(MINUTE);
        assert!(lease.is_lost());
    }
}

#[test]
fn renew_after_a_lapse_is_accepted_without_a_take_over_under_at_least_once() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    world.clock.advance(2 * MINUTE);
    assert!(lease.is_lost());
    lease.renew().unwrap();
    assert!(!lease.is_lost());
    in_progress(work.claim("key").unwrap());
    world.clock.advance(MINUTE);
    assert_eq!(claim(&work, "key").attempt(), 2);
}

#[test]
fn renew_after_a_lapse_is_refused_under_at_most_once() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    world.clock.advance(MINUTE);
    for keep in KEEPS {
        let error = keep(&lease).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse);
        assert_eq!(error.current().unwrap().state(), KeyState::InDoubt);
    }
    assert!(lease.is_lost());
    lease.complete("late").unwrap();
    assert_eq!(completed(work.claim("key").unwrap()).response(), b"late");
}

#[test]
fn keep_alive_renews_until_the_ceiling_and_no_longer() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        lease.keep_alive(HOUR).unwrap();
        world.clock.advance(HOUR - SECOND);
        assert!(!lease.is_lost());
        let busy = in_progress(work.claim("key").unwrap());
        assert!(
            busy.lease_left() <= MINUTE,
            "no caller is told to come back in an hour"
        );
        world.clock.advance(SECOND);
        assert!(lease.is_lost());
    }
}

#[test]
fn keep_alive_ends_with_the_lease() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.keep_alive(HOUR).unwrap();
    lease.release("done for now").unwrap();
    let second = claim(&work, "key");
    world.clock.advance(MINUTE);
    assert!(second.is_lost(), "the next lease is an ordinary one");
}

/// When the error of a refused call was dropped, the store went on renewing a lease without a
/// holder, up to the ceiling: an hour with `run_once`.
#[test]
fn keep_alive_ends_when_the_lease_is_dropped_inside_its_error() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_response(4));
    let lease = claim(&work, "key");
    lease.keep_alive(HOUR).unwrap();
    drop(lease.complete("too long").unwrap_err());
    assert_eq!(
        state(&work, "key"),
        Some(KeyState::InProgress),
        "never released"
    );
    world.clock.advance(MINUTE);
    assert_eq!(
        claim(&work, "key").attempt(),
        2,
        "it runs on until it lapses"
    );
}

#[test]
fn a_checkpoint_replaces_the_last_one_and_survives_release_lapse_and_crash() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.checkpoint("one").unwrap();
    lease.checkpoint("two").unwrap();
    lease.release("again").unwrap();
    let lease = claim(&work, "key");
    assert_eq!(lease.last_checkpoint(), b"two");
    lease.checkpoint("three").unwrap();
    world.clock.advance(MINUTE);
    let lease = claim(&work, "key");
    assert_eq!(lease.last_checkpoint(), b"three");
    lease.checkpoint("four").unwrap();
    world.crash();
    drop((lease, work));
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    assert_eq!(
        (lease.last_checkpoint(), lease.attempt()),
        (&b"four"[..], 4)
    );
    lease.complete("done").unwrap();
    world.store.validate();
}

#[test]
fn a_derived_key_is_stable_across_attempts_and_restarts_and_differs_elsewhere() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let derived = lease.derived_key("psp");
    assert_ne!(derived, lease.derived_key("mail"));
    lease.release("again").unwrap();
    assert_eq!(claim(&work, "key").derived_key("psp"), derived);
    assert_ne!(claim(&work, "other").derived_key("psp"), derived);
    let other = world
        .store
        .namespace("other", Policy::at_least_once())
        .unwrap();
    assert_ne!(claim(&other, "key").derived_key("psp"), derived);
    drop((work, other));
    world.crash();
    let work = world.namespace(Policy::at_least_once());
    assert_eq!(claim(&work, "key").derived_key("psp"), derived);
    // Label and key are framed: another split of the same bytes gives another derived key.
    assert_ne!(
        claim(&work, "ab").derived_key("c"),
        claim(&work, "a").derived_key("bc")
    );
}

// Loss.

/// Ways to lose the key "key" whose lease is held elsewhere.
type Lose = fn(&World, &Namespace, &Lease);

const LOSES: [Lose; 4] = [
    |world, _, _| world.clock.advance(MINUTE),
    |world, work, _| {
        world.clock.advance(MINUTE);
        drop(work.claim("key"));
    },
    |world, _, lease| {
        assert!(
            world
                .operator()
                .forget_forced("work", "key", lease.token())
                .unwrap()
        );
    },
    |world, _, _| world.store.close().unwrap(),
];

#[test]
fn lost_ends_and_is_lost_turns_true_when_the_lease_is_lost() {
    for policy in both() {
        for lose in LOSES {
            let world = World::new();
            let work = world.namespace(policy.clone());
            let lease = claim(&work, "key");
            let mut lost = waiting(lease.lost());
            let mut second = waiting(lease.lost());
            world.clock.advance(SECOND);
            assert!(poll(&mut lost).is_pending() && !lease.is_lost());
            lose(&world, &work, &lease);
            assert!(lease.is_lost());
            assert_eq!(poll(&mut lost), Poll::Ready(()));
            assert_eq!(poll(&mut second), Poll::Ready(()));
            ready(lease.lost());
        }
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
    let brief = Policy::at_least_once().lease(std::time::Duration::from_millis(20));
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

// Under the token.

#[test]
fn superseded_is_an_error_that_carries_the_holder_that_won() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    for (settle, _) in SETTLES {
        let first = claim(&work, "key");
        world.clock.advance(MINUTE);
        let second = claim(&work, "key");
        for keep in KEEPS {
            assert_eq!(keep(&first).unwrap_err().kind(), ErrorKind::Superseded);
        }
        let error = settle(first).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded);
        let current = error.current().unwrap();
        assert_eq!(
            (current.state(), current.token()),
            (KeyState::InProgress, second.token())
        );
        assert_eq!(current.attempt(), second.attempt());
        drop(error.into_lease().unwrap());
        assert_eq!(
            state(&work, "key"),
            Some(KeyState::InProgress),
            "a late drop does nothing"
        );
        world
            .operator()
            .forget_forced("work", "key", second.token())
            .unwrap();
    }
}

#[test]
fn superseded_carries_the_outcome_that_won() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let stale = [(); 2].map(|()| {
        let lease = claim(&work, "key");
        world.clock.advance(MINUTE);
        lease
    });
    claim(&work, "key").complete("the winner's").unwrap();
    for (lease, (settle, _)) in stale.into_iter().zip(SETTLES) {
        let error = settle(lease).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded);
        let current = error.current().unwrap();
        assert_eq!(
            (current.state(), current.body()),
            (KeyState::Completed, &b"the winner's"[..])
        );
    }
}

#[test]
fn a_resolution_supersedes_the_holder() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    world.clock.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    doubt
        .resolve(Resolution::Happened(b"found".to_vec()))
        .unwrap();
    let error = lease.complete("late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    let current = error.current().unwrap();
    assert_eq!(
        (current.state(), current.body()),
        (KeyState::Completed, &b"found"[..])
    );
}

/// Under `Sync` no caller is told of an outcome that a power cut could still undo, not even by a
/// refusal.
#[test]
fn superseded_waits_until_the_outcome_that_won_is_on_the_medium() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let stale = claim(&work, "key");
    world.clock.advance(MINUTE);
    let late = claim(&work, "key").complete_async("not on the medium yet");
    assert_eq!(
        stale.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
    drop((late, work));
    world.crash();
    let work = world.namespace(Policy::at_least_once());
    completed(work.claim("key").unwrap());
}

#[test]
fn a_token_of_a_key_that_is_gone_is_not_held_and_never_creates_a_record() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        for (settle, _) in SETTLES {
            let lease = claim(&work, "key");
            world
                .operator()
                .forget_forced("work", "key", lease.token())
                .unwrap();
            for keep in KEEPS {
                assert_eq!(keep(&lease).unwrap_err().kind(), ErrorKind::NotHeld);
            }
            let error = settle(lease).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotHeld);
            drop(error.into_lease().unwrap());
            assert_eq!(state(&work, "key"), None);
        }
    }
}

#[test]
fn a_token_whose_outcome_has_expired_is_not_held() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().retention(HOUR));
    let ticket = claim(&work, "key").detach().unwrap();
    let lease = world.store.attach(&ticket).unwrap();
    lease.complete("done").unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(
        world.store.attach(&ticket).unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    assert_eq!(state(&work, "key"), None);
    // A lease whose lapse is so old that its key was forgotten.
    let lease = claim(&work, "lapsed");
    world.clock.advance(MINUTE);
    world.clock.advance(25 * HOUR);
    assert_eq!(
        lease.complete("done").unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    assert_eq!(state(&work, "lapsed"), None);
}

#[test]
fn a_lapsed_lease_without_a_take_over_is_still_current() {
    for (settle, outcome) in SETTLES {
        for policy in both() {
            let world = World::new();
            let work = world.namespace(policy);
            let lease = claim(&work, "key");
            world.clock.advance(HOUR);
            settle(lease).unwrap();
            assert_eq!(state(&work, "key"), Some(outcome));
        }
    }
}

#[test]
fn a_late_complete_or_fail_settles_a_key_that_is_in_doubt() {
    for (settle, outcome) in &SETTLES[..2] {
        let world = World::new();
        let work = world.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        world.clock.advance(MINUTE);
        let doubt = in_doubt(work.claim("key").unwrap());
        settle(lease).unwrap();
        assert_eq!(state(&work, "key"), Some(*outcome));
        let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded, "the doubt is over");
        assert_eq!(error.current().unwrap().state(), *outcome);
        assert!(world.store.doubts().unwrap().next().is_none());
    }
}

#[test]
fn a_late_complete_or_fail_settles_a_doubt_through_a_ticket_too() {
    for policy in both() {
        for (settle, outcome) in &SETTLES[..2] {
            let world = World::new();
            let work = world.namespace(policy.clone());
            let ticket = claim(&work, "key").detach().unwrap();
            world.clock.advance(MINUTE);
            settle(world.store.attach(&ticket).unwrap()).unwrap();
            assert_eq!(state(&work, "key"), Some(*outcome));
            // A doubt that its holder has stated is settled as a doubt: the ticket was used.
            let ticket = claim(&work, "doubted").detach().unwrap();
            let lease = world.store.attach(&ticket).unwrap();
            lease.doubt("unsure").unwrap();
            let error = world.store.attach(&ticket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InUse);
            assert_eq!(error.current().unwrap().state(), KeyState::InDoubt);
            world
                .operator()
                .forget_forced("work", "doubted", ticket.token())
                .unwrap();
            work.forget("key").unwrap();
        }
    }
}

// Again.

// `src/engine/tests/holders.rs` checks that the same outcome again is a no-op: there a token can be
// used twice without a lease.

#[test]
fn a_ticket_of_a_key_with_its_outcome_writes_nothing_and_tells_it() {
    for policy in both() {
        for restart in [false, true] {
            let mut world = World::new();
            let work = world.namespace(policy.clone());
            let ticket = claim(&work, "key").detach().unwrap();
            world
                .store
                .attach(&ticket)
                .unwrap()
                .complete("same")
                .unwrap();
            drop(work);
            if restart {
                world.crash();
            }
            let work = world.namespace(policy.clone());
            let frames = world.store.stats().last_frame();
            let error = world.store.attach(&ticket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadySettled);
            assert_eq!(error.current().unwrap().body(), b"same");
            assert_eq!(
                world.store.stats().last_frame(),
                frames,
                "nothing was written"
            );
            assert_eq!(completed(work.claim("key").unwrap()).response(), b"same");
        }
    }
}
