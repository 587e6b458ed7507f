//! [`Segment`]: one segment of the log, open or closed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::first_failure::FirstFailure;
use crate::journal::log::contract::{FRAME_BYTES_MAX, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::named;
use crate::journal::log::file_log::format::{
    BadHeader, HEADER_BYTES, Header, LEAD_BYTES, Lead, align,
};
use crate::journal::log::file_log::reader;
use crate::journal::log::file_log::writing::Writing;
use crate::journal::log::place::Place;
use crate::journal::log::read_only::Frames;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering, RwLock};

/// A segment that has been activated.
#[derive(Debug)]
pub(super) struct Segment {
    path: Place,
    header: Header,
    /// Open from activation until it is sealed; readers have handles of their own.
    writing: RwLock<Option<Writing>>,
    /// `None` as long as a segment of an earlier run was not read. Four bytes for each frame, so
    /// that it stays for the life of the segment: finding a frame again would take one more pass
    /// over the file.
    places: Mutex<Option<Places>>,
    removed: AtomicBool,
    failure: FirstFailure,
}

/// Where the frames are.
#[derive(Clone, Default, Debug)]
struct Places {
    /// Of the lead of each frame, by index; 0 for one that is absent.
    offsets: Vec<u32>,
    /// Where the last frame ends.
    end: u32,
    /// Where the last byte ends that is not zero, as it was found at first.
    used: u64,
}

impl Places {
    fn add(&mut self, index: u32, offset: u64, frame_bytes: usize) -> io::Result<()> {
        let small = |offset: u64| {
            u32::try_from(offset)
                .map_err(|_| io::Error::new(ErrorKind::InvalidData, "a segment of 4 GiB"))
        };
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        self.offsets.resize(at, 0);
        self.offsets.push(small(offset)?);
        self.end = small(offset + (LEAD_BYTES + frame_bytes) as u64)?;
        Ok(())
    }

    /// The offset of a frame's lead, and how many bytes there are up to the next one.
    fn find(&self, index: u32) -> Option<(u64, usize)> {
        let at = usize::try_from(index).ok()?;
        let offset = *self.offsets.get(at).filter(|offset| **offset > 0)?;
        let mut after = self.offsets[at + 1..].iter().filter(|next| **next > 0);
        let bytes = usize::try_from(after.next().unwrap_or(&self.end) - offset).ok()?;
        Some((u64::from(offset), bytes.min(LEAD_BYTES + FRAME_BYTES_MAX)))
    }
}

impl Segment {
    /// A segment that has just been activated.
    pub(super) fn open(path: Place, writing: Writing) -> Self {
        Self {
            places: Mutex::new(Some(Places::default())),
            ..Self::new(path, writing.header().clone(), Some(writing))
        }
    }

    /// A segment of an earlier run.
    pub(super) fn closed(path: Place, header: Header) -> Self {
        Self::new(path, header, None)
    }

    fn new(path: Place, header: Header, writing: Option<Writing>) -> Self {
        Self {
            path,
            header,
            writing: RwLock::new(writing),
            places: Mutex::new(None),
            removed: AtomicBool::new(false),
            failure: FirstFailure::default(),
        }
    }

    pub(super) fn path(&self) -> &Place {
        &self.path
    }

    pub(super) fn link(&self) -> &[u8] {
        &self.header.link
    }

    pub(super) fn append(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        self.failure.guard(|| {
            let frames =
                |places: &Option<Places>| places.as_ref().map_or(0, |all| all.offsets.len());
            let expected = frames(&self.places.lock());
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < SEGMENT_FRAMES_MAX;
            if !fits || usize::try_from(index) != Ok(expected) {
                let path = &self.path;
                let bytes = frame.len();
                let what = format!("{path}: frame {index} of {bytes} bytes, after {expected}");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            let offset = self.with_writing(|writing| writing.append(index, frame))?;
            let mut places = self.places.lock();
            places
                .get_or_insert_default()
                .add(index, offset, frame.len())
        })
    }

    /// A write has handed everything to the operating system already; this lets it begin.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.failure.guard(|| {
            self.with_writing(|writing| {
                writing.start_writing();
                Ok(())
            })
        })
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.failure.guard(|| self.with_writing(Writing::sync))
    }

    /// Closes the file; gives how many bytes it has, if it was open. The journal has synced it.
    pub(super) fn seal(&self) -> io::Result<Option<u64>> {
        if self.writing.read().is_none() {
            return Ok(None);
        }
        self.sync()?;
        let Some(writing) = self.writing.write().take() else {
            return Ok(None);
        };
        if let Some(places) = self.places.lock().as_mut() {
            places.offsets.shrink_to_fit();
        }
        let bytes = writing.bytes();
        writing.finish().map(|()| Some(bytes))
    }

    /// The first failure of a write to this segment, if there was one.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failure.check()
    }

    pub(super) fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        if self.places.lock().is_none() {
            self.read_first(&mut |_, _| true)?;
        }
        let found = self.places.lock().as_ref().and_then(|all| all.find(index));
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
        let known = self.places.lock().clone();
        match known {
            Some(known) => self.read_known(&known.offsets, visit),
            None => self.read_first(visit),
        }
    }

    /// Cuts off the zeros that a process which died has left behind its last frame, or behind what
    /// it had begun to write. Only where an earlier run wrote the segment, and this one has read it.
    pub(super) fn give_back(&self) -> io::Result<()> {
        let used = self.places.lock().as_ref().map(|places| places.used);
        let Some(used) = used.filter(|used| *used > 0).map(align) else {
            return Ok(());
        };
        let cut = || match self.path.bytes()? {
            length if used < length => self.path.open_to_write()?.set_len(used),
            _ => Ok(()),
        };
        cut().map_err(|error| named(&error, "cut", &self.path))
    }

    /// Notes that the file goes away: whoever misses it from here on has looked too late.
    pub(super) fn forget(&self) {
        self.removed.store(true, Ordering::Relaxed);
        // Its data is not wanted any more: nothing is synced.
        drop(self.writing.write().take());
    }

    fn with_writing<T>(&self, act: impl FnOnce(&Writing) -> io::Result<T>) -> io::Result<T> {
        match self.writing.read().as_ref() {
            Some(writing) => act(writing),
            None => Err(io::Error::other(format!("{} is sealed", &self.path))),
        }
    }

    /// Opens the file for reading. What a killed process has written may still be on its way, and
    /// nothing may rest on that.
    fn open_synced(&self) -> io::Result<File> {
        let file = self.path.open().map_err(|error| self.explain(&error))?;
        file.sync_data()
            .map_err(|error| named(&error, "sync", &self.path))?;
        Ok(file)
    }

    /// Reads a segment of an earlier run for the first time, and remembers where its frames are.
    fn read_first(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let file = self.open_synced()?;
        let mut places = Places::default();
        let used = reader::each(&file, &self.header, &mut |found| {
            places.add(found.index, found.offset, found.frame.len())?;
            Ok(visit(found.index, found.frame))
        })
        .map_err(|error| self.explain(&error))?;
        if let Some(used) = used {
            places.used = used;
            places.offsets.shrink_to_fit();
            *self.places.lock() = Some(places);
        }
        Ok(())
    }

    /// Reads a segment again: each frame has to lie where it was.
    fn read_known(
        &self,
        known: &[u32],
        visit: &mut dyn FnMut(u32, &[u8]) -> bool,
    ) -> io::Result<()> {
        let file = self.path.open().map_err(|error| self.explain(&error))?;
        let (mut next, mut stopped) = (0, false);
        let lost = |from: usize, until: usize| (from..until).find(|at| known[*at] > 0);
        reader::each(&file, &self.header, &mut |found| {
            let at = usize::try_from(found.index).unwrap_or(usize::MAX);
            let Some(offset) = known.get(at) else {
                // Appended since.
                return Ok(false);
            };
            let moved = (u64::from(*offset) != found.offset).then_some(at);
            if let Some(lost) = lost(next, at).or(moved) {
                return Err(self.lost(lost));
            }
            next = at + 1;
            stopped = !visit(found.index, found.frame);
            Ok(!stopped)
        })
        .map_err(|error| self.explain(&error))?;
        match lost(next, known.len()) {
            Some(at) if !stopped => Err(self.lost(at)),
            _ => Ok(()),
        }
    }

    fn lost(&self, index: impl std::fmt::Display) -> io::Error {
        let path = &self.path;
        let what = format!("{path} has lost frame {index}, which was there before");
        io::Error::new(ErrorKind::InvalidData, what)
    }

    /// Tells a file that was removed from one that is missing or short.
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

/// What a file is that has the name of a segment.
#[derive(Debug)]
pub(super) enum Kind {
    Segment(Header),
    /// It was made ahead of need, and never used.
    Unused,
}

/// Looks at a file, and refuses one that was a segment and is not whole any more.
pub(super) fn look_at(path: &Place, number: u64) -> io::Result<Kind> {
    let look = || {
        let file = path.open()?;
        let mut block = [0; HEADER_BYTES];
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let there = length.min(HEADER_BYTES);
        file.read_exact_at(&mut block[..there], 0)?;
        let decoded = Header::decode(&block);
        // It is made with room for more than a header; what is shorter was cut.
        let is_cut = there > 0 && there < HEADER_BYTES;
        let is_unused =
            decoded == Err(BadHeader::Corrupt) && !is_cut && !reader::holds_anything(&file)?;
        Ok((decoded, is_unused))
    };
    let (decoded, is_unused) = look().map_err(|error: io::Error| named(&error, "read", path))?;
    match decoded {
        Ok(header) if header.number == number => Ok(Kind::Segment(header)),
        Ok(header) => {
            let what = format!(
                "{path} says that it is segment {:016x}; nothing was changed: restore a backup, or save what is left with Store::salvage",
                header.number
            );
            Err(io::Error::new(ErrorKind::InvalidData, what))
        }
        Err(BadHeader::NewerFormat(version)) => {
            let what = format!(
                "{path} has format {version}, which this version of hapax does not read: use the version that wrote it, or a newer one"
            );
            Err(io::Error::new(ErrorKind::Unsupported, what))
        }
        Err(BadHeader::Corrupt) if is_unused => Ok(Kind::Unused),
        Err(BadHeader::Corrupt) => {
            let what = format!(
                "{path} is a segment whose header is damaged; nothing was changed: restore a backup, or save what is left with Store::salvage"
            );
            Err(io::Error::new(ErrorKind::InvalidData, what))
        }
    }
}
