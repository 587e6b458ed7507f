//! [`Backlog`]: what was appended and is not on the medium yet.

use crate::runtime::sync::{AtomicU64, AtomicUsize, Ordering};

/// The journal thread is woken whenever this many bytes were appended, even if no commit is due.
const WAKE_BYTES: usize = 1024 * 1024;

/// No moment.
const NONE: u64 = u64::MAX;

/// How much was appended and not written, and since when changes wait to be synced. Every change
/// updates it, and every call looks at it.
///
/// Invariant: only the holder of the tail's lock changes it, except for the end of a commit, which
/// clears `syncing_since_ms`.
///
/// Invariant: while a change is not on the medium, `unsynced_since_ms` or `syncing_since_ms` is not
/// after the moment at which it was made.
#[derive(Debug)]
pub(super) struct Backlog {
    unwritten_bytes: AtomicUsize,
    /// When the oldest change was made that no commit has taken, else [`NONE`].
    unsynced_since_ms: AtomicU64,
    /// When the oldest change was made that a commit is syncing, else [`NONE`].
    syncing_since_ms: AtomicU64,
    /// The latest moment that the journal has heard of, on the monotonic clock.
    latest_ms: AtomicU64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            unwritten_bytes: AtomicUsize::new(0),
            unsynced_since_ms: AtomicU64::new(NONE),
            syncing_since_ms: AtomicU64::new(NONE),
            latest_ms: AtomicU64::new(0),
        }
    }
}

impl Backlog {
    /// Counts bytes that were appended, and returns whether the journal thread must be woken for them.
    ///
    /// The lock of the tail makes the caller the only one here, so plain loads and stores suffice.
    #[inline]
    pub(super) fn add(&self, bytes: usize, now_ms: u64) -> bool {
        let before = self.unwritten_bytes.load(Ordering::Relaxed);
        let after = before + bytes;
        self.unwritten_bytes.store(after, Ordering::Relaxed);
        if self.latest_ms.load(Ordering::Relaxed) < now_ms {
            self.latest_ms.store(now_ms, Ordering::Relaxed);
        }
        let is_first = self.unsynced_since_ms.load(Ordering::Relaxed) == NONE;
        if is_first {
            self.unsynced_since_ms.store(now_ms, Ordering::Release);
        }
        is_first || before / WAKE_BYTES != after / WAKE_BYTES
    }

    /// Hands the unsynced changes to a commit: later ones count towards the next commit.
    ///
    /// Called under the lock of the tail.
    pub(super) fn begin_sync(&self) {
        // First in the new place, then out of the old one: a reader finds each change in one of them.
        let since = self.unsynced_since_ms.load(Ordering::Acquire);
        self.syncing_since_ms.fetch_min(since, Ordering::AcqRel);
        let since = self.unsynced_since_ms.swap(NONE, Ordering::AcqRel);
        self.syncing_since_ms.fetch_min(since, Ordering::AcqRel);
    }

    /// Notes that the commit has ended.
    pub(super) fn end_sync(&self) {
        self.syncing_since_ms.store(NONE, Ordering::Release);
    }

    /// Takes the unwritten bytes, which the writer has taken from the tail.
    ///
    /// Called under the lock of the tail.
    pub(super) fn take_bytes(&self) -> u64 {
        let taken = self.unwritten_bytes.swap(0, Ordering::Relaxed);
        u64::try_from(taken).expect("what waits is in memory")
    }

    /// Bytes that wait to be written.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.unwritten_bytes.load(Ordering::Relaxed)
    }

    /// The latest moment that the journal has heard of, on the monotonic clock.
    #[inline]
    pub(super) fn latest_ms(&self) -> u64 {
        self.latest_ms.load(Ordering::Relaxed)
    }

    /// When the oldest change was made that no commit has taken.
    pub(super) fn unsynced_since_ms(&self) -> Option<u64> {
        Some(self.unsynced_since_ms.load(Ordering::Acquire)).filter(|since| *since != NONE)
    }

    /// When the oldest change was made that is not on the medium; `u64::MAX` if all are.
    #[inline]
    pub(super) fn oldest_ms(&self) -> u64 {
        // In this order: a commit sets the second before it clears the first.
        let unsynced = self.unsynced_since_ms.load(Ordering::Acquire);
        unsynced.min(self.syncing_since_ms.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::{Backlog, WAKE_BYTES};

    #[test]
    fn the_journal_thread_hears_of_the_first_change_and_of_each_mebibyte() {
        let backlog = Backlog::default();
        assert!(backlog.add(10, 5), "the first change");
        assert!(!backlog.add(10, 6));
        assert!(backlog.add(WAKE_BYTES, 7), "a mebibyte more");
        assert_eq!((backlog.bytes(), backlog.latest_ms()), (WAKE_BYTES + 20, 7));
        assert_eq!(backlog.take_bytes(), WAKE_BYTES as u64 + 20);
        assert_eq!(backlog.bytes(), 0);
    }

    #[test]
    fn a_change_counts_as_unsynced_until_its_commit_has_ended() {
        let backlog = Backlog::default();
        assert_eq!(backlog.oldest_ms(), u64::MAX);
        backlog.add(1, 5);
        assert_eq!(
            (backlog.unsynced_since_ms(), backlog.oldest_ms()),
            (Some(5), 5)
        );
        backlog.begin_sync();
        assert_eq!(
            (backlog.unsynced_since_ms(), backlog.oldest_ms()),
            (None, 5)
        );
        backlog.add(1, 9);
        assert_eq!(
            (backlog.unsynced_since_ms(), backlog.oldest_ms()),
            (Some(9), 5)
        );
        backlog.end_sync();
        assert_eq!(backlog.oldest_ms(), 9);
    }
}
