//! [`SegmentWriter`]: a segment's file while frames are written to it.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, is_full, named, sync_directory};
use crate::journal::log::file_log::header::{HEADER_BYTES, Header};
use crate::journal::log::file_log::lead::{ALIGN_BYTES, LEAD_BYTES, Lead, align};
use crate::runtime::sync::Mutex;

/// Bytes that a file begins with while it is unknown how many it will need.
pub(super) const FIRST_BYTES: u64 = 1 << 20;

/// Most bytes by which a file grows at once; below that it doubles.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

/// A page that is not full yet is not written early.
const PAGE_BYTES: u64 = 4096;

/// A file, open for writing. One thread at a time appends; any may sync meanwhile.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    path: AnchoredPath,
    /// Opened before the first write, and the only handle that writes: so it is told of every lost
    /// write.
    file: File,
    header: Header,
    end: Mutex<End>,
}

/// Where the file ends.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Where the next lead goes; the cursor of the file is there too.
    next: u64,
    /// The length of the file: behind `next` there are zeros, allocated already.
    allocated: u64,
    /// The system was asked to write the bytes before this offset.
    started: u64,
}

impl SegmentWriter {
    /// Makes a file of `bytes`, durably. It is no segment before [`activate`](Self::activate).
    pub(super) fn create(path: &AnchoredPath, number: u64, bytes: u64) -> io::Result<Self> {
        let salt = getrandom::u64()
            .map_err(|error| io::Error::other(format!("drawing a salt: {error}")))?;
        let make = || {
            let mut file = path.create_new()?;
            allocate(&file, 0, bytes)?;
            file.sync_all()?;
            file.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
            Ok(file)
        };
        let made = make().naming("create", path);
        let file = made.inspect_err(|_| {
            // It is useless, and in the way on a full disk.
            let _ = path.remove_file();
        })?;
        path.folder()
            .map_or(Ok(()), |folder| sync_directory(&folder))?;
        Ok(Self {
            path: path.clone(),
            file,
            header: Header {
                number,
                salt,
                link: Vec::new(),
            },
            end: Mutex::new(End {
                next: HEADER_BYTES as u64,
                allocated: bytes,
                started: HEADER_BYTES as u64,
            }),
        })
    }

    /// Writes the header, which makes the file a segment; durable on return.
    pub(super) fn activate(&mut self, link: &[u8]) -> io::Result<()> {
        self.header.link = link.to_vec();
        let block = self.header.encode().ok_or_else(|| {
            let what = format!("a marker of {} bytes is too long", link.len());
            io::Error::new(ErrorKind::InvalidInput, what)
        })?;
        self.file
            .write_all_at(&block, 0)
            .and_then(|()| self.file.sync_data())
            .naming("begin", &self.path)
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Appends a frame with its lead in one write; returns where the lead begins.
    pub(super) fn append(&self, index: u32, frame: &[u8]) -> io::Result<u64> {
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let lead = Lead { index, bytes }.encode(self.header.number, self.header.salt);
        let mut end = self.end.lock();
        let next = align(end.next + (LEAD_BYTES + frame.len()) as u64);
        if next > end.allocated {
            end.allocated = self.grow(end.allocated, next)?;
        }
        let zeros = [0; ALIGN_BYTES];
        let padding = usize::try_from(next - end.next).unwrap_or(0) - LEAD_BYTES - frame.len();
        let parts = [&lead[..], frame, &zeros[..padding]];
        write_all(&self.file, parts).naming("write", &self.path)?;
        let offset = end.next;
        end.next = next;
        Ok(offset)
    }

    /// Asks the system to begin to write what was appended, without waiting, so that a much later sync
    /// has less to do.
    pub(super) fn start_writing(&self) {
        let mut end = self.end.lock();
        let (from, until) = (end.started, end.next - end.next % PAGE_BYTES);
        if from < until {
            end.started = until;
            drop(end);
            write_back(&self.file, from, until);
        }
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data().naming("sync", &self.path)
    }

    /// Gives back the unused end of the allocation. Nothing depends on whether that is durable.
    pub(super) fn finish(self) -> io::Result<()> {
        let next = self.end.lock().next;
        self.file.set_len(next).naming("cut", &self.path)
    }

    /// Bytes up to the end of the last frame.
    pub(super) fn bytes(&self) -> u64 {
        self.end.lock().next
    }

    /// Allocates more, at least up to `needed`. This is optional: on a disk that is nearly full the
    /// write itself finds out whether there is room.
    fn grow(&self, allocated: u64, needed: u64) -> io::Result<u64> {
        let until = needed.max(allocated + allocated.min(GROWTH_BYTES_MAX));
        match allocate(&self.file, allocated, until) {
            Ok(()) => Ok(until),
            Err(error) if is_full(&error) => Ok(allocated),
            Err(error) => Err(named(&error, "grow", &self.path)),
        }
    }
}

/// Allocates a file from one offset to another, and extends its length, so that a write there changes
/// neither and a sync has less to do. The range reads as zeros.
fn allocate(file: &File, from: u64, until: u64) -> io::Result<()> {
    loop {
        return match fallocate(file, FallocateFlags::empty(), from, until - from) {
            Err(Errno::INTR) => continue,
            // A file system that cannot allocate: only the length changes.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => file.set_len(until),
            result => result.map_err(io::Error::from),
        };
    }
}

/// Begins to write a part of a file. Linux does so when told that the pages are no longer needed,
/// which holds for a segment: its frames stay in memory until it is sealed. This is only advice, so a
/// failure is ignored; the next sync reports a lost write.
#[cfg(target_os = "linux")]
fn write_back(file: &File, from: u64, until: u64) {
    let bytes = std::num::NonZeroU64::new(until - from);
    let _ = rustix::fs::fadvise(file, from, bytes, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn write_back(_: &File, _: u64, _: u64) {}

/// Writes the parts one after the other, in one call if the system takes them all.
fn write_all(mut file: &File, parts: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = &mut slices[..];
    // Drops empty slices at the front: a write of nothing would look like a full device.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
