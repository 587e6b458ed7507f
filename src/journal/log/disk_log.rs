//! [`DiskLog`]: a log in the directory of a store, with segments of either kind.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::files::{
    FileResult, disk_bytes, remove_all_if_there, sync_directory,
};
use crate::journal::log::disk_segment::DiskSegment;
use crate::runtime::sync::{AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::value::log_kind::LogKind;

/// A [`Log`] in a directory.
#[derive(Debug)]
pub(crate) struct DiskLog<S: DiskSegment> {
    /// Before the directory: fields are dropped in this order, and its lock must go last.
    segments: RwLock<BTreeMap<u64, Arc<S>>>,
    /// Made but not yet activated. The lock is held while one is being made, so that its activation
    /// waits for it; an append never takes the lock.
    prepared: Mutex<BTreeMap<u64, S::Prepared>>,
    /// An estimate of the bytes of the next segment, from the last full one of this run.
    expected_bytes: AtomicU64,
    /// The space that earlier runs had allocated and not used has been given back.
    gave_back: AtomicBool,
    directory: Arc<Directory>,
}

impl<S: DiskSegment> DiskLog<S> {
    /// The log of this directory.
    pub(crate) fn over(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            segments: RwLock::default(),
            prepared: Mutex::default(),
            expected_bytes: AtomicU64::new(0),
            gave_back: AtomicBool::new(false),
        }
    }

    fn path(&self, segment: u64) -> AnchoredPath {
        self.directory.segments().join(S::name(segment))
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<S>> {
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("{} does not exist", self.path(segment));
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    /// As [`segment`](Self::segment), unless the log is closed or this process is a fork.
    fn checked(&self, segment: u64) -> io::Result<Arc<S>> {
        self.directory.check()?;
        self.segment(segment)
    }

    fn make(&self, segment: u64, frames: u32) -> io::Result<S::Prepared> {
        if !self.gave_back.swap(true, Ordering::Relaxed) {
            // Not before recovery, which may have refused what it found.
            let found: Vec<_> = self.segments.read().values().cloned().collect();
            found.iter().try_for_each(|segment| segment.give_back())?;
        }
        let bytes = self.expected_bytes.load(Ordering::Relaxed);
        S::prepare(&self.path(segment), segment, frames, bytes)
    }
}

impl<S: DiskSegment> Log for DiskLog<S> {
    fn kind(&self) -> Option<LogKind> {
        Some(S::KIND)
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
        S::check_machine()?;
        let path = self.directory.segments();
        let names = path.names().naming("list", path)?;
        let mut found = Vec::new();
        for name in &names {
            found.extend(S::find(path, &name.to_string_lossy())?);
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

    fn prepare(&self, segment: u64, frames: u32) -> io::Result<()> {
        self.directory.check()?;
        let mut prepared = self.prepared.lock();
        if !prepared.contains_key(&segment) && !self.segments.read().contains_key(&segment) {
            prepared.insert(segment, self.make(segment, frames)?);
        }
        Ok(())
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.directory.check()?;
        let mut prepared = self.prepared.lock();
        let mut made = match prepared.remove(&segment) {
            Some(made) => made,
            None => self.make(segment, SEGMENT_FRAMES_MAX)?,
        };
        if let Err(error) = S::begin(&mut made, link) {
            prepared.insert(segment, made);
            return Err(error);
        }
        let opened = Arc::new(S::open(self.path(segment), made));
        self.segments.write().insert(segment, opened);
        Ok(())
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.segment(segment)?.link()
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.checked(segment)?.append(index, frame)
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.checked(segment)?.flush()
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.checked(segment)?.sync()
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        if let Some(bytes) = self.checked(segment)?.seal()? {
            self.expected_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.checked(segment)?.read(index)
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        self.checked(segment)?.read_all(visit)
    }

    fn read_ahead(&self, segment: u64, from: u64, bytes: u64) {
        if let Ok(found) = self.segment(segment) {
            found.read_ahead(from, bytes);
        }
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        let found = self.checked(segment)?;
        found.remove(self.directory.segments())?;
        self.segments.write().remove(&segment);
        Ok(())
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.directory.archives.list()
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        self.directory.archives.sizes()
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.directory.archives.read(segment)
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
            result = result.and(segment.close());
        }
        for (number, made) in std::mem::take(&mut *self.prepared.lock()) {
            // It holds nothing, and the next open discards what is left of it.
            drop(made);
            let _ = remove_all_if_there(&self.path(number));
        }
        result.and(self.directory.release())
    }
}
