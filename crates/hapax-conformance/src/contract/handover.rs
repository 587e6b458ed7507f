//! How a lease changes hands: errors, drops, tickets, and futures.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hapax::{
    Claim, ClaimOptions, ErrorKind, KeyState, Lease, Namespace, Policy, Resolution, Ticket,
};

use crate::site::answers::{
    claim, completed, failed, granted, in_doubt, in_progress, state, ticket_json,
};
use crate::site::site::{Site, both, total};
use crate::site::times::MINUTE;
use crate::world::world::World;

// Errors give the lease back.

pub(crate) fn a_call_that_cannot_be_carried_out_gives_the_lease_back(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.max_response(4));
        let refused = claim(&work, "key").complete("too long").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        let refused = refused.into_lease().unwrap().fail("too long").unwrap_err();
        let long = vec![b'x'; 5000];
        let refused = refused.into_lease().unwrap().release(&long).unwrap_err();
        let refused = refused.into_lease().unwrap().doubt(&long).unwrap_err();
        let lease = refused.into_lease().unwrap();
        assert!(!lease.is_lost());
        lease.complete("ok").unwrap();
        assert_eq!(completed(work.claim("key").unwrap()).response(), b"ok");
    }
}

pub(crate) fn dropping_the_error_never_releases_the_key_but_dropping_the_lease_out_of_it_does(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.max_response(4));
        let error: hapax::Error = claim(&work, "key").complete("too long").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(state(&work, "key"), Some(KeyState::InProgress));
        drop(claim(&work, "two").complete("too long").unwrap_err());
        assert_eq!(state(&work, "two"), Some(KeyState::InProgress));
        drop(
            claim(&work, "three")
                .complete("too long")
                .unwrap_err()
                .into_lease()
                .unwrap(),
        );
        assert_ne!(state(&work, "three"), Some(KeyState::InProgress));
    }
}

/// A guard dropped with its error used to count as alive forever, so the doubt that it left could
/// only be resolved by force.
pub(crate) fn the_holder_is_not_alive_any_more_once_the_error_with_its_lease_is_dropped(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once().max_response(4));
    let refused = claim(&work, "key").complete("too long").unwrap_err();
    site.advance(MINUTE);
    assert!(in_doubt(work.claim("key").unwrap()).holder_alive());
    drop(refused);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(!doubt.holder_alive());
    doubt.resolve(Resolution::NeverHappened).unwrap();
}

// Dropping.

pub(crate) fn a_dropped_lease_releases_under_at_least_once_and_is_in_doubt_under_at_most_once(
    world: &dyn World,
) {
    for (policy, expected) in both()
        .into_iter()
        .zip([KeyState::Released, KeyState::InDoubt])
    {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let early = |work: &Namespace| -> Option<()> {
            let _lease = claim(work, "early return");
            None
        };
        assert!(early(&work).is_none());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _lease = claim(&work, "panic");
            std::panic::resume_unwind(Box::new("the work panicked"));
        }));
        assert!(panicked.is_err());
        let in_vec = vec![claim(&work, "batch")];
        drop(in_vec);
        for key in ["early return", "panic", "batch"] {
            assert_eq!(state(&work, key), Some(expected), "{key}");
        }
    }
}

pub(crate) fn a_drop_hands_on_the_checkpoint_and_counts_the_attempt(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    lease.checkpoint("page 3").unwrap();
    drop(lease);
    let second = claim(&work, "key");
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"page 3"[..])
    );
}

pub(crate) fn a_drop_leaves_the_holder_dead_so_that_the_doubt_can_be_resolved(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    drop(claim(&work, "key"));
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(!doubt.holder_alive());
    doubt.resolve(Resolution::NeverHappened).unwrap();
    assert_eq!(claim(&work, "key").attempt(), 1);
}

pub(crate) fn a_drop_neither_waits_nor_syncs(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        let syncs = total(&site.store, "hapax_syncs_total");
        drop(lease);
        assert_eq!(total(&site.store, "hapax_syncs_total"), syncs);
    }
}

pub(crate) fn a_lease_that_was_forgotten_lapses(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    #[expect(clippy::mem_forget, reason = "that is what is tested")]
    std::mem::forget(claim(&work, "key"));
    in_progress(work.claim("key").unwrap());
    site.advance(MINUTE);
    assert_eq!(claim(&work, "key").attempt(), 2);
}

// Tickets.

pub(crate) fn a_ticket_disarms_the_guard_and_attaching_it_arms_it_again(world: &dyn World) {
    for (policy, expected) in both()
        .into_iter()
        .zip([KeyState::Released, KeyState::InDoubt])
    {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        let token = lease.token();
        let ticket = ticket_json(&lease.detach().unwrap());
        assert_eq!(
            (ticket.namespace(), ticket.key(), ticket.token()),
            ("work", &b"key"[..], token)
        );
        assert_eq!(state(&work, "key"), Some(KeyState::InProgress));
        let lease = site.store.attach(&ticket).unwrap();
        assert_eq!(
            (lease.token(), lease.attempt(), lease.key()),
            (token, 1, &b"key"[..])
        );
        let error = site.store.attach(&ticket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse, "one guard at a time");
        drop(lease);
        assert_eq!(state(&work, "key"), Some(expected));
    }
}

pub(crate) fn a_ticket_does_not_stop_the_lease_from_running(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let ticket = claim(&work, "key").detach().unwrap();
    site.advance(MINUTE);
    let lease = site.store.attach(&ticket).unwrap();
    assert!(lease.is_lost());
    lease.renew().unwrap();
    let ticket = lease.detach().unwrap();
    site.advance(MINUTE);
    let second = claim(&work, "key");
    let error = site.store.attach(&ticket).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    assert_eq!(error.current().unwrap().token(), second.token());
}

pub(crate) fn a_ticket_outlives_a_crash_of_its_process(world: &dyn World) {
    for policy in both() {
        let mut site = Site::new(world);
        let work = site.namespace(policy.clone());
        let lease = claim(&work, "key");
        lease.checkpoint("half").unwrap();
        let derived = lease.derived_key("psp");
        let ticket = serde_json::to_vec(&lease.detach().unwrap()).unwrap();
        drop(work);
        site.crash();
        let work = site.namespace(policy);
        let ticket: Ticket = serde_json::from_slice(&ticket).unwrap();
        let lease = site.store.attach(&ticket).unwrap();
        assert_eq!((lease.token(), lease.attempt()), (ticket.token(), 1));
        assert_eq!(
            (lease.last_checkpoint(), lease.derived_key("psp")),
            (&b"half"[..], derived)
        );
        in_progress(work.claim("key").unwrap());
        lease.complete("done after the restart").unwrap();
        assert_eq!(
            completed(work.claim("key").unwrap()).response(),
            b"done after the restart"
        );
        site.validate();
    }
}

/// Detaching took the record of a counted attempt for durable, although no call had waited for it.
pub(crate) fn a_ticket_of_a_later_attempt_under_max_attempts_outlives_a_crash_too(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().max_attempts(5);
    let work = site.namespace(policy.clone());
    claim(&work, "key").release("again").unwrap();
    let ticket = claim(&work, "key").detach().unwrap();
    drop(work);
    site.crash();
    let _work = site.namespace(policy);
    assert_eq!(site.store.attach(&ticket).unwrap().attempt(), 2);
}

pub(crate) fn a_ticket_is_refused_once_a_later_token_holds_the_key(world: &dyn World) {
    for policy in both() {
        let mut site = Site::new(world);
        let work = site.namespace(policy.clone());
        let ticket = claim(&work, "key").detach().unwrap();
        drop(work);
        site.crash();
        let work = site.namespace(policy.clone());
        let taken = match work.claim("key").unwrap() {
            Claim::Granted(lease) => lease,
            Claim::InDoubt(doubt) => {
                doubt.resolve(Resolution::NeverHappened).unwrap();
                claim(&work, "key")
            }
            other => panic!("{other:?}"),
        };
        let error = site.store.attach(&ticket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded);
        assert_eq!(error.current().unwrap().token(), taken.token());
        taken.complete("by the later one").unwrap();
        let error = site.store.attach(&ticket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadySettled);
        let current = error.current().unwrap();
        assert_eq!(current.state(), KeyState::Completed);
        assert_eq!(current.body(), b"by the later one");
    }
}

pub(crate) fn a_ticket_outlives_a_restart(world: &dyn World) {
    let mut site = Site::new(world);
    for (policy, key) in both().into_iter().zip(["least", "most"]) {
        let work = site.store.namespace(key, policy.clone()).unwrap();
        let lease = claim(&work, key);
        lease.checkpoint("half").unwrap();
        let ticket = ticket_json(&lease.detach().unwrap());
        drop(work);
        site.restart();
        let work = site.store.namespace(key, policy).unwrap();
        let lease = site.store.attach(&ticket).unwrap();
        assert_eq!(
            (lease.token(), lease.last_checkpoint()),
            (ticket.token(), &b"half"[..])
        );
        lease.complete("done").unwrap();
        assert_eq!(completed(work.claim(key).unwrap()).response(), b"done");
    }
}

pub(crate) fn a_ticket_for_a_namespace_or_key_that_is_not_there_is_not_held(world: &dyn World) {
    let (one, other) = (Site::new(world), Site::new(world));
    let ticket = claim(&one.namespace(Policy::at_least_once()), "key")
        .detach()
        .unwrap();
    assert_eq!(
        other.store.attach(&ticket).unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    let _work = other.namespace(Policy::at_least_once());
    assert_eq!(
        other.store.attach(&ticket).unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    one.store.close().unwrap();
    assert_eq!(
        one.store.attach(&ticket).unwrap_err().kind(),
        ErrorKind::Closed
    );
}

pub(crate) fn a_ticket_of_a_process_that_died_can_still_settle_without_being_attached_first(
    world: &dyn World,
) {
    // Attach is what settles: the record of the ticket is the newest, so its token is the last.
    let mut site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let ticket = claim(&work, "key").detach().unwrap();
    drop(work);
    site.crash();
    let work = site.namespace(Policy::at_most_once());
    let doubt = in_doubt(work.claim("key").unwrap());
    assert_eq!(doubt.token(), ticket.token());
    assert!(!doubt.holder_alive());
    site.store
        .attach(&ticket)
        .unwrap()
        .fail("it did not work")
        .unwrap();
    failed(work.claim("key").unwrap());
}

// Async forms.

pub(crate) fn dropping_the_future_of_a_call_never_undoes_it(world: &dyn World) {
    type Start = fn(Lease) -> hapax::Pending<hapax::Result<()>>;
    let starts: [(Start, KeyState); 4] = [
        (|lease| lease.complete_async("c"), KeyState::Completed),
        (|lease| lease.fail_async("f"), KeyState::Failed),
        (|lease| lease.release_async("r"), KeyState::Released),
        (|lease| lease.doubt_async("d"), KeyState::InDoubt),
    ];
    for policy in both() {
        for (start, outcome) in starts {
            let mut site = Site::new(world);
            let work = site.namespace(policy.clone());
            drop(start(claim(&work, "key")));
            assert_eq!(
                state(&work, "key"),
                Some(outcome),
                "it took effect when it was called"
            );
            drop(work);
            site.crash();
            let work = site.namespace(policy.clone());
            assert_eq!(
                state(&work, "key"),
                Some(outcome),
                "looking at it waited for the medium"
            );
            site.ready(start(match work.claim("other").unwrap() {
                Claim::Granted(lease) => lease,
                other => panic!("{other:?}"),
            }))
            .unwrap();
        }
    }
}

pub(crate) fn dropping_the_future_of_a_refused_call_never_releases_the_key(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_response(4));
    drop(claim(&work, "key").complete_async("too long"));
    assert_eq!(state(&work, "key"), Some(KeyState::InProgress));
    let refused = site
        .ready(claim(&work, "two").complete_async("too long"))
        .unwrap_err();
    refused.into_lease().unwrap().complete("ok").unwrap();
}

pub(crate) fn a_claim_made_async_is_the_same_claim(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = granted(
            site.ready(work.claim_async("key", ClaimOptions::new()))
                .unwrap(),
        );
        site.ready(lease.complete_async("done")).unwrap();
        completed(
            site.ready(work.claim_async("key", ClaimOptions::new()))
                .unwrap(),
        );
        let batch = site.ready(work.claim_many_async(["a", "b"])).unwrap();
        assert_eq!(batch.len(), 2);
        site.ready(site.store.sync_async()).unwrap();
    }
}
