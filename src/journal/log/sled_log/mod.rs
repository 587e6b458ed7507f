//! [`SledLog`]: the log on sled 0.34.7, which no other file of this crate names.
//!
//! ```text
//! segments/
//!   000000000000002a/   a sled database: conf, db, blobs/; `ready` once it is a segment
//!   dead-...            being deleted
//! ```
//!
//! A segment is a database of its own: closing it is what gives memory back, deleting its folder
//! what gives space back. sled is used to write; frames of closed segments are read from its file
//! directly, by [`messages`]: so neither recovery nor a cold read changes a byte, on a damaged
//! store or a full disk either. Only a folder that sled has recycled (it must not, and sealing
//! refuses one that it has) is read through sled.

mod folder;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod messages;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory;
use crate::journal::log::directory::{Directory, named, parse_number, sync_directory};
use crate::journal::log::place::Place;
use crate::journal::log::read_only::Frames;
use crate::runtime::sync::{Mutex, RwLock};
use crate::value::log_kind::LogKind;

use crate::journal::log::sled_log::folder::Folder;
use crate::journal::log::sled_log::segment::Segment;

/// sled's log in the folder of a segment, which holds the frames.
pub(crate) use crate::journal::log::sled_log::folder::{DB, read_link};

const DEAD: &str = "dead-";

/// A [`Log`] in a directory, with a sled database for each segment.
#[derive(Debug)]
pub(crate) struct SledLog {
    /// The folders before the directory: dropped in this order, its lock is the last to go.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Made but not yet activated. Held while one is being made, so that whoever activates it
    /// waits for it; appending never takes it.
    prepared: Mutex<BTreeMap<u64, Folder>>,
    directory: Arc<Directory>,
}

impl SledLog {
    /// The log of this directory.
    pub(crate) fn over(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            segments: RwLock::default(),
            prepared: Mutex::default(),
        }
    }

    fn folder(&self, segment: u64) -> Place {
        self.directory.segments().join(folder_name(segment))
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<Segment>> {
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("{} is not there", self.folder(segment));
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    /// Renames a folder to a dead name before it is deleted, so that no crash leaves half of it.
    fn bury(&self, path: &Place) -> io::Result<Place> {
        let dead = path.beside(format!("{DEAD}{}", path.name()));
        match path.rename(&dead) {
            // An earlier try came this far.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if is_there(&error) => {
                folder::discard(&dead)?;
                let renamed = path.rename(&dead);
                renamed.map_err(|error| named(&error, "rename", path))?;
            }
            renamed => renamed.map_err(|error| named(&error, "rename", path))?,
        }
        sync_directory(self.directory.segments())?;
        Ok(dead)
    }

    /// Deletes what is no segment, and answers the number of what is one.
    fn sort_out(&self, name: &str) -> io::Result<Option<u64>> {
        let path = self.directory.segments().join(name);
        let Some(number) = parse_number(name) else {
            if name.starts_with(DEAD) {
                folder::discard(&path)?;
            }
            return Ok(None);
        };
        if is_segment(&path)? {
            return Ok(Some(number));
        }
        folder::discard(&path)?;
        Ok(None)
    }
}

impl Log for SledLog {
    fn kind(&self) -> Option<LogKind> {
        Some(LogKind::Sled)
    }

    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.directory.read_manifest()
    }

    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.directory.write_manifest(bytes)
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.directory.read_marks()
    }

    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.directory.write_marks(slot, bytes)
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        self.directory.check()?;
        folder::check_clock()?;
        let path = self.directory.segments();
        let names = path.names().map_err(|error| named(&error, "list", path))?;
        let mut numbers = Vec::new();
        for name in &names {
            numbers.extend(self.sort_out(&name.to_string_lossy())?);
        }
        if !names.is_empty() {
            sync_directory(path)?;
        }
        numbers.sort_unstable();
        let mut segments = self.segments.write();
        for &number in &numbers {
            let closed = || Arc::new(Segment::closed(self.folder(number)));
            segments.entry(number).or_insert_with(closed);
        }
        Ok(numbers)
    }

    fn prepare(&self, segment: u64, frames: u32) -> io::Result<()> {
        self.directory.check()?;
        let mut prepared = self.prepared.lock();
        if !prepared.contains_key(&segment) && !self.segments.read().contains_key(&segment) {
            prepared.insert(segment, Folder::create(&self.folder(segment), frames)?);
        }
        Ok(())
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.directory.check()?;
        let path = self.folder(segment);
        let mut prepared = self.prepared.lock();
        let mut folder = match prepared.remove(&segment) {
            Some(folder) => folder,
            None => Folder::create(&path, SEGMENT_FRAMES_MAX)?,
        };
        if let Err(error) = folder.begin(link) {
            prepared.insert(segment, folder);
            return Err(error);
        }
        self.segments
            .write()
            .insert(segment, Arc::new(Segment::open(path, folder)));
        Ok(())
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        read_link(self.segment(segment)?.path())
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.directory.check()?;
        self.segment(segment)?.append(index, frame)
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.directory.check()?;
        self.segment(segment)?.flush()
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.directory.check()?;
        self.segment(segment)?.sync()
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        self.directory.check()?;
        self.segment(segment)?.seal()
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.directory.check()?;
        self.segment(segment)?.read(index)
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        self.directory.check()?;
        self.segment(segment)?.read_all(visit)
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        self.directory.check()?;
        let found = self.segment(segment)?;
        let dead = found.remove(|| self.bury(found.path()))?;
        folder::discard(&dead)?;
        self.segments.write().remove(&segment);
        Ok(())
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.directory.archives()
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        self.directory.archive_sizes()
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.directory.read_archive(segment)
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.directory.write_archive(segment, bytes)
    }

    fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.directory.remove_archive(segment)
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        directory::disk_bytes(self.directory.segments())
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.directory.free_bytes().map(Some)
    }

    fn free_files(&self) -> io::Result<Option<u64>> {
        self.directory.free_files()
    }

    fn hold_reserve(&self, bytes: u64) -> io::Result<()> {
        self.directory.hold_reserve(bytes)
    }

    fn close(&self) -> io::Result<()> {
        self.directory.check()?;
        let mut result = Ok(());
        for (_, segment) in std::mem::take(&mut *self.segments.write()) {
            result = result.and(segment.check()).and(segment.close());
        }
        for (number, folder) in std::mem::take(&mut *self.prepared.lock()) {
            // Nothing was promised of it, and the next open discards what is left.
            drop(folder);
            let _ = folder::discard(&self.folder(number));
        }
        result.and(self.directory.release())
    }
}

/// Whether a folder could not be renamed because another one has the name.
fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}

/// Whether a folder is a segment; refuses one that was, and is not whole any more.
fn is_segment(path: &Place) -> io::Result<bool> {
    if folder::is_ready(path) {
        return Ok(true);
    }
    if folder::holds_values(path)? {
        let what = format!(
            "{path} holds frames, but its ready marker is missing; nothing was changed: restore a backup, or save what is left with Store::salvage"
        );
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    Ok(false)
}

/// A segment that is only read, of which not a byte is changed; `None` for what is none.
pub(crate) fn read_only(path: Place) -> io::Result<Option<Box<dyn Frames>>> {
    let found = is_segment(&path)?;
    Ok(found.then(|| Box::new(Segment::untouched(path)) as Box<dyn Frames>))
}

/// The name of a segment's folder.
pub(crate) fn folder_name(segment: u64) -> String {
    format!("{segment:016x}")
}

/// Whether an entry of the directory of segments is of this log, a dead one included.
pub(crate) fn is_name(name: &str) -> bool {
    parse_number(name.strip_prefix(DEAD).unwrap_or(name)).is_some()
}
