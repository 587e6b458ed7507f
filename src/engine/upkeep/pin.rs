//! [`Pin`]: keeps compaction away while a caller reads all of the log.

use std::sync::Arc;

use crate::engine::engine::Engine;

/// Keeps compaction away from the log for as long as it lives.
#[derive(Debug)]
#[must_use = "the log is left alone while the pin lives"]
pub(crate) struct Pin(Arc<Engine>);

impl Pin {
    pub(crate) fn hold(engine: &Arc<Engine>) -> Self {
        engine.compaction.pin();
        Self(Arc::clone(engine))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.compaction.unpin();
        self.0.journal.janitor.raise();
    }
}
