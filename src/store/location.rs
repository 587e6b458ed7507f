//! [`Location`]: where a store lies, and how the log there is opened.

use std::path::{Path, PathBuf};
#[cfg(feature = "sim")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "sim")]
use crate::journal::log::contract::Log;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::memory_log::memory_log::MemoryLog;
use crate::journal::log::open_log::OpenLog;
use crate::journal::log::raw_store::RawStore;
use crate::journal::log::read_only_log::ReadOnlyLog;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::log_kind::LogKind;

/// Where a store lies.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    Directory(PathBuf),
    /// Whether the log ends with the store; a log that the caller keeps does not.
    Memory(MemoryLog, bool),
    /// The log of a simulation, and its source of secrets.
    #[cfg(feature = "sim")]
    Simulated(Arc<dyn Log>, u64),
}

/// Opens the log in a directory; one in a new directory is of the kind `new`.
pub(crate) fn open_log(
    path: &Path,
    create: bool,
    wait_for_lock: Duration,
    new: Option<LogKind>,
) -> Result<OpenLog> {
    let options = DirectoryOptions {
        create,
        wait_for_lock,
        making: None,
    };
    OpenLog::open(path, options, new).map_err(|failure| explain(path, failure))
}

/// Opens the log in a directory read-only.
pub(crate) fn open_to_read(path: &Path, wait_for_lock: Duration) -> Result<ReadOnlyLog> {
    ReadOnlyLog::open(path, wait_for_lock).map_err(|failure| explain(path, failure))
}

/// Makes a log in a new or empty directory. Until its manifest is written, the directory says that
/// `making` was cut short there: "a restore", for example.
pub(crate) fn make_log(path: &Path, kind: LogKind, making: &'static str) -> Result<OpenLog> {
    let options = DirectoryOptions {
        create: true,
        wait_for_lock: Duration::ZERO,
        making: Some(making),
    };
    OpenLog::open(path, options, Some(kind)).map_err(|failure| explain(path, failure))
}

/// Opens the remains of a store read-only.
pub(crate) fn open_remains(path: &Path) -> Result<RawStore> {
    RawStore::open(path).map_err(|failure| explain(path, failure))
}

/// Looks at a store that another process may have open.
pub(crate) fn beside(path: &Path) -> Result<RawStore> {
    RawStore::beside(path).map_err(|failure| explain(path, failure))
}

fn explain(path: &Path, failure: OpenFailure) -> Error {
    match failure {
        OpenFailure::Locked(holder) => {
            Error::new(ErrorKind::Locked, holder.explain(path.display()))
        }
        OpenFailure::BeingRead => Error::new(
            ErrorKind::Locked,
            format!(
                "another process has {} open to read it, through an earlier version of hapax: wait until it is done, or with wait_for_lock()",
                path.display()
            ),
        ),
        OpenFailure::NotAStore(reason) => Error::new(
            ErrorKind::NotAStore,
            format!("{reason}: name the directory of a store, or a new one"),
        ),
        OpenFailure::CutShort(text) => Error::new(ErrorKind::NotAStore, text),
        OpenFailure::Io(error) => Error::io(&format!("opening {}", path.display()), error),
    }
}
