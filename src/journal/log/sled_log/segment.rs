//! [`Segment`]: one segment of the log, open or closed.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::first_failure::FirstFailure;
use crate::journal::format::frame;
use crate::journal::log::contract::{FRAME_BYTES_MAX, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::named;
use crate::journal::log::place::Place;
use crate::journal::log::read_only::Frames;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering, RwLock};

use crate::journal::log::sled_log::folder;
use crate::journal::log::sled_log::folder::{DB, Folder};
use crate::journal::log::sled_log::messages;
use crate::journal::log::sled_log::messages::{Found, Layout};

/// A segment that has been activated.
#[derive(Debug)]
pub(super) struct Segment {
    path: Place,
    /// Open from activation until it is sealed. Written to only by sealing and removing: reading
    /// and appending share it.
    folder: RwLock<Option<Folder>>,
    /// What was appended in this run, by index.
    written: Mutex<Vec<Entry>>,
    /// Where the frames are, once the segment is sealed or was read as a whole.
    index: RwLock<Option<Arc<Index>>>,
    /// Held while sled has a closed folder open, and while the folder is renamed.
    reopening: Mutex<()>,
    /// sled must not open it, as that writes.
    is_untouched: bool,
    removed: AtomicBool,
    failure: FirstFailure,
}

/// What is known of the frames of a closed segment.
#[derive(Debug)]
struct Index {
    /// By frame; one of no bytes is absent.
    entries: Vec<Entry>,
    /// Whether the frames can be read from the file itself.
    is_direct: bool,
}

#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    hash: u64,
    /// Where in sled's file; 0 as long as nobody has looked.
    offset: u32,
    bytes: u32,
}

impl Segment {
    /// A segment of an earlier run.
    pub(super) fn closed(path: Place) -> Self {
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

    /// As before, of which not a byte is to be changed.
    pub(super) fn untouched(path: Place) -> Self {
        Self {
            is_untouched: true,
            ..Self::closed(path)
        }
    }

    /// A segment that has just been made.
    pub(super) fn open(path: Place, folder: Folder) -> Self {
        Self {
            folder: RwLock::new(Some(folder)),
            ..Self::closed(path)
        }
    }

    pub(super) fn path(&self) -> &Place {
        &self.path
    }

    pub(super) fn append(&self, index: u32, frame: &[u8]) -> io::Result<()> {
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
            self.written.lock().push(Entry::of(frame, 0));
            Ok(())
        })
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.failure.guard(|| self.with_folder(Folder::flush))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.failure.guard(|| {
            self.with_folder(|folder| {
                folder.flush()?;
                folder.sync()
            })
        })
    }

    /// Closes the folder, and finds out where its frames are.
    pub(super) fn seal(&self) -> io::Result<()> {
        if self.folder.read().is_none() {
            return Ok(());
        }
        self.sync()?;
        // Nothing is written from here on, so a failure can be tried again.
        let db = folder::open_db(&self.path)?;
        folder::check_layout(&self.path, &db)?;
        let entries = self.locate(&db)?;
        // From here on nobody needs the folder: readers go to the file.
        *self.index.write() = Some(Arc::new(Index {
            entries,
            is_direct: true,
        }));
        *self.written.lock() = Vec::new();
        self.close()
    }

    /// Closes the folder if it is open; the segment is readable afterwards too.
    pub(super) fn close(&self) -> io::Result<()> {
        let folder = self.folder.write().take();
        folder.map_or(Ok(()), Folder::close)
    }

    /// The first failure of a write to this segment, if there was one.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failure.check()
    }

    pub(super) fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
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
        // Sealed since the first look, or of an earlier run and not read as a whole before.
        if self.index().is_none() {
            self.read_first(&mut |_, _| true)?;
        }
        match self.index() {
            Some(known) => self.read_known(&known, index),
            None => Err(io::Error::other(format!("{} is not known", &self.path))),
        }
    }

    pub(super) fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
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

    /// Runs `rename`, after which nobody opens the folder again.
    pub(super) fn remove<T>(&self, rename: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.removed.store(true, Ordering::Relaxed);
        let _guard = self.reopening.lock();
        // Its data is not wanted any more: dropping it will do, whatever happens.
        drop(self.folder.write().take());
        rename()
    }

    fn index(&self) -> Option<Arc<Index>> {
        self.index.read().clone()
    }

    fn with_folder<T>(&self, act: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        match self.folder.read().as_ref() {
            Some(folder) => act(folder),
            None => Err(io::Error::other(format!("{} is sealed", &self.path))),
        }
    }

    /// Finds every frame of this run in sled's file. Its bytes are checked when it is read.
    fn locate(&self, db: &File) -> io::Result<Vec<Entry>> {
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
        let db = folder::open_db(&self.path).map_err(|error| self.explain(error))?;
        let is_direct = !matches!(messages::layout(&db)?, Layout::Recycled(_));
        let mut entries = Vec::new();
        let is_complete = if is_direct {
            self.stream(&db, &mut entries, visit)?
        } else {
            self.read_through_sled(&mut entries, visit)?
        };
        if is_complete {
            *self.index.write() = Some(Arc::new(Index { entries, is_direct }));
        }
        Ok(())
    }

    /// Reads the frames in the order in which they lie in the file, which is that of their
    /// indexes. One that is torn or damaged is shown without its bytes, under the index that comes
    /// next: the journal knows whether it may be so.
    fn stream(
        &self,
        db: &File,
        entries: &mut Vec<Entry>,
        visit: &mut dyn FnMut(u32, &[u8]) -> bool,
    ) -> io::Result<bool> {
        let stream = RefCell::new(Stream {
            entries,
            visit,
            is_complete: true,
        });
        messages::each_and_torn(
            db,
            &mut |found| stream.borrow_mut().meet(&self.path, found),
            &mut |rest| stream.borrow_mut().torn(rest),
        )?;
        Ok(stream.into_inner().is_complete)
    }

    /// Reads the frames through sled, which knows which of several versions counts.
    fn read_through_sled(
        &self,
        entries: &mut Vec<Entry>,
        visit: &mut dyn FnMut(u32, &[u8]) -> bool,
    ) -> io::Result<bool> {
        self.reopened(|folder| {
            for index in 0..folder.frames() {
                let frame = folder.get(index)?.unwrap_or_default();
                entries.push(Entry::of(&frame, 0));
                if !frame.is_empty() && !visit(index, &frame) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn read_known(&self, known: &Index, index: u32) -> io::Result<Option<Vec<u8>>> {
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

    /// Opens the closed folder through sled for a moment.
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

    /// Tells a file that was removed from one that is missing or short.
    fn explain(&self, error: io::Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::NotFound if self.removed.load(Ordering::Relaxed) => ErrorKind::NotFound,
            ErrorKind::NotFound | ErrorKind::UnexpectedEof => ErrorKind::InvalidData,
            kind => kind,
        };
        io::Error::new(kind, error)
    }
}

/// A segment on its way through memory.
struct Stream<'a> {
    entries: &'a mut Vec<Entry>,
    visit: &'a mut dyn FnMut(u32, &[u8]) -> bool,
    is_complete: bool,
}

impl Stream<'_> {
    fn meet(&mut self, path: &Place, found: &Found<'_>) -> io::Result<bool> {
        let index = u32::try_from(found.key).unwrap_or(u32::MAX);
        if index >= SEGMENT_FRAMES_MAX {
            return Ok(true);
        }
        if !found.is_intact() {
            return Ok(self.show_torn());
        }
        if (index as usize) < self.entries.len() {
            let what = format!("{path} holds frame {index} out of order");
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        self.entries.resize(index as usize, Entry::default());
        let offset = offset_in_file(found.offset)?;
        self.entries.push(Entry::of(found.value, offset));
        self.is_complete = (self.visit)(index, found.value);
        Ok(self.is_complete)
    }

    /// Shows the frames that begin where no message does.
    fn torn(&mut self, mut rest: &[u8]) -> bool {
        while let Some(at) = frame::find(rest) {
            if !self.show_torn() {
                return false;
            }
            rest = &rest[at + 1..];
        }
        self.is_complete
    }

    fn show_torn(&mut self) -> bool {
        let next = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.is_complete = (self.visit)(next, &[]);
        self.is_complete
    }
}

impl Frames for Segment {
    fn link(&self) -> io::Result<Vec<u8>> {
        folder::read_link(&self.path)
    }

    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        Self::read(self, index)
    }

    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        Self::read_all(self, visit)
    }
}

impl Entry {
    fn of(frame: &[u8], offset: u32) -> Self {
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        Self {
            hash: xxh3_64(frame),
            offset,
            bytes,
        }
    }
}

fn offset_in_file(offset: u64) -> io::Result<u32> {
    u32::try_from(offset).map_err(|_| io::Error::new(ErrorKind::InvalidData, "a segment of 4 GiB"))
}
