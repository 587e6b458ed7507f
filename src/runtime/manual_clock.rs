//! [`ManualClock`]: a clock that moves only when a test moves it.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::runtime::sync::Mutex;
use crate::value::time::millis;

/// A clock that moves only when a test moves it.
///
/// A store opened on it starts no threads: durable writes are carried out by the caller that waits
/// for them, and [`advance`](Self::advance) runs what is due (lapses, waits, expiry, compaction)
/// before it returns.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hapax::{Claim, Policy, Store};
/// use hapax::testing::ManualClock;
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

/// A store that is told when a [`ManualClock`] has moved.
pub(crate) trait Observer: Send + Sync {
    fn clock_moved(&self);

    /// The next moment of the monotonic clock at which it wants to be told, with the clock standing there.
    fn stop_ms(&self) -> Option<u64> {
        None
    }
}

/// Where the wall clock of a new [`ManualClock`] stands: 2026-01-01.
const MANUAL_WALL_START_MS: u64 = 1_767_225_600_000;

impl ManualClock {
    /// Makes a clock that stands at 1 January 2026.
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
        let mut left_ms = millis(by);
        loop {
            let observers = self.observers();
            let stops = observers.iter().filter_map(|observer| observer.stop_ms());
            left_ms = self.step(left_ms, &stops.collect::<Vec<_>>());
            for observer in observers {
                observer.clock_moved();
            }
            if left_ms == 0 {
                return;
            }
        }
    }

    /// Moves both clocks forward, not past a stop that lies ahead. Gives what is left of the way.
    fn step(&self, left_ms: u64, stops_ms: &[u64]) -> u64 {
        let mut time = self.shared.lock();
        // A stop that has been reached is no obstacle: its observer may be at work on another thread.
        let ahead = stops_ms
            .iter()
            .map(|stop_ms| stop_ms.saturating_sub(time.mono_ms));
        let next = ahead.filter(|ahead| *ahead > 0).min();
        let by_ms = next.map_or(left_ms, |next| next.min(left_ms));
        time.mono_ms = time.mono_ms.saturating_add(by_ms);
        time.wall_ms = time.wall_ms.saturating_add(by_ms);
        left_ms - by_ms
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

    /// Where its monotonic clock stands.
    pub(crate) fn mono_ms(&self) -> u64 {
        self.shared.lock().mono_ms
    }

    /// Where its wall clock stands.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.shared.lock().wall_ms
    }

    pub(crate) fn observe(&self, observer: Weak<dyn Observer>) {
        let mut time = self.shared.lock();
        time.observers
            .retain(|observer| observer.strong_count() > 0);
        time.observers.push(observer);
    }

    fn observers(&self) -> Vec<Arc<dyn Observer>> {
        let time = self.shared.lock();
        time.observers.iter().filter_map(Weak::upgrade).collect()
    }

    fn notify(&self) {
        for observer in self.observers() {
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
