//! [`Alarm`]: when the timers are looked at next.

use crate::runtime::sync::{AtomicU64, Ordering, Signal};

/// When the timers are looked at next, and the signal that wakes their thread earlier.
#[derive(Debug, Default)]
pub(in crate::engine) struct Alarm {
    next_ms: AtomicU64,
    pub(in crate::engine) signal: Signal,
}

impl Alarm {
    /// Lets the timers be looked at again at `at_ms`, or earlier.
    #[inline]
    pub(in crate::engine) fn hint(&self, at_ms: u64) {
        if at_ms < self.next_ms.load(Ordering::Relaxed) {
            self.signal.raise();
        }
    }

    /// The moment of the next look.
    pub(in crate::engine) fn set(&self, at_ms: u64) {
        self.next_ms.store(at_ms, Ordering::Relaxed);
    }
}
