//! How long calls took.

use std::time::{Duration, Instant};

/// The only place where the example reads a clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the report is about real time; nothing is decided by it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Every single latency: there are few enough.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

/// What is reported of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Percentiles {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Latencies {
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied()
        };
        Percentiles {
            count: sorted.len(),
            p50: at(50).unwrap_or_default(),
            p99: at(99).unwrap_or_default(),
            max: at(100).unwrap_or_default(),
        }
    }
}
