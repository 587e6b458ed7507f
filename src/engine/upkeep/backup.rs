//! Backup and restore: the chain of frames, copied into another log.

use std::sync::Arc;

use crate::engine::audit::archive::{CopiedArchives, copy_archives};
use crate::engine::engine::Engine;
use crate::engine::upkeep::pin::Pin;
use crate::engine::upkeep::recovery::identity::write_new_store;
use crate::journal::damage::lost;
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::{WireRecord, entries};
use crate::journal::format::frame::FrameHeader;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::contract::Log;
use crate::journal::recovery::{FoundSegment, Visitor};
use crate::journal::segment_stats::SegmentStats;
use crate::runtime::sync::block_on;
use crate::value::error::{Error, Result};
use crate::value::locator::Locator;
use crate::value::meter::Meter;
use crate::value::record::Head;

/// The counts of a backup or a restore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackedUp {
    pub(crate) frames: u64,
    pub(crate) audit: CopiedArchives,
}

/// Frames of a backup: the same numbers and payloads, chained anew.
struct Chain {
    store_id: [u8; 16],
    epoch: u32,
    checksum: u64,
    scratch: Vec<u8>,
}

impl Chain {
    fn append(
        &mut self,
        target: &dyn Log,
        segment: u64,
        index: u32,
        number: u64,
        payload: &[u8],
        store_secs: u32,
    ) -> Result<()> {
        let header = FrameHeader {
            records: count_entries(number, payload)?,
            store_id: self.store_id,
            number,
            epoch: self.epoch,
            store_secs,
            durable: number - 1,
            previous: self.checksum,
        };
        self.checksum = header.seal(payload, &mut self.scratch);
        target
            .append(segment, index, &self.scratch)
            .map_err(|error| Error::io("writing the backup", error))
    }
}

/// A visitor of recovery that only wants its checks.
pub(in crate::engine) struct Unseen;

impl Visitor for Unseen {
    fn segment(&mut self, _: FoundSegment) {}

    fn frame(&mut self, _: usize) {}

    fn record(&mut self, _: u64, _: Head, _: &WireRecord<'_>, _: Locator) -> Result<()> {
        Ok(())
    }

    fn removal(&mut self, _: u64, _: Head, _: Option<Locator>, _: Locator, _: usize) {}

    fn audit(&mut self, _: u64, _: u64, _: &Facts<'_>, _: usize) {}
}

impl Engine {
    /// The existing segments, oldest first.
    fn segments_from(&self, low: u64) -> Vec<SegmentStats> {
        // A burial may have been under way when the pin was set.
        self.journal.with_tail(|tail| {
            let segments = tail.census.segments();
            segments
                .filter(|segment| segment.number >= low)
                .copied()
                .collect()
        })
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
        let mut chain = Chain {
            store_id: manifest.store_id,
            epoch: marks.epoch,
            checksum: marks.low.checksum,
            scratch: Vec::new(),
        };
        let failed = |error| Error::io("writing the backup", error);
        let segments = self.segments_from(marks.low.segment);
        let mut copied = marks.low.before;
        meter.expect(last.saturating_sub(copied));
        for (at, segment) in segments.iter().enumerate() {
            if segment.first_frame > last {
                break;
            }
            let end = segments
                .get(at + 1)
                .map_or(last, |next| (next.first_frame - 1).min(last));
            let link = Link {
                store_id: manifest.store_id,
                segment: segment.number,
                before: copied,
                checksum: chain.checksum,
            };
            let frames = u32::try_from(end + 1 - segment.first_frame).unwrap_or(u32::MAX);
            target
                .prepare(segment.number, frames)
                .and_then(|()| target.activate(segment.number, &link.encode()))
                .map_err(failed)?;
            for frame in segment.first_frame..=end {
                let Some(payload) = self.journal.frame_bytes(frame)? else {
                    return Err(lost(frame));
                };
                let index = u32::try_from(frame - segment.first_frame)
                    .expect("a segment has at most 8192 frames");
                chain.append(
                    target,
                    segment.number,
                    index,
                    frame,
                    &payload,
                    self.now().store_secs,
                )?;
                copied = frame;
                meter.add(1);
            }
            target.sync(segment.number).map_err(failed)?;
            target.seal(segment.number).map_err(failed)?;
        }
        let audit = copy_archives(self.journal.log(), target, marks.low.segment)?;
        let marks = Marks {
            generation: 1,
            durable: copied,
            durable_checksum: chain.checksum,
            ..marks
        };
        write_new_store(target, &manifest, &marks)?;
        Ok(BackedUp {
            frames: copied - marks.low.before,
            audit,
        })
    }
}

fn count_entries(frame: u64, payload: &[u8]) -> Result<u32> {
    entries(payload).try_fold(0, |count, entry| {
        entry.map(|_| count + 1).map_err(|_| lost(frame))
    })
}
