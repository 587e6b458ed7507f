//! Whether the store serves, and what troubles it.

use std::time::Duration;

use crate::engine::engine::Engine;
use crate::observe::health::{Health, Trouble};

/// A writer that spends longer than this on one write counts as stuck.
const STUCK_MS: u64 = 5000;

impl Engine {
    /// Whether the store serves, and what troubles it. Takes no lock, reads no disk.
    pub(crate) fn health(&self) -> Health {
        let now_ms = self.time.mono_ms();
        let journal = &self.journal;
        let unsynced = Duration::from_millis(journal.unsynced_ms(now_ms));
        let mut troubles = Vec::new();
        troubles.extend(self.is_closed().then_some(Trouble::Closed));
        troubles.extend(self.is_forked().then_some(Trouble::Forked));
        let poisoned = |cause| Trouble::Poisoned { cause };
        troubles.extend(journal.poison_cause().map(poisoned));
        let has_ended = !troubles.is_empty();
        let busy_ms = journal.busy_ms(now_ms);
        let since = Duration::from_millis(busy_ms);
        troubles.extend((busy_ms >= STUCK_MS).then_some(Trouble::Stuck { since }));
        let floor_bytes = self.least_free_bytes();
        let is_low = self.disk_is_at_floor();
        troubles.extend(is_low.then_some(Trouble::DiskLow { floor_bytes }));
        // Nothing is tried again for a store that has ended.
        if !has_ended {
            let has_none = self.check_segment_room(0).is_err();
            troubles.extend(has_none.then_some(Trouble::NoSegment));
            troubles.extend(journal.retries.list(now_ms));
        }
        let is_congested = journal.is_congested(now_ms);
        troubles.extend(is_congested.then_some(Trouble::Congested { unsynced }));
        let is_read_only = self.lifecycle.is_read_only();
        troubles.extend(is_read_only.then_some(Trouble::ReadOnly));
        troubles.extend(self.is_salvaged().then_some(Trouble::Salvaged));
        Health { troubles, unsynced }
    }
}
