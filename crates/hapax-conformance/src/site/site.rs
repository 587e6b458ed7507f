//! [`Site`]: a store that is open in a world of its own.

use std::time::{Duration, SystemTime};

use hapax::operator::{Attribution, Operator};
use hapax::{Durability, Namespace, Policy, Store};

use crate::site::times::secs;
use crate::world::capability::Capability;
use crate::world::settings::Settings;
use crate::world::world::World;

/// A world with the store that is open in it.
pub(crate) struct Site {
    pub(crate) world: Box<dyn World>,
    pub(crate) store: Store,
}

impl Site {
    /// A new store in a world like this one.
    pub(crate) fn new(world: &dyn World) -> Self {
        Self::with(world, Settings::new())
    }

    pub(crate) fn with(world: &dyn World, settings: Settings) -> Self {
        let world = world.another(&settings);
        let store = world.open();
        Self { world, store }
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.world.capabilities().has(capability)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.world.advance(by);
    }

    /// What was begun and has no caller that waits for it is done.
    pub(crate) fn rest(&self) {
        self.world.rest();
    }

    /// The process dies, and another opens the store when its leases have ended.
    pub(crate) fn crash(&mut self) {
        self.world.crash(self.store.clone());
        self.reopen();
        self.world.let_orphans_end();
    }

    /// The process closes the store, and another opens it.
    pub(crate) fn restart(&mut self) {
        self.store.close().unwrap();
        self.reopen();
    }

    /// Opens the store again after it was closed.
    pub(crate) fn reopen(&mut self) {
        self.store = self.world.open();
    }

    pub(crate) fn namespace(&self, policy: Policy) -> Namespace {
        self.store.namespace("work", policy).unwrap()
    }

    pub(crate) fn operator(&self) -> Operator {
        operator(&self.store)
    }

    /// What the store knows twice agrees.
    pub(crate) fn validate(&self) {
        self.store.validate();
    }

    /// The time of the store, as seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        secs(self.store.stats().store_time())
    }

    /// By how much times may be off here.
    pub(crate) fn slack(&self) -> Duration {
        if self.has(Capability::ExactTimes) {
            Duration::ZERO
        } else {
            Duration::from_secs(3)
        }
    }

    /// A key tells this moment, in seconds since 1970.
    #[track_caller]
    pub(crate) fn is_moment(&self, told: SystemTime, expected: u64) {
        let off = secs(told).abs_diff(expected);
        assert!(off <= self.slack().as_secs(), "{told:?} is off by {off} s");
    }

    /// So much is left of a lease.
    #[track_caller]
    pub(crate) fn is_left(&self, told: Duration, expected: Duration) {
        let off = told.abs_diff(expected);
        assert!(off <= self.slack(), "{told:?} is off by {off:?}");
    }

    /// The number of the last frame, where the store has a log.
    pub(crate) fn last_frame(&self) -> Option<u64> {
        let has_log = self.has(Capability::Log);
        has_log.then(|| self.store.stats().last_frame())
    }
}

/// `Sync`, and `Interval` where there is such a thing.
pub(crate) fn durabilities(world: &dyn World, window: Duration) -> Vec<Durability> {
    let mut durabilities = vec![Durability::Sync];
    if world.capabilities().has(Capability::Interval) {
        durabilities.push(Durability::Interval(window));
    }
    durabilities
}

pub(crate) fn operator(store: &Store) -> Operator {
    store.operator(Attribution::new("alice", "INC-42: it hangs").unwrap())
}

/// The sum of a counter over all its labels.
pub(crate) fn total(store: &Store, name: &str) -> u64 {
    store.metrics().total(name, &[])
}

/// At-least-once and at-most-once, with a lease of a minute.
pub(crate) fn both() -> [Policy; 2] {
    [Policy::at_least_once(), Policy::at_most_once()]
}
