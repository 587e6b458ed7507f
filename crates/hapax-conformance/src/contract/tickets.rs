//! Tickets that come more than once: a queue delivers them at least once, but not every delivery
//! may cause an effect.

use hapax::operator::Attribution;
use hapax::{Claim, Durability, ErrorKind, KeyState, Namespace, Policy, Resolution, Store, Ticket};

use crate::site::answers::{claim, completed, in_doubt, state};
use crate::site::site::{Site, both};
use crate::site::times::{MINUTE, SECOND};
use crate::world::settings::Settings;
use crate::world::world::World;

/// What a consumer does with a ticket: the effect only if it becomes the holder.
fn consume(store: &Store, ticket: &Ticket, effects: &mut u32) -> Option<ErrorKind> {
    match store.attach(ticket) {
        Ok(lease) => {
            *effects += 1;
            lease.complete("paid").unwrap();
            None
        }
        Err(error) => {
            let current = error.current().expect("it says what the key is");
            assert_eq!(current.token(), ticket.token());
            Some(error.kind())
        }
    }
}

#[track_caller]
fn refused(store: &Store, ticket: &Ticket, kind: ErrorKind, state: KeyState) {
    let error = store.attach(ticket).expect_err("the ticket is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(
        error.current().map(|info| info.state()),
        Some(state),
        "{error}"
    );
}

/// A ticket that a queue had delivered three times was attached three times, each time with the
/// effect, also under at-most-once and after the store was opened again.
pub(crate) fn a_ticket_that_comes_again_gets_the_outcome_and_no_lease(world: &dyn World) {
    for policy in both() {
        for reopens in [false, true] {
            let mut site = Site::new(world);
            let work = site.namespace(policy.clone());
            let ticket = claim(&work, "key").detach().unwrap();
            let mut effects = 0;
            assert_eq!(consume(&site.store, &ticket, &mut effects), None);
            for _ in 0..2 {
                if reopens {
                    site.restart();
                    site.namespace(policy.clone());
                }
                let kind = consume(&site.store, &ticket, &mut effects);
                assert_eq!(kind, Some(ErrorKind::AlreadySettled));
                let error = site.store.attach(&ticket).unwrap_err();
                assert_eq!(error.current().unwrap().body(), b"paid");
            }
            assert_eq!(effects, 1);
            site.validate();
        }
    }
}

/// The consumer that had attached the ticket died after the effect and before the outcome; the next
/// delivery was granted the key again, which at-most-once rules out.
pub(crate) fn a_ticket_whose_holder_died_leaves_a_doubt_under_at_most_once(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_most_once();
    let work = site.namespace(policy.clone());
    let ticket = claim(&work, "key").detach().unwrap();
    let lease = site.store.attach(&ticket).unwrap();
    lease.checkpoint("charged").unwrap();
    drop(work);
    site.crash();
    drop(lease);
    let work = site.namespace(policy);
    refused(&site.store, &ticket, ErrorKind::InUse, KeyState::InDoubt);
    let doubt = work.doubt_of("key").unwrap().unwrap();
    assert!(!doubt.holder_alive());
    doubt
        .resolve(Resolution::Happened(b"paid".to_vec()))
        .unwrap();
    refused(
        &site.store,
        &ticket,
        ErrorKind::AlreadySettled,
        KeyState::Completed,
    );
}

/// The use of a ticket must be on the medium before its holder can begin.
pub(crate) fn a_power_cut_right_after_an_attach_does_not_bring_the_ticket_back(world: &dyn World) {
    let counted = Policy::at_least_once().max_attempts(3);
    for (policy, kind, left) in [
        (Policy::at_most_once(), ErrorKind::InUse, KeyState::InDoubt),
        (counted, ErrorKind::AlreadySettled, KeyState::Released),
    ] {
        let mut site = Site::new(world);
        let work = site.namespace(policy.clone());
        let ticket = claim(&work, "key").detach().unwrap();
        let lease = site.store.attach(&ticket).unwrap();
        drop(work);
        site.crash();
        drop(lease);
        site.namespace(policy);
        refused(&site.store, &ticket, kind, left);
    }
}

/// A holder that turns its lease into a ticket again passes the right on.
pub(crate) fn a_ticket_that_was_made_again_is_valid_again(world: &dyn World) {
    for policy in both() {
        for restarts in [false, true] {
            let mut site = Site::new(world);
            let work = site.namespace(policy.clone());
            let first = claim(&work, "key").detach().unwrap();
            let lease = site.store.attach(&first).unwrap();
            let second = lease.detach().unwrap();
            assert_eq!(first, second, "one token, one right");
            drop(work);
            if restarts {
                site.crash();
                site.namespace(policy.clone());
            }
            site.store
                .attach(&second)
                .unwrap()
                .complete("done")
                .unwrap();
            refused(
                &site.store,
                &first,
                ErrorKind::AlreadySettled,
                KeyState::Completed,
            );
        }
    }
}

/// Under `Interval` a power cut may take a `detach` away. The use before it stays, so both deliveries
/// of the ticket find it used, unless an effect may run twice.
pub(crate) fn a_ticket_whose_making_a_power_cut_took_away_is_used(world: &dyn World) {
    let counted = Policy::at_least_once().max_attempts(3);
    let refusals = [
        (Policy::at_least_once(), None),
        (
            counted,
            Some((ErrorKind::AlreadySettled, KeyState::Released)),
        ),
        (
            Policy::at_most_once(),
            Some((ErrorKind::InUse, KeyState::InDoubt)),
        ),
    ];
    for (policy, refusal) in refusals {
        let window = Durability::Interval(SECOND);
        let mut site = Site::with(world, Settings::new().durability(window));
        let work = site.namespace(policy.clone());
        let first = claim(&work, "key").detach().unwrap();
        let lease = site.store.attach(&first).unwrap();
        site.store.sync().unwrap();
        let second = lease.detach().unwrap();
        drop(work);
        site.crash();
        let _work = site.namespace(policy);
        match refusal {
            None => drop(site.store.attach(&second).unwrap()),
            Some((kind, left)) => {
                for ticket in [&first, &second] {
                    refused(&site.store, ticket, kind, left);
                }
            }
        }
        site.validate();
    }
}

pub(crate) fn one_lease_at_a_time_comes_of_a_ticket(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let ticket = claim(&work, "key").detach().unwrap();
        let lease = site.store.attach(&ticket).unwrap();
        refused(&site.store, &ticket, ErrorKind::InUse, KeyState::InProgress);
        site.advance(MINUTE);
        let error = site.store.attach(&ticket).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InUse,
            "lapsed, and held all the same"
        );
        lease.complete("late").unwrap();
        refused(
            &site.store,
            &ticket,
            ErrorKind::AlreadySettled,
            KeyState::Completed,
        );
    }
}

/// Dropped, doubted or released: the right of the ticket is over, and the next delivery does not get
/// it again.
pub(crate) fn a_ticket_is_over_when_its_lease_is(world: &dyn World) {
    for (policy, dropped) in both()
        .into_iter()
        .zip([KeyState::Released, KeyState::InDoubt])
    {
        let site = Site::new(world);
        let work = site.namespace(policy);
        type End = (&'static str, fn(hapax::Lease), KeyState);
        let ends: [End; 4] = [
            ("dropped", drop, dropped),
            (
                "doubted",
                |lease| lease.doubt("timed out").unwrap(),
                KeyState::InDoubt,
            ),
            (
                "released",
                |lease| lease.release("later").unwrap(),
                KeyState::Released,
            ),
            (
                "failed",
                |lease| lease.fail("declined").unwrap(),
                KeyState::Failed,
            ),
        ];
        for (key, end, left) in ends {
            let ticket = claim(&work, key).detach().unwrap();
            end(site.store.attach(&ticket).unwrap());
            let kind = match left {
                KeyState::InDoubt => ErrorKind::InUse,
                _ => ErrorKind::AlreadySettled,
            };
            refused(&site.store, &ticket, kind, left);
        }
        site.validate();
    }
}

/// A holder was refused, dropped its error, and left a lease that ran out: a second delivery of the
/// ticket took the key up again within that lease.
pub(crate) fn a_ticket_whose_holder_was_refused_and_has_gone_is_used(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once().max_response(4));
    let ticket = claim(&work, "key").detach().unwrap();
    let lease = site.store.attach(&ticket).unwrap();
    drop(lease.complete("too long").unwrap_err());
    refused(&site.store, &ticket, ErrorKind::InUse, KeyState::InProgress);
    site.advance(MINUTE);
    refused(&site.store, &ticket, ErrorKind::InUse, KeyState::InDoubt);
    assert!(!in_doubt(work.claim("key").unwrap()).holder_alive());
}

/// The first delivery may come after the lease has lapsed: no work has begun, and a late outcome
/// counts.
pub(crate) fn a_late_ticket_can_settle_a_key_that_was_not_taken_over(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let ticket = claim(&work, "key").detach().unwrap();
        site.advance(MINUTE);
        let lease = site.store.attach(&ticket).unwrap();
        assert!(lease.is_lost());
        lease.complete("late").unwrap();
        assert_eq!(completed(work.claim("key").unwrap()).response(), b"late");
    }
}

/// The bearer of the ticket is told the outcome of the key, however the key got it.
pub(crate) fn a_ticket_of_a_key_that_was_settled_otherwise_gets_that_outcome(world: &dyn World) {
    type Settle = fn(&Site, &Namespace, &Ticket);
    let by_operator: Settle = |site, _, ticket| {
        let operator = site
            .store
            .operator(Attribution::new("alice", "INC-42").unwrap());
        operator
            .fail("work", "key", ticket.token(), "void")
            .unwrap();
    };
    let by_resolution: Settle = |site, work, _| {
        site.advance(MINUTE);
        let doubt = in_doubt(work.claim("key").unwrap());
        doubt
            .resolve(Resolution::Happened(b"found".to_vec()))
            .unwrap();
    };
    let by_another_run: Settle = |site, work, _| {
        site.advance(MINUTE);
        claim(work, "key").complete("later").unwrap();
    };
    let by_insertion: Settle = |site, work, _| {
        site.advance(MINUTE);
        assert!(work.insert("key").unwrap());
    };
    let least = Policy::at_least_once;
    let ways: [(Policy, Settle, KeyState); 5] = [
        (least(), by_operator, KeyState::Failed),
        (Policy::at_most_once(), by_operator, KeyState::Failed),
        (Policy::at_most_once(), by_resolution, KeyState::Completed),
        (least(), by_another_run, KeyState::Completed),
        (least(), by_insertion, KeyState::Completed),
    ];
    for (policy, settle, outcome) in ways {
        let mut site = Site::new(world);
        let work = site.namespace(policy.clone());
        let ticket = claim(&work, "key").detach().unwrap();
        settle(&site, &work, &ticket);
        refused(&site.store, &ticket, ErrorKind::AlreadySettled, outcome);
        drop(work);
        site.crash();
        site.namespace(policy);
        refused(&site.store, &ticket, ErrorKind::AlreadySettled, outcome);
    }
}

/// A ticket whose key runs again, under a later token, gives nothing.
pub(crate) fn a_ticket_of_an_earlier_run_is_superseded(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let ticket = claim(&work, "key").detach().unwrap();
    site.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    doubt.resolve(Resolution::NeverHappened).unwrap();
    let error = site.store.attach(&ticket).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded, "{error}");
    let lease = claim(&work, "key");
    refused(
        &site.store,
        &ticket,
        ErrorKind::Superseded,
        KeyState::InProgress,
    );
    lease.complete("once").unwrap();
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
}

/// Work that kills its process at each delivery of a ticket was never counted. Each delivery now
/// counts as an attempt, and the last allowed attempt is the last.
pub(crate) fn a_ticket_that_kills_its_process_is_stopped_by_the_limit_of_attempts(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().max_attempts(2);
    let mut runs = 0;
    for _ in 0..5 {
        let work = site.namespace(policy.clone());
        let Claim::Granted(lease) = work.claim("key").unwrap() else {
            break;
        };
        let ticket = lease.detach().unwrap();
        drop(work);
        for _ in 0..3 {
            if let Ok(lease) = site.store.attach(&ticket) {
                runs += 1;
                site.crash();
                drop(lease);
                site.namespace(policy.clone());
            }
        }
    }
    assert_eq!(runs, 2);
    assert_eq!(
        state(&site.namespace(policy), "key"),
        Some(KeyState::Failed)
    );
}
