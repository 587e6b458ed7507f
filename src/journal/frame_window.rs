//! [`FrameWindow`]: the newest frames, kept in memory for retries.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::format::frame::PAYLOAD_BYTES_MAX;

/// Frames whose memory is kept for later ones, at most.
const SPARE_MAX: usize = 64;

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
    /// Memory of full frames that have left the window.
    spare: Vec<Vec<u8>>,
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
        }
    }

    #[inline]
    pub(super) fn push(&mut self, payload: Arc<Vec<u8>>) {
        self.bytes += payload.len();
        self.payloads.push_back(payload);
    }

    pub(super) fn get(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        let at = usize::try_from(frame.checked_sub(self.first)?).ok()?;
        self.payloads.get(at).cloned()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that frames below `frame` are in closed segments, and drops those over `keep_bytes`.
    pub(super) fn close_below(&mut self, frame: u64, keep_bytes: usize) {
        self.closed_below = self.closed_below.max(frame);
        while self.bytes > keep_bytes && self.first < self.closed_below {
            let Some(payload) = self.payloads.pop_front() else {
                return;
            };
            self.first += 1;
            self.bytes -= payload.len();
            self.keep_memory_of(payload);
        }
    }

    fn keep_memory_of(&mut self, payload: Arc<Vec<u8>>) {
        if payload.len() > PAYLOAD_BYTES_MAX / 2 && self.spare.len() < SPARE_MAX {
            // A caller that still reads the frame keeps its memory.
            self.spare.extend(Arc::into_inner(payload).map(|mut bytes| {
                bytes.clear();
                bytes
            }));
        }
    }

    /// Memory for the next frame after one of this size: frames under one load have one size, and the
    /// memory of full ones is used again.
    pub(super) fn memory_like(&mut self, bytes: usize) -> Vec<u8> {
        let spare = (bytes > PAYLOAD_BYTES_MAX / 2).then(|| self.spare.pop());
        spare.flatten().unwrap_or_else(|| Vec::with_capacity(bytes))
    }
}
