//! [`ReadOnlyDirectory`]: the directory of a store, opened so that not a byte of it changes.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::archives::Archives;
use crate::journal::log::directory::contents::{self, Contents};
use crate::journal::log::directory::files::{FileResult, read_if_there};
use crate::journal::log::directory::holder::StoreHolder;
use crate::journal::log::directory::layout::{LOGKIND, MANIFEST, MARKS, SEGMENTS, UNFINISHED};
use crate::journal::log::directory::lock::Lock;
use crate::journal::log::directory::marks_file::read_slot;
use crate::journal::log::directory::open_failure::OpenFailure;

/// A directory that is only read.
#[derive(Debug)]
pub(crate) struct ReadOnlyDirectory {
    path: AnchoredPath,
    segments: AnchoredPath,
    pub(crate) archives: Archives,
    /// Held as long as this lives; `None` if there is no file to lock, or nothing is to be locked.
    _lock: Option<Lock>,
}

impl ReadOnlyDirectory {
    /// Takes the lock, if there is one, without writing to it. The directory may hold anything that is
    /// left of a store.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenFailure> {
        let path = find(path)?;
        let lock = Lock::take_without_writing(&path)?;
        Ok(Self::of(path, lock))
    }

    /// Waits for a process that writes, and takes no lock: a later writer need not wait for this reader.
    pub(crate) fn share(path: &Path, wait_for_lock: Duration) -> Result<Self, OpenFailure> {
        let path = find_store(path)?;
        Lock::check(&path, wait_for_lock)?;
        Ok(Self::of(path, None))
    }

    /// Takes no lock, and checks for none: a process that has the store open goes on.
    pub(crate) fn beside(path: &Path) -> Result<Self, OpenFailure> {
        Ok(Self::of(find_store(path)?, None))
    }

    fn of(path: AnchoredPath, lock: Option<Lock>) -> Self {
        let segments = path.join(SEGMENTS);
        Self {
            // A missing folder is reported when it is read.
            segments: segments.hold().unwrap_or(segments),
            archives: Archives::of(&path),
            path,
            _lock: lock,
        }
    }

    pub(crate) fn path(&self) -> &AnchoredPath {
        &self.path
    }

    /// The process that has the store open for writing; `None` if it is not open, or if the kernel does not
    /// tell.
    pub(crate) fn holder(&self) -> Option<StoreHolder> {
        StoreHolder::find(&self.path)
    }

    /// Whether there is, or was, a store, whatever state its manifest is in.
    pub(crate) fn is_store(&self) -> io::Result<bool> {
        Ok(matches!(contents::look_at(&self.path)?, Contents::Store))
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> &AnchoredPath {
        &self.segments
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(MANIFEST))
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(LOGKIND))
    }

    /// One slot of the marks; empty if it does not exist.
    pub(crate) fn read_marks(&self, slot: usize) -> io::Result<Vec<u8>> {
        let marks = self.path.join(MARKS);
        let read = marks.open().and_then(|file| read_slot(&file, slot));
        Ok(read.if_there().naming("read", &marks)?.unwrap_or_default())
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        self.path.free_bytes().naming("ask", &self.path)
    }
}

/// Finds a directory that holds any part of a store.
fn find(path: &Path) -> Result<AnchoredPath, OpenFailure> {
    let found = path
        .canonicalize()
        .ok()
        .filter(|path| path.is_dir())
        .ok_or_else(|| OpenFailure::NotAStore(format!("{} is not a directory", path.display())))?;
    let directory = AnchoredPath::at(&found).naming("open", found.display())?;
    let parts = [MANIFEST, MARKS, SEGMENTS, UNFINISHED];
    if !parts.iter().any(|name| directory.join(name).exists()) {
        let reason = format!("{} holds no part of a store", path.display());
        return Err(OpenFailure::NotAStore(reason));
    }
    Ok(directory)
}

/// As [`find`]; refuses an unfinished copy, and anything that is no store.
fn find_store(path: &Path) -> Result<AnchoredPath, OpenFailure> {
    let directory = find(path)?;
    match contents::look_at(&directory)? {
        Contents::Unfinished(what) => Err(OpenFailure::cut_short(&directory, &what)),
        Contents::Other(what) => Err(OpenFailure::NotAStore(format!(
            "{} is no store: {what}",
            path.display()
        ))),
        Contents::Nothing | Contents::Begun | Contents::Store => Ok(directory),
    }
}
