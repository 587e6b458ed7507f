//! [`Reserve`]: disk space that is kept for recovery on a full disk.

use std::io::{self, Write};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, is_full, remove_if_there, sync_directory};
use crate::journal::log::directory::layout::RESERVE;
use crate::runtime::sync::Mutex;

/// Bytes written to the reserve at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A file that occupies the space.
#[derive(Debug)]
pub(crate) struct Reserve {
    directory: AnchoredPath,
    /// Held while the reserve is taken or given back.
    changing: Mutex<()>,
}

impl Reserve {
    /// The reserve of the store in a directory.
    pub(crate) fn of(directory: &AnchoredPath) -> Self {
        Self {
            directory: directory.clone(),
            changing: Mutex::new(()),
        }
    }

    /// Holds at least this many bytes, or as many as before if the disk is full; 0 gives all back.
    pub(crate) fn hold(&self, bytes: u64) -> io::Result<()> {
        let _guard = self.changing.lock();
        let file = self.directory.join(RESERVE);
        if bytes > 0 {
            match grow(&file, bytes) {
                Err(error) if is_full(&error) => {}
                result => result.naming("reserve", &file)?,
            }
        } else {
            remove_if_there(&file)?;
        }
        sync_directory(&self.directory)
    }
}

/// Writes the missing bytes of the reserve: a length alone would hold no space.
fn grow(path: &AnchoredPath, bytes: u64) -> io::Result<()> {
    let mut file = path.open_to_append()?;
    let there = file.metadata()?.len();
    if there >= bytes {
        return Ok(());
    }
    let chunk = vec![0xA5; CHUNK_BYTES];
    let mut write = || {
        let mut left = bytes - there;
        while left > 0 {
            let next = left.min(CHUNK_BYTES as u64);
            file.write_all(&chunk[..usize::try_from(next).unwrap_or(CHUNK_BYTES)])?;
            left -= next;
        }
        file.sync_all()
    };
    write().inspect_err(|_| {
        // A part of the reserve is useless, and in the way on a full disk.
        let _ = file.set_len(there);
    })
}
