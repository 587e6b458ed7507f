//! Survivors of the oldest segment, carried to the end of the log.

use crate::engine::change::replaced;
use crate::engine::engine::Engine;
use crate::engine::upkeep::compaction::janitor::{Carrying, Dying, Janitor, Oldest};
use crate::journal::Journal;
use crate::journal::damage::lost;
use crate::journal::read::records;
use crate::state::last_record::LastRecord;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::Record;

/// Frames that are carried before the janitor looks at its other work.
const FRAMES_PER_STEP: u64 = 64;

impl Engine {
    /// Carries the survivors of a few frames to the end of the log.
    pub(in crate::engine) fn carry_some(
        &self,
        janitor: &mut Janitor,
        mut carrying: Carrying,
    ) -> Result<bool> {
        // Claims never wait for compaction: when the log has no room, compaction waits.
        if self.journal.congestion(self.now().mono_ms).is_some() {
            return Ok(false);
        }
        self.check_segment_room(FRAMES_PER_STEP)?;
        let until = carrying
            .end_frame
            .min(carrying.next_frame + FRAMES_PER_STEP);
        while carrying.next_frame < until {
            let carried = self.carry_frame(carrying.next_frame)?;
            self.compaction.note_carried(carried);
            carrying.next_frame += 1;
        }
        janitor.oldest = if carrying.next_frame < carrying.end_frame {
            Oldest::Carrying(carrying)
        } else {
            Oldest::Dying(Dying {
                segment: carrying.segment,
                after_frame: self.journal.last_used(),
            })
        };
        Ok(true)
    }

    fn carry_frame(&self, frame: u64) -> Result<u64> {
        let payload = self
            .journal
            .frame_bytes(frame)?
            .ok_or_else(|| lost(frame))?;
        let mut carried = 0;
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            // A look without the record's body, so that dead records cost nothing.
            if self.is_newest(head.namespace, wire.key, locator) {
                let record = self
                    .journal
                    .complete(&wire, locator)?
                    .ok_or_else(|| lost(frame))?;
                carried += u64::from(self.carry(&record, locator));
            }
        }
        Ok(carried)
    }

    /// Copies a record to the end of the log, if it is still the newest of its key.
    fn carry(&self, record: &Record, from: Locator) -> bool {
        let parts = Journal::split(&record.body);
        let digest = self.digest_of(record.head.namespace, &record.key);
        let expired_secs = self.journal.with_tail(|tail| tail.census.now_secs());
        let mut turn = self.turn(digest);
        let last = LastRecord {
            locator: from,
            expires_at: record.head.expires_at,
        };
        if turn
            .shard
            .last_record(digest)
            .is_none_or(|newest| newest.locator != from)
            || record.head.expires_at <= expired_secs
        {
            return false;
        }
        let to = self.journal.append(
            &record.as_ref(),
            parts,
            replaced(Some(last)),
            None,
            turn.now.mono_ms,
        );
        self.compaction.note_copy(to);
        let moved = turn.shard.relocate(digest, from, to);
        debug_assert!(moved, "the newest record was looked up under the same lock");
        moved
    }
}
