//! [`FrameStream`]: the frames of a segment, as they are met from the front of its file to the back.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind};

use crate::journal::format::frame;
use crate::journal::log::contract::SEGMENT_FRAMES_MAX;
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::sled_log::frame_index::{FrameEntry, offset_in_file};
use crate::journal::log::sled_log::messages::{self, FoundValue};

/// A pass over the frames of a segment.
pub(super) struct FrameStream<'a> {
    pub(super) path: &'a AnchoredPath,
    /// What is known of the frames that were met.
    pub(super) entries: &'a mut Vec<FrameEntry>,
    pub(super) visit: &'a mut dyn FnMut(u32, &[u8]) -> bool,
    /// Nothing has stopped it so far.
    pub(super) is_complete: bool,
}

impl FrameStream<'_> {
    /// Shows the frames in the order of the file, which is the order of their indexes; returns whether
    /// it came to the end. Shows a torn or damaged frame without its bytes, under the next index: the
    /// journal knows whether the log may end there.
    pub(super) fn run(self, db: &File) -> io::Result<bool> {
        let stream = RefCell::new(self);
        messages::each_and_torn(
            db,
            &mut |found| stream.borrow_mut().meet(found),
            &mut |rest| stream.borrow_mut().torn(rest),
        )?;
        Ok(stream.into_inner().is_complete)
    }

    fn meet(&mut self, found: &FoundValue<'_>) -> io::Result<bool> {
        let index = u32::try_from(found.key).unwrap_or(u32::MAX);
        if index >= SEGMENT_FRAMES_MAX {
            return Ok(true);
        }
        if !found.is_intact() {
            return Ok(self.show_torn());
        }
        if (index as usize) < self.entries.len() {
            let what = format!("{} holds frame {index} out of order", self.path);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        self.entries.resize(index as usize, FrameEntry::default());
        let offset = offset_in_file(found.offset)?;
        self.entries.push(FrameEntry::of(found.value, offset));
        self.is_complete = (self.visit)(index, found.value);
        Ok(self.is_complete)
    }

    /// Shows the frames that begin where there is no message.
    fn torn(&mut self, mut rest: &[u8]) -> bool {
        while let Some(at) = frame::find(rest) {
            if !self.show_torn() {
                return false;
            }
            rest = &rest[at + 1..];
        }
        self.is_complete
    }

    fn show_torn(&mut self) -> bool {
        let next = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.is_complete = (self.visit)(next, &[]);
        self.is_complete
    }
}
