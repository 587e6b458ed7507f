//! [`Holds`]: how long keys were held.

use std::ops::AddAssign;

/// How long keys were held, in powers of two of a millisecond, so that a bucket is found at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holds {
    /// By bucket: up to 1 ms, 2 ms, 4 ms and so on, and what is over the last bound.
    pub(crate) counts: [u64; HOLD_BOUNDS + 1],
    pub(crate) sum_ms: u64,
}

/// Bounds of the buckets of [`Holds`]: the last is 2^22 ms, which is 70 minutes.
pub(crate) const HOLD_BOUNDS: usize = 23;

impl Holds {
    pub(crate) fn observe(&mut self, ms: u64) {
        // The number of the first power of two that is no less.
        let power = u64::BITS - ms.saturating_sub(1).leading_zeros();
        let bucket = usize::try_from(power).map_or(HOLD_BOUNDS, |power| power.min(HOLD_BOUNDS));
        self.counts[bucket] += 1;
        self.sum_ms = self.sum_ms.wrapping_add(ms);
    }
}

impl AddAssign for Holds {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_ms = self.sum_ms.wrapping_add(other.sum_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLD_BOUNDS, Holds};

    #[test]
    fn a_hold_falls_under_the_first_power_of_two_that_it_does_not_pass() {
        let mut holds = Holds::default();
        for (ms, bucket) in [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (1 << 22, 22),
        ] {
            let before = holds.counts[bucket];
            holds.observe(ms);
            assert_eq!(holds.counts[bucket], before + 1, "{ms} ms");
        }
        holds.observe((1 << 22) + 1);
        holds.observe(u64::MAX);
        assert_eq!(holds.counts[HOLD_BOUNDS], 2);
    }
}
