//! What a store reports about its health, and that it does so without waiting.

use hapax::{Claim, Durability, Policy, Store, Trouble};

use crate::contract_support::{SECOND, World};

fn troubles(store: &Store) -> Vec<&'static str> {
    let health = store.health();
    let metrics = store.metrics();
    let names: Vec<_> = health.troubles().iter().map(Trouble::name).collect();
    for name in ["closed", "poisoned", "congested", "disk_low", "stuck"] {
        let healthy = metrics.gauge("hapax_healthy", &[("trouble", name)]);
        let expected = f64::from(u8::from(!names.contains(&name)));
        assert_eq!(healthy, Some(expected), "{name}");
    }
    names
}

#[test]
fn a_store_that_is_well_says_so() {
    let world = World::new();
    let health = world.store.health();
    assert!(health.is_alive() && health.is_ready());
    assert_eq!(health.to_string(), "ok");
    assert!(troubles(&world.store).is_empty());
}

#[test]
fn a_store_that_was_closed_is_not_alive() {
    let world = World::new();
    world.store.close().unwrap();
    assert_eq!(troubles(&world.store), ["closed"]);
    let health = world.store.health();
    assert!(!health.is_alive() && !health.is_ready());
}

#[test]
fn a_poisoned_store_names_the_cause() {
    let world = World::new();
    let space = world.namespace(Policy::at_least_once());
    world.log.crash();
    space.insert("key").unwrap_err();
    assert_eq!(troubles(&world.store), ["poisoned"]);
    let health = world.store.health();
    assert!(!health.is_alive());
    let Trouble::Poisoned { cause } = &health.troubles()[0] else {
        panic!("poisoned");
    };
    assert!(cause.starts_with("writing to the log: "), "{cause}");
}

#[test]
fn a_change_that_is_too_long_on_its_way_is_congestion() {
    let world = World::with(|builder| builder.durability(Durability::Interval(SECOND)));
    let space = world.namespace(Policy::at_least_once());
    space.insert("key").unwrap();
    assert!(world.store.health().is_ready());
    // Nothing commits before the clock moves, and then everything does.
    world.clock.advance(SECOND);
    assert_eq!(world.store.health().unsynced(), std::time::Duration::ZERO);
    assert!(troubles(&world.store).is_empty());
}

#[test]
fn a_full_disk_stops_grants_and_not_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let limits = hapax::Limits::default().free_disk_bytes(u64::MAX);
    let clock = hapax::testing::ManualClock::new();
    let store = Store::builder(dir.path().join("dedup"))
        .limits(limits)
        .clock(&clock)
        .open()
        .unwrap();
    let space = store.namespace("work", Policy::at_least_once()).unwrap();
    let Claim::Granted(lease) = space.claim("key").unwrap() else {
        panic!("no other caller exists");
    };
    clock.advance(SECOND);
    assert_eq!(troubles(&store), ["disk_low"]);
    let health = store.health();
    assert!(health.is_alive() && !health.is_ready());
    space.claim("other").unwrap_err();
    lease.complete("done").unwrap();
    store.close().unwrap();
}

/// A read-only store counted as ready, so callers were sent to a store that refuses every claim.
#[test]
fn a_store_that_is_only_read_is_alive_and_not_ready() {
    let place = tempfile::tempdir().unwrap();
    let builder = Store::builder(place.path().join("store"));
    builder.clone().open().unwrap().close().unwrap();
    let store = builder.read_only().open().unwrap();
    let health = store.health();
    assert!(health.is_alive() && !health.is_ready());
    assert_eq!(health.to_string(), "open read-only");
    let gauge = |name| store.metrics().gauge("hapax_healthy", &[("trouble", name)]);
    assert_eq!(
        (gauge("read_only"), gauge("closed")),
        (Some(0.0), Some(1.0))
    );
}
