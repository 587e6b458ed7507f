//! The chain of the audit log, checked from end to end.

use crate::engine::audit::archive::damaged;
use crate::engine::audit::reading::AuditChunk;
use crate::engine::engine::Engine;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::codec::audits;
use crate::journal::format::marks::Archived;
use crate::value::audit::{AuditHead, AuditReport};
use crate::value::error::{Error, Result};

struct ChainCheck {
    head: Option<AuditHead>,
    genesis: AuditHead,
    noted: Option<AuditHead>,
    /// The last archived entry by the marks, until it has been compared.
    archived: Archived,
    last_archive: Option<AuditHead>,
    report: AuditReport,
    is_whole: bool,
}

impl ChainCheck {
    fn chunk(&mut self, chunk: &AuditChunk) -> Result<()> {
        if let Some((before, _)) = chunk.ends {
            if self.head.is_some_and(|head| head != before) {
                return Err(breaks(&chunk.place, before.number + 1));
            }
            self.begin(before)?;
            self.report.archives += 1;
        } else {
            self.end_of_archives()?;
        }
        for wire in audits(&chunk.bytes) {
            let wire = wire.map_err(|_| damaged(&chunk.place, "malformed"))?;
            let head = *self.head.get_or_insert(self.genesis);
            if self.report.first == 0 {
                self.report.first = head.number + 1;
            }
            if !wire.follows(&head) || wire.facts().is_err() {
                return Err(breaks(&chunk.place, head.number + 1));
            }
            self.head = Some(wire.head);
            self.report.entries += 1;
            self.report.archived += u64::from(chunk.ends.is_some());
            self.note(wire.head)?;
        }
        match chunk.ends {
            Some((_, after)) if self.head != Some(after) => {
                return Err(breaks(&chunk.place, after.number));
            }
            Some((_, after)) => self.last_archive = Some(after),
            None => {}
        }
        Ok(())
    }

    /// The archives reach the entry that the marks name. Without this check, the newest archives could be removed
    /// where no entry comes after them.
    fn end_of_archives(&mut self) -> Result<()> {
        let archived = std::mem::take(&mut self.archived);
        let Some(number) = archived.number() else {
            return Ok(());
        };
        let ends = self.last_archive.map_or(0, |last| last.number);
        if ends < number {
            let what = format!(
                "they end with entry {ends}, but entries up to {number} went into some: the newest are missing"
            );
            return Err(damaged("the audit archives", &what));
        }
        if self.last_archive.as_ref().map(Archived::at) != Some(archived) {
            return Err(breaks("the end of the audit archives", ends));
        }
        Ok(())
    }

    fn begin(&mut self, before: AuditHead) -> Result<()> {
        if self.report.first == 0 {
            self.report.first = before.number + 1;
            // Its entry is gone, and everything that is left rests on its link.
            self.note(before)?;
        }
        self.head = Some(before);
        Ok(())
    }

    fn note(&mut self, head: AuditHead) -> Result<()> {
        match self.noted {
            Some(noted) if noted.number == head.number => {
                self.noted = None;
                if noted != head {
                    return Err(damaged(
                        &format!("audit entry {}", head.number),
                        "not the entry that was noted, so it or an earlier one was changed",
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, expected: AuditHead) -> Result<AuditReport> {
        self.end_of_archives()?;
        let head = self.head.unwrap_or(self.genesis);
        if self.report.first == 0 {
            self.report.first = head.number + 1;
        }
        if self.is_whole && head.number < expected.number {
            return Err(breaks("the end of the audit log", head.number + 1));
        }
        self.report.head = head;
        match self.noted {
            // Before the oldest entry that is left: it has expired.
            Some(noted) if noted.number >= self.report.first => Err(damaged(
                &format!("audit entry {}", noted.number),
                "missing, but it was noted",
            )),
            _ => Ok(self.report),
        }
    }
}

impl Engine {
    /// Reads the whole audit log and checks its chain; `noted` is an entry whose link was written down
    /// elsewhere. A pin is held meanwhile.
    pub(crate) fn verify_audit(&self, noted: Option<AuditHead>) -> Result<AuditReport> {
        // Entries that are appended from here on may or may not be read.
        let expected = self.audit_head();
        let mut cursor = self.audit_start()?;
        let mut check = ChainCheck {
            head: None,
            genesis: genesis(self.journal.store_id()),
            noted,
            archived: self.journal.marks().archived,
            last_archive: None,
            report: AuditReport {
                entries: 0,
                archives: 0,
                archived: 0,
                first: 0,
                head: expected,
            },
            // Its last entries may be lost already.
            is_whole: !self.journal.is_poisoned(),
        };
        while let Some(chunk) = self.audit_chunk(&mut cursor)? {
            check.chunk(&chunk)?;
        }
        check.finish(expected)
    }
}

fn breaks(place: &str, number: u64) -> Error {
    let what = format!(
        "where entry {number} does not follow the one before it: an entry was changed, moved or taken out"
    );
    damaged(place, &what)
}
