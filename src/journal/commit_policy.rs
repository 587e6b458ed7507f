//! [`CommitPolicy`]: when a commit is due, and when callers must wait for one.

use crate::journal::backlog::Backlog;
use crate::value::durability::Durability;
use crate::value::time::millis;

/// The durability of the store, and how much may wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommitPolicy {
    pub(super) durability: Durability,
    /// Bytes that may be unwritten before callers must wait.
    pub(super) unwritten_limit: usize,
}

impl CommitPolicy {
    /// When a commit is due, if its oldest change was made at `since_ms`.
    pub(super) fn due_ms(&self, since_ms: u64) -> u64 {
        match self.durability {
            Durability::Sync => since_ms,
            // Half the window, so that a slow sync still ends within it.
            Durability::Interval(window) => since_ms.saturating_add(millis(window) / 2),
        }
    }

    /// Whether a commit is due, if its oldest change was made at `since_ms`.
    pub(super) fn is_due(&self, since_ms: u64, now_ms: u64) -> bool {
        match self.durability {
            Durability::Sync => true,
            Durability::Interval(_) => self.due_ms(since_ms) <= now_ms,
        }
    }

    /// Whether callers must wait for the medium: too much is unwritten, or the oldest unsynced change is
    /// as old as the window.
    #[inline]
    pub(super) fn is_congested(&self, backlog: &Backlog, now_ms: u64) -> bool {
        let is_late = match self.durability {
            // Milliseconds are cut off, so that "equal" may be a little more.
            Durability::Interval(window) => {
                backlog.oldest_ms().saturating_add(millis(window)) <= now_ms
            }
            Durability::Sync => false,
        };
        backlog.bytes() > self.unwritten_limit || is_late
    }
}
