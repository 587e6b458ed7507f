//! What goes wrong between a process and its backend, as errors.

use std::error::Error as StdError;

use crate::value::error::{Error, ErrorKind};

/// The call was not sent, or was refused before it was begun: nothing happened.
#[must_use]
pub fn unavailable(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, text.into())
}

/// The call was sent, and no answer came: it may have been carried out.
#[must_use]
pub fn unknown(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unknown, text.into())
}

/// The backend refuses for good, with an error of this kind.
#[must_use]
pub fn refused(kind: ErrorKind, text: impl Into<String>) -> Error {
    Error::new(kind, text.into())
}

impl Error {
    /// The same error, with what caused it.
    #[doc(hidden)]
    #[must_use]
    pub fn caused_by(self, cause: Box<dyn StdError + Send + Sync>) -> Self {
        self.with_source(cause)
    }
}
