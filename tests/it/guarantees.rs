//! The two guarantees, their policies, and tokens that never repeat.

use hapax::{Durability, ErrorKind, KeyState, Namespace, Policy};

use crate::contract_support::{HOUR, MINUTE, SECOND, World, claim, state};

fn crashed(world: &mut World, work: Namespace, policy: &Policy) -> Namespace {
    drop(work);
    world.crash();
    world.namespace(policy.clone())
}

// AtLeastOnce.

#[test]
fn at_least_once_an_unclaimed_lapsed_key_expires_after_attempt_retention() {
    for checkpoint in [false, true] {
        let world = World::new();
        let policy = Policy::at_least_once()
            .attempt_retention(HOUR)
            .lease(SECOND);
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        if checkpoint {
            lease.checkpoint("half").unwrap();
        }
        // The store's clock leans back while the wall clock is behind; the clock of leases does
        // not.
        world.clock.step_wall(-86_400);
        world.clock.advance(SECOND);
        world.clock.advance(HOUR);
        world.store.validate();
        world.clock.advance(HOUR);
        assert_eq!(state(&work, "key"), None);
        assert_eq!(
            lease.complete("late").unwrap_err().kind(),
            ErrorKind::NotHeld
        );
        assert_eq!(claim(&work, "key").attempt(), 1);
        world.store.validate();
    }
}

#[test]
fn at_least_once_a_checkpoint_outlives_the_lapse_as_its_record_does() {
    // What is in memory must be what recovery would find: the record lives on store time, which
    // leans back here, and the lapsed key in memory on the monotonic clock.
    let mut world = World::new();
    let policy = Policy::at_least_once()
        .attempt_retention(HOUR)
        .lease(SECOND);
    let work = world.namespace(policy.clone());
    let lease = claim(&work, "key");
    lease.checkpoint("half").unwrap();
    world.clock.step_wall(-86_400);
    world.clock.advance(SECOND);
    world.clock.advance(HOUR);
    world.store.validate();
    assert_eq!(state(&work, "key"), Some(KeyState::Released));
    let work = crashed(&mut world, work, &policy);
    assert_eq!(state(&work, "key"), Some(KeyState::Released));
    assert_eq!(claim(&work, "key").last_checkpoint(), b"half");
    drop(lease);
}

// Tokens.

#[test]
fn tokens_never_repeat_across_reopen_and_lost_tails() {
    let mut world = World::with(|builder| builder.durability(Durability::Interval(MINUTE)));
    let mut last = None;
    for round in 0..12 {
        let work = world.namespace(Policy::at_least_once());
        for key in 0..4 {
            let lease = claim(&work, &format!("{round} {key}"));
            assert!(Some(lease.token()) > last, "round {round}");
            last = Some(lease.token());
            lease.complete("maybe lost").unwrap();
        }
        drop(work);
        match round % 3 {
            0 => world.log.crash(),
            1 => world.log.crash_keeping(1),
            _ => world.store.close().unwrap(),
        }
        world.store = world
            .builder()
            .durability(Durability::Interval(MINUTE))
            .open()
            .unwrap();
    }
}

#[test]
fn tokens_go_on_rising_when_the_counter_runs_out() {
    let last_counter = (1 << 32) - 1;
    let mut world = World::with(|builder| builder.first_token_counter(last_counter));
    let mut last = None;
    for round in 0..3 {
        let work = world.namespace(Policy::at_most_once());
        for key in 0..3 {
            let lease = claim(&work, &format!("{round} {key}"));
            assert!(Some(lease.token()) > last && lease.token().as_i64() > 0);
            last = Some(lease.token());
            lease.complete("done").unwrap();
        }
        drop(work);
        world.log.crash();
        world.store = world
            .builder()
            .first_token_counter(last_counter)
            .open()
            .unwrap();
        world.store.validate();
    }
}
