//! Backup and restore: the chain of frames, copied into another log.

use std::sync::Arc;

use crate::engine::audit::archive::{CopiedArchives, copy_archives};
use crate::engine::engine::Engine;
use crate::engine::upkeep::copying::{begin_segment, end_segment};
use crate::engine::upkeep::pin::Pin;
use crate::engine::upkeep::recovery::identity::write_new_store;
use crate::journal::damage::lost;
use crate::journal::format::codec::entries;
use crate::journal::format::frame::FrameHeader;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::contract::Log;
use crate::journal::recovery::{FoundSegment, Visitor, spans};
use crate::journal::segment_stats::SegmentStats;
use crate::runtime::sync::block_on;
use crate::value::doing::Doing;
use crate::value::error::Result;
use crate::value::meter::Meter;

/// The counts of a backup or a restore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackedUp {
    pub(crate) frames: u64,
    pub(crate) audit: CopiedArchives,
}

/// A visitor of recovery that only wants its checks.
pub(in crate::engine) struct Unseen;

impl Visitor for Unseen {}

const WRITING: &str = "writing the backup";

/// A backup under way: the frames of a store, with the same numbers and payloads, chained anew.
struct NewChain<'a> {
    engine: &'a Engine,
    target: &'a dyn Log,
    store_id: [u8; 16],
    epoch: u32,
    checksum: u64,
    /// Frames that were copied.
    frames: u64,
    scratch: Vec<u8>,
}

impl NewChain<'_> {
    /// Copies the frames of a segment up to `last`.
    fn segment(&mut self, segment: FoundSegment, last: u64, meter: &mut Meter<'_>) -> Result<()> {
        let link = Link {
            store_id: self.store_id,
            segment: segment.number,
            before: segment.first_frame - 1,
            checksum: self.checksum,
        };
        begin_segment(self.target, segment, last, &link.encode()).while_doing(WRITING)?;
        for (index, number) in (0..).zip(segment.first_frame..=last) {
            self.frame(segment.number, index, number)?;
            meter.add(1);
        }
        end_segment(self.target, segment).while_doing(WRITING)
    }

    fn frame(&mut self, segment: u64, index: u32, number: u64) -> Result<()> {
        let payload = self.engine.journal.frame_bytes(number)?;
        let payload = payload.ok_or_else(|| lost(number))?;
        let header = FrameHeader {
            records: count_entries(number, &payload)?,
            store_id: self.store_id,
            number,
            epoch: self.epoch,
            store_secs: self.engine.now().store_secs,
            durable: number - 1,
            previous: self.checksum,
        };
        self.checksum = header.seal(&payload, &mut self.scratch);
        self.frames += 1;
        let written = self.target.append(segment, index, &self.scratch);
        written.while_doing(WRITING)
    }
}

impl Engine {
    /// The segments of a backup up to the frame `last`, oldest first.
    fn segments_between(&self, low: u64, last: u64) -> Vec<FoundSegment> {
        // A burial may have been under way when the pin was set.
        let counts = |stats: &&SegmentStats| stats.number >= low && stats.first_frame <= last;
        let found = |stats: &SegmentStats| FoundSegment {
            number: stats.number,
            first_frame: stats.first_frame,
        };
        self.journal
            .with_tail(|tail| tail.census.segments().filter(counts).map(found).collect())
    }

    /// Copies everything up to now into an empty log, as a backup.
    pub(crate) fn backup(
        self: &Arc<Self>,
        target: &dyn Log,
        meter: &mut Meter<'_>,
    ) -> Result<BackedUp> {
        self.check_alive()?;
        let _pin = Pin::hold(self);
        let last = self.journal.last_used();
        block_on(self.journal.wait(last))?;
        let manifest = Manifest {
            backup: true,
            ..self.namespaces.lock().manifest.clone()
        };
        let marks = self.journal.marks();
        let mut chain = NewChain {
            engine: self,
            target,
            store_id: manifest.store_id,
            epoch: marks.epoch,
            checksum: marks.low.checksum,
            frames: 0,
            scratch: Vec::new(),
        };
        meter.expect(last.saturating_sub(marks.low.before));
        for (segment, last) in spans(&self.segments_between(marks.low.segment, last), last) {
            chain.segment(segment, last, meter)?;
        }
        let audit = copy_archives(self.journal.log(), target, marks.low.segment)?;
        let marks = Marks {
            generation: 1,
            durable: marks.low.before + chain.frames,
            durable_checksum: chain.checksum,
            ..marks
        };
        write_new_store(target, &manifest, &marks)?;
        let frames = chain.frames;
        Ok(BackedUp { frames, audit })
    }
}

fn count_entries(frame: u64, payload: &[u8]) -> Result<u32> {
    entries(payload).try_fold(0, |count, entry| {
        entry.map(|_| count + 1).map_err(|_| lost(frame))
    })
}
