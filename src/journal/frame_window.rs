//! [`FrameWindow`]: the newest frames, kept in memory for retries.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::format::frame::PAYLOAD_BYTES_MAX;

/// Frames whose memory is kept for later ones, at most.
const SPARE_MAX: usize = 64;

/// Frames whose memory is made ahead, at most: what is sealed while the journal thread is busy elsewhere.
const AHEAD_MAX: usize = 32;

/// The payloads of the newest complete frames.
///
/// Invariant: they are contiguous, and the last is the frame before the open one.
#[derive(Debug)]
pub(super) struct FrameWindow {
    payloads: VecDeque<Arc<Vec<u8>>>,
    /// The number of the first frame in it.
    first: u64,
    bytes: usize,
    /// Frames below this one are in closed segments, so they may leave the window.
    closed_below: u64,
    /// Memory for full frames: of those that have left the window, or made ahead.
    spare: Vec<Vec<u8>>,
    /// Full frames that came since memory was made ahead.
    lately: usize,
}

impl FrameWindow {
    /// An empty window before this frame.
    pub(super) fn before(frame: u64) -> Self {
        Self {
            payloads: VecDeque::new(),
            first: frame,
            bytes: 0,
            closed_below: frame,
            spare: Vec::new(),
            lately: 0,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, payload: Arc<Vec<u8>>) {
        self.bytes += payload.len();
        self.lately += usize::from(is_full(payload.len()));
        self.payloads.push_back(payload);
    }

    pub(super) fn get(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        let at = usize::try_from(frame.checked_sub(self.first)?).ok()?;
        self.payloads.get(at).cloned()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that frames below `frame` are in closed segments, and gives those over `keep_bytes`. To be dropped
    /// without the lock of the tail: they are a segment's, and all that memory goes back then.
    pub(super) fn close_below(&mut self, frame: u64, keep_bytes: usize) -> Vec<Arc<Vec<u8>>> {
        self.closed_below = self.closed_below.max(frame);
        let mut leaving = Vec::new();
        while self.bytes > keep_bytes && self.first < self.closed_below {
            let Some(payload) = self.payloads.pop_front() else {
                break;
            };
            self.first += 1;
            self.bytes -= payload.len();
            leaving.extend(self.keep_memory_of(payload));
        }
        leaving
    }

    /// Keeps the memory of a full frame, while there is not enough; gives the frame back otherwise.
    fn keep_memory_of(&mut self, payload: Arc<Vec<u8>>) -> Option<Arc<Vec<u8>>> {
        if !is_full(payload.len()) || self.spare.len() >= SPARE_MAX {
            return Some(payload);
        }
        // A caller that still reads the frame keeps its memory.
        self.spare.extend(Arc::into_inner(payload).map(|mut bytes| {
            bytes.clear();
            bytes
        }));
        None
    }

    /// How many frames' memory is to be made ahead: as many as came since the last call.
    pub(super) fn take_missing(&mut self) -> usize {
        let lately = std::mem::take(&mut self.lately);
        lately.min(AHEAD_MAX).saturating_sub(self.spare.len())
    }

    /// Takes memory that was made ahead.
    pub(super) fn add_spare(&mut self, memory: Vec<Vec<u8>>) {
        self.spare.extend(memory);
    }

    /// Memory for the next frame after one of this size: frames under one load have one size, and the
    /// memory of full ones is used again.
    pub(super) fn memory_like(&mut self, bytes: usize) -> Vec<u8> {
        let spare = is_full(bytes).then(|| self.spare.pop());
        spare.flatten().unwrap_or_else(|| Vec::with_capacity(bytes))
    }
}

/// Whether a frame of this size is one of many, under a load that fills frames.
#[inline]
fn is_full(bytes: usize) -> bool {
    bytes > PAYLOAD_BYTES_MAX / 2
}

/// Memory for full frames. Touched, so that the pages are there: a caller that touched them first would do
/// so under the lock of the tail, and the kernel may then let another thread run.
pub(super) fn frame_memory(frames: usize) -> Vec<Vec<u8>> {
    let touched = |_| {
        let mut memory = vec![1; PAYLOAD_BYTES_MAX];
        memory.clear();
        memory
    };
    (0..frames).map(touched).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AHEAD_MAX, FrameWindow, SPARE_MAX, frame_memory};
    use crate::journal::format::frame::PAYLOAD_BYTES_MAX;

    fn window(frames: usize, bytes: usize) -> FrameWindow {
        let mut window = FrameWindow::before(1);
        for _ in 0..frames {
            window.push(Arc::new(vec![0; bytes]));
        }
        window
    }

    #[test]
    fn as_much_memory_is_made_ahead_as_was_used_lately() {
        let mut window = window(3, PAYLOAD_BYTES_MAX);
        assert_eq!(window.take_missing(), 3);
        window.add_spare(frame_memory(3));
        assert_eq!(window.take_missing(), 0, "no frame came since");
        window.push(Arc::new(vec![0; PAYLOAD_BYTES_MAX]));
        assert_eq!(window.take_missing(), 0, "there is enough");
        let at = window.spare[2].as_ptr();
        let memory = window.memory_like(PAYLOAD_BYTES_MAX);
        assert_eq!((memory.len(), memory.as_ptr()), (0, at), "it is used");
        assert!(memory.capacity() >= PAYLOAD_BYTES_MAX);
        for _ in 0..2 * AHEAD_MAX {
            window.push(Arc::new(vec![0; PAYLOAD_BYTES_MAX]));
        }
        assert_eq!(window.take_missing(), AHEAD_MAX - 2);
    }

    /// An idle store, or one that writes little, has no such memory.
    #[test]
    fn small_frames_need_no_memory_ahead() {
        let mut window = window(100, 100);
        assert_eq!(window.take_missing(), 0);
        assert_eq!(window.memory_like(100).capacity(), 100);
    }

    #[test]
    fn frames_that_leave_are_given_back_or_their_memory_is_kept() {
        let frames = SPARE_MAX + 10;
        let mut window = window(frames, PAYLOAD_BYTES_MAX);
        let read = window.get(1);
        let leaving = window.close_below(100, PAYLOAD_BYTES_MAX);
        // The first one is still read, and the last one stays.
        assert_eq!(leaving.len(), frames - 1 - 1 - SPARE_MAX);
        assert_eq!(window.spare.len(), SPARE_MAX);
        assert_eq!(window.bytes(), PAYLOAD_BYTES_MAX);
        assert_eq!(read.map(|read| read.len()), Some(PAYLOAD_BYTES_MAX));
        assert_eq!(window.take_missing(), 0, "that is memory enough");
    }
}
