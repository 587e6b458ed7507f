//! Restore: a store in an empty log, made from a backup.

use crate::engine::audit::archive::copy_archives;
use crate::engine::tokens::{EPOCH_JUMP, next_epoch};
use crate::engine::upkeep::backup::BackedUp;
use crate::engine::upkeep::recovery::identity::{lost_manifest, write_new_store};
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::WireRecord;
use crate::journal::format::frame::open_frame;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::recovery::{Found, FoundSegment, Visitor, recover};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::meter::Meter;
use crate::value::record::Head;

const READING: &str = "reading the backup";

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

/// The manifest of a backup; refuses anything else.
pub(crate) fn manifest_of(backup: &dyn Log) -> Result<Manifest> {
    let bytes = backup
        .read_manifest()
        .map_err(|error| Error::io(READING, error))?;
    let Some(bytes) = bytes else {
        let slots = backup
            .read_marks()
            .map_err(|error| Error::io(READING, error))?;
        // Marks are written last, except for the manifest.
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

/// Makes a store in an empty log from a backup. The backup is read, checked and left unchanged.
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
