//! [`FirstFailure`]: why nothing more is written to a file.

use std::io::{self, ErrorKind};
use std::sync::OnceLock;

/// The first failure of a file or segment, which is final.
///
/// The kernel reports a lost write only once: a retry would seem to succeed.
#[derive(Debug, Default)]
pub(crate) struct FirstFailure(OnceLock<(ErrorKind, String)>);

impl FirstFailure {
    /// Runs `act` unless an earlier call has failed, and remembers its failure.
    pub(crate) fn guard<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.check()?;
        act().inspect_err(|error| self.note(error))
    }

    /// Remembers a failure. If two threads fail at once, either may count as the first.
    pub(crate) fn note(&self, error: &io::Error) {
        let _ = self.0.set((error.kind(), error.to_string()));
    }

    /// Returns the first failure as an error, if there was one.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }
}
