//! [`Piece`]: a frame that is whole, and its place.

use crate::journal::format::frame::FrameView;
use crate::journal::log::raw_store::RawSegment;

/// A frame that is whole, and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    pub(crate) store_secs: u32,
    pub(super) durable: u64,
    pub(crate) checksum: u64,
    pub(crate) previous: u64,
    pub(crate) segment: RawSegment,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

impl Piece {
    pub(super) fn new(view: &FrameView<'_>, segment: RawSegment, offset: u64, bytes: u32) -> Self {
        let header = &view.header;
        Self {
            number: header.number,
            epoch: header.epoch,
            store_secs: header.store_secs,
            durable: header.durable,
            checksum: view.checksum,
            previous: header.previous,
            segment,
            offset,
            bytes,
        }
    }

    /// Whether this is the frame directly before `next`.
    pub(crate) fn precedes(&self, next: &Self) -> bool {
        self.number + 1 == next.number && self.checksum == next.previous
    }
}
