//! [`Pin`]: keeps compaction away from the log while something reads all of it.

use crate::engine::engine::Engine;
use crate::runtime::sync::Ordering;

/// Keeps compaction away from the log while something reads all of it.
#[derive(Debug)]
pub(in crate::engine) struct Pin<'a>(&'a Engine);

impl<'a> Pin<'a> {
    pub(in crate::engine) fn hold(engine: &'a Engine) -> Self {
        engine.hold_pin();
        Self(engine)
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.release_pin();
    }
}

impl Engine {
    /// Keeps compaction away from the log until [`release_pin`](Self::release_pin).
    pub(crate) fn hold_pin(&self) {
        self.pins.fetch_add(1, Ordering::AcqRel);
        // A step that is under way ends first; the next one sees the pin.
        drop(self.janitor.lock());
    }

    pub(crate) fn release_pin(&self) {
        self.pins.fetch_sub(1, Ordering::AcqRel);
        self.journal.janitor.raise();
    }
}
