//! [`Line`]: the number of waiting callers, over all keys, and their places.

use crate::runtime::sync::{AtomicU64, AtomicUsize, Ordering};

/// The number of waiting callers, over all keys, and their places.
#[derive(Debug, Default)]
pub(in crate::engine) struct Line {
    waiters: AtomicUsize,
    /// The place of the next waiting caller.
    places: AtomicU64,
}

impl Line {
    pub(in crate::engine) fn waiters(&self) -> usize {
        self.waiters.load(Ordering::Relaxed)
    }

    /// Everyone who ever joined.
    pub(in crate::engine) fn joined(&self) -> u64 {
        self.places.load(Ordering::Relaxed)
    }

    /// One more waits, at this place: the one that it had before, or else a new one.
    pub(in crate::engine) fn join(&self, before: Option<u64>) -> u64 {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let last = self.places.fetch_add(1, Ordering::Relaxed);
        before.unwrap_or(last)
    }

    pub(in crate::engine) fn leave(&self) {
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
