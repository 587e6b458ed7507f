//! [`Lifecycle`]: whether a store is open, in which process, and whether it may be changed.

use crate::runtime::process::Process;
use crate::runtime::sync::{AtomicBool, Ordering};
use crate::value::error::{Error, ErrorKind, Result};

/// Whether a store may be changed.
#[derive(Debug)]
pub(in crate::engine) enum Access {
    Full,
    ReadOnly,
    /// It was opened to write, and has run out of numbers. The text is the error that tells which.
    Spent(String),
}

/// Whether a store is open, in which process, and whether it may be changed.
#[derive(Debug)]
pub(in crate::engine) struct Lifecycle {
    /// The process that opened the store.
    pub(in crate::engine) process: Process,
    closed: AtomicBool,
    access: Access,
    /// Whether the manifest says that losses of a salvage are not accepted: at-most-once namespaces then grant
    /// nothing.
    salvaged: AtomicBool,
}

impl Lifecycle {
    pub(in crate::engine) fn new(access: Access, salvaged: bool) -> Self {
        Self {
            process: Process::this(),
            closed: AtomicBool::new(false),
            access,
            salvaged: AtomicBool::new(salvaged),
        }
    }

    #[inline]
    pub(in crate::engine) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the store; false if it was closed before.
    pub(in crate::engine) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    #[inline]
    pub(in crate::engine) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(
                ErrorKind::Closed,
                "the store was closed: open it again",
            ));
        }
        Ok(())
    }

    #[inline]
    pub(in crate::engine) fn is_forked(&self) -> bool {
        self.process.has_forked()
    }

    /// Refuses calls in a forked child.
    #[inline]
    pub(in crate::engine) fn check_process(&self) -> Result<()> {
        self.refuse_fork(self.is_forked())
    }

    /// As [`check_process`](Self::check_process), also in a child that was forked past the C library.
    pub(in crate::engine) fn check_process_exactly(&self) -> Result<()> {
        self.refuse_fork(self.process.has_forked_exactly())
    }

    #[inline]
    fn refuse_fork(&self, forked: bool) -> Result<()> {
        if forked {
            let text = format!(
                "this process is a fork of process {}, which has the store open: open stores after forking",
                self.process.id()
            );
            return Err(Error::new(ErrorKind::Forked, text));
        }
        Ok(())
    }

    /// Whether changes are refused, for any reason.
    #[inline]
    pub(in crate::engine) fn is_read_only(&self) -> bool {
        !matches!(self.access, Access::Full)
    }

    #[inline]
    pub(in crate::engine) fn check_writable(&self) -> Result<()> {
        match &self.access {
            Access::Full => Ok(()),
            Access::Spent(spent) => Err(Error::new(ErrorKind::Unsupported, spent.clone())),
            Access::ReadOnly => Err(Error::new(
                ErrorKind::ReadOnly,
                "the store is open read-only, and nothing of it may change: close its other handles, then open it without read_only()",
            )),
        }
    }

    /// Whether it was salvaged with losses that are not accepted.
    #[inline]
    pub(in crate::engine) fn is_salvaged(&self) -> bool {
        // Acquire pairs with the release below: a thread that sees the acceptance finds it durable.
        self.salvaged.load(Ordering::Acquire)
    }

    /// Notes that the manifest accepts the losses of a salvage.
    pub(in crate::engine) fn accept_salvage(&self) {
        self.salvaged.store(false, Ordering::Release);
    }
}
