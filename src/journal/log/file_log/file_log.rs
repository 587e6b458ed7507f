//! [`FileLog`]: the log on plain files, written from front to back.
//!
//! ```text
//! segments/
//!   000000000000002a.seg   header, then frames, each behind a lead; zeros up to what is allocated
//! ```
//!
//! A file is allocated and made durable ahead of need, and becomes a segment when its header is
//! written, with the link. A frame is one write; a sync is one `fdatasync` on the handle that
//! writes. A full segment is cut to its length; a dead one is unlinked, which a crash cannot do by
//! halves.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::Log;
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::files::{disk_bytes, named, remove_if_there, sync_directory};
use crate::journal::log::directory::segment_name;
use crate::journal::log::file_log::file_kind::{FileKind, discard_unused, look_at};
use crate::journal::log::file_log::segment::Segment;
use crate::journal::log::file_log::segment_writer::{FIRST_BYTES, SegmentWriter};
use crate::runtime::sync::{AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::value::log_kind::LogKind;

/// A [`Log`] in a directory, with a file for each segment.
#[derive(Debug)]
pub(crate) struct FileLog {
    /// Before the directory: fields are dropped in this order, and its lock must go last.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Made but not yet activated. The lock is held while a file is being made, so that its activation
    /// waits for it; an append never takes the lock.
    prepared: Mutex<BTreeMap<u64, SegmentWriter>>,
    /// Bytes that the last full segment of this run took: an estimate for the next one.
    expected_bytes: AtomicU64,
    /// The space that earlier runs had allocated and not used has been given back.
    gave_back: AtomicBool,
    directory: Arc<Directory>,
}

impl FileLog {
    /// The log of this directory.
    pub(crate) fn over(directory: Arc<Directory>) -> Self {
        Self {
            segments: RwLock::default(),
            prepared: Mutex::default(),
            expected_bytes: AtomicU64::new(FIRST_BYTES),
            gave_back: AtomicBool::new(false),
            directory,
        }
    }

    fn file(&self, segment: u64) -> AnchoredPath {
        self.directory.segments().join(segment_name::file(segment))
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<Segment>> {
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("{} does not exist", self.file(segment));
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    /// Makes a file that can become a segment.
    fn make(&self, segment: u64) -> io::Result<SegmentWriter> {
        let path = self.file(segment);
        if !self.gave_back.swap(true, Ordering::Relaxed) {
            // Not before recovery, which may have refused what it found.
            let found: Vec<_> = self.segments.read().values().cloned().collect();
            found.iter().try_for_each(|segment| segment.give_back())?;
        }
        match path.about_itself() {
            Ok(_) => discard_unused(&path, segment)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(named(&error, "look at", &path)),
        }
        SegmentWriter::create(&path, segment, self.expected_bytes.load(Ordering::Relaxed))
    }

    /// Opens the entry of this name if it is a segment; deletes a file that never became one.
    fn sort_out(&self, name: &str) -> io::Result<Option<(u64, Segment)>> {
        let Some(number) = segment_name::number_of_file(name) else {
            return Ok(None);
        };
        let path = self.directory.segments().join(name);
        match look_at(&path, number)? {
            FileKind::Segment(header) => Ok(Some((number, Segment::closed(path, header)))),
            FileKind::Unused => {
                remove_if_there(&path)?;
                Ok(None)
            }
        }
    }
}

impl Log for FileLog {
    fn kind(&self) -> Option<LogKind> {
        Some(LogKind::Files)
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
        let path = self.directory.segments();
        let names = path.names().map_err(|error| named(&error, "list", path))?;
        let mut found = Vec::new();
        for name in &names {
            found.extend(self.sort_out(&name.to_string_lossy())?);
        }
        if !names.is_empty() {
            sync_directory(path)?;
        }
        let mut segments = self.segments.write();
        for (number, segment) in found {
            segments.entry(number).or_insert_with(|| Arc::new(segment));
        }
        Ok(segments.keys().copied().collect())
    }

    fn prepare(&self, segment: u64, _frames: u32) -> io::Result<()> {
        self.directory.check()?;
        let mut prepared = self.prepared.lock();
        if !prepared.contains_key(&segment) && !self.segments.read().contains_key(&segment) {
            prepared.insert(segment, self.make(segment)?);
        }
        Ok(())
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.directory.check()?;
        let mut prepared = self.prepared.lock();
        let mut writer = match prepared.remove(&segment) {
            Some(writer) => writer,
            None => self.make(segment)?,
        };
        if let Err(error) = writer.activate(link) {
            prepared.insert(segment, writer);
            return Err(error);
        }
        let opened = Segment::open(self.file(segment), writer);
        self.segments.write().insert(segment, Arc::new(opened));
        Ok(())
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        Ok(self.segment(segment)?.link().to_vec())
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
        if let Some(bytes) = self.segment(segment)?.seal()? {
            // A little more, so that the next segment need not grow.
            let expected = (bytes + bytes / 32).max(FIRST_BYTES);
            self.expected_bytes.store(expected, Ordering::Relaxed);
        }
        Ok(())
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
        found.forget();
        remove_if_there(found.path())?;
        sync_directory(self.directory.segments())?;
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
            let closed = segment.check().and_then(|()| segment.seal());
            result = result.and(closed.map(drop));
        }
        for (number, writer) in std::mem::take(&mut *self.prepared.lock()) {
            // It holds nothing, and the next open discards what is left of it.
            drop(writer);
            let _ = remove_if_there(&self.file(number));
        }
        result.and(self.directory.release())
    }
}
