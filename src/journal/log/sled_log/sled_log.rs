//! [`SledLog`]: the log on sled 0.34.7.
//!
//! ```text
//! segments/
//!   000000000000002a/   a sled database: conf, db, blobs/; `ready` once it is a segment
//!   dead-...            being deleted
//! ```
//!
//! A segment is a database of its own: closing it gives memory back, deleting its folder gives disk
//! space back. sled is used only to write; frames of closed segments are read from its file by
//! `messages`. So recovery and a cold read never change a byte, not even on a damaged store or a full
//! disk. The exception is a folder whose blocks sled has recycled, which is read through sled; sealing
//! refuses such a folder.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::files::{
    disk_bytes, named, remove_all_if_there, sync_directory,
};
use crate::journal::log::directory::segment_name;
use crate::journal::log::sled_log::folder::Folder;
use crate::journal::log::sled_log::marker::read_link;
use crate::journal::log::sled_log::preconditions::check_clock;
use crate::journal::log::sled_log::segment::{Segment, is_segment};
use crate::runtime::sync::{Mutex, RwLock};
use crate::value::log_kind::LogKind;

/// A [`Log`] in a directory, with a sled database for each segment.
#[derive(Debug)]
pub(crate) struct SledLog {
    /// Before the directory: fields are dropped in this order, and its lock must go last.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Made but not yet activated. The lock is held while a folder is being made, so that its
    /// activation waits for it; an append never takes the lock.
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

    fn folder(&self, segment: u64) -> AnchoredPath {
        self.directory
            .segments()
            .join(segment_name::folder(segment))
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<Segment>> {
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("{} does not exist", self.folder(segment));
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    /// Renames a folder to a dead name, so that a crash while it is deleted leaves no half segment.
    fn bury(&self, path: &AnchoredPath) -> io::Result<AnchoredPath> {
        let dead = path.beside(segment_name::dead(&path.name()));
        match path.rename(&dead) {
            // An earlier try came this far.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if is_there(&error) => {
                remove_all_if_there(&dead)?;
                let renamed = path.rename(&dead);
                renamed.map_err(|error| named(&error, "rename", path))?;
            }
            renamed => renamed.map_err(|error| named(&error, "rename", path))?,
        }
        sync_directory(self.directory.segments())?;
        Ok(dead)
    }

    /// The number of the entry of this name if it is a segment; deletes other folders of this log.
    fn sort_out(&self, name: &str) -> io::Result<Option<u64>> {
        let path = self.directory.segments().join(name);
        let Some(number) = segment_name::number_of_folder(name) else {
            if segment_name::is_dead(name) {
                remove_all_if_there(&path)?;
            }
            return Ok(None);
        };
        if is_segment(&path)? {
            return Ok(Some(number));
        }
        remove_all_if_there(&path)?;
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
        check_clock()?;
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
        remove_all_if_there(&dead)?;
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
        disk_bytes(self.directory.segments())
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
            // It holds nothing, and the next open discards what is left of it.
            drop(folder);
            let _ = remove_all_if_there(&self.folder(number));
        }
        result.and(self.directory.release())
    }
}

/// Whether a rename failed because the new name is taken.
fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}
