//! Reading the audit log, and checking its chain.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::audit::archive::{damaged, read_archive};
use crate::engine::engine::Engine;
use crate::engine::list::scan::ScanCursor;
use crate::journal::damage::lost;
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::audits;
use crate::value::audit::AuditHead;
use crate::value::error::Result;

/// A place in the audit log.
#[derive(Debug)]
pub(crate) struct AuditCursor {
    archives: VecDeque<u64>,
    pub(crate) frames: ScanCursor,
}

/// A run of entries.
#[derive(Debug)]
pub(crate) struct AuditChunk {
    pub(in crate::engine) place: String,
    /// For an archive, the chain before and after it.
    pub(in crate::engine) ends: Option<(AuditHead, AuditHead)>,
    pub(in crate::engine) bytes: Arc<Vec<u8>>,
}

impl AuditChunk {
    /// Shows every entry, with its number.
    pub(crate) fn each(&self, mut visit: impl FnMut(u64, Facts<'_>)) -> Result<()> {
        for wire in audits(&self.bytes) {
            let facts = wire.and_then(|wire| Ok((wire.head.number, wire.facts()?)));
            let (number, facts) = facts.map_err(|_| damaged(&self.place, "malformed"))?;
            visit(number, facts);
        }
        Ok(())
    }
}

impl Engine {
    /// The last audit entry.
    pub(crate) fn audit_head(&self) -> AuditHead {
        self.journal.with_tail(|tail| tail.audit())
    }

    /// Where a reader of the audit log begins and ends. A pin is held meanwhile.
    pub(crate) fn audit_start(&self) -> Result<AuditCursor> {
        self.check_alive()?;
        let archives = self.buried_archives()?.into();
        let mut frames = self.scan_start();
        if self.journal.is_poisoned() {
            frames.end_frame = frames.end_frame.min(self.journal.durable());
        }
        Ok(AuditCursor { archives, frames })
    }

    /// The next archive or frame that has entries; `None` at the end.
    pub(crate) fn audit_chunk(&self, cursor: &mut AuditCursor) -> Result<Option<AuditChunk>> {
        if let Some(segment) = cursor.archives.pop_front() {
            let archive = read_archive(self.journal.log(), segment)?;
            return Ok(Some(AuditChunk {
                place: format!("audit archive {segment:016x}"),
                ends: Some((archive.before, archive.after)),
                bytes: Arc::new(archive.entries),
            }));
        }
        let Some(frame) = cursor.frames.take() else {
            return Ok(None);
        };
        let bytes = self.journal.frame_bytes(frame)?;
        Ok(Some(AuditChunk {
            place: format!("frame {frame}"),
            ends: None,
            bytes: bytes.ok_or_else(|| lost(frame))?,
        }))
    }
}
