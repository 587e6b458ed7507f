//! Hostile callers and hostile clocks: floods of keys, waiters and namespaces, and wall clocks that
//! step by years. Every refusal has a kind, and everything else goes on as before.

use hapax::{Claim, ClaimOptions, ErrorKind, KeyState, Limits, Namespace, Policy};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, claim, granted, poll, ready, state, waiting,
};
use crate::limits::{refused, world_and_work};

const YEAR_SECS: i64 = 365 * 24 * 60 * 60;

/// Keys of 32 bytes that all have one XXH3 under its public secret: both of the products that it is
/// made of have a factor of zero. `src/state/flood_tests.rs` counts what they cost in the table.
fn flood(number: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&0xbe4b_a423_396c_feb8_u64.to_le_bytes());
    key[16..24].copy_from_slice(&0xdb97_9083_e96d_d4de_u64.to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    key[24..].copy_from_slice(&(!number).to_le_bytes());
    key
}

#[test]
fn keys_of_one_public_hash_are_keys_like_any_other() {
    const KEYS: u64 = 20_000;
    let one = xxhash_rust::xxh3::xxh3_64(&flood(0));
    let (world, work) = world_and_work(Limits::new());
    for first in (0..KEYS).step_by(4000) {
        let keys: Vec<_> = (first..first + 4000).map(flood).collect();
        assert!(
            keys.iter()
                .all(|key| xxhash_rust::xxh3::xxh3_64(key) == one)
        );
        let inserted = work.insert_many(&keys).unwrap();
        let is_new = |inserted: &hapax::Result<bool>| matches!(inserted, Ok(true));
        assert!(inserted.iter().all(is_new), "no two are taken for one");
    }
    assert_eq!(world.store.stats().keys(), KEYS);
    // The slots of 256 tables, each at most twice as large as it has to be, and chains that are not
    // longer.
    assert!(world.store.stats().table_bytes() < KEYS * 24 * 3);
    world.store.validate();
    assert!(
        (0..KEYS)
            .step_by(997)
            .all(|number| work.contains(flood(number)).unwrap())
    );
    assert!(!work.contains(flood(KEYS)).unwrap());
}

#[test]
fn over_the_limit_of_live_keys_only_new_keys_are_refused() {
    let limits = Limits::new().live_keys(100).running_keys(90);
    let (world, work) = world_and_work(limits);
    let holders: Vec<_> = (0..50)
        .map(|key| claim(&work, &format!("held {key}")))
        .collect();
    for key in 0..50 {
        work.insert(format!("done {key}")).unwrap();
    }
    for key in 0..1000 {
        let flood = format!("flood {key}");
        refused(
            work.claim(&flood),
            ErrorKind::AtCapacity,
            &["100", "live_keys"],
        );
        refused(work.insert(&flood), ErrorKind::AtCapacity, &["live_keys"]);
    }
    assert_eq!(
        world.store.stats().keys(),
        100,
        "nothing was let go or let in"
    );
    for (key, lease) in holders.into_iter().enumerate() {
        lease.complete("held out").unwrap();
        let done = work.claim(format!("done {key}")).unwrap();
        assert!(matches!(done, Claim::Completed(_)));
    }
    world.store.validate();
    world.clock.advance(DAY + MINUTE);
    claim(&work, "after the flood").complete("ok").unwrap();
}

#[test]
fn a_flood_of_waiters_is_answered_at_once_beyond_its_limits() {
    let limits = Limits::new().waiters_per_key(10).waiters(15);
    let (world, work) = world_and_work(limits);
    let leases = [claim(&work, "a"), claim(&work, "b")];
    let wait = |key: &str| work.claim_async(key, ClaimOptions::new().wait(HOUR / 120));
    let mut waiters: Vec<_> = (0..10).map(|_| waiting(wait("a"))).collect();
    for _ in 0..1000 {
        let answer = ready(wait("a")).unwrap();
        assert!(matches!(answer, Claim::InProgress(_)), "{answer:?}");
    }
    waiters.extend((0..5).map(|_| waiting(wait("b"))));
    for _ in 0..1000 {
        assert!(matches!(ready(wait("b")).unwrap(), Claim::InProgress(_)));
    }
    assert_eq!(world.store.stats().waiters(), 15);
    world.store.validate();
    for lease in leases {
        lease.complete("for all").unwrap();
    }
    for mut waiter in waiters {
        let answer = poll(&mut waiter);
        assert!(matches!(
            answer,
            std::task::Poll::Ready(Ok(Claim::Completed(_)))
        ));
    }
    assert_eq!(world.store.stats().waiters(), 0);
}

/// The manifest is read as a whole, and refused over 16 MiB. Nothing kept a store from making a
/// namespace per tenant until the store could no longer be opened.
#[test]
fn a_flood_of_namespaces_ends_before_the_manifest_cannot_be_read() {
    let mut world = World::new();
    let open = |world: &World, number: usize| {
        let name = format!("{number:0>128}");
        world.store.namespace(&name, Policy::at_least_once())
    };
    for number in 0..4096 {
        open(&world, number).unwrap();
    }
    for number in 4096..4200 {
        refused(
            open(&world, number),
            ErrorKind::AtCapacity,
            &["4096", "tenants"],
        );
    }
    world.crash();
    assert_eq!(world.store.namespaces().len(), 4096);
    claim(&open(&world, 4095).unwrap(), "key")
        .complete("ok")
        .unwrap();
}

#[test]
fn a_batch_that_never_ends_is_refused() {
    let (world, work) = world_and_work(Limits::new().batch_items(16));
    refused(
        work.claim_many(std::iter::repeat("key")),
        ErrorKind::TooLarge,
        &["16", "split"],
    );
    let mut number = 0_u64;
    let endless = std::iter::from_fn(|| {
        number += 1;
        Some(number.to_be_bytes())
    });
    refused(
        work.insert_many(endless),
        ErrorKind::TooLarge,
        &["17", "16", "split"],
    );
    assert_eq!(number, 17, "the call reads no more than it needs to decide");
    assert_eq!(world.store.stats().keys(), 0);
}

/// A completion of an hour, and how long it is remembered by the monotonic clock.
fn remembered(world: &World, work: &Namespace) -> u64 {
    claim(work, "key").complete("ok").unwrap();
    let mut minutes = 0;
    while state(work, "key") == Some(KeyState::Completed) {
        world.clock.advance(MINUTE);
        minutes += 1;
        assert!(minutes < 1000, "store time stands still");
    }
    world.store.validate();
    minutes
}

#[test]
fn a_wall_clock_that_steps_by_years_neither_wipes_nor_freezes() {
    for years in [
        -50,
        -1,
        1,
        10,
        100,
        i64::MAX / YEAR_SECS,
        i64::MIN / YEAR_SECS,
    ] {
        let world = World::new();
        let work = world.namespace(Policy::at_least_once().retention(HOUR));
        claim(&work, "before").complete("ok").unwrap();
        let held = claim(&work, "held");
        world.clock.step_wall(years * YEAR_SECS);
        world.clock.advance(SECOND);
        assert_eq!(
            state(&work, "before"),
            Some(KeyState::Completed),
            "{years} years"
        );
        assert!(!held.is_lost(), "leases know nothing of the wall");
        held.complete("ok").unwrap();
        // 15/16 to 17/16 of an hour, rounded up by a second and by a turn of this loop.
        let minutes = remembered(&world, &work);
        assert!(
            (56..=66).contains(&minutes),
            "{years} years: {minutes} minutes"
        );
        world.clock.step_wall(-years * YEAR_SECS);
        let minutes = remembered(&world, &work);
        assert!(
            (56..=66).contains(&minutes),
            "{years} years and back: {minutes} minutes"
        );
    }
}

#[test]
fn a_wall_clock_that_went_back_by_years_while_closed_changes_nothing() {
    let mut world = World::new();
    let retention = Policy::at_least_once().retention(HOUR);
    claim(&world.namespace(retention.clone()), "key")
        .complete("ok")
        .unwrap();
    world.store.close().unwrap();
    world.clock.step_wall(-40 * YEAR_SECS);
    world.reopen();
    let work = world.namespace(retention);
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
    let minutes = (0..100).find(|_| {
        world.clock.advance(MINUTE);
        state(&work, "key").is_none()
    });
    assert!(matches!(minutes, Some(56..=66)), "{minutes:?}");
}

#[test]
fn a_wall_clock_years_ahead_at_open_has_to_be_accepted() {
    for years in [1, 10, 300, i64::MAX / YEAR_SECS] {
        let mut world = World::new();
        let lasting = Policy::at_least_once().retention(60 * DAY);
        claim(&world.namespace(lasting.clone()), "key")
            .complete("ok")
            .unwrap();
        world.store.close().unwrap();
        let before = world.clock.clone();
        world.clock.step_wall(years * YEAR_SECS);
        for _ in 0..2 {
            refused(
                world.builder().open(),
                ErrorKind::ClockJump,
                &["accept_clock_jump"],
            );
        }
        // The refusal has changed nothing: set right, everything is there.
        before.step_wall(-years * YEAR_SECS);
        world.reopen();
        let work = world.namespace(lasting.clone());
        assert_eq!(state(&work, "key"), Some(KeyState::Completed));
        drop(work);
        world.store.close().unwrap();
        world.clock.step_wall(years * YEAR_SECS);
        world.store = world.builder().accept_clock_jump().open().unwrap();
        let work = world.namespace(lasting);
        let expected = (years > 130).then_some(KeyState::Completed);
        // Past 2106 store time stands at its last second, and what is there stays.
        let found = state(&work, "key");
        assert!(
            found.is_none() || expected.is_some(),
            "{years} years: {found:?}"
        );
        drop(claim(&work, "new"));
        granted(work.claim("another").unwrap())
            .complete("ok")
            .unwrap();
        world.store.validate();
    }
}
