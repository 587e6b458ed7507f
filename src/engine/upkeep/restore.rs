//! Restore: a store in an empty log, made from a backup.

use crate::engine::audit::archive::copy_archives;
use crate::engine::tokens::{EPOCH_JUMP, next_epoch};
use crate::engine::upkeep::backup::BackedUp;
use crate::engine::upkeep::copying::copy_segments;
use crate::engine::upkeep::recovery::identity::{lost_manifest, write_new_store};
use crate::journal::format::frame::open_frame;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::recovery::{Visitor, recover};
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::meter::Meter;

const READING: &str = "reading the backup";

/// As [`Unseen`], and counts.
struct Counted<'a, 'b>(&'a mut Meter<'b>);

impl Visitor for Counted<'_, '_> {
    fn frame(&mut self, _: usize) {
        self.0.add(1);
    }
}

/// The manifest of a backup; refuses anything else.
pub(crate) fn manifest_of(backup: &dyn Log) -> Result<Manifest> {
    let bytes = backup.read_manifest().while_doing(READING)?;
    let Some(bytes) = bytes else {
        let slots = backup.read_marks().while_doing(READING)?;
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

/// The marks of a backup.
fn marks_of(backup: &dyn Log, manifest: &Manifest) -> Result<Marks> {
    let slots = backup.read_marks().while_doing(READING)?;
    let marks = Marks::newest(&slots).0;
    let own = marks.filter(|marks| marks.store_id == manifest.store_id);
    own.ok_or_else(|| {
        let text = "the marks of the backup are damaged: use another backup";
        Error::new(ErrorKind::Damaged, text)
    })
}

/// Makes a store in an empty log from a backup. The backup is read, checked and left unchanged.
pub(crate) fn restore(
    backup: &dyn Log,
    target: &dyn Log,
    meter: &mut Meter<'_>,
) -> Result<BackedUp> {
    let manifest = manifest_of(backup)?;
    let marks = marks_of(backup, &manifest)?;
    // Each frame is read twice: everything is checked before anything is written.
    meter.expect(2 * marks.durable.saturating_sub(marks.low.before));
    let found = recover(backup, &marks, &mut Counted(meter))?;
    meter.expect(2 * meter.done());
    let copied = copy_segments(backup, target, &found, &mut |frame| {
        let counts = open_frame(frame, &manifest.store_id).is_ok();
        meter.add(u64::from(counts));
        counts
    });
    copied.while_doing("restoring the backup")?;
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
