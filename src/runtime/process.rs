//! [`Process`]: whether this is still the process that opened a store.
//!
//! Asking the system for the process id on every call took a tenth of a claim, so a child counts
//! itself when it is forked.

use crate::runtime::sync::{AtomicU32, Ordering, forks};

/// The process that something belongs to.
#[derive(Debug)]
pub(crate) struct Process {
    /// Changed only by tests, as `forks` is.
    id: AtomicU32,
    forks: AtomicU32,
    /// Forks of this process are counted.
    counted: bool,
}

impl Process {
    /// The process that this runs in.
    pub(crate) fn this() -> Self {
        let counted = forks::watch();
        Self {
            id: AtomicU32::new(std::process::id()),
            forks: AtomicU32::new(forks::count()),
            counted,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// Whether this runs in a forked child of it. Only [`has_forked_exactly`](Self::has_forked_exactly) sees
    /// a child that was made past the C library.
    #[inline]
    pub(crate) fn has_forked(&self) -> bool {
        forks::count() != self.forks.load(Ordering::Relaxed)
            || (!self.counted && self.has_forked_exactly())
    }

    /// As [`has_forked`](Self::has_forked), by asking the system, which costs far more: for callers
    /// that are about to wait.
    pub(crate) fn has_forked_exactly(&self) -> bool {
        std::process::id() != self.id() || forks::count() != self.forks.load(Ordering::Relaxed)
    }

    /// Makes this process look like a forked child, or like itself again.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self, forked: bool) {
        let forks = forks::count().wrapping_sub(u32::from(forked));
        self.forks.store(forks, Ordering::Relaxed);
    }

    /// Makes this look like a child that was forked past the C library, and so was not counted.
    #[cfg(test)]
    pub(crate) fn pretend_forked_uncounted(&self) {
        self.id.store(0, Ordering::Relaxed);
    }
}
