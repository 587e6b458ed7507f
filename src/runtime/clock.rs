//! Time: the only file that reads a clock. Everything else is handed a [`Now`].
//!
//! Two clocks, never one: *leases* run on the monotonic clock, in milliseconds; *retention* runs
//! on store time, in seconds that never run backwards and survive a restart.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::runtime::sync::{Drive, Mutex};
use crate::value::error::{Error, ErrorKind, Result};

/// The moment that a decision is made at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    /// Monotonic milliseconds since the clock was made: for leases and waits.
    pub(crate) mono_ms: u64,
    /// Store time, in seconds since 1970: for retention.
    pub(crate) store_secs: u32,
}

/// The expiry of what never expires.
pub(crate) const NEVER: u32 = u32::MAX;

/// The last second that a record can expire at.
pub(crate) const LAST_EXPIRY: u32 = u32::MAX - 1;

/// The store time at which something decided `now` and kept for `retention` expires: never before
/// `retention` has passed, and at most two seconds after.
pub(crate) fn expiry(now: Now, retention: Duration) -> u32 {
    let whole = u64::from(retention.subsec_nanos() != 0).saturating_add(retention.as_secs());
    // One second more: `now` is the whole second that the transition lies in.
    let end = u64::from(now.store_secs)
        .saturating_add(whole)
        .saturating_add(1);
    u32::try_from(end).unwrap_or(LAST_EXPIRY).min(LAST_EXPIRY)
}

/// Milliseconds of a duration, rounded up so that nothing ends early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// How long another thread has kept a watcher waiting that looks now and then.
///
/// Counts only time in which the one who looks was seen to run: a process that was stopped, or a
/// machine that was suspended, says nothing about who could not answer meanwhile.
#[derive(Debug)]
pub(crate) struct Patience {
    last_ms: u64,
    seen_ms: u64,
}

/// Between two looks no more than this counts: a few of the ticks at which looks come.
pub(crate) const LOOK_MS_MAX: u64 = 500;

impl Patience {
    /// Waits from `since_ms` on.
    pub(crate) fn new(since_ms: u64) -> Self {
        Self {
            last_ms: since_ms,
            seen_ms: 0,
        }
    }

    /// Looks again, and gives for how long has been waited.
    pub(crate) fn look(&mut self, now_ms: u64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.last_ms).min(LOOK_MS_MAX);
        self.last_ms = self.last_ms.max(now_ms);
        self.seen_ms = self.seen_ms.saturating_add(passed_ms);
        self.seen_ms
    }
}

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
            Self::Manual(clock) => clock.shared.lock().mono_ms,
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
            Self::Manual(clock) => clock.shared.lock().mono_ms.saturating_mul(1_000_000),
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
            Self::Manual(clock) => clock.shared.lock().wall_ms,
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

    /// Who drives a store on this clock, unless a simulation does.
    pub(crate) fn drive(&self) -> Drive {
        match self {
            Self::System(_) => Drive::Threads,
            Self::Manual(_) => Drive::Clock,
        }
    }
}

/// A clock that moves only when it is told to, for deterministic tests.
///
/// A store opened on it starts no threads: durable writes are carried out by the caller that waits
/// for them, and [`advance`](Self::advance) runs what is due (lapses, waits, expiry, compaction)
/// before it returns.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hapax::{Claim, ManualClock, Policy, Store};
///
/// let clock = ManualClock::new();
/// let store = Store::in_memory().clock(&clock).open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once().lease(Duration::from_secs(60)))?;
/// let Claim::Granted(first) = jobs.claim("job")? else { unreachable!() };
/// clock.advance(Duration::from_secs(61));
/// let Claim::Granted(second) = jobs.claim("job")? else { unreachable!() };
/// assert!(second.token() > first.token() && first.is_lost());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct ManualClock {
    shared: Arc<Mutex<ManualTime>>,
}

struct ManualTime {
    mono_ms: u64,
    wall_ms: u64,
    observers: Vec<Weak<dyn Observer>>,
}

/// What is told when a [`ManualClock`] has moved.
pub(crate) trait Observer: Send + Sync {
    fn clock_moved(&self);
}

/// Where the wall clock of a new [`ManualClock`] stands: 2026-01-01.
const MANUAL_WALL_START_MS: u64 = 1_767_225_600_000;

impl ManualClock {
    /// Makes a clock that stands at the first of January 2026.
    #[must_use]
    pub fn new() -> Self {
        let time = ManualTime {
            mono_ms: 0,
            wall_ms: MANUAL_WALL_START_MS,
            observers: Vec::new(),
        };
        Self {
            shared: Arc::new(Mutex::new(time)),
        }
    }

    /// Moves both clocks forward, and runs what is due in every store that is open on this clock.
    pub fn advance(&self, by: Duration) {
        let by_ms = millis(by);
        {
            let mut time = self.shared.lock();
            time.mono_ms = time.mono_ms.saturating_add(by_ms);
            time.wall_ms = time.wall_ms.saturating_add(by_ms);
        }
        self.notify();
    }

    /// Sets the wall clock forward or back without time passing, as a wrong NTP answer would.
    pub fn step_wall(&self, by_seconds: i64) {
        {
            let mut time = self.shared.lock();
            let by_ms = by_seconds.unsigned_abs().saturating_mul(1000);
            time.wall_ms = if by_seconds < 0 {
                time.wall_ms.saturating_sub(by_ms)
            } else {
                time.wall_ms.saturating_add(by_ms)
            };
        }
        self.notify();
    }

    pub(crate) fn observe(&self, observer: Weak<dyn Observer>) {
        let mut time = self.shared.lock();
        time.observers
            .retain(|observer| observer.strong_count() > 0);
        time.observers.push(observer);
    }

    fn notify(&self) {
        let observers: Vec<_> = self
            .shared
            .lock()
            .observers
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for observer in observers {
            observer.clock_moved();
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.shared.lock();
        f.debug_struct("ManualClock")
            .field("mono_ms", &time.mono_ms)
            .field("wall_ms", &time.wall_ms)
            .finish_non_exhaustive()
    }
}

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

/// One part in this many is how much faster or slower than the monotonic clock store time may run.
const SLEW_PART: u64 = 16;

impl StoreTime {
    /// Starts from what the store remembers and what the wall clock says, at open.
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

    /// Whole seconds, bounded so that no second is mistaken for [`NEVER`].
    pub(crate) fn store_secs(&self) -> u32 {
        u32::try_from(self.store_ms / 1000)
            .unwrap_or(LAST_EXPIRY - 1)
            .min(LAST_EXPIRY - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_EXPIRY, LOOK_MS_MAX, Now, Patience, StoreTime, expiry};
    use std::time::Duration;

    #[test]
    fn patience_counts_only_what_was_watched() {
        let mut patience = Patience::new(1000);
        assert_eq!(patience.look(1100), 100);
        assert_eq!(
            patience.look(61_100),
            100 + LOOK_MS_MAX,
            "the watcher stood still"
        );
        assert_eq!(
            patience.look(61_000),
            100 + LOOK_MS_MAX,
            "time never runs back"
        );
        assert_eq!(patience.look(61_200), 200 + LOOK_MS_MAX);
    }

    #[test]
    fn an_expiry_is_never_early_and_saturates() {
        let now = Now {
            mono_ms: 0,
            store_secs: 100,
        };
        assert_eq!(expiry(now, Duration::from_millis(1)), 102);
        assert_eq!(expiry(now, Duration::from_secs(10)), 111);
        assert_eq!(expiry(now, Duration::MAX), LAST_EXPIRY);
    }

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
