//! [`Doing`]: says what a failed call of the log or the system was for.

use std::io;

use crate::value::error::{Error, Result};

/// A result of the log or the system, whose error does not say yet what the call was for.
pub(crate) trait Doing<T> {
    /// The same result, with an error that names the work.
    fn while_doing(self, doing: &str) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn while_doing(self, doing: &str) -> Result<T> {
        self.map_err(|error| Error::io(doing, error))
    }
}
