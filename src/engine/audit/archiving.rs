//! Audit archives are written before their segment goes, and kept until everything in them has expired.

use std::io;

use crate::engine::audit::archive::{list, newest_before, read_archive, unknown_before};
use crate::engine::engine::Engine;
use crate::engine::sizes::to_u64;
use crate::journal::damage::lost;
use crate::journal::format::audit::archive::Archive;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::codec::{audits, extract_audits};
use crate::journal::segment_stats::SegmentStats;
use crate::value::audit::AuditHead;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};

impl Engine {
    /// Copies the audit entries of a segment that is about to go into an archive. Returns the last of them.
    pub(in crate::engine) fn archive(&self, segment: &SegmentStats) -> Result<Option<AuditHead>> {
        if segment.audited == 0 {
            return Ok(None);
        }
        let mut entries = Vec::new();
        for frame in segment.first_frame..segment.first_frame + u64::from(segment.frames) {
            let payload = self.journal.frame_bytes(frame)?;
            let payload = payload.ok_or_else(|| lost(frame))?;
            extract_audits(&payload, &mut entries).map_err(|_| lost(frame))?;
        }
        let last = audits(&entries).last().and_then(std::result::Result::ok);
        let Some(last) = last.map(|last| last.head) else {
            return Ok(None);
        };
        let archive = Archive {
            store_id: *self.journal.store_id(),
            segment: segment.number,
            before: self.head_before(segment.number, &entries)?,
            after: last,
            greatest_expiry: segment.audit_expiry,
            entries,
        };
        self.keep_archive(segment.number, &archive.encode())?;
        Ok(Some(last))
    }

    /// The head of the chain before the entries of a segment.
    fn head_before(&self, segment: u64, entries: &[u8]) -> Result<AuditHead> {
        let log = self.journal.log();
        let Some(newest) = newest_before(log, segment)? else {
            return Ok(genesis(self.journal.store_id()));
        };
        match read_archive(log, newest) {
            // Damaged entries stay, and `verify_audit` reports them. The store goes on.
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(unknown_before(entries)),
            archive => Ok(archive?.after),
        }
    }

    fn keep_archive(&self, segment: u64, bytes: &[u8]) -> Result<()> {
        // A crash may have come after it was written, and before its segment went.
        let there = self.journal.log().read_archive(segment);
        if there.is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let written = self.write_archive(segment, bytes);
        written.while_doing("writing an audit archive")
    }

    /// Removes the oldest archive once everything in it has expired. The newest one only loses its entries,
    /// because it says where the chain goes on. Returns when to look again.
    ///
    /// A damaged archive has no known expiry. It stays until an operator removes it, `verify_audit` reports
    /// it, and the archives after it expire as usual. If an archive cannot be read for now, nothing after it
    /// goes: otherwise the chain would have a gap once it can be read again.
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
            log.remove_archive(archive.segment)
                .while_doing("removing an audit archive")?;
            self.archive_sizes.remove(archive.segment);
            return Ok(0);
        }
        if !archive.entries.is_empty() {
            self.write_archive(archive.segment, &archive.emptied().encode())
                .while_doing("emptying an audit archive")?;
        }
        Ok(u32::MAX)
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.journal.log().write_archive(segment, bytes)?;
        self.archive_sizes.note(segment, to_u64(bytes.len()));
        Ok(())
    }

    /// The archives of segments that are gone, oldest first.
    pub(in crate::engine) fn buried_archives(&self) -> Result<Vec<u64>> {
        let low = self.journal.with_tail(|tail| {
            let oldest = tail.census.oldest();
            oldest.map_or(u64::MAX, |stats| stats.number)
        });
        let mut archives = list(self.journal.log())?;
        // The archive of a segment that still exists comes from a burial that a crash cut short.
        archives.retain(|segment| *segment < low);
        Ok(archives)
    }
}
