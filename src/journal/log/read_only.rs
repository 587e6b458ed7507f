//! [`ReadOnlyLog`]: the log of a store of which not a byte is changed, of either kind.
//!
//! The segments are read as they are when a store is opened to write: by the same readers, with the
//! same refusals. What such an open would discard is left out, and stays where it is.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::log::directory;
use crate::journal::log::directory::{OpenFailure, named, parse_number};
use crate::journal::log::file_log;
use crate::journal::log::kind;
use crate::journal::log::sled_log;
use crate::journal::log::untouched::Untouched;
use crate::runtime::sync::{AtomicBool, Ordering, RwLock};
use crate::value::error::Overtaken;
use crate::value::log_kind::LogKind;

/// The frames of a segment that nobody writes to.
pub(crate) trait Frames: Send + Sync + Debug {
    /// The marker of the segment.
    fn link(&self) -> io::Result<Vec<u8>>;

    /// As [`Log::read`].
    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>>;

    /// As [`Log::read_all`].
    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()>;
}

/// Looks at the marks beside the one that writes them: both slots may be caught half written.
const LOOKS: usize = 16;

/// A [`Log`] that refuses every change.
///
/// It keeps no process from writing. An open to write raises its epoch before anything
/// else: so what was read is true for as long as the epoch is what it was.
#[derive(Debug)]
pub(crate) struct ReadOnlyLog {
    kind: LogKind,
    /// That of the last run before this was opened; `None` where the marks cannot be read.
    epoch: Option<u32>,
    segments: RwLock<BTreeMap<u64, Arc<dyn Frames>>>,
    closed: AtomicBool,
    directory: Untouched,
}

/// The epoch of the last run, as the marks say.
fn epoch(directory: &Untouched) -> io::Result<Option<u32>> {
    for _ in 0..LOOKS {
        let slots = [directory.read_marks(0)?, directory.read_marks(1)?];
        if let Some(marks) = Marks::newest(&slots).0 {
            return Ok(Some(marks.epoch));
        }
    }
    Ok(None)
}

/// Opens the log of the store at `path`, beside others who read it. `wait_for_lock` is for a process
/// that writes.
pub(crate) fn open(path: &Path, wait_for_lock: Duration) -> Result<ReadOnlyLog, OpenFailure> {
    let directory = Untouched::share(path, wait_for_lock)?;
    Ok(ReadOnlyLog {
        kind: kind::find(&directory)?,
        epoch: epoch(&directory)?,
        segments: RwLock::default(),
        closed: AtomicBool::new(false),
        directory,
    })
}

impl ReadOnlyLog {
    fn check(&self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is closed"));
        }
        Ok(())
    }

    /// Says so where the store may have changed since it was opened, in place of what came of that.
    fn explain<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match (&result, self.check_current()) {
            (Err(_), Err(overtaken)) => Err(overtaken),
            _ => result,
        }
    }

    fn list(&self) -> io::Result<Vec<u64>> {
        let folder = self.directory.segments();
        let names = match folder.names() {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            result => result.map_err(|error| named(&error, "list", folder))?,
        };
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
            let what = format!("segment {segment:016x} is not there");
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    fn look_at(&self, name: &str) -> io::Result<Option<(u64, Arc<dyn Frames>)>> {
        let path = self.directory.segments().join(name);
        let number = match self.kind {
            LogKind::Sled => parse_number(name),
            LogKind::Files => file_log::parse_name(name),
        };
        let Some(number) = number else {
            return Ok(None);
        };
        let found = match self.kind {
            LogKind::Sled => sled_log::read_only(path)?,
            LogKind::Files => file_log::read_only(path, number)?,
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
            "{} was opened to write{by} since it was opened to be read: what was read of it may have changed; open it again",
            self.directory.place()
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

    /// Leaves it out from here on, as what recovery removes counts for nothing.
    fn remove(&self, segment: u64) -> io::Result<()> {
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
        self.explain(self.directory.read_archive(segment))
    }

    fn write_archive(&self, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn remove_archive(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        directory::disk_bytes(self.directory.segments())
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
