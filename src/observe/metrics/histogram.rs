//! [`Histogram`]: how long things take, counted into fixed buckets without a lock.

use crossbeam_utils::CachePadded;

use crate::observe::metrics::distribution::{Distribution, seconds};
use crate::runtime::sync::{AtomicU64, Ordering};

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;

/// Upper bounds of the buckets in nanoseconds: 1-2-5 from a microsecond to 50 s.
const BOUNDS_NS: [u64; 24] = [
    US,
    2 * US,
    5 * US,
    10 * US,
    20 * US,
    50 * US,
    100 * US,
    200 * US,
    500 * US,
    MS,
    2 * MS,
    5 * MS,
    10 * MS,
    20 * MS,
    50 * MS,
    100 * MS,
    200 * MS,
    500 * MS,
    S,
    2 * S,
    5 * S,
    10 * S,
    20 * S,
    50 * S,
];

/// The same in seconds, as they are shown.
static BOUNDS_SECONDS: [f64; 24] = [
    0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5,
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0,
];

/// Durations in fixed buckets. Parts of it lie on cache lines of their own, so that threads which
/// observe at once do not write to one.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Invariant: a power of two of them.
    stripes: Box<[CachePadded<Stripe>]>,
}

#[derive(Debug, Default)]
struct Stripe {
    /// One more than there are bounds: what is over the last.
    counts: [AtomicU64; BOUNDS_NS.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(stripes: usize) -> Self {
        let stripes = stripes.next_power_of_two();
        Self {
            stripes: (0..stripes).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Counts a duration; `near` is any number that spreads callers over the stripes.
    pub(crate) fn observe(&self, near: usize, ns: u64) {
        let stripe = &self.stripes[near & (self.stripes.len() - 1)];
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < ns);
        stripe.counts[bucket].fetch_add(1, Ordering::Relaxed);
        stripe.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Distribution {
        let mut counts = vec![0; BOUNDS_NS.len() + 1];
        let mut sum_ns: u64 = 0;
        for stripe in &self.stripes {
            for (total, count) in counts.iter_mut().zip(&stripe.counts) {
                *total += count.load(Ordering::Relaxed);
            }
            sum_ns = sum_ns.wrapping_add(stripe.sum_ns.load(Ordering::Relaxed));
        }
        Distribution {
            bounds: &BOUNDS_SECONDS,
            counts,
            sum_seconds: seconds(sum_ns, 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS_NS, BOUNDS_SECONDS, Histogram, S};
    use crate::observe::metrics::distribution;

    #[test]
    fn a_duration_falls_under_the_first_bound_that_it_does_not_pass() {
        let histogram = Histogram::new(3);
        for (near, ns) in [0, 1, 1_000, 1_001, 50 * S, 50 * S + 1, u64::MAX / 2]
            .into_iter()
            .enumerate()
        {
            histogram.observe(near, ns);
        }
        let seen = histogram.snapshot();
        assert_eq!((seen.counts[0], seen.counts[1]), (3, 1));
        assert_eq!((seen.counts[23], seen.counts[24]), (1, 2));
        assert_eq!(seen.count(), 7);
    }

    #[test]
    fn the_bounds_that_are_shown_are_those_that_count() {
        for (ns, seconds) in BOUNDS_NS.into_iter().zip(BOUNDS_SECONDS) {
            assert!((distribution::seconds(ns, S) - seconds).abs() < seconds * 1e-12);
        }
    }
}
