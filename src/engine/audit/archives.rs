//! Audit archives: what the log lets go of, segment by segment, and for how long it is kept.

use std::collections::BTreeMap;
use std::io;

use crate::engine::audit::reading::damaged;
use crate::engine::{Engine, to_u64};
use crate::journal::damage::lost;
use crate::journal::format::audit::archive::Archive;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::{audits, extract_audits};
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::segment_stats::SegmentStats;
use crate::runtime::sync::Mutex;
use crate::value::audit::AuditHead;
use crate::value::error::{Error, ErrorKind, Result};

/// The bytes of each archive, so that nobody has to ask the file system for them.
#[derive(Debug)]
pub(in crate::engine) struct ArchiveSizes(Mutex<BTreeMap<u64, u64>>);

impl ArchiveSizes {
    pub(in crate::engine) fn measure(log: &dyn Log) -> Result<Self> {
        let sizes = log.archive_sizes();
        let sizes = sizes.map_err(|error| Error::io("measuring the audit archives", error))?;
        Ok(Self(Mutex::new(sizes.into_iter().collect())))
    }

    pub(in crate::engine) fn bytes(&self) -> u64 {
        self.0.lock().values().sum()
    }
}

/// What became of the audit entries of a segment.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Moved {
    /// It has none.
    Nothing,
    /// They are in an archive, up to this one.
    UpTo(AuditHead),
}

impl Engine {
    /// Copies the audit entries of a segment that is about to go into an archive.
    pub(in crate::engine) fn archive(&self, segment: &SegmentStats) -> Result<Moved> {
        if segment.audited == 0 {
            return Ok(Moved::Nothing);
        }
        let mut entries = Vec::new();
        for frame in segment.first_frame..segment.first_frame + u64::from(segment.frames) {
            let payload = self.journal.frame_bytes(frame)?;
            let payload = payload.ok_or_else(|| lost(frame))?;
            extract_audits(&payload, &mut entries).map_err(|_| lost(frame))?;
        }
        let last = audits(&entries).last().and_then(std::result::Result::ok);
        let Some(last) = last.map(|last| last.head) else {
            return Ok(Moved::Nothing);
        };
        let log = self.journal.log();
        let before = match newest_before(log, segment.number)? {
            None => genesis(self.journal.store_id()),
            Some(newest) => match read_archive(log, newest) {
                // What is damaged stays, and `verify_audit` tells of it. A store does not end for it.
                Err(error) if error.kind() == ErrorKind::Damaged => unknown_before(&entries),
                archive => archive?.after,
            },
        };
        let archive = Archive {
            store_id: *self.journal.store_id(),
            segment: segment.number,
            before,
            after: last,
            greatest_expiry: segment.audit_expiry,
            entries,
        }
        .encode();
        // A crash may have come after it was written, and before its segment went.
        if log
            .read_archive(segment.number)
            .is_ok_and(|there| there == archive)
        {
            return Ok(Moved::UpTo(last));
        }
        let written = self.write_archive(segment.number, &archive);
        written.map_err(|error| Error::io("writing an audit archive", error))?;
        Ok(Moved::UpTo(last))
    }

    /// Removes the oldest archive once everything in it has expired. The newest one only loses its
    /// entries: it says where the chain goes on. Gives when to look again.
    ///
    /// Of a damaged one nobody knows when it expires. It stays until an operator takes it away, and
    /// holds up none of the others: `verify_audit` tells of it. Past one that only could not be read
    /// nothing goes, or the chain would have a gap once it can be read again.
    pub(in crate::engine) fn expire_archive(&self, expired_secs: u32) -> Result<u32> {
        let log = self.journal.log();
        let archives = self.buried_archives()?;
        let mut opened = archives.iter().map(|&segment| read_archive(log, segment));
        let is_damaged = |error: &Error| error.kind() == ErrorKind::Damaged;
        let whole = opened.find(|archive| !archive.as_ref().is_err_and(is_damaged));
        let Some(Ok(archive)) = whole else {
            return Ok(u32::MAX);
        };
        if archive.greatest_expiry > expired_secs {
            return Ok(archive.greatest_expiry);
        }
        if archives.last() != Some(&archive.segment) {
            let removed = log.remove_archive(archive.segment);
            removed.map_err(|error| Error::io("removing an audit archive", error))?;
            self.archive_sizes.0.lock().remove(&archive.segment);
            return Ok(0);
        }
        if !archive.entries.is_empty() {
            let emptied = self.write_archive(archive.segment, &archive.emptied().encode());
            emptied.map_err(|error| Error::io("emptying an audit archive", error))?;
        }
        Ok(u32::MAX)
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.journal.log().write_archive(segment, bytes)?;
        let mut sizes = self.archive_sizes.0.lock();
        sizes.insert(segment, to_u64(bytes.len()));
        Ok(())
    }

    /// The archives of segments that are gone, oldest first.
    pub(super) fn buried_archives(&self) -> Result<Vec<u64>> {
        let low = self.journal.with_tail(|tail| {
            let oldest = tail.census.oldest();
            oldest.map_or(u64::MAX, |stats| stats.number)
        });
        let mut archives = list(self.journal.log())?;
        // One of a segment that is still there comes from a burial that a crash cut short.
        archives.retain(|segment| *segment < low);
        Ok(archives)
    }
}

/// The head before entries of which nobody knows what they follow: no entry has such a link.
fn unknown_before(entries: &[u8]) -> AuditHead {
    let first = audits(entries).next().and_then(std::result::Result::ok);
    AuditHead {
        number: first.map_or(0, |wire| wire.head.number.saturating_sub(1)),
        link: [0; 32],
    }
}

fn list(log: &dyn Log) -> Result<Vec<u64>> {
    log.archives()
        .map_err(|error| Error::io("listing the audit archives", error))
}

pub(in crate::engine) fn read_archive(log: &dyn Log, segment: u64) -> Result<Archive> {
    let bytes = log
        .read_archive(segment)
        .map_err(|error| Error::io("reading an audit archive", error))?;
    open_archive(segment, &bytes)
}

fn open_archive(segment: u64, bytes: &[u8]) -> Result<Archive> {
    let place = format!("audit archive {segment:016x}");
    match Archive::decode(bytes) {
        Ok(archive) if archive.segment == segment => Ok(archive),
        Err(BadRecord::UnknownKind(_)) => {
            let text = format!("{place}: written by a newer version of hapax: use that version");
            Err(Error::new(ErrorKind::Unsupported, text))
        }
        _ => Err(damaged(&place, "it is not whole")),
    }
}

/// The newest archive of a segment before this one.
fn newest_before(log: &dyn Log, before: u64) -> Result<Option<u64>> {
    let archives = list(log)?;
    Ok(archives.into_iter().rev().find(|segment| *segment < before))
}

/// Where the audit log goes on after open: behind its last entry, wherever that lies. Where the
/// archive that it went into is damaged or missing, the numbers go on, under a link that shows it.
pub(in crate::engine) fn resume(
    log: &dyn Log,
    marks: &Marks,
    last: Option<AuditHead>,
) -> Result<AuditHead> {
    if let Some(last) = last {
        return Ok(last);
    }
    let archived = marks.archived.number();
    let unknown = archived.map(|number| AuditHead {
        number,
        link: [0; 32],
    });
    let newest = newest_before(log, marks.low.segment)?;
    let after = match newest.map(|newest| read_archive(log, newest)) {
        None => genesis(&marks.store_id),
        Some(Ok(archive)) => archive.after,
        Some(Err(error)) if error.kind() == ErrorKind::Damaged => return unknown.ok_or(error),
        Some(Err(error)) => return Err(error),
    };
    Ok(unknown
        .filter(|unknown| unknown.number > after.number)
        .unwrap_or(after))
}

/// Archives that were copied into another log.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct CopiedArchives {
    pub(crate) archives: u64,
    /// Those among them that are not whole, and those that could not be read at all.
    pub(crate) damaged: u64,
}

/// Copies every archive of a segment below `low` into another log, byte for byte: one that is
/// damaged is evidence still, and no reason to go without a backup of all else.
pub(in crate::engine) fn copy_archives(
    from: &dyn Log,
    to: &dyn Log,
    low: u64,
) -> Result<CopiedArchives> {
    let mut copied = CopiedArchives::default();
    for segment in list(from)?.into_iter().filter(|segment| *segment < low) {
        let Ok(bytes) = from.read_archive(segment) else {
            copied.damaged += 1;
            continue;
        };
        copied.archives += 1;
        let opened = open_archive(segment, &bytes);
        let is_damaged = opened.is_err_and(|error| error.kind() == ErrorKind::Damaged);
        copied.damaged += u64::from(is_damaged);
        let written = to.write_archive(segment, &bytes);
        written.map_err(|error| Error::io("copying an audit archive", error))?;
    }
    Ok(copied)
}
