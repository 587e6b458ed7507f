//! Holders that have lost their key, and tokens that came late.

use std::task::Poll;

use hapax::{ErrorKind, KeyState, Lease, Namespace, Policy, Resolution};

use crate::contract::holders::{KEEPS, SETTLES};
use crate::site::answers::{claim, completed, in_doubt, state};
use crate::site::site::{Site, both};
use crate::site::times::{HOUR, MINUTE, SECOND};
use crate::world::world::World;

// Loss.

/// Ways to lose the key "key" whose lease is held elsewhere.
type Lose = fn(&Site, &Namespace, &Lease);

const LOSES: [Lose; 4] = [
    |site, _, _| site.advance(MINUTE),
    |site, work, _| {
        site.advance(MINUTE);
        drop(work.claim("key"));
    },
    |site, _, lease| {
        assert!(
            site.operator()
                .forget_forced("work", "key", lease.token())
                .unwrap()
        );
    },
    |site, _, _| site.store.close().unwrap(),
];

pub(crate) fn lost_ends_and_is_lost_turns_true_when_the_lease_is_lost(world: &dyn World) {
    for policy in both() {
        for lose in LOSES {
            let site = Site::new(world);
            let work = site.namespace(policy.clone());
            let lease = claim(&work, "key");
            let mut lost = site.waiting(lease.lost());
            let mut second = site.waiting(lease.lost());
            site.advance(SECOND);
            assert!(site.poll(&mut lost).is_pending() && !lease.is_lost());
            lose(&site, &work, &lease);
            assert!(lease.is_lost());
            assert_eq!(site.poll(&mut lost), Poll::Ready(()));
            assert_eq!(site.poll(&mut second), Poll::Ready(()));
            site.ready(lease.lost());
        }
    }
}

// Under the token.

pub(crate) fn superseded_is_an_error_that_carries_the_holder_that_won(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    for (settle, _) in SETTLES {
        let first = claim(&work, "key");
        site.advance(MINUTE);
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
        site.operator()
            .forget_forced("work", "key", second.token())
            .unwrap();
    }
}

pub(crate) fn superseded_carries_the_outcome_that_won(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let stale = [(); 2].map(|()| {
        let lease = claim(&work, "key");
        site.advance(MINUTE);
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

pub(crate) fn a_resolution_supersedes_the_holder(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    site.advance(MINUTE);
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
pub(crate) fn superseded_waits_until_the_outcome_that_won_is_on_the_medium(world: &dyn World) {
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let stale = claim(&work, "key");
    site.advance(MINUTE);
    let late = claim(&work, "key").complete_async("not on the medium yet");
    assert_eq!(
        stale.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
    drop((late, work));
    site.crash();
    let work = site.namespace(Policy::at_least_once());
    completed(work.claim("key").unwrap());
}

pub(crate) fn a_token_of_a_key_that_is_gone_is_not_held_and_never_creates_a_record(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        for (settle, _) in SETTLES {
            let lease = claim(&work, "key");
            site.operator()
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

pub(crate) fn a_token_whose_outcome_has_expired_is_not_held(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().retention(HOUR));
    let ticket = claim(&work, "key").detach().unwrap();
    let lease = site.store.attach(&ticket).unwrap();
    lease.complete("done").unwrap();
    site.advance(2 * HOUR);
    assert_eq!(
        site.store.attach(&ticket).unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    assert_eq!(state(&work, "key"), None);
    // A lease whose lapse is so old that its key was forgotten.
    let lease = claim(&work, "lapsed");
    site.advance(MINUTE);
    site.advance(25 * HOUR);
    assert_eq!(
        lease.complete("done").unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    assert_eq!(state(&work, "lapsed"), None);
}

pub(crate) fn a_lapsed_lease_without_a_take_over_is_still_current(world: &dyn World) {
    for (settle, outcome) in SETTLES {
        for policy in both() {
            let site = Site::new(world);
            let work = site.namespace(policy);
            let lease = claim(&work, "key");
            site.advance(HOUR);
            settle(lease).unwrap();
            assert_eq!(state(&work, "key"), Some(outcome));
        }
    }
}

pub(crate) fn a_late_complete_or_fail_settles_a_key_that_is_in_doubt(world: &dyn World) {
    for (settle, outcome) in &SETTLES[..2] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        site.advance(MINUTE);
        let doubt = in_doubt(work.claim("key").unwrap());
        settle(lease).unwrap();
        assert_eq!(state(&work, "key"), Some(*outcome));
        let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded, "the doubt is over");
        assert_eq!(error.current().unwrap().state(), *outcome);
        assert!(site.store.doubts().unwrap().next().is_none());
    }
}

pub(crate) fn a_late_complete_or_fail_settles_a_doubt_through_a_ticket_too(world: &dyn World) {
    for policy in both() {
        for (settle, outcome) in &SETTLES[..2] {
            let site = Site::new(world);
            let work = site.namespace(policy.clone());
            let ticket = claim(&work, "key").detach().unwrap();
            site.advance(MINUTE);
            settle(site.store.attach(&ticket).unwrap()).unwrap();
            assert_eq!(state(&work, "key"), Some(*outcome));
            // A doubt that its holder has stated is settled as a doubt: the ticket was used.
            let ticket = claim(&work, "doubted").detach().unwrap();
            let lease = site.store.attach(&ticket).unwrap();
            lease.doubt("unsure").unwrap();
            let error = site.store.attach(&ticket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InUse);
            assert_eq!(error.current().unwrap().state(), KeyState::InDoubt);
            site.operator()
                .forget_forced("work", "doubted", ticket.token())
                .unwrap();
            work.forget("key").unwrap();
        }
    }
}

// `src/engine/tests/holders.rs` checks that the same outcome again is a no-op: there a token can be
// used twice without a lease.

pub(crate) fn a_ticket_of_a_key_with_its_outcome_writes_nothing_and_tells_it(world: &dyn World) {
    for policy in both() {
        for restart in [false, true] {
            let mut site = Site::new(world);
            let work = site.namespace(policy.clone());
            let ticket = claim(&work, "key").detach().unwrap();
            site.store
                .attach(&ticket)
                .unwrap()
                .complete("same")
                .unwrap();
            drop(work);
            if restart {
                site.crash();
            }
            let work = site.namespace(policy.clone());
            let frames = site.last_frame();
            let error = site.store.attach(&ticket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadySettled);
            assert_eq!(error.current().unwrap().body(), b"same");
            assert_eq!(site.last_frame(), frames, "nothing was written");
            assert_eq!(completed(work.claim("key").unwrap()).response(), b"same");
        }
    }
}
