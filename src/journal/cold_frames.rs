//! [`ColdFrames`]: a small cache of frames that were read from the log.

use std::collections::VecDeque;
use std::sync::Arc;

/// How many frames are kept.
const COLD_FRAMES_MAX: usize = 64;

/// Frames of closed segments that were read lately.
#[derive(Debug, Default)]
pub(super) struct ColdFrames {
    /// The latest at the back.
    frames: VecDeque<(u64, Arc<Vec<u8>>)>,
    /// Records that were read to answer a call: from these frames, and from the medium.
    from_these: u64,
    from_medium: u64,
}

impl ColdFrames {
    pub(super) fn get(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        self.frames
            .iter()
            .find(|(number, _)| *number == frame)
            .map(|(_, bytes)| Arc::clone(bytes))
    }

    pub(super) fn put(&mut self, frame: u64, payload: Arc<Vec<u8>>) {
        if self.frames.len() == COLD_FRAMES_MAX {
            self.frames.pop_front();
        }
        self.frames.push_back((frame, payload));
    }

    /// Counts a record that was read to answer a call.
    pub(super) fn note_read(&mut self, was_cached: bool) {
        if was_cached {
            self.from_these += 1;
        } else {
            self.from_medium += 1;
        }
    }

    /// Records that were read to answer a call: from these frames, and from the medium.
    pub(super) fn reads(&self) -> (u64, u64) {
        (self.from_these, self.from_medium)
    }
}
