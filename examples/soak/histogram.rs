//! Latencies in buckets that are 1/16 wide, relative to what they hold.

use std::time::{Duration, Instant};

/// The only place where the example reads a clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the table is about real time; nothing is decided by it"
)]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

const STEPS: u64 = 16;
const BUCKETS: usize = 64 * 16;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
            max: Duration::ZERO,
        }
    }
}

/// Small numbers have a bucket each; above, each power of two has sixteen.
fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return usize::try_from(nanos).unwrap_or_default();
    }
    let power = u64::from(63 - nanos.leading_zeros()) - 4;
    let at = (power + 1) * STEPS + ((nanos >> power) - STEPS);
    usize::try_from(at).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The least that does not fit the bucket.
fn end_of(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < STEPS {
        return Duration::from_nanos(bucket + 1);
    }
    let power = bucket / STEPS - 1;
    Duration::from_nanos((STEPS + bucket % STEPS + 1) << power)
}

impl Histogram {
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(latency);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// The bound that this many of a thousand values do not exceed, to a sixteenth.
    pub(crate) fn per_mille(&self, per_mille: u64) -> Duration {
        let rank = (self.count * per_mille).div_ceil(1000).max(1);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return end_of(bucket).min(self.max);
            }
        }
        self.max
    }
}
