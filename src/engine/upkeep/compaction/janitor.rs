//! [`Janitor`]: where compaction stands.

use std::collections::VecDeque;

use crate::journal::FullSegment;
use crate::value::error::Error;

/// The state of the compaction thread.
#[derive(Debug, Default)]
pub(in crate::engine) struct Janitor {
    pub(in crate::engine) oldest: Oldest,
    /// Full segments that could not be closed yet, and dead ones that could not be removed yet.
    pub(in crate::engine) full: VecDeque<FullSegment>,
    pub(in crate::engine) dead: VecDeque<u64>,
    /// The space in use, when it was measured last.
    pub(in crate::engine) disk_bytes: u64,
    /// Store time at which an audit archive may be due; the first look comes at once.
    pub(in crate::engine) archive_due_secs: u32,
}

/// The work on the oldest segment.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::engine) enum Oldest {
    #[default]
    Stays,
    Carrying(Carrying),
    Dying(Dying),
}

/// The result of a round of the janitor.
#[derive(Debug)]
pub(in crate::engine) enum Round {
    /// There is nothing more to do at once.
    Idle,
    More,
    /// This segment has gone, and there may be more to do.
    Buried(u64),
    /// A full segment differs from what was written.
    Broken(Error),
}

impl Round {
    pub(in crate::engine) fn more_if(is_more: bool) -> Self {
        if is_more { Self::More } else { Self::Idle }
    }
}

impl Janitor {
    /// Frames of the oldest segment that were looked at.
    pub(in crate::engine) fn looked_at(&self, first_frame: u64) -> u64 {
        match self.oldest {
            Oldest::Carrying(carrying) => carrying.next_frame.saturating_sub(first_frame),
            Oldest::Stays | Oldest::Dying(_) => 0,
        }
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
