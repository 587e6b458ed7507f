//! Audit archives: the entries of segments that are gone, segment by segment.

use crate::journal::format::audit::archive::Archive;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::audits;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::value::audit::AuditHead;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};

/// Archives that were copied into another log.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct CopiedArchives {
    pub(crate) archives: u64,
    /// The archives that are not whole, and those that could not be read at all.
    pub(crate) damaged: u64,
}

/// The head before entries with an unknown predecessor: no entry has such a link.
pub(in crate::engine) fn unknown_before(entries: &[u8]) -> AuditHead {
    let first = audits(entries).next().and_then(std::result::Result::ok);
    AuditHead {
        number: first.map_or(0, |wire| wire.head.number.saturating_sub(1)),
        link: [0; 32],
    }
}

pub(in crate::engine) fn list(log: &dyn Log) -> Result<Vec<u64>> {
    log.archives().while_doing("listing the audit archives")
}

pub(in crate::engine) fn read_archive(log: &dyn Log, segment: u64) -> Result<Archive> {
    let bytes = log.read_archive(segment);
    open_archive(segment, &bytes.while_doing("reading an audit archive")?)
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
pub(in crate::engine) fn newest_before(log: &dyn Log, before: u64) -> Result<Option<u64>> {
    let archives = list(log)?;
    Ok(archives.into_iter().rev().find(|segment| *segment < before))
}

/// Where the audit log goes on after open: behind its last entry, in the log or in an archive. If that
/// archive is damaged or missing, the numbers go on, under a link that shows it.
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

/// Copies every archive of a segment below `low` into another log, byte for byte. A damaged archive is
/// evidence too, and must not prevent a backup of the rest.
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
        to.write_archive(segment, &bytes)
            .while_doing("copying an audit archive")?;
    }
    Ok(copied)
}

pub(in crate::engine) fn damaged(place: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "{place}: {what}; the audit log cannot be relied on from there: compare it with a backup or an export"
        ),
    )
}
