//! Backup and restore: the chain of frames, copied into another log.

use crate::engine::audit::{CopiedArchives, copy_archives};
use crate::engine::upkeep::recovery::identity::{lost_manifest, write_new_store};
use crate::engine::{EPOCH_JUMP, Engine, next_epoch};
use crate::journal::damage::lost;
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::{WireRecord, entries};
use crate::journal::format::frame::{FrameHeader, open_frame};
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::contract::Log;
use crate::journal::recovery::{Found, FoundSegment, Visitor, recover};
use crate::journal::segment_stats::SegmentStats;
use crate::runtime::sync::{Ordering, block_on};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::progress::Meter;
use crate::value::record::Head;

/// What a backup, or a restore, copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackedUp {
    pub(crate) frames: u64,
    pub(crate) audit: CopiedArchives,
}

/// Keeps compaction away from the log while something reads all of it.
#[derive(Debug)]
pub(in crate::engine) struct Pin<'a>(&'a Engine);

impl<'a> Pin<'a> {
    pub(in crate::engine) fn hold(engine: &'a Engine) -> Self {
        engine.hold_pin();
        Self(engine)
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.release_pin();
    }
}

impl Engine {
    /// Keeps compaction away from the log until [`release_pin`](Self::release_pin).
    pub(crate) fn hold_pin(&self) {
        self.pins.fetch_add(1, Ordering::AcqRel);
        // A step that is under way ends first; the next one sees the pin.
        drop(self.janitor.lock());
    }

    pub(crate) fn release_pin(&self) {
        self.pins.fetch_sub(1, Ordering::AcqRel);
        self.journal.janitor.raise();
    }

    /// The segments that are there, oldest first.
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
    pub(crate) fn backup(&self, target: &dyn Log, meter: &mut Meter<'_>) -> Result<BackedUp> {
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

fn count_entries(frame: u64, payload: &[u8]) -> Result<u32> {
    entries(payload).try_fold(0, |count, entry| {
        entry.map(|_| count + 1).map_err(|_| lost(frame))
    })
}

const READING: &str = "reading the backup";

/// The manifest of a backup; refuses what is none.
pub(crate) fn manifest_of(backup: &dyn Log) -> Result<Manifest> {
    let bytes = backup
        .read_manifest()
        .map_err(|error| Error::io(READING, error))?;
    let Some(bytes) = bytes else {
        let slots = backup
            .read_marks()
            .map_err(|error| Error::io(READING, error))?;
        // Marks are written last but for the manifest.
        if Marks::newest(&slots).0.is_some() {
            return Err(lost_manifest());
        }
        let text = "there is no finished backup in this directory: check the path";
        return Err(Error::new(ErrorKind::NotAStore, text));
    };
    let manifest = manifest_file::decode(&bytes)?;
    if !manifest.backup {
        let text = "this is a store, not a backup: open it, or make a backup of it first";
        return Err(Error::new(ErrorKind::NotAStore, text));
    }
    Ok(manifest)
}

/// Makes a store in an empty log out of a backup. The backup is read, checked and left alone.
pub(crate) fn restore(
    backup: &dyn Log,
    target: &dyn Log,
    meter: &mut Meter<'_>,
) -> Result<BackedUp> {
    let manifest = manifest_of(backup)?;
    let slots = backup
        .read_marks()
        .map_err(|error| Error::io(READING, error))?;
    let damaged = || {
        Error::new(
            ErrorKind::Damaged,
            "the marks of the backup are damaged: take another backup",
        )
    };
    let marks = Marks::newest(&slots)
        .0
        .filter(|marks| marks.store_id == manifest.store_id)
        .ok_or_else(damaged)?;
    // Each frame is read twice: everything is checked before anything is written.
    meter.expect(2 * marks.durable.saturating_sub(marks.low.before));
    let found = recover(backup, &marks, &mut Counted(meter))?;
    meter.expect(2 * meter.done());
    copy_segments(backup, target, &found, &manifest.store_id, meter)?;
    let audit = copy_archives(backup, target, marks.low.segment)?;
    let frames = found.last - marks.low.before;
    let epoch = next_epoch(found.epoch, EPOCH_JUMP)?;
    write_new_store(
        target,
        &Manifest {
            backup: false,
            ..manifest
        },
        &Marks {
            generation: 1,
            epoch,
            ..marks
        },
    )?;
    Ok(BackedUp { frames, audit })
}

fn copy_segments(
    from: &dyn Log,
    to: &dyn Log,
    found: &Found,
    store_id: &[u8; 16],
    meter: &mut Meter<'_>,
) -> Result<()> {
    let failed = |error| Error::io("restoring the backup", error);
    for (segment, last) in found.spans() {
        let link = from.read_link(segment.number).map_err(failed)?;
        to.prepare(segment.number, segment.frames_to(last))
            .and_then(|()| to.activate(segment.number, &link))
            .map_err(failed)?;
        let mut result = Ok(());
        let read = from.read_all(segment.number, &mut |index, bytes| {
            let counts = open_frame(bytes, store_id).is_ok_and(|view| view.header.number <= last);
            if counts {
                result = to.append(segment.number, index, bytes);
                meter.add(1);
            }
            counts && result.is_ok()
        });
        read.and(result)
            .and_then(|()| to.sync(segment.number))
            .and_then(|()| to.seal(segment.number))
            .map_err(failed)?;
    }
    Ok(())
}

/// As [`Unseen`], and counts.
struct Counted<'a, 'b>(&'a mut Meter<'b>);

impl Visitor for Counted<'_, '_> {
    fn audit(&mut self, _: u64, _: u64, _: &Facts<'_>, _: usize) {}

    fn segment(&mut self, _: FoundSegment) {}

    fn frame(&mut self, _: usize) {
        self.0.add(1);
    }

    fn record(&mut self, _: u64, _: Head, _: &WireRecord<'_>, _: Locator) -> Result<()> {
        Ok(())
    }

    fn removal(&mut self, _: u64, _: Head, _: Option<Locator>, _: Locator, _: usize) {}
}

/// Recovery for the sake of its checks alone.
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
