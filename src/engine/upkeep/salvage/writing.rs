//! [`Writing`]: the new store of a salvage: its records in pieces that memory holds, and the manifest last.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::tokens::{EPOCH_JUMP, next_epoch};
use crate::engine::upkeep::recovery::identity::{first_marks, random};
use crate::journal::census::Census;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::audit::entry::Draft;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::tail::Tail;
use crate::journal::{Journal, JournalStart, WriterStart};
use crate::runtime::clock::Clock;
use crate::runtime::sync::Drive;
use crate::value::doing::Doing;
use crate::value::durability::Durability;
use crate::value::error::Result;
use crate::value::record::Record;

/// Bytes of appended records after which they are written.
const WRITE_BYTES: usize = 4 << 20;

/// A new store that is being written.
#[derive(Debug)]
pub(in crate::engine) struct Writing {
    journal: Journal,
    /// Bytes appended since the last write.
    unwritten: usize,
}

impl Writing {
    /// Begins in an empty log, under an epoch far ahead of this one.
    pub(in crate::engine) fn start(log: &Arc<dyn Log>, store_ms: u64, epoch: u32) -> Result<Self> {
        let marks = Marks {
            store_ms,
            ..first_marks(random()?)
        };
        let audit = genesis(&marks.store_id);
        let journal = Journal::new(JournalStart {
            log: Arc::clone(log),
            writer: WriterStart {
                marks,
                marks_slot: 0,
                last: 0,
                checksum: 0,
            },
            tail: Tail::new(0, 0, SEGMENT_FRAMES_MAX, audit, Census::new(0)),
            // Synced where a segment ends, and at the end: no caller waits for a part of it.
            durability: Durability::Interval(Duration::MAX),
            unwritten_limit: usize::MAX,
            write_deadline: Duration::MAX,
            drive: Drive::Clock,
            clock: Clock::system(),
            store_ms,
        });
        journal.raise_epoch(next_epoch(epoch, EPOCH_JUMP)?)?;
        let unwritten = 0;
        Ok(Self { journal, unwritten })
    }

    pub(in crate::engine) fn append(&mut self, record: &Record) -> Result<()> {
        let parts = Journal::split(&record.body);
        self.journal.append(&record.as_ref(), parts, None, None, 0);
        self.appended(record.key.len() + record.body.len() + record.metadata.len())
    }

    pub(in crate::engine) fn append_audit(&mut self, draft: &Draft) -> Result<()> {
        self.journal.append_audit(draft, 0);
        self.appended(draft.bytes())
    }

    fn appended(&mut self, bytes: usize) -> Result<()> {
        self.unwritten += bytes;
        if self.unwritten <= WRITE_BYTES {
            return Ok(());
        }
        self.unwritten = 0;
        self.commit(false)
    }

    /// Writes the appended records, and closes full segments.
    fn commit(&self, sync: bool) -> Result<()> {
        let journal = &self.journal;
        journal.commit(0, sync);
        journal.check()?;
        for segment in journal.take_full() {
            let sealed = journal.log().seal(segment.number);
            sealed.while_doing("closing a segment")?;
            drop(journal.with_tail(|tail| tail.close_below(segment.end_frame, 0)));
        }
        Ok(())
    }

    /// Marks first, the manifest last: only with a manifest is it a store. It gets an id of its own.
    pub(in crate::engine) fn finish(&self, manifest: Manifest) -> Result<()> {
        self.commit(true)?;
        let journal = &self.journal;
        let manifest = Manifest {
            store_id: *journal.store_id(),
            backup: false,
            ..manifest
        };
        // Both slots say where the log ends.
        journal.raise_epoch(journal.marks().epoch)?;
        let written = journal
            .log()
            .write_manifest(&manifest_file::encode(&manifest));
        written.while_doing("making the store")?;
        journal.close(0)
    }
}
