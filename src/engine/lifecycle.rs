//! Whether a store may be used at all, and changed: closed, forked, only read, poisoned.

use crate::engine::engine::Engine;
use crate::runtime::sync::Ordering;
use crate::value::error::{Error, ErrorKind, Result};

impl Engine {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses calls that the store must not answer at all any more.
    pub(crate) fn check_alive(&self) -> Result<()> {
        if self.is_closed() {
            return Err(closed());
        }
        self.check_fork(self.is_forked())?;
        self.check_current()
    }

    /// Refuses what was read of a store that is only read and was opened to write since.
    pub(crate) fn check_current(&self) -> Result<()> {
        if !self.read_only {
            return Ok(());
        }
        let current = self.journal.log().check_current();
        current.map_err(|error| Error::io("looking whether the store is as it was", error))
    }

    /// As [`check_alive`](Self::check_alive), for a call that is about to wait: also in a child that
    /// was forked past the C library, and has none of the threads that would wake it.
    pub(crate) fn check_can_wait(&self) -> Result<()> {
        self.check_fork(self.process.has_forked_exactly())
    }

    fn check_fork(&self, forked: bool) -> Result<()> {
        if forked {
            let text = format!(
                "this process is a fork of process {}, which has the store open: open stores after forking",
                self.process.id()
            );
            return Err(Error::new(ErrorKind::Forked, text));
        }
        Ok(())
    }

    /// Refuses changes of a key, under the lock of its shard. `close` takes each of these locks once
    /// it has closed the store, and commits last: what is written here before is committed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(closed());
        }
        self.check_writable()?;
        self.journal.check()
    }

    /// Refuses a change before any work is done for it.
    pub(crate) fn check_change(&self) -> Result<()> {
        self.check_alive()?;
        self.check_writable()
    }

    /// As [`check_change`](Self::check_change), of a store that is known to be alive.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if let Some(spent) = &self.spent {
            return Err(Error::new(ErrorKind::Unsupported, spent.clone()));
        }
        if self.read_only {
            let text = "the store is open read-only, and nothing of it may change: open it without read_only(), once nobody else has it open";
            return Err(Error::new(ErrorKind::ReadOnly, text));
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.process.has_forked()
    }

    /// Makes this look like the copy of a store in a forked child, or like itself again.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self, forked: bool) {
        self.process.pretend_forked(forked);
    }

    /// As before, of a child that was forked past the C library.
    #[cfg(test)]
    pub(crate) fn pretend_forked_uncounted(&self) {
        self.process.pretend_forked_uncounted();
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed: open it again")
}
