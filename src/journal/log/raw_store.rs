//! [`RawStore`]: a store whose segments are read as raw bytes, without changing any.
//!
//! In both kinds of log a frame is stored verbatim and in one piece in the file of its segment. So
//! frames are found by their magic and trusted by their checksum, however damaged the bytes around them
//! are.

use std::fmt::{self, Display};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::journal::format::frame::{self, BadFrame, FRAME_BYTES_MAX, FrameView};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, disk_bytes, names_if_there};
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::directory::read_only_directory::ReadOnlyDirectory;
use crate::journal::log::directory::segment_name;
use crate::journal::log::{file_log, kind, sled_log};
use crate::value::log_kind::LogKind;

/// Bytes of a file that are searched at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Bytes that are read at once where the medium fails.
const SECTOR_BYTES: usize = 4096;

/// What is found at an offset where a frame seems to begin, or where nothing can be read.
#[derive(Debug)]
pub(crate) enum Finding<'a> {
    Frame(FrameView<'a>, u32),
    Bad(BadFrame),
    Unreadable(io::Error),
}

/// A segment of one of the two kinds of log: a move leaves some of both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RawSegment {
    pub(crate) number: u64,
    pub(crate) is_file: bool,
}

impl Display for RawSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.is_file { "seg" } else { "db" };
        write!(f, "segment {:016x}, {file}", self.number)
    }
}

/// A store, or what is left of one.
#[derive(Debug)]
pub(crate) struct RawStore {
    pub(crate) directory: ReadOnlyDirectory,
}

impl RawStore {
    /// Takes the lock, if there is one, on anything that is left of a store.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenFailure> {
        let directory = ReadOnlyDirectory::open(path)?;
        Ok(Self { directory })
    }

    /// Takes no lock: a process that has the store open goes on.
    pub(crate) fn beside(path: &Path) -> Result<Self, OpenFailure> {
        let directory = ReadOnlyDirectory::beside(path)?;
        Ok(Self { directory })
    }

    /// The segments by their names, ascending by number, without those that were being removed: the
    /// low mark was raised above them first.
    pub(crate) fn segments(&self) -> io::Result<Vec<RawSegment>> {
        let mut segments = Vec::new();
        for name in names_if_there(self.directory.segments())? {
            let name = name.to_string_lossy();
            let of = |is_file| move |number| RawSegment { number, is_file };
            segments.extend(segment_name::number_of_folder(&name).map(of(false)));
            segments.extend(segment_name::number_of_file(&name).map(of(true)));
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// The kind of log that the directory shows.
    pub(crate) fn kind(&self) -> LogKind {
        kind::recognise(&self.directory)
    }

    /// Bytes of the file that holds the frames; 0 if that cannot be found out.
    pub(crate) fn bytes(&self, segment: RawSegment) -> u64 {
        self.file(segment).bytes().unwrap_or(0)
    }

    /// Bytes of the medium that a segment takes.
    pub(crate) fn disk_bytes(&self, segment: RawSegment) -> io::Result<u64> {
        match segment.is_file {
            true => disk_bytes(&self.file(segment)),
            false => disk_bytes(&self.folder(segment)),
        }
    }

    pub(crate) fn link(&self, segment: RawSegment) -> io::Result<Vec<u8>> {
        if segment.is_file {
            file_log::file_kind::read_link(&self.file(segment), segment.number)
        } else {
            sled_log::marker::read_link(&self.folder(segment))
        }
    }

    /// Shows everything in a segment that looks like a frame, with its offset.
    pub(crate) fn scan(
        &self,
        segment: RawSegment,
        visit: &mut dyn FnMut(u64, &Finding<'_>),
    ) -> io::Result<()> {
        let path = self.file(segment);
        let look = || -> io::Result<(File, u64)> {
            let file = path.open()?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = look().naming("read", &path)?;
        let mut window = Vec::new();
        let mut from = 0;
        while from < length {
            fill(&file, from, length, &mut window, visit);
            from += search(&window, from, visit);
        }
        Ok(())
    }

    /// Reads a frame that [`scan`](Self::scan) has found.
    pub(crate) fn read(&self, segment: RawSegment, offset: u64, bytes: u32) -> io::Result<Vec<u8>> {
        let path = self.file(segment);
        let mut frame = vec![0; bytes as usize];
        path.open()
            .and_then(|file| file.read_exact_at(&mut frame, offset))
            .naming("read", &path)?;
        Ok(frame)
    }

    fn folder(&self, segment: RawSegment) -> AnchoredPath {
        let folder = segment_name::folder(segment.number);
        self.directory.segments().join(folder)
    }

    /// The file that holds the frames.
    fn file(&self, segment: RawSegment) -> AnchoredPath {
        if segment.is_file {
            let name = segment_name::file(segment.number);
            self.directory.segments().join(name)
        } else {
            self.folder(segment).join(sled_log::db_file::DB)
        }
    }
}

/// Reads a window, and the bytes behind it that its last frame may need; zeros replace what cannot be
/// read.
fn fill(
    file: &File,
    from: u64,
    length: u64,
    window: &mut Vec<u8>,
    visit: &mut dyn FnMut(u64, &Finding<'_>),
) {
    let most = WINDOW_BYTES + FRAME_BYTES_MAX;
    let there = usize::try_from(length - from).unwrap_or(most).min(most);
    window.clear();
    window.resize(there, 0);
    if file.read_exact_at(window, from).is_ok() {
        return;
    }
    let mut at = from;
    for sector in window.chunks_mut(SECTOR_BYTES) {
        if let Err(error) = file.read_exact_at(sector, at) {
            sector.fill(0);
            visit(at, &Finding::Unreadable(error));
        }
        at += sector.len() as u64;
    }
}

/// Shows what begins in a window; returns how many of its bytes are done.
fn search(window: &[u8], from: u64, visit: &mut dyn FnMut(u64, &Finding<'_>)) -> u64 {
    let end = if window.len() > WINDOW_BYTES {
        WINDOW_BYTES
    } else {
        window.len()
    };
    let mut at = 0;
    while let Some(found) = frame::find(&window[at..]) {
        at += found;
        if at >= end {
            break;
        }
        let offset = from + at as u64;
        match frame::open_any(&window[at..]) {
            Ok((view, bytes)) => {
                visit(offset, &Finding::Frame(view, bytes));
                // What looks like a frame within a frame belongs to its records.
                at += bytes as usize;
            }
            Err(bad) => {
                visit(offset, &Finding::Bad(bad));
                at += 1;
            }
        }
    }
    end.max(at) as u64
}
