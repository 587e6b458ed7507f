//! [`Line`]: how many callers wait, of all keys, and the places that they have.

use crate::runtime::sync::{AtomicU64, AtomicUsize, Ordering};

/// How many callers wait, of all keys, and the places that they have.
#[derive(Debug, Default)]
pub(in crate::engine) struct Line {
    waiters: AtomicUsize,
    /// The place of the next one who waits.
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

    /// One more waits, at this place.
    pub(in crate::engine) fn join(&self) -> u64 {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        self.places.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::engine) fn leave(&self) {
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
