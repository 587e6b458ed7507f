//! [`FirstFailure`]: why nothing more is written to a file.

use std::io::{self, ErrorKind};
use std::sync::OnceLock;

/// The first failure of a file or segment, final once it is there.
///
/// The kernel reports a lost write once; whoever tries again is told that all is well.
#[derive(Debug, Default)]
pub(crate) struct FirstFailure(OnceLock<(ErrorKind, String)>);

impl FirstFailure {
    /// Runs `act` unless something failed before, and remembers its failure.
    pub(crate) fn guard<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.check()?;
        act().inspect_err(|error| {
            // Two threads may fail at once; either of their errors is a first one.
            let _ = self.0.set((error.kind(), error.to_string()));
        })
    }

    /// Answers the first failure, if there was one.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }
}
