//! [`Segment`]: one segment of the log, open or closed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::SEGMENT_FRAMES_MAX;
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{
    FileResult, named, remove_all_if_there, sync_directory,
};
use crate::journal::log::directory::segment_name;
use crate::journal::log::disk_segment::DiskSegment;
use crate::journal::log::first_failure::FirstFailure;
use crate::journal::log::frames::Frames;
use crate::journal::log::sled_log::db_file::{self, CONF, DB};
use crate::journal::log::sled_log::folder::Folder;
use crate::journal::log::sled_log::frame_index::{FrameEntry, FrameIndex, offset_in_file};
use crate::journal::log::sled_log::frame_stream::FrameStream;
use crate::journal::log::sled_log::marker;
use crate::journal::log::sled_log::messages::{self, Layout};
use crate::journal::log::sled_log::preconditions::check_clock;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering, RwLock};
use crate::value::log_kind::LogKind;

/// A segment that has been activated.
#[derive(Debug)]
pub(crate) struct Segment {
    path: AnchoredPath,
    /// Open from activation until it is sealed. Sealing and removing lock it for writing; reading and
    /// appending share it.
    folder: RwLock<Option<Folder>>,
    /// What was appended in this run, by index.
    written: Mutex<Vec<FrameEntry>>,
    /// Known once the segment is sealed or was read as a whole.
    index: RwLock<Option<Arc<FrameIndex>>>,
    /// Held while sled reopens a closed folder, and while the folder is renamed.
    reopening: Mutex<()>,
    /// sled must not open it, because that writes.
    is_untouched: bool,
    removed: AtomicBool,
    failure: FirstFailure,
}

impl Segment {
    /// A segment of an earlier run.
    pub(super) fn closed(path: AnchoredPath) -> Self {
        Self {
            path,
            folder: RwLock::new(None),
            written: Mutex::default(),
            index: RwLock::new(None),
            reopening: Mutex::new(()),
            is_untouched: false,
            removed: AtomicBool::new(false),
            failure: FirstFailure::default(),
        }
    }

    /// A segment of an earlier run that is only read, without changing a byte of it.
    pub(super) fn untouched(path: AnchoredPath) -> Self {
        Self {
            is_untouched: true,
            ..Self::closed(path)
        }
    }

    /// Closes the folder if it is open; the segment is readable afterwards too.
    fn shut(&self) -> io::Result<()> {
        let folder = self.folder.write().take();
        folder.map_or(Ok(()), Folder::close)
    }

    fn index(&self) -> Option<Arc<FrameIndex>> {
        self.index.read().clone()
    }

    fn with_folder<T>(&self, act: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        match self.folder.read().as_ref() {
            Some(folder) => act(folder),
            None => Err(io::Error::other(format!("{} is sealed", &self.path))),
        }
    }

    /// Finds every frame of this run in sled's file. The bytes of a frame are checked when it is read.
    fn locate(&self, db: &File) -> io::Result<Vec<FrameEntry>> {
        let mut entries = self.written.lock().clone();
        let mut missing = entries.len();
        messages::each(db, &mut |found| {
            let entry = usize::try_from(found.key)
                .ok()
                .and_then(|key| entries.get_mut(key));
            if let Some(entry) = entry.filter(|entry| entry.bytes as usize == found.value.len()) {
                missing -= usize::from(entry.offset == 0);
                entry.offset = offset_in_file(found.offset)?;
            }
            Ok(true)
        })?;
        if missing > 0 {
            let what = format!("{} does not hold {missing} of its frames", &self.path);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        Ok(entries)
    }

    /// Reads a segment of an earlier run for the first time, and remembers what it held.
    fn read_first(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let db = db_file::open_db(&self.path).map_err(|error| self.explain(error))?;
        let is_direct = !matches!(messages::layout(&db)?, Layout::Recycled(_));
        let mut entries = Vec::new();
        let is_complete = if is_direct {
            let stream = FrameStream {
                path: &self.path,
                entries: &mut entries,
                visit,
                is_complete: true,
            };
            stream.run(&db)?
        } else {
            self.read_through_sled(&mut entries, visit)?
        };
        if is_complete {
            *self.index.write() = Some(Arc::new(FrameIndex { entries, is_direct }));
        }
        Ok(())
    }

    /// Reads the frames through sled, which knows which of several versions of a frame counts.
    fn read_through_sled(
        &self,
        entries: &mut Vec<FrameEntry>,
        visit: &mut dyn FnMut(u32, &[u8]) -> bool,
    ) -> io::Result<bool> {
        self.reopened(|folder| {
            for index in 0..folder.frames() {
                let frame = folder.get(index)?.unwrap_or_default();
                entries.push(FrameEntry::of(&frame, 0));
                if !frame.is_empty() && !visit(index, &frame) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn read_known(&self, known: &FrameIndex, index: u32) -> io::Result<Option<Vec<u8>>> {
        let entry = known
            .entries
            .get(index as usize)
            .copied()
            .unwrap_or_default();
        if entry.bytes == 0 {
            return Ok(None);
        }
        let frame = if known.is_direct {
            let db = self.path.join(DB);
            let mut frame = vec![0; entry.bytes as usize];
            db.open()
                .and_then(|file| file.read_exact_at(&mut frame, u64::from(entry.offset)))
                .map_err(|error| self.explain(named(&error, "read", &db)))?;
            frame
        } else {
            self.reopened(|folder| folder.get(index))?
                .unwrap_or_default()
        };
        if entry.hash != xxh3_64(&frame) {
            let what = format!("{} has another frame {index} than before", &self.path);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        Ok(Some(frame))
    }

    /// Opens the closed folder through sled for one call.
    fn reopened<T>(&self, act: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        if self.is_untouched {
            let what = format!(
                "{} can only be read through sled, which writes to it: open the store without read_only(), or a copy of it",
                &self.path
            );
            return Err(io::Error::new(ErrorKind::Unsupported, what));
        }
        let _guard = self.reopening.lock();
        let folder = Folder::open(&self.path).map_err(|error| self.explain(error))?;
        let result = act(&folder)?;
        folder.close()?;
        Ok(result)
    }

    /// Distinguishes a file that was removed from one that is missing or short.
    fn explain(&self, error: io::Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::NotFound if self.removed.load(Ordering::Relaxed) => ErrorKind::NotFound,
            ErrorKind::NotFound | ErrorKind::UnexpectedEof => ErrorKind::InvalidData,
            kind => kind,
        };
        io::Error::new(kind, error)
    }
}

impl Frames for Segment {
    fn link(&self) -> io::Result<Vec<u8>> {
        marker::read_link(&self.path)
    }

    fn read_ahead(&self, from: u64, bytes: u64) {
        if from == 0 {
            self.path.join(CONF).read_ahead(0, u64::MAX);
        }
        self.path.join(DB).read_ahead(from, bytes);
    }

    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        if let Some(known) = self.index() {
            return self.read_known(&known, index);
        }
        if let Some(folder) = self.folder.read().as_ref() {
            return if index < folder.frames() {
                folder.get(index)
            } else {
                Ok(None)
            };
        }
        // It was sealed since the first look, or is of an earlier run and was not read as a whole yet.
        if self.index().is_none() {
            self.read_first(&mut |_, _| true)?;
        }
        match self.index() {
            Some(known) => self.read_known(&known, index),
            None => Err(io::Error::other(format!("{} is not known", &self.path))),
        }
    }

    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let known = match self.index() {
            Some(known) => known.entries.len(),
            None if self.folder.read().is_some() => self.written.lock().len(),
            None => return self.read_first(visit),
        };
        for index in 0..u32::try_from(known).unwrap_or(SEGMENT_FRAMES_MAX) {
            if let Some(frame) = self.read(index)? {
                if !visit(index, &frame) {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl DiskSegment for Segment {
    const KIND: LogKind = LogKind::Sled;

    type Prepared = Folder;

    fn name(number: u64) -> String {
        segment_name::folder(number)
    }

    fn check_machine() -> io::Result<()> {
        check_clock()
    }

    fn find(folder: &AnchoredPath, name: &str) -> io::Result<Option<(u64, Self)>> {
        let path = folder.join(name);
        let number = segment_name::number_of_folder(name);
        if number.is_none() && !segment_name::is_dead(name) {
            return Ok(None);
        }
        match number {
            Some(number) if is_segment(&path)? => Ok(Some((number, Self::closed(path)))),
            _ => remove_all_if_there(&path).map(|()| None),
        }
    }

    fn prepare(path: &AnchoredPath, _: u64, frames: u32, _: u64) -> io::Result<Folder> {
        Folder::create(path, frames)
    }

    fn begin(folder: &mut Folder, link: &[u8]) -> io::Result<()> {
        folder.begin(link)
    }

    fn open(path: AnchoredPath, folder: Folder) -> Self {
        Self {
            folder: RwLock::new(Some(folder)),
            ..Self::closed(path)
        }
    }

    fn append(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        self.failure.guard(|| {
            let expected = self.written.lock().len();
            let room = self.with_folder(|folder| Ok(folder.frames()))?;
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < room;
            if !fits || index as usize != expected {
                let path = &self.path;
                let what = format!(
                    "{path}: frame {index} of {} bytes, after {expected}, where {room} fit",
                    frame.len()
                );
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            self.with_folder(|folder| folder.insert(index, frame))?;
            self.written.lock().push(FrameEntry::of(frame, 0));
            Ok(())
        })
    }

    fn flush(&self) -> io::Result<()> {
        self.failure.guard(|| self.with_folder(Folder::flush))
    }

    fn sync(&self) -> io::Result<()> {
        self.failure.guard(|| {
            self.with_folder(|folder| {
                folder.flush()?;
                folder.sync()
            })
        })
    }

    fn seal(&self) -> io::Result<Option<u64>> {
        if self.folder.read().is_none() {
            return Ok(None);
        }
        self.sync()?;
        // Nothing is written from here on, so sealing can be tried again after a failure.
        let db = db_file::open_db(&self.path)?;
        db_file::check_layout(&self.path, &db)?;
        let entries = self.locate(&db)?;
        // From here on readers use the file, and the folder is not needed.
        *self.index.write() = Some(Arc::new(FrameIndex {
            entries,
            is_direct: true,
        }));
        *self.written.lock() = Vec::new();
        self.shut()?;
        Ok(None)
    }

    fn close(&self) -> io::Result<()> {
        self.failure.check().and(self.shut())
    }

    fn remove(&self, folder: &AnchoredPath) -> io::Result<()> {
        self.removed.store(true, Ordering::Relaxed);
        let guard = self.reopening.lock();
        // Its data is no longer needed, so a failure to close does not matter.
        drop(self.folder.write().take());
        let dead = bury(&self.path, folder)?;
        // From here on it is never opened again.
        drop(guard);
        remove_all_if_there(&dead)
    }
}

/// Renames a folder to a dead name, so that a crash while it is deleted leaves no half segment.
fn bury(path: &AnchoredPath, folder: &AnchoredPath) -> io::Result<AnchoredPath> {
    let dead = path.beside(segment_name::dead(&path.name()));
    match path.rename(&dead) {
        // An earlier try came this far.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if is_there(&error) => {
            remove_all_if_there(&dead)?;
            path.rename(&dead).naming("rename", path)?;
        }
        renamed => renamed.naming("rename", path)?,
    }
    sync_directory(folder)?;
    Ok(dead)
}

/// Whether a rename failed because the new name is taken.
fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}

/// Whether a folder is a segment; refuses one that was a segment and is no longer whole.
pub(super) fn is_segment(path: &AnchoredPath) -> io::Result<bool> {
    if marker::is_ready(path) {
        return Ok(true);
    }
    if db_file::holds_values(path)? {
        let what = format!(
            "{path} holds frames, but its ready marker is missing; nothing was changed: restore a backup, or save what is left with Store::salvage"
        );
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    Ok(false)
}

/// A segment that is only read, without changing a byte of it; `None` if the folder is no segment.
pub(crate) fn read_only(path: AnchoredPath) -> io::Result<Option<Box<dyn Frames>>> {
    let found = is_segment(&path)?;
    Ok(found.then(|| Box::new(Segment::untouched(path)) as Box<dyn Frames>))
}
