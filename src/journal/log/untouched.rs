//! [`Untouched`]: the directory of a store of which not a byte is changed.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use crate::journal::log::directory::archives;
use crate::journal::log::directory::contents;
use crate::journal::log::directory::contents::Contents;
use crate::journal::log::directory::{
    LOGKIND, MANIFEST, MARKS, OpenFailure, SEGMENTS, UNFINISHED, named, read_if_there, read_slot,
};
use crate::journal::log::lock::{Holder, Lock};
use crate::journal::log::place::Place;

/// A directory of which nothing is changed.
#[derive(Debug)]
pub(crate) struct Untouched {
    place: Place,
    segments: Place,
    /// Held for life; `None` where there is no file to lock, or nothing is to be locked.
    _lock: Option<Lock>,
}

impl Untouched {
    /// Takes the lock, if it is there to be taken, without writing to it. It may be anything that
    /// is left of a store.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenFailure> {
        let place = find(path)?;
        let lock = Lock::take_untouched(&place)?;
        Ok(Self::of(place, lock))
    }

    /// Looks whether a process has it open to write, and takes no lock: one that comes to write need
    /// not wait for who reads.
    pub(crate) fn share(path: &Path, wait_for_lock: Duration) -> Result<Self, OpenFailure> {
        let place = find_store(path)?;
        Lock::check(&place, wait_for_lock)?;
        Ok(Self::of(place, None))
    }

    /// Takes no lock, and looks for none: a process that has the store open goes on.
    pub(crate) fn beside(path: &Path) -> Result<Self, OpenFailure> {
        Ok(Self::of(find_store(path)?, None))
    }

    fn of(place: Place, lock: Option<Lock>) -> Self {
        let segments = place.join(SEGMENTS);
        Self {
            // Where it is missing, that is told when it is read.
            segments: segments.hold().unwrap_or(segments),
            place,
            _lock: lock,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn archives(&self) -> io::Result<Vec<u64>> {
        archives::list(&self.place.join(archives::AUDIT))
    }

    pub(crate) fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        archives::sizes(&self.place.join(archives::AUDIT))
    }

    pub(crate) fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        archives::read(&self.place.join(archives::AUDIT), segment)
    }

    /// Who has the store open to write; `None` for nobody, and where the kernel does not tell.
    pub(crate) fn holder(&self) -> Option<Holder> {
        Holder::find(&self.place)
    }

    /// Whether there is, or was, a store, whatever its manifest is like.
    pub(crate) fn is_store(&self) -> io::Result<bool> {
        Ok(matches!(contents::look_at(&self.place)?, Contents::Store))
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> &Place {
        &self.segments
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.place.join(MANIFEST))
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.place.join(LOGKIND))
    }

    /// One slot of the marks; one that is not there is empty.
    pub(crate) fn read_marks(&self, slot: usize) -> io::Result<Vec<u8>> {
        let marks = self.place.join(MARKS);
        match marks.open().and_then(|file| read_slot(&file, slot)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            result => result.map_err(|error| named(&error, "read", &marks)),
        }
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let free = self.place.free_bytes();
        free.map_err(|error| named(&error, "ask", &self.place))
    }
}

/// The directory, if it holds anything of a store.
fn find(path: &Path) -> Result<Place, OpenFailure> {
    let found = path
        .canonicalize()
        .ok()
        .filter(|path| path.is_dir())
        .ok_or_else(|| OpenFailure::NotAStore(format!("{} is no directory", path.display())))?;
    let place = Place::at(&found).map_err(|error| named(&error, "open", found.display()))?;
    let ours = [MANIFEST, MARKS, SEGMENTS, UNFINISHED];
    if !ours.iter().any(|name| place.join(name).exists()) {
        let reason = format!("{} holds nothing of a store", path.display());
        return Err(OpenFailure::NotAStore(reason));
    }
    Ok(place)
}

/// As [`find`], unless it is something else, or not all there.
fn find_store(path: &Path) -> Result<Place, OpenFailure> {
    let place = find(path)?;
    match contents::look_at(&place)? {
        Contents::Unfinished(what) => Err(OpenFailure::cut_short(&place, &what)),
        Contents::Other(what) => Err(OpenFailure::NotAStore(format!(
            "{} is no store: {what}",
            path.display()
        ))),
        Contents::Nothing | Contents::Begun | Contents::Store => Ok(place),
    }
}
