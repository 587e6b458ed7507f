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
        if self.is_closed() {
            troubles.push(Trouble::Closed);
        }
        if self.is_forked() {
            troubles.push(Trouble::Forked);
        }
        if let Some(cause) = journal.poison_cause() {
            troubles.push(Trouble::Poisoned { cause });
        }
        let has_ended = !troubles.is_empty();
        let busy_ms = journal.busy_ms(now_ms);
        if busy_ms >= STUCK_MS {
            let since = Duration::from_millis(busy_ms);
            troubles.push(Trouble::Stuck { since });
        }
        if self.disk_is_at_floor() {
            let floor_bytes = self.least_free_bytes();
            troubles.push(Trouble::DiskLow { floor_bytes });
        }
        // A store that has ended tries nothing again.
        if !has_ended {
            if self.check_segment_room(0).is_err() {
                troubles.push(Trouble::NoSegment);
            }
            troubles.extend(journal.retries.list(now_ms).into_iter().map(Trouble::from));
        }
        if journal.is_congested(now_ms) {
            troubles.push(Trouble::Congested { unsynced });
        }
        if self.lifecycle.is_read_only() {
            troubles.push(Trouble::ReadOnly);
        }
        if self.is_salvaged() {
            troubles.push(Trouble::Salvaged);
        }
        Health { troubles, unsynced }
    }
}
