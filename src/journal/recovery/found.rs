//! [`FoundLog`]: where the journal ends, and what it says of the store's past.

use crate::value::audit::AuditHead;
use crate::value::locator::Locator;
use crate::value::record::Head;

/// A segment as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundSegment {
    pub(crate) number: u64,
    pub(crate) first_frame: u64,
}

/// A removal as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundRemoval {
    pub(crate) segment: u64,
    pub(crate) head: Head,
    /// The place of the record that it removes, if the key had one.
    pub(crate) removed: Option<Locator>,
    pub(crate) at: Locator,
    pub(crate) bytes: usize,
}

/// Where the journal ends, and what it says of the store's past.
#[derive(Debug)]
pub(crate) struct FoundLog {
    pub(crate) segments: Vec<FoundSegment>,
    /// The last valid frame and its checksum.
    pub(crate) last: u64,
    pub(crate) checksum: u64,
    pub(crate) epoch: u32,
    pub(crate) store_secs: u32,
    /// Frames after the last valid one, which were never acknowledged as durable.
    pub(crate) torn_frames: u64,
    /// The last audit entry that was met.
    pub(crate) audit: Option<AuditHead>,
}

impl FoundLog {
    /// Each segment, with the last of its frames that counts. A segment has none if that is before its
    /// first frame.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (FoundSegment, u64)> {
        spans(&self.segments, self.last)
    }
}

impl FoundSegment {
    /// How many frames it has up to this one.
    pub(crate) fn frames_to(&self, last: u64) -> u32 {
        u32::try_from((last + 1).saturating_sub(self.first_frame)).unwrap_or(u32::MAX)
    }
}

/// Each of some segments, with the last of its frames, where `last` is that of the newest.
pub(crate) fn spans(
    segments: &[FoundSegment],
    last: u64,
) -> impl Iterator<Item = (FoundSegment, u64)> {
    segments.iter().enumerate().map(move |(at, segment)| {
        let next = segments.get(at + 1);
        (*segment, next.map_or(last, |next| next.first_frame - 1))
    })
}
