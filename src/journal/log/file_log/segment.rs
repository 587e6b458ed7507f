//! [`Segment`]: one segment of the log, open or closed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::SEGMENT_FRAMES_MAX;
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, named, remove_if_there, sync_directory};
use crate::journal::log::directory::segment_name;
use crate::journal::log::disk_segment::DiskSegment;
use crate::journal::log::file_log::file_kind::{FileKind, discard_unused, look_at};
use crate::journal::log::file_log::frame_offsets::FrameOffsets;
use crate::journal::log::file_log::header::Header;
use crate::journal::log::file_log::lead::{LEAD_BYTES, Lead, align};
use crate::journal::log::file_log::scan::{self, FoundFrame};
use crate::journal::log::file_log::segment_writer::{FIRST_BYTES, SegmentWriter};
use crate::journal::log::first_failure::FirstFailure;
use crate::journal::log::frames::Frames;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering, RwLock};
use crate::value::log_kind::LogKind;

/// A segment that has been activated.
#[derive(Debug)]
pub(crate) struct Segment {
    path: AnchoredPath,
    header: Header,
    /// Open from activation until it is sealed; readers have handles of their own.
    writer: RwLock<Option<SegmentWriter>>,
    /// `None` until a segment of an earlier run is read. Kept for the life of the segment, at four
    /// bytes for each frame: without it a read would take a pass over the file.
    offsets: Mutex<Option<FrameOffsets>>,
    removed: AtomicBool,
    failure: FirstFailure,
}

impl Segment {
    /// A segment of an earlier run.
    pub(super) fn closed(path: AnchoredPath, header: Header) -> Self {
        Self::new(path, header, None)
    }

    fn new(path: AnchoredPath, header: Header, writer: Option<SegmentWriter>) -> Self {
        Self {
            path,
            header,
            writer: RwLock::new(writer),
            offsets: Mutex::new(None),
            removed: AtomicBool::new(false),
            failure: FirstFailure::default(),
        }
    }

    fn with_writer<T>(&self, act: impl FnOnce(&SegmentWriter) -> io::Result<T>) -> io::Result<T> {
        match self.writer.read().as_ref() {
            Some(writer) => act(writer),
            None => Err(io::Error::other(format!("{} is sealed", &self.path))),
        }
    }

    /// Opens the file for reading, and makes it durable: the writes of a killed process may not have
    /// reached the medium yet, and nothing may rest on them before.
    fn open_synced(&self) -> io::Result<File> {
        let file = self.path.open().map_err(|error| self.explain(&error))?;
        file.sync_data().naming("sync", &self.path)?;
        Ok(file)
    }

    /// Reads a segment of an earlier run for the first time, and remembers where its frames are.
    fn read_first(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let file = self.open_synced()?;
        let mut offsets = FrameOffsets::default();
        let used = scan::each(&file, &self.header, &mut |found| {
            offsets.add(found.index, found.offset, found.frame.len())?;
            Ok(visit(found.index, found.frame))
        })
        .map_err(|error| self.explain(&error))?;
        if let Some(used) = used {
            offsets.finish(used);
            *self.offsets.lock() = Some(offsets);
        }
        Ok(())
    }

    /// Reads a segment again: each frame must be where it was.
    fn read_known(
        &self,
        known: &FrameOffsets,
        visit: &mut dyn FnMut(u32, &[u8]) -> bool,
    ) -> io::Result<()> {
        let file = self.path.open().map_err(|error| self.explain(&error))?;
        let (mut next, mut stopped) = (0, false);
        scan::each(&file, &self.header, &mut |found| {
            let at = usize::try_from(found.index).unwrap_or(usize::MAX);
            if at >= known.len() {
                // Appended since.
                return Ok(false);
            }
            self.check_place(known, next, &found)?;
            next = at + 1;
            stopped = !visit(found.index, found.frame);
            Ok(!stopped)
        })
        .map_err(|error| self.explain(&error))?;
        match known.first_in(next..known.len()) {
            Some(at) if !stopped => Err(self.lost(at)),
            _ => Ok(()),
        }
    }

    /// Refuses a frame that is not where it was, and one that follows a gap. No index below `next` is
    /// left to be found.
    fn check_place(
        &self,
        known: &FrameOffsets,
        next: usize,
        found: &FoundFrame<'_>,
    ) -> io::Result<()> {
        let at = usize::try_from(found.index).unwrap_or(usize::MAX);
        let has_moved = known.get(at).map(u64::from) != Some(found.offset);
        match known.first_in(next..at).or(has_moved.then_some(at)) {
            Some(lost) => Err(self.lost(lost)),
            None => Ok(()),
        }
    }

    fn lost(&self, index: impl std::fmt::Display) -> io::Error {
        let path = &self.path;
        let what = format!("{path} has lost frame {index}, which it held before");
        io::Error::new(ErrorKind::InvalidData, what)
    }

    /// Distinguishes a file that was removed from one that is missing or short.
    fn explain(&self, error: &io::Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::NotFound if self.removed.load(Ordering::Relaxed) => ErrorKind::NotFound,
            ErrorKind::NotFound | ErrorKind::UnexpectedEof => ErrorKind::InvalidData,
            kind => kind,
        };
        let error = named(error, "read", &self.path);
        io::Error::new(kind, error)
    }
}

impl Frames for Segment {
    fn link(&self) -> io::Result<Vec<u8>> {
        Ok(self.header.link.clone())
    }

    fn read_ahead(&self, from: u64, bytes: u64) {
        self.path.read_ahead(from, bytes);
    }

    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        if self.offsets.lock().is_none() {
            self.read_first(&mut |_, _| true)?;
        }
        let found = self.offsets.lock().as_ref().and_then(|all| all.find(index));
        let Some((offset, bytes)) = found else {
            return Ok(None);
        };
        let mut frame = vec![0; bytes];
        self.path
            .open()
            .and_then(|file| file.read_exact_at(&mut frame, offset))
            .map_err(|error| self.explain(&error))?;
        match Lead::decode(&frame, self.header.number, self.header.salt) {
            Some(lead) if lead.index == index && lead.frame_bytes() + LEAD_BYTES <= bytes => {
                frame.drain(..LEAD_BYTES);
                frame.truncate(lead.frame_bytes());
                Ok(Some(frame))
            }
            _ => Err(self.lost(index)),
        }
    }

    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let known = self.offsets.lock().clone();
        match known {
            Some(known) => self.read_known(&known, visit),
            None => self.read_first(visit),
        }
    }
}

impl DiskSegment for Segment {
    const KIND: LogKind = LogKind::Files;

    type Prepared = SegmentWriter;

    fn name(number: u64) -> String {
        segment_name::file(number)
    }

    fn find(folder: &AnchoredPath, name: &str) -> io::Result<Option<(u64, Self)>> {
        let Some(number) = segment_name::number_of_file(name) else {
            return Ok(None);
        };
        let path = folder.join(name);
        match look_at(&path, number)? {
            FileKind::Segment(header) => Ok(Some((number, Self::closed(path, header)))),
            FileKind::Unused => remove_if_there(&path).map(|()| None),
        }
    }

    fn prepare(path: &AnchoredPath, number: u64, _: u32, bytes: u64) -> io::Result<SegmentWriter> {
        let there = path.about_itself().if_there().naming("look at", path)?;
        if there.is_some() {
            discard_unused(path, number)?;
        }
        SegmentWriter::create(path, number, bytes.max(FIRST_BYTES))
    }

    fn begin(writer: &mut SegmentWriter, link: &[u8]) -> io::Result<()> {
        writer.activate(link)
    }

    fn open(path: AnchoredPath, writer: SegmentWriter) -> Self {
        Self {
            offsets: Mutex::new(Some(FrameOffsets::default())),
            ..Self::new(path, writer.header().clone(), Some(writer))
        }
    }

    fn append(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        self.failure.guard(|| {
            let expected = self.offsets.lock().as_ref().map_or(0, FrameOffsets::len);
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < SEGMENT_FRAMES_MAX;
            if !fits || usize::try_from(index) != Ok(expected) {
                let path = &self.path;
                let bytes = frame.len();
                let what = format!("{path}: frame {index} of {bytes} bytes, after {expected}");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            let offset = self.with_writer(|writer| writer.append(index, frame))?;
            let mut offsets = self.offsets.lock();
            offsets
                .get_or_insert_default()
                .add(index, offset, frame.len())
        })
    }

    fn flush(&self) -> io::Result<()> {
        self.failure.guard(|| {
            // Writes have handed everything to the operating system already; this lets it begin to write.
            self.with_writer(|writer| {
                writer.start_writing();
                Ok(())
            })
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.failure.guard(|| self.with_writer(SegmentWriter::sync))
    }

    fn seal(&self) -> io::Result<Option<u64>> {
        if self.writer.read().is_none() {
            return Ok(None);
        }
        self.sync()?;
        let Some(writer) = self.writer.write().take() else {
            return Ok(None);
        };
        if let Some(offsets) = self.offsets.lock().as_mut() {
            offsets.shrink();
        }
        let bytes = writer.bytes();
        writer.finish()?;
        // A little more, so that the next segment need not grow.
        Ok(Some(bytes + bytes / 32))
    }

    fn close(&self) -> io::Result<()> {
        self.failure.check()?;
        self.seal().map(drop)
    }

    /// Cuts off the zeros that a process which died has left behind its last frame, or behind a torn
    /// one. Does so only if an earlier run wrote the segment and this one has read it.
    fn give_back(&self) -> io::Result<()> {
        let used = self.offsets.lock().as_ref().map(FrameOffsets::used);
        let Some(used) = used.filter(|used| *used > 0).map(align) else {
            return Ok(());
        };
        let cut = || match self.path.bytes()? {
            length if used < length => self.path.open_to_write()?.set_len(used),
            _ => Ok(()),
        };
        cut().naming("cut", &self.path)
    }

    fn remove(&self, folder: &AnchoredPath) -> io::Result<()> {
        self.removed.store(true, Ordering::Relaxed);
        // Its data is no longer needed: nothing is synced.
        drop(self.writer.write().take());
        remove_if_there(&self.path)?;
        sync_directory(folder)
    }
}

/// A segment that is only read, without changing a byte of it; `None` if the file is no segment.
pub(crate) fn read_only(path: AnchoredPath, number: u64) -> io::Result<Option<Box<dyn Frames>>> {
    Ok(match look_at(&path, number)? {
        FileKind::Segment(header) => Some(Box::new(Segment::closed(path, header))),
        FileKind::Unused => None,
    })
}
