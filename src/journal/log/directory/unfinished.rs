//! The note `UNFINISHED`: a copy into this directory is not whole yet, and what it is to become.

use std::io::{self, Write};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, remove_if_there, sync_directory};
use crate::journal::log::directory::layout::UNFINISHED;

/// Notes durably what is being copied into a directory.
pub(crate) fn mark(directory: &AnchoredPath, what: &str) -> io::Result<()> {
    let note = directory.join(UNFINISHED);
    let write = || {
        let mut file = note.create()?;
        file.write_all(what.as_bytes())?;
        file.sync_all()
    };
    write().naming("write", &note)?;
    sync_directory(directory)
}

/// Removes the note durably: the copy is whole.
pub(crate) fn unmark(directory: &AnchoredPath) -> io::Result<()> {
    remove_if_there(&directory.join(UNFINISHED))?;
    sync_directory(directory)
}

/// What the bytes of a note say that the copy is to become.
pub(crate) fn decode(note: &[u8]) -> String {
    let note = String::from_utf8_lossy(note);
    match note.trim() {
        // A crash may leave an empty note.
        "" => "a copy".to_owned(),
        what => what.to_owned(),
    }
}
