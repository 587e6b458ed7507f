//! Repeatable random numbers: everything is drawn from the seed.

use std::time::Duration;

/// The same seed gives the same numbers everywhere.
#[derive(Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    /// Numbers from the seed and a name, which do not depend on earlier draws.
    pub(crate) fn named(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(fastrand::Rng::with_seed(seed ^ digest))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number below `end`, or zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.u64(..end.max(1))
    }

    /// True in this percentage of cases.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A duration up to this one.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}
