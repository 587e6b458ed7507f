//! [`Workers`]: the threads of an engine, for the code that starts and ends them.

use crate::runtime::sync::{AtomicUsize, JoinHandle, Mutex, Ordering, Signal};
use crate::value::error::Result;

/// The threads of an engine.
#[derive(Debug, Default)]
pub(in crate::engine) struct Workers {
    handles: Mutex<Vec<JoinHandle<()>>>,
    running: AtomicUsize,
    /// Raised by each that ends.
    pub(in crate::engine) ended: Signal,
    /// The result of closing the journal.
    closed: Mutex<Option<Result<()>>>,
}

impl Workers {
    pub(in crate::engine) fn keep(&self, handle: JoinHandle<()>) {
        self.handles.lock().push(handle);
    }

    pub(in crate::engine) fn take_handles(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.handles.lock())
    }

    pub(in crate::engine) fn running(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }

    /// One more is about to run.
    pub(in crate::engine) fn enter(&self) {
        self.running.fetch_add(1, Ordering::AcqRel);
    }

    /// A worker has ended, or has never run.
    pub(in crate::engine) fn leave(&self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }

    pub(in crate::engine) fn note_closed(&self, closed: Result<()>) {
        *self.closed.lock() = Some(closed);
    }

    pub(in crate::engine) fn take_closed(&self) -> Option<Result<()>> {
        self.closed.lock().take()
    }
}
