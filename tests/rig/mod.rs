//! What the tests of crashes share: a child process that works on a store and says what returned to
//! it, the oracle that holds the store to that, and the means to stop the child.
//!
//! The child is the test program itself, run again for one of its tests, which does nothing unless
//! it is told a directory.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod child;
pub(crate) mod disk;
pub(crate) mod known;
pub(crate) mod reading;
pub(crate) mod script;
pub(crate) mod skipped;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod tracer;
pub(crate) mod work;

/// A small generator, so that a run can be repeated from its seed.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// From `HAPAX_SEED`, or from a new seed, which is printed.
    pub(crate) fn from_seed() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let given = std::env::var(child::SEED).ok();
        let seed = given.map_or_else(
            || RandomState::new().hash_one(0),
            |seed| seed.parse().unwrap(),
        );
        println!("{}={seed}", child::SEED);
        Self(seed)
    }
}
