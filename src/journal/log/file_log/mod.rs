//! [`FileLog`]: the log on plain files, written from front to back.
//!
//! ```text
//! segments/
//!   000000000000002a.seg   header, then frames, each behind a lead; zeros up to what is allocated
//! ```
//!
//! A file is allocated and made durable ahead of need, and becomes a segment when its header is
//! written, with the link. A frame is one write; a sync is one `fdatasync` on the handle that
//! writes. A full segment is cut to its length; a dead one is unlinked, which no crash can do by
//! half.

mod format;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod reader;
mod segment;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::Log;
use crate::journal::log::directory;
use crate::journal::log::directory::{Directory, named, sync_directory};
use crate::journal::log::place::Place;
use crate::journal::log::read_only::Frames;
use crate::runtime::sync::{AtomicBool, AtomicU64, Mutex, Ordering, RwLock};
use crate::value::log_kind::LogKind;

use crate::journal::log::file_log::segment::{Kind, Segment, look_at};
use crate::journal::log::file_log::writing::{FIRST_BYTES, Writing};

/// What the names of segments end with.
const SUFFIX: &str = ".seg";

/// A [`Log`] in a directory, with a file for each segment.
#[derive(Debug)]
pub(crate) struct FileLog {
    /// The files before the directory: dropped in this order, its lock is the last to go.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// Made but not yet activated. Held while one is being made, so that whoever activates it
    /// waits for it; appending never takes it.
    prepared: Mutex<BTreeMap<u64, Writing>>,
    /// Bytes that the last full segment of this run took: what the next one will need.
    expected_bytes: AtomicU64,
    /// What earlier runs had allocated and not used has been given back.
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

    fn file(&self, segment: u64) -> Place {
        self.directory.segments().join(file_name(segment))
    }

    fn segment(&self, segment: u64) -> io::Result<Arc<Segment>> {
        let found = self.segments.read().get(&segment).cloned();
        found.ok_or_else(|| {
            let what = format!("{} is not there", self.file(segment));
            io::Error::new(ErrorKind::NotFound, what)
        })
    }

    /// Makes a file that can become a segment.
    fn make(&self, segment: u64) -> io::Result<Writing> {
        let path = self.file(segment);
        if !self.gave_back.swap(true, Ordering::Relaxed) {
            // Later than recovery, which may yet have refused what was found.
            let found: Vec<_> = self.segments.read().values().cloned().collect();
            found.iter().try_for_each(|segment| segment.give_back())?;
        }
        match path.about_itself() {
            Ok(_) => discard_unused(&path, segment)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(named(&error, "look at", &path)),
        }
        Writing::create(&path, segment, self.expected_bytes.load(Ordering::Relaxed))
    }

    /// Deletes what is no segment, and answers the number of what is one.
    fn sort_out(&self, name: &str) -> io::Result<Option<Segment>> {
        let Some(number) = parse_name(name) else {
            return Ok(None);
        };
        let path = self.directory.segments().join(name);
        match look_at(&path, number)? {
            Kind::Segment(header) => Ok(Some(Segment::closed(path, header))),
            Kind::Unused => {
                unlink(&path)?;
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
            let segment = self.sort_out(&name.to_string_lossy())?;
            found.extend(segment.zip(parse_name(&name.to_string_lossy())));
        }
        if !names.is_empty() {
            sync_directory(path)?;
        }
        let mut segments = self.segments.write();
        for (segment, number) in found {
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
        let mut writing = match prepared.remove(&segment) {
            Some(writing) => writing,
            None => self.make(segment)?,
        };
        if let Err(error) = writing.activate(link) {
            prepared.insert(segment, writing);
            return Err(error);
        }
        let segment_open = Segment::open(self.file(segment), writing);
        self.segments
            .write()
            .insert(segment, Arc::new(segment_open));
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
            // A little more: growing is what the next one is to be spared.
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
        unlink(found.path())?;
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
            let closed = segment.check().and_then(|()| segment.seal());
            result = result.and(closed.map(drop));
        }
        for (number, writing) in std::mem::take(&mut *self.prepared.lock()) {
            // Nothing was promised of it, and the next open discards what is left.
            drop(writing);
            let _ = unlink(&self.file(number));
        }
        result.and(self.directory.release())
    }
}

/// The name of a segment's file.
pub(crate) fn file_name(segment: u64) -> String {
    format!("{segment:016x}{SUFFIX}")
}

/// The number in the name of a segment's file.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    directory::parse_number(name.strip_suffix(SUFFIX)?)
}

/// What lies in the header of a segment: its marker.
pub(crate) fn read_link(path: &Place, number: u64) -> io::Result<Vec<u8>> {
    match look_at(path, number)? {
        Kind::Segment(header) => Ok(header.link),
        Kind::Unused => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("{} was never used", path),
        )),
    }
}

/// A segment that is only read, of which not a byte is changed; `None` for what is none.
pub(crate) fn read_only(path: Place, number: u64) -> io::Result<Option<Box<dyn Frames>>> {
    Ok(match look_at(&path, number)? {
        Kind::Segment(header) => Some(Box::new(Segment::closed(path, header))),
        Kind::Unused => None,
    })
}

/// Deletes what an earlier try has left; refuses what is a segment.
fn discard_unused(path: &Place, segment: u64) -> io::Result<()> {
    match look_at(path, segment)? {
        Kind::Unused => unlink(path),
        Kind::Segment(_) => {
            let what = format!("{} is in use", path);
            Err(io::Error::new(ErrorKind::AlreadyExists, what))
        }
    }
}

fn unlink(path: &Place) -> io::Result<()> {
    match path.remove_file() {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(named(&error, "remove", path)),
        _ => Ok(()),
    }
}
