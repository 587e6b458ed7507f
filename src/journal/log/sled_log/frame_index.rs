//! [`FrameIndex`]: where the frames of a closed segment are, and what they were.

use std::io::{self, ErrorKind};

use xxhash_rust::xxh3::xxh3_64;

/// What is known of the frames of a closed segment.
#[derive(Debug)]
pub(super) struct FrameIndex {
    /// By frame; an entry of no bytes is absent.
    pub(super) entries: Vec<FrameEntry>,
    /// Whether the frames can be read from the file itself, without sled.
    pub(super) is_direct: bool,
}

/// One frame.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct FrameEntry {
    pub(super) hash: u64,
    /// Where in sled's file; 0 if that is not known yet.
    pub(super) offset: u32,
    pub(super) bytes: u32,
}

impl FrameEntry {
    pub(super) fn of(frame: &[u8], offset: u32) -> Self {
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        Self {
            hash: xxh3_64(frame),
            offset,
            bytes,
        }
    }
}

/// An offset in sled's file, in the form that an entry has room for.
pub(super) fn offset_in_file(offset: u64) -> io::Result<u32> {
    u32::try_from(offset).map_err(|_| io::Error::new(ErrorKind::InvalidData, "a segment of 4 GiB"))
}
