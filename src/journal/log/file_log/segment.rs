//! [`Segment`]: one segment of the log, open or closed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::log::contract::{FRAME_BYTES_MAX, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::named;
use crate::journal::log::file_log::file_kind::{FileKind, look_at};
use crate::journal::log::file_log::frame_offsets::FrameOffsets;
use crate::journal::log::file_log::header::Header;
use crate::journal::log::file_log::lead::{LEAD_BYTES, Lead, align};
use crate::journal::log::file_log::scan::{self, FoundFrame};
use crate::journal::log::file_log::segment_writer::SegmentWriter;
use crate::journal::log::first_failure::FirstFailure;
use crate::journal::log::frames::Frames;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering, RwLock};

/// A segment that has been activated.
#[derive(Debug)]
pub(super) struct Segment {
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
    /// A segment that has just been activated.
    pub(super) fn open(path: AnchoredPath, writer: SegmentWriter) -> Self {
        Self {
            offsets: Mutex::new(Some(FrameOffsets::default())),
            ..Self::new(path, writer.header().clone(), Some(writer))
        }
    }

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

    pub(super) fn path(&self) -> &AnchoredPath {
        &self.path
    }

    pub(super) fn link(&self) -> &[u8] {
        &self.header.link
    }

    pub(super) fn append(&self, index: u32, frame: &[u8]) -> io::Result<()> {
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

    /// Writes have handed everything to the operating system already; this lets it begin to write.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.failure.guard(|| {
            self.with_writer(|writer| {
                writer.start_writing();
                Ok(())
            })
        })
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.failure.guard(|| self.with_writer(SegmentWriter::sync))
    }

    /// Closes the file, which the journal has synced; returns how many bytes it has, if it was open.
    pub(super) fn seal(&self) -> io::Result<Option<u64>> {
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
        writer.finish().map(|()| Some(bytes))
    }

    /// The first failure of a write to this segment, if there was one.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failure.check()
    }

    pub(super) fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
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

    pub(super) fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let known = self.offsets.lock().clone();
        match known {
            Some(known) => self.read_known(&known, visit),
            None => self.read_first(visit),
        }
    }

    /// Cuts off the zeros that a process which died has left behind its last frame, or behind a torn
    /// one. Does so only if an earlier run wrote the segment and this one has read it.
    pub(super) fn give_back(&self) -> io::Result<()> {
        let used = self.offsets.lock().as_ref().map(FrameOffsets::used);
        let Some(used) = used.filter(|used| *used > 0).map(align) else {
            return Ok(());
        };
        let cut = || match self.path.bytes()? {
            length if used < length => self.path.open_to_write()?.set_len(used),
            _ => Ok(()),
        };
        cut().map_err(|error| named(&error, "cut", &self.path))
    }

    /// Notes that the file is being removed: a reader that misses it from now on came too late.
    pub(super) fn forget(&self) {
        self.removed.store(true, Ordering::Relaxed);
        // Its data is no longer needed: nothing is synced.
        drop(self.writer.write().take());
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
        file.sync_data()
            .map_err(|error| named(&error, "sync", &self.path))?;
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
        Ok(Self::link(self).to_vec())
    }

    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        Self::read(self, index)
    }

    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        Self::read_all(self, visit)
    }
}

/// A segment that is only read, without changing a byte of it; `None` if the file is no segment.
pub(crate) fn read_only(path: AnchoredPath, number: u64) -> io::Result<Option<Box<dyn Frames>>> {
    Ok(match look_at(&path, number)? {
        FileKind::Segment(header) => Some(Box::new(Segment::closed(path, header))),
        FileKind::Unused => None,
    })
}
