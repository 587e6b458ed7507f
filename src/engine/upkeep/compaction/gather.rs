//! Short segments of many runs, carried together before a store is used.

use crate::engine::engine::Engine;
use crate::engine::upkeep::compaction::plan::{SHORT_SEGMENTS_MAX, shortness};
use crate::journal::log::contract::SEGMENT_BYTES_MAX;
use crate::runtime::sync::block_on;

/// Bytes that an open carries at most to bring short segments together, and segments that it drops.
const GATHER_BYTES_MAX: u64 = 2 * SEGMENT_BYTES_MAX;

const GATHER_SEGMENTS_MAX: u64 = 16;

impl Engine {
    /// Carries short segments together before the store is used, if there are many more of them than the
    /// janitor leaves. In runs that end at once the janitor has no time for them. It stops after a few, so
    /// that an open never takes long; the janitor or the next open goes on.
    pub(crate) fn gather_segments(&self) {
        let has_time = || {
            let carried = self.journal.with_tail(|tail| tail.appended_bytes());
            let dropped = self.compaction.segments_dropped();
            carried < GATHER_BYTES_MAX && dropped < GATHER_SEGMENTS_MAX
        };
        if self.check_change().is_err() {
            // It is only read.
            return;
        }
        let mut idle = 0;
        // The janitor meets the same error, and reports it.
        while idle < 2 && has_time() && self.is_scattered() {
            let Ok(more) = self.compaction_step(0) else {
                return;
            };
            idle = if more { 0 } else { idle + 1 };
            if !more && block_on(self.journal.wait(self.journal.last_used())).is_err() {
                return;
            }
        }
    }

    /// Whether there are twice as many short segments as the janitor leaves.
    fn is_scattered(&self) -> bool {
        let open_segment = self.journal.oldest_unclosed();
        self.journal.with_tail(|tail| {
            let segments = tail.census.segments();
            let closed = segments.take_while(|segment| segment.number < open_segment);
            shortness(closed, self.short_frames()) > 2 * SHORT_SEGMENTS_MAX
        })
    }
}
