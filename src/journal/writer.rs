//! [`Writer`]: the state of writing frames to the log, and the marks beside them.

use std::collections::VecDeque;

use crate::journal::chain_end::ChainEnd;
use crate::journal::format::marks::Marks;
use crate::journal::marks_writer::MarksWriter;
use crate::journal::tail::SealedFrame;

/// What a writer goes on from.
#[derive(Debug)]
pub(crate) struct WriterStart {
    pub(crate) marks: Marks,
    /// The slot of the marks to write next.
    pub(crate) marks_slot: usize,
    /// The last frame of the log and its checksum.
    pub(crate) last: u64,
    pub(crate) checksum: u64,
}

/// The state of writing. Only the holder of its lock writes to the log.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) marks: MarksWriter,
    /// The last frame that was written: the next one is chained to it.
    pub(super) written: ChainEnd,
    /// The last frame that is on the medium: the marks claim no later one. Invariant: it is `written`
    /// or an earlier frame.
    pub(super) synced: ChainEnd,
    pub(super) segment: Option<OpenSegment>,
    /// Full segments that the janitor has not closed yet.
    pub(super) full: Vec<FullSegment>,
    /// Frames to be written. Invariant: they follow `written` without a gap.
    pub(super) waiting: VecDeque<SealedFrame>,
    /// A commit is due, and is not done yet.
    pub(super) sync_is_due: bool,
    pub(super) unflushed_bytes: usize,
    /// When the writer looked at the free disk space last.
    pub(super) looked_ms: u64,
    pub(super) scratch: Vec<u8>,
}

/// The segment that takes frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenSegment {
    pub(super) number: u64,
    pub(super) first_frame: u64,
}

/// A segment that takes no further frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FullSegment {
    pub(crate) number: u64,
    /// The first frame of the segment after it.
    pub(crate) end_frame: u64,
}

impl Writer {
    pub(super) fn new(start: WriterStart) -> Self {
        let last = ChainEnd {
            frame: start.last,
            checksum: start.checksum,
        };
        Self {
            marks: MarksWriter::new(start.marks, start.marks_slot),
            written: last,
            synced: last,
            segment: None,
            full: Vec::new(),
            waiting: VecDeque::new(),
            sync_is_due: false,
            unflushed_bytes: 0,
            looked_ms: 0,
            scratch: Vec::new(),
        }
    }

    /// The marks as they are now; they claim nothing that is not on the medium.
    pub(super) fn current_marks(&self, store_ms: u64) -> Marks {
        Marks {
            durable: self.synced.frame,
            durable_checksum: self.synced.checksum,
            store_ms,
            ..*self.marks.written()
        }
    }

    /// The oldest segment of this run that has not been closed.
    pub(super) fn oldest_unclosed(&self) -> Option<u64> {
        let full = self.full.first().map(|segment| segment.number);
        full.or(self.segment.map(|segment| segment.number))
    }
}
