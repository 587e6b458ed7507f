//! Compaction that a caller asked for: the same steps, until nothing dead is left that can go.

use crate::engine::engine::Engine;
use crate::journal::tail::Tail;
use crate::runtime::sync::block_on;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::meter::Meter;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::RecordRef;

/// The result of a compaction.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Freed {
    pub(crate) segments: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Nothing is left of what was dead when it began.
    pub(crate) is_complete: bool,
}

impl Engine {
    /// Carries the live records out of every segment that holds dead ones, and drops the segment.
    ///
    /// Only the oldest segment can go, so the segments before such a one are carried too, even if all of
    /// their records live. Later appends are left alone, so that the work ends.
    pub(crate) fn compact(&self, meter: &mut Meter<'_>) -> Result<Freed> {
        self.check_change()?;
        self.check_can_wait()?;
        self.check_pins()?;
        self.expire_now();
        let asked = self.newest_with_dead();
        if asked >= self.journal.oldest_unclosed() && !self.disk_is_at_floor() {
            self.begin_next_segment()?;
        }
        let before = self.counts()?;
        let frames = self.frames_up_to(asked);
        meter.expect(frames);
        let mut idle = 0;
        // The first round without work may have waited for the frames of the round before.
        while idle < 2 && self.frames_up_to(asked) > 0 {
            self.check_open()?;
            self.check_pins()?;
            let more = self.compaction_step(asked)?;
            // A few frames for each commit, so that claims still find room in the log.
            block_on(self.journal.wait(self.journal.last_used()))?;
            idle = if more { 0 } else { idle + 1 };
            meter.reach(frames.saturating_sub(self.frames_up_to(asked)));
        }
        let after = self.counts()?;
        Ok(Freed {
            segments: after.segments - before.segments,
            records: after.records - before.records,
            bytes: before.bytes.saturating_sub(after.bytes),
            is_complete: self.frames_up_to(asked) == 0,
        })
    }

    /// Ends the newest segment, so that it can go. The next one begins with a removal that removes nothing.
    fn begin_next_segment(&self) -> Result<()> {
        let now = self.now();
        let nothing =
            RecordRef::forgotten(NamespaceId(0), &[], FencingToken::FIRST, now.store_secs);
        self.journal.with_tail(Tail::end_segment);
        self.journal
            .append(&nothing, Vec::new(), None, None, now.mono_ms);
        block_on(self.journal.wait(self.journal.last_used()))
    }

    /// Counts expired records as dead, in the first minutes after open too: a caller that asks for compaction
    /// vouches for the clock.
    fn expire_now(&self) {
        let store_secs = self.time.store_secs();
        self.journal.with_tail(|tail| {
            let census = &mut tail.census;
            census.advance(store_secs.max(census.now_secs()));
        });
    }

    /// The newest segment that holds something dead; 0 for none.
    fn newest_with_dead(&self) -> u64 {
        self.journal.with_tail(|tail| {
            let segments = tail.census.segments();
            segments
                .filter(|segment| segment.holds_dead())
                .map(|segment| segment.number)
                .max()
                .unwrap_or(0)
        })
    }

    /// Frames in the segments up to one that have not been looked at.
    fn frames_up_to(&self, asked: u64) -> u64 {
        let janitor = self.compaction.janitor.lock();
        self.journal.with_tail(|tail| {
            let left = tail.census.segments();
            let left = left.take_while(|segment| segment.number <= asked);
            let frames: u64 = left.map(|segment| u64::from(segment.frames)).sum();
            let head = tail.census.oldest();
            let looked_at = head.map_or(0, |head| janitor.looked_at(head.first_frame));
            frames.saturating_sub(looked_at)
        })
    }

    fn check_pins(&self) -> Result<()> {
        if self.compaction.is_pinned() {
            let text = "a scan or a backup is under way, which reads what compaction would drop: end it first";
            return Err(Error::new(ErrorKind::InUse, text));
        }
        Ok(())
    }

    fn counts(&self) -> Result<Freed> {
        let bytes = self.journal.log().disk_bytes();
        Ok(Freed {
            segments: self.compaction.segments_dropped(),
            records: self.compaction.records_carried(),
            bytes: bytes.while_doing("looking at the disk space in use")?,
            is_complete: false,
        })
    }
}
