//! A log that has failed under its store: what holders, waiters and runs are told.

use hapax::{ClaimOptions, Durability, ErrorKind, Failure, Policy, RunError};

use crate::contract_support::{HOUR, MINUTE, SECOND, World, claim, ready, waiting};

#[test]
fn after_a_failed_write_the_effect_is_unknown_until_reopened_and_the_error_says_so() {
    let mut world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    world.log.crash();
    let refused = lease.complete("done").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    let text = refused.to_string();
    assert!(text.contains("unknown until it is reopened"), "{text}");
    let refused = refused.into_lease().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    drop(work);
    // An error that is still held keeps no store open.
    world.reopen();
    drop(refused);
    let work = world.namespace(Policy::at_least_once());
    assert_eq!(claim(&work, "key").attempt(), 1, "it was lost");
}

/// A lapse in a store whose log had failed used to grant the key to a waiter.
#[test]
fn a_poisoned_store_grants_nothing_to_waiters() {
    for durability in [Durability::Sync, Durability::Interval(SECOND)] {
        let world = World::with(|builder| builder.durability(durability));
        let work = world.namespace(Policy::at_least_once());
        let _held = claim(&work, "key");
        let waiter = waiting(work.claim_async("key", ClaimOptions::new().wait(HOUR)));
        let other = claim(&work, "other");
        world.log.crash();
        let _ = other.complete("lost");
        assert_eq!(world.store.sync().unwrap_err().kind(), ErrorKind::Poisoned);
        world.clock.advance(MINUTE);
        assert_eq!(ready(waiter).unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(work.claim("new").unwrap_err().kind(), ErrorKind::Poisoned);
    }
}

#[test]
fn run_once_counts_work_that_took_its_process_with_it() {
    let mut world = World::new();
    let policy = Policy::at_least_once().max_attempts(2);
    for attempt in 1..=2 {
        let space = world.namespace(policy.clone());
        let log = world.log.clone();
        // The power goes while the work runs, and nothing after it is written.
        let ran = space.run_once("key", |run| {
            assert_eq!(run.attempt(), attempt);
            log.crash();
            Ok::<_, Failure<String>>("done".to_owned())
        });
        assert!(ran.is_err(), "{ran:?}");
        drop(space);
        world.reopen();
    }
    let space = world.namespace(policy);
    let ran = space.run_once("key", |_| Ok::<_, Failure<String>>("done".to_owned()));
    assert!(matches!(ran, Err(RunError::Failed(answer)) if answer.attempts() == 2));
}
