//! Calls into sled, which answers many failures with a panic.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::named;

/// Calls sled, and turns its errors and panics into errors that say what was being done.
pub(super) fn guarded<T>(
    doing: &str,
    path: &AnchoredPath,
    panicked: ErrorKind,
    act: impl FnOnce() -> sled::Result<T>,
) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(|error| named(&translate(error), doing, path)),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("no message");
            Err(named(
                &io::Error::new(panicked, format!("sled panicked: {text}")),
                doing,
                path,
            ))
        }
    }
}

fn translate(error: sled::Error) -> io::Error {
    match error {
        // sled hides the kind of the one error that is worth a retry.
        sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock") => {
            io::Error::new(ErrorKind::WouldBlock, error)
        }
        sled::Error::Io(error) => error,
        sled::Error::Corruption { .. } => io::Error::new(ErrorKind::InvalidData, error),
        other => io::Error::other(other),
    }
}

pub(super) fn is_locked(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
