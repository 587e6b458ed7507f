//! [`Clock`]: the only file that reads a clock. Everything else is handed a [`Now`](crate::value::time::Now).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::runtime::manual_clock::ManualClock;
use crate::runtime::sync::Drive;

/// Whether the wall clock stands before 1970, which sled cannot count in.
#[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
pub(crate) fn is_before_1970() -> bool {
    #[cfg(test)]
    if WALL_IS_BEFORE_1970.get() {
        return true;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).is_err()
}

#[cfg(test)]
std::thread_local! {
    /// A test cannot set the clock of the machine.
    static WALL_IS_BEFORE_1970: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Makes the wall clock of the machine stand before 1970, for this thread.
#[cfg(test)]
pub(crate) fn pretend_before_1970(is_before: bool) {
    WALL_IS_BEFORE_1970.set(is_before);
}

/// Where time comes from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System(Instant),
    Manual(ManualClock),
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
    pub(crate) fn system() -> Self {
        Self::System(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
    pub(crate) fn mono_ms(&self) -> u64 {
        match self {
            Self::System(start) => {
                let elapsed = Instant::now().saturating_duration_since(*start);
                // Not `as_millis`, which divides 128 bits: this is read twice in every run of a key.
                let millis = u64::from(elapsed.subsec_millis());
                elapsed
                    .as_secs()
                    .saturating_mul(1000)
                    .saturating_add(millis)
            }
            Self::Manual(clock) => clock.mono_ms(),
        }
    }

    /// As [`mono_ms`](Self::mono_ms), in nanoseconds: to measure, not to decide.
    #[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
    pub(crate) fn mono_ns(&self) -> u64 {
        match self {
            Self::System(start) => {
                let elapsed = Instant::now().saturating_duration_since(*start);
                let nanos = u64::from(elapsed.subsec_nanos());
                elapsed
                    .as_secs()
                    .saturating_mul(1_000_000_000)
                    .saturating_add(nanos)
            }
            Self::Manual(clock) => clock.mono_ms().saturating_mul(1_000_000),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
    pub(crate) fn wall_ms(&self) -> u64 {
        match self {
            Self::System(_) => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Manual(clock) => clock.wall_ms(),
        }
    }

    /// The real moment to park until for a wait that ends at `mono_ms`; `None` where time only
    /// moves when a test moves it.
    pub(crate) fn park_until(&self, mono_ms: u64) -> Option<Instant> {
        match self {
            Self::System(start) => start.checked_add(Duration::from_millis(mono_ms)),
            Self::Manual(_) => None,
        }
    }

    /// The driver of a store on this clock, unless a simulation drives it.
    pub(crate) fn drive(&self) -> Drive {
        match self {
            Self::System(_) => Drive::Threads,
            Self::Manual(_) => Drive::Clock,
        }
    }
}
