//! Seeds: many of them in turn, and the name of the one that fails.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::runtime::sync::panicking;

/// Runs `one` for `count` seeds, or for as many as the environment says.
///
/// `HAPAX_SIM_SEEDS` is how many; `HAPAX_SIM_FIRST` is the first of them, drawn at random where it is
/// not given; `HAPAX_SIM_SEED` is the only one, to repeat a failure.
///
/// # Panics
/// When `one` does, or a variable is not a number. The seed is printed to standard error.
pub fn each_seed(count: u64, mut one: impl FnMut(u64)) {
    for seed in seeds(count) {
        let printer = OnPanic(seed);
        one(seed);
        drop(printer);
    }
}

fn seeds(count: u64) -> Range<u64> {
    let number = |name: &str| {
        std::env::var(name).ok().map(|text| {
            text.parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
        })
    };
    if let Some(seed) = number("HAPAX_SIM_SEED") {
        return seed..seed + 1;
    }
    let count = number("HAPAX_SIM_SEEDS").unwrap_or(count);
    let first = number("HAPAX_SIM_FIRST").unwrap_or_else(|| RandomState::new().hash_one(0) >> 16);
    first..first + count
}

/// Names the seed of a simulation that fails.
pub(super) struct OnPanic(pub(super) u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if panicking() {
            eprintln!(
                "the simulation has failed; HAPAX_SIM_SEED={} repeats it",
                self.0
            );
        }
    }
}
