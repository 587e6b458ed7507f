//! [`MarksWriter`]: writes the marks, one slot after the other.

use std::io;

use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;

/// The marks lag behind the durable position by at most this.
const LAG_MS: u64 = 100;

/// The marks as they were written last.
///
/// Invariant: `slot` is the older of the two slots, so a write that fails loses nothing.
#[derive(Debug)]
pub(super) struct MarksWriter {
    written: Marks,
    slot: usize,
    /// When the marks fell behind; `None` while they are current.
    behind_since_ms: Option<u64>,
}

impl MarksWriter {
    pub(super) fn new(written: Marks, slot: usize) -> Self {
        Self {
            written,
            slot,
            behind_since_ms: None,
        }
    }

    /// The marks as they were written last.
    pub(super) fn written(&self) -> &Marks {
        &self.written
    }

    /// Writes the marks durably, and on success remembers them.
    pub(super) fn write(&mut self, log: &dyn Log, marks: Marks) -> io::Result<()> {
        let marks = Marks {
            generation: self.written.generation.wrapping_add(1),
            ..marks
        };
        log.write_marks(self.slot, &marks.encode())?;
        self.slot ^= 1;
        self.written = marks;
        self.behind_since_ms = None;
        Ok(())
    }

    /// Notes that the durable position has moved on.
    pub(super) fn fall_behind(&mut self, now_ms: u64) {
        self.behind_since_ms.get_or_insert(now_ms);
    }

    /// Makes them due now.
    pub(super) fn make_due(&mut self, now_ms: u64) {
        self.fall_behind(now_ms.saturating_sub(LAG_MS));
    }

    /// When they are due to be written.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.behind_since_ms
            .map(|since| since.saturating_add(LAG_MS))
    }
}
