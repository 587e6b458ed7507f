//! [`Poison`]: why the store acknowledges nothing more.

use std::io;
use std::sync::OnceLock;

use crate::runtime::sync::{AtomicBool, Ordering};
use crate::value::error::{Error, ErrorKind, Result};

/// Set by the first failed write or sync, or by a close, and never cleared.
///
/// Invariant: the reason is there before the flag, so that a caller that sees the flag finds it.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// `None` if the store was closed.
    reason: OnceLock<Option<Poisoning>>,
    is_set: AtomicBool,
}

#[derive(Debug)]
struct Poisoning {
    doing: String,
    kind: io::ErrorKind,
    text: String,
}

impl Poison {
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn check(&self) -> Result<()> {
        if self.is_set() {
            Err(self.error())
        } else {
            Ok(())
        }
    }

    /// Poisons the store; returns whether this is the first reason.
    pub(super) fn fail(&self, doing: &str, error: &io::Error) -> bool {
        self.set(Some(Poisoning {
            doing: doing.to_owned(),
            kind: error.kind(),
            text: error.to_string(),
        }))
    }

    /// Notes that the store was closed.
    pub(super) fn close(&self) {
        self.set(None);
    }

    fn set(&self, reason: Option<Poisoning>) -> bool {
        let is_first = self.reason.set(reason).is_ok();
        self.is_set.store(true, Ordering::Release);
        is_first
    }

    /// What went wrong; `None` unless a failure has poisoned the store.
    pub(super) fn cause(&self) -> Option<String> {
        let failure = self.failure()?;
        Some(format!("{}: {}", failure.doing, failure.text))
    }

    fn failure(&self) -> Option<&Poisoning> {
        self.reason.get()?.as_ref()
    }

    fn error(&self) -> Error {
        let Some(failure) = self.failure() else {
            return Error::new(ErrorKind::Closed, "the store was closed: open it again");
        };
        let text = format!(
            "{}: {}; the store acknowledges nothing more, and the effect of the last changes is unknown until it is reopened",
            failure.doing, failure.text
        );
        Error::new(ErrorKind::Poisoned, text)
            .with_source(io::Error::new(failure.kind, failure.text.clone()))
    }
}
