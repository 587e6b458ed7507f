//! [`OpenFailure`]: why a store could not be opened.

use std::fmt::{self, Display};
use std::io;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::holder::StoreHolder;

/// Why a store could not be opened.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// Another handle, of this or another process, has it open.
    Locked(StoreHolder),
    /// A reader has it open, and a writer would change it under that reader.
    BeingRead,
    /// The path is something else; nothing in it was changed.
    NotAStore(String),
    /// It holds a copy that is not whole; nothing in it was changed.
    CutShort(String),
    /// Anything else.
    Io(io::Error),
}

impl OpenFailure {
    /// A directory holds an unfinished copy that was to become `what`.
    pub(crate) fn cut_short(directory: &AnchoredPath, what: &str) -> Self {
        Self::CutShort(format!(
            "{directory} holds {what} that was cut short, and is not whole: run that again, or remove the directory"
        ))
    }
}

impl From<io::Error> for OpenFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(holder) => f.write_str(&holder.explain("the store")),
            Self::BeingRead => write!(f, "the store is open elsewhere for reading"),
            Self::NotAStore(reason) | Self::CutShort(reason) => f.write_str(reason),
            Self::Io(error) => error.fmt(f),
        }
    }
}
