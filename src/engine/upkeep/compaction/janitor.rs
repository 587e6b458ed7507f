//! [`Janitor`]: where compaction stands.

use std::collections::VecDeque;

use crate::journal::FullSegment;
use crate::value::error::Error;

/// The state of the compaction thread.
#[derive(Debug, Default)]
pub(crate) struct Janitor {
    pub(in crate::engine) carrying: Option<Carrying>,
    pub(in crate::engine) dying: Option<Dying>,
    /// The segment that went in this round.
    pub(in crate::engine) buried: Option<u64>,
    /// Full segments that could not be closed yet, and dead ones that could not be removed yet.
    pub(in crate::engine) full: VecDeque<FullSegment>,
    pub(in crate::engine) dead: VecDeque<u64>,
    /// A full segment is not what it was written as.
    pub(in crate::engine) broken: Option<Error>,
    /// The space in use, when it was measured last.
    pub(in crate::engine) disk_bytes: u64,
    /// Store time at which an audit archive may be due; the first look comes at once.
    pub(in crate::engine) archive_due_secs: u32,
}

impl Janitor {
    /// Frames of the oldest segment that were looked at.
    pub(in crate::engine) fn looked_at(&self, first_frame: u64) -> u64 {
        self.carrying.map_or(0, |carrying| {
            carrying.next_frame.saturating_sub(first_frame)
        })
    }
}

/// The oldest segment, whose records are looked at one after the other.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Carrying {
    pub(in crate::engine) segment: u64,
    pub(in crate::engine) next_frame: u64,
    pub(in crate::engine) end_frame: u64,
}

/// The oldest segment, in which nothing lives any more.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Dying {
    pub(in crate::engine) segment: u64,
    /// The end of the log when that was found; it has to be durable first, or a completion could
    /// be lost together with the claim that it replaced.
    pub(in crate::engine) after_frame: u64,
}
