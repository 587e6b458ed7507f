//! [`ReadOnlyLog`]: the log of a store, of either kind, opened so that not a byte of it changes.
//!
//! Segments are read by the same readers as when a store is opened for writing, with the same
//! refusals. What such an open would discard is skipped and stays on disk.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::log::directory::files::{disk_bytes, names_if_there};
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::directory::read_only_directory::ReadOnlyDirectory;
use crate::journal::log::directory::segment_name;
use crate::journal::log::frames::Frames;
use crate::journal::log::{file_log, kind, sled_log};
use crate::runtime::sync::{AtomicBool, Ordering, RwLock};
use crate::value::error::Overtaken;
use crate::value::log_kind::LogKind;

/// How often the marks are read, beside a process that writes them: a look may catch both slots half
/// written.
const LOOKS: usize = 16;

/// A [`Log`] that refuses every change.
///
/// It keeps no process from writing. An open for writing raises the epoch before anything else, so
/// what was read stays true as long as the epoch is the same.
#[derive(Debug)]
pub(crate) struct ReadOnlyLog {
    kind: LogKind,
    /// The epoch of the last run before this was opened; `None` if the marks cannot be read.
    epoch: Option<u32>,
    segments: RwLock<BTreeMap<u64, Arc<dyn Frames>>>,
    closed: AtomicBool,
    directory: ReadOnlyDirectory,
}

/// The epoch of the last run, as the marks say.
fn epoch(directory: &ReadOnlyDirectory) -> io::Result<Option<u32>> {
    for _ in 0..LOOKS {
        let slots = [directory.read_marks(0)?, directory.read_marks(1)?];
        if let Some(marks) = Marks::newest(&slots).0 {
            return Ok(Some(marks.epoch));
        }
    }
    Ok(None)
}

impl ReadOnlyLog {
    /// Opens the log of the store at `path`, beside other readers. Waits up to `wait_for_lock` for a
    /// process that writes.
    pub(crate) fn open(path: &Path, wait_for_lock: Duration) -> Result<Self, OpenFailure> {
        let directory = ReadOnlyDirectory::share(path, wait_for_lock)?;
        Ok(Self {
            kind: kind::find(&directory)?,
            epoch: epoch(&directory)?,
            segments: RwLock::default(),
            closed: AtomicBool::new(false),
            directory,
        })
    }

    fn check(&self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is closed"));
        }
        Ok(())
    }

    /// Replaces an error by the one that says that the store may have changed since it was opened, if
    /// it may have.
    fn explain<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match (&result, self.check_current()) {
            (Err(_), Err(overtaken)) => Err(overtaken),
            _ => result,
        }
    }

    fn list(&self) -> io::Result<Vec<u64>> {
        let names = names_if_there(self.directory.segments())?;
        let mut segments = self.segments.write();
        for name in names {
            segments.extend(self.look_at(&name.to_string_lossy())?);
        }
        Ok(segments.keys().copied().collect())
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<dyn Frames>> {
        self.check()?;
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("segment {segment:016x} does not exist");
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    fn look_at(&self, name: &str) -> io::Result<Option<(u64, Arc<dyn Frames>)>> {
        let path = self.directory.segments().join(name);
        let Some(number) = segment_name::number(self.kind, name) else {
            return Ok(None);
        };
        let found = match self.kind {
            LogKind::Sled => sled_log::segment::read_only(path)?,
            LogKind::Files => file_log::segment::read_only(path, number)?,
        };
        Ok(found.map(|frames| (number, Arc::from(frames))))
    }
}

fn refused<T>() -> io::Result<T> {
    let what = "the store is open read-only";
    Err(io::Error::new(ErrorKind::ReadOnlyFilesystem, what))
}

impl Log for ReadOnlyLog {
    fn kind(&self) -> Option<LogKind> {
        Some(self.kind)
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn check_current(&self) -> io::Result<()> {
        if epoch(&self.directory)? == self.epoch {
            return Ok(());
        }
        let by = match self.directory.holder().and_then(|holder| holder.pid()) {
            Some(pid) => format!(", by process {pid},"),
            None => String::new(),
        };
        Err(io::Error::other(Overtaken(format!(
            "{} was opened for writing{by} after this process opened it for reading: what was read may have changed; open it again",
            self.directory.path()
        ))))
    }

    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.directory.read_manifest()
    }

    fn write_manifest(&self, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        Ok([self.directory.read_marks(0)?, self.directory.read_marks(1)?])
    }

    fn write_marks(&self, _: usize, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        self.explain(self.list())
    }

    fn prepare(&self, _: u64, _: u32) -> io::Result<()> {
        refused()
    }

    fn activate(&self, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.explain(self.segment(segment).and_then(|segment| segment.link()))
    }

    fn append(&self, _: u64, _: u32, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn flush(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn sync(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn seal(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        let read = self.segment(segment);
        self.explain(read.and_then(|segment| segment.read(index)))
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let read = self.segment(segment);
        self.explain(read.and_then(|segment| segment.read_all(visit)))
    }

    fn read_ahead(&self, segment: u64, from: u64, bytes: u64) {
        if let Ok(found) = self.segment(segment) {
            found.read_ahead(from, bytes);
        }
    }

    /// Skips it from now on: recovery removes only what does not count.
    fn remove(&self, segment: u64) -> io::Result<()> {
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
        self.explain(self.directory.archives.read(segment))
    }

    fn write_archive(&self, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn remove_archive(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        disk_bytes(self.directory.segments())
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.directory.free_bytes().map(Some)
    }

    fn hold_reserve(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn close(&self) -> io::Result<()> {
        self.check()?;
        self.closed.store(true, Ordering::Relaxed);
        Ok(())
    }
}
