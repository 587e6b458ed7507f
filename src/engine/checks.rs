//! The checks of every call: whether the store may be used, and whether it may be changed.

use crate::engine::engine::Engine;
use crate::value::doing::Doing;
use crate::value::error::Result;

impl Engine {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.lifecycle.is_closed()
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.lifecycle.is_forked()
    }

    /// Refuses every call on a store that is closed, or in a forked child.
    #[inline]
    pub(crate) fn check_alive(&self) -> Result<()> {
        self.lifecycle.check_open()?;
        self.lifecycle.check_process()?;
        self.check_current()
    }

    /// Refuses the answer of a reader if the store was opened to write since.
    #[inline]
    pub(crate) fn check_current(&self) -> Result<()> {
        if !self.lifecycle.is_read_only() {
            return Ok(());
        }
        let current = self.journal.log().check_current();
        current.while_doing("looking whether the store is as it was")
    }

    /// As [`check_alive`](Self::check_alive), for a call that is about to wait: also in a child that
    /// was forked past the C library, and has none of the threads that would wake it.
    pub(crate) fn check_can_wait(&self) -> Result<()> {
        self.lifecycle.check_process_exactly()
    }

    /// Refuses changes of a key, under the lock of its shard. `close` takes each of these locks once
    /// it has closed the store, and commits last: what is written here before is committed.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        self.lifecycle.check_open()?;
        self.lifecycle.check_writable()?;
        self.journal.check()
    }

    /// Refuses a change before any work is done for it.
    #[inline]
    pub(crate) fn check_change(&self) -> Result<()> {
        self.check_alive()?;
        self.lifecycle.check_writable()
    }
}
