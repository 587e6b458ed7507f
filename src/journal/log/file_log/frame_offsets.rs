//! [`FrameOffsets`]: where the frames of a segment are in its file.

use std::io::{self, ErrorKind};

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::file_log::lead::LEAD_BYTES;

/// Where the frames are.
#[derive(Clone, Default, Debug)]
pub(super) struct FrameOffsets {
    /// Of the lead of each frame, by index; 0 for a frame that is absent.
    offsets: Vec<u32>,
    /// Where the last frame ends.
    end: u32,
    /// Where the last byte ends that was not zero at the first reading.
    used: u64,
}

impl FrameOffsets {
    /// How many frames there are, absent ones before the last included.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn add(&mut self, index: u32, offset: u64, frame_bytes: usize) -> io::Result<()> {
        let small = |offset: u64| {
            u32::try_from(offset)
                .map_err(|_| io::Error::new(ErrorKind::InvalidData, "a segment of 4 GiB"))
        };
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        self.offsets.resize(at, 0);
        self.offsets.push(small(offset)?);
        self.end = small(offset + (LEAD_BYTES + frame_bytes) as u64)?;
        Ok(())
    }

    /// The offset of a frame's lead, and how many bytes there are up to the next one.
    pub(super) fn find(&self, index: u32) -> Option<(u64, usize)> {
        let at = usize::try_from(index).ok()?;
        let offset = *self.offsets.get(at).filter(|offset| **offset > 0)?;
        let mut after = self.offsets[at + 1..].iter().filter(|next| **next > 0);
        let bytes = usize::try_from(after.next().unwrap_or(&self.end) - offset).ok()?;
        Some((u64::from(offset), bytes.min(LEAD_BYTES + FRAME_BYTES_MAX)))
    }

    /// The offset of the frame at this index, 0 if it is absent; `None` behind the last one.
    pub(super) fn get(&self, at: usize) -> Option<u32> {
        self.offsets.get(at).copied()
    }

    /// The first of these indexes that has a frame.
    pub(super) fn first_in(&self, mut indexes: std::ops::Range<usize>) -> Option<usize> {
        indexes.find(|at| self.offsets[*at] > 0)
    }

    /// Notes that no frame follows, and where the last byte of the file ends that is not zero.
    pub(super) fn finish(&mut self, used: u64) {
        self.used = used;
        self.shrink();
    }

    pub(super) fn shrink(&mut self) {
        self.offsets.shrink_to_fit();
    }

    /// Where the last byte ends that was not zero; 0 if this process wrote the segment.
    pub(super) fn used(&self) -> u64 {
        self.used
    }
}
