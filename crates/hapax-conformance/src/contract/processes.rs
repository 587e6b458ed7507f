//! One store, and two processes that have it open.

use hapax::{ErrorKind, KeyState, Policy, Store};

use crate::site::answers::{claim, completed, granted, in_doubt, in_progress, state, ticket_json};
use crate::site::polls::patient;
use crate::site::site::{Site, both};
use crate::site::times::MINUTE;
use crate::world::world::World;

fn second(site: &Site) -> Store {
    site.world.second().expect("it has several processes")
}

pub(crate) fn a_key_goes_through_once_in_all_processes(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let other = second(&site);
        let here = site.namespace(policy.clone());
        let there = other.namespace("work", policy).unwrap();
        let lease = claim(&here, "key");
        let busy = in_progress(there.claim("key").unwrap());
        assert_eq!(busy.attempt(), 1);
        lease.complete("done").unwrap();
        let answer = completed(there.claim("key").unwrap());
        assert_eq!(answer.response(), b"done");
    }
}

pub(crate) fn a_waiter_hears_of_an_outcome_in_another_process(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let other = second(&site);
        let here = site.namespace(policy.clone());
        let there = other.namespace("work", policy).unwrap();
        let lease = claim(&here, "key");
        let waiter = site.queued(&there, patient());
        lease.complete("done").unwrap();
        assert_eq!(completed(site.ready(waiter).unwrap()).response(), b"done");
    }
}

pub(crate) fn of_waiters_in_two_processes_one_is_granted_a_released_key(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let other = second(&site);
        let here = site.namespace(policy.clone());
        let there = other.namespace("work", policy).unwrap();
        let lease = claim(&here, "key");
        let line = vec![
            site.queued(&here, patient()),
            site.queued(&there, patient()),
        ];
        lease.release("again").unwrap();
        let (mut answers, rest) = site.sweep(line);
        assert_eq!((answers.len(), rest.len()), (1, 1));
        let lease = granted(answers.remove(0));
        assert_eq!(lease.attempt(), 2);
        lease.complete("done").unwrap();
        let (answers, rest) = site.sweep(rest);
        assert_eq!((answers.len(), rest.len()), (1, 0));
    }
}

pub(crate) fn a_holder_is_superseded_by_another_process_that_takes_over(world: &dyn World) {
    let site = Site::new(world);
    let other = second(&site);
    let here = site.namespace(Policy::at_least_once());
    let there = other.namespace("work", Policy::at_least_once()).unwrap();
    let first = claim(&here, "key");
    site.advance(MINUTE);
    let taken = claim(&there, "key");
    assert_eq!(taken.attempt(), 2);
    assert!(
        taken.token() > first.token(),
        "tokens rise over all processes"
    );
    let error = first.complete("late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    assert_eq!(error.current().unwrap().token(), taken.token());
    taken.complete("done").unwrap();
    assert_eq!(completed(here.claim("key").unwrap()).response(), b"done");
}

pub(crate) fn what_a_dead_process_held_ends_while_another_goes_on(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let other = second(&site);
        let here = site.namespace(policy.clone());
        let there = other.namespace("work", policy.clone()).unwrap();
        let held = claim(&there, "key");
        drop(there);
        site.world.crash(other);
        site.world.let_orphans_end();
        if policy == Policy::at_most_once() {
            let doubt = in_doubt(here.claim("key").unwrap());
            assert_eq!(doubt.token(), held.token());
            assert!(!doubt.holder_alive());
        } else {
            assert!(claim(&here, "key").token() > held.token());
        }
    }
}

pub(crate) fn a_ticket_is_attached_in_another_process(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let other = second(&site);
        let here = site.namespace(policy.clone());
        let _there = other.namespace("work", policy).unwrap();
        let ticket = ticket_json(&claim(&here, "key").detach().unwrap());
        other.attach(&ticket).unwrap().complete("paid").unwrap();
        assert_eq!(state(&here, "key"), Some(KeyState::Completed));
        let error = site.store.attach(&ticket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadySettled);
    }
}
