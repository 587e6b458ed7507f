//! [`StoreTime`]: the time by which a store remembers and forgets.

use std::time::Duration;

use crate::value::error::{Error, ErrorKind, Result};
use crate::value::time::{LAST_EXPIRY, millis};

/// Store time: follows the wall clock at a bounded rate, never backwards.
///
/// A wall clock that is stepped by hours neither wipes the memory of the store nor freezes it: the
/// store moves at 15/16 to 17/16 of the monotonic clock until the two agree again.
#[derive(Debug)]
pub(crate) struct StoreTime {
    /// Invariant: never decreases.
    store_ms: u64,
    mono_ms: u64,
}

/// Store time runs faster or slower than the monotonic clock by at most one part in this many.
const SLEW_PART: u64 = 16;

impl StoreTime {
    /// Starts at open, from the store time that was written last and from the wall clock.
    pub(crate) fn start(
        mark_ms: u64,
        wall_ms: u64,
        mono_ms: u64,
        max_offline: Option<Duration>,
    ) -> Result<Self> {
        let offline_ms = wall_ms.saturating_sub(mark_ms);
        let limit = max_offline.filter(|limit| mark_ms != 0 && offline_ms > millis(*limit));
        if let Some(limit) = limit {
            let text = format!(
                "the wall clock is {} days past the last time that the store saw, more than the {} days of max_offline: \
                 check the clock; if it is right, open with accept_clock_jump() (everything whose retention has passed is then forgotten)",
                offline_ms / 86_400_000,
                limit.as_secs() / 86_400,
            );
            return Err(Error::new(ErrorKind::ClockJump, text));
        }
        Ok(Self {
            store_ms: mark_ms.max(wall_ms),
            mono_ms,
        })
    }

    /// Moves to a later moment of the monotonic clock, leaning towards the wall clock.
    pub(crate) fn follow(&mut self, mono_ms: u64, wall_ms: u64) {
        let passed = mono_ms.saturating_sub(self.mono_ms);
        self.mono_ms = self.mono_ms.max(mono_ms);
        let straight = self.store_ms.saturating_add(passed);
        let lean = passed / SLEW_PART;
        let leaning = if wall_ms >= straight {
            straight.saturating_add(lean.min(wall_ms - straight))
        } else {
            straight.saturating_sub(lean.min(straight - wall_ms))
        };
        self.store_ms = leaning.max(self.store_ms);
    }

    pub(crate) fn store_ms(&self) -> u64 {
        self.store_ms
    }

    /// Whole seconds, bounded so that no second is mistaken for [`NEVER`](crate::value::time::NEVER).
    pub(crate) fn store_secs(&self) -> u32 {
        u32::try_from(self.store_ms / 1000)
            .unwrap_or(LAST_EXPIRY - 1)
            .min(LAST_EXPIRY - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::StoreTime;
    use std::time::Duration;

    #[test]
    fn store_time_leans_and_never_runs_back() {
        let mut time = StoreTime::start(1_000_000, 900_000, 0, None).unwrap();
        assert_eq!(
            time.store_ms(),
            1_000_000,
            "the mark wins over a clock that was set back"
        );
        time.follow(16_000, 0);
        assert_eq!(
            time.store_ms(),
            1_015_000,
            "it runs at 15/16 while the wall clock is behind"
        );
        time.follow(16_000, 0);
        assert_eq!(time.store_ms(), 1_015_000);
        time.follow(32_000, u64::MAX);
        assert_eq!(time.store_ms(), 1_032_000, "and at 17/16 while it is ahead");
        time.follow(0, u64::MAX);
        assert_eq!(
            time.store_ms(),
            1_032_000,
            "a monotonic clock that goes back is ignored"
        );
    }

    #[test]
    fn a_long_absence_has_to_be_accepted() {
        let month = Some(Duration::from_secs(30 * 86_400));
        assert!(StoreTime::start(1, 31 * 86_400_000, 0, month).is_err());
        assert!(StoreTime::start(1, 29 * 86_400_000, 0, month).is_ok());
        assert!(
            StoreTime::start(0, u64::MAX, 0, month).is_ok(),
            "a new store has seen no time"
        );
    }
}
