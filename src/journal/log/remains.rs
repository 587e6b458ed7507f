//! [`Remains`]: the segments that are left in a directory, read without changing a byte of it.
//!
//! Frames lie verbatim and in one piece in the file of a segment, of either kind of log, so they are
//! found by their magic and believed by their checksum, whatever has become of the bytes around them.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::journal::format::frame;
use crate::journal::format::frame::{BadFrame, FrameView};
use crate::journal::log::contract::FRAME_BYTES_MAX;
use crate::journal::log::directory::{OpenFailure, disk_bytes, named, parse_number};
use crate::journal::log::file_log;
use crate::journal::log::place::Place;
use crate::journal::log::sled_log;
use crate::journal::log::untouched::Untouched;
use crate::value::log_kind::LogKind;

/// Bytes of a file that are looked through at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What a medium that fails is asked for at once.
const SECTOR_BYTES: usize = 4096;

/// What lies at an offset where a frame seems to begin, or where nothing can be read.
#[derive(Debug)]
pub(crate) enum Remain<'a> {
    Frame(FrameView<'a>, u32),
    Bad(BadFrame),
    Unreadable(io::Error),
}

/// A segment, by the log in which it lies: a move leaves some in both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SegmentPlace {
    pub(crate) number: u64,
    pub(crate) is_file: bool,
}

impl Display for SegmentPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.is_file { "seg" } else { "db" };
        write!(f, "segment {:016x}, {file}", self.number)
    }
}

/// What is left of the segments of a store.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) directory: Untouched,
}

impl Remains {
    /// The segments by their names, ascending by number. Those that were being removed are left
    /// out: the low mark was above them first.
    pub(crate) fn segments(&self) -> io::Result<Vec<SegmentPlace>> {
        let path = self.directory.segments();
        let names = match path.names() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(|error| named(&error, "list", path))?,
        };
        let mut places = Vec::new();
        for name in names {
            let name = name.to_string_lossy();
            let of = |is_file| move |number| SegmentPlace { number, is_file };
            places.extend(parse_number(&name).map(of(false)));
            places.extend(file_log::parse_name(&name).map(of(true)));
        }
        places.sort_unstable();
        Ok(places)
    }

    /// The kind of log in which the store lies, as far as that is still known.
    pub(crate) fn kind(&self) -> LogKind {
        crate::journal::log::kind::recognise(&self.directory)
    }

    /// Bytes of the file that holds the frames; 0 where that cannot be told.
    pub(crate) fn bytes(&self, place: SegmentPlace) -> u64 {
        self.file(place).bytes().unwrap_or(0)
    }

    /// Bytes of the medium that a segment takes.
    pub(crate) fn disk_bytes(&self, place: SegmentPlace) -> io::Result<u64> {
        match place.is_file {
            true => disk_bytes(&self.file(place)),
            false => disk_bytes(&self.folder(place)),
        }
    }

    pub(crate) fn link(&self, place: SegmentPlace) -> io::Result<Vec<u8>> {
        if place.is_file {
            file_log::read_link(&self.file(place), place.number)
        } else {
            sled_log::read_link(&self.folder(place))
        }
    }

    /// Shows everything in a segment that looks like a frame, with its offset.
    pub(crate) fn scan(
        &self,
        place: SegmentPlace,
        visit: &mut dyn FnMut(u64, &Remain<'_>),
    ) -> io::Result<()> {
        let path = self.file(place);
        let look = || -> io::Result<(File, u64)> {
            let file = path.open()?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = look().map_err(|error| named(&error, "read", &path))?;
        let mut window = Vec::new();
        let mut from = 0;
        while from < length {
            fill(&file, from, length, &mut window, visit);
            from += look_through(&window, from, visit);
        }
        Ok(())
    }

    /// Reads a frame that [`scan`](Self::scan) has found.
    pub(crate) fn read(&self, place: SegmentPlace, offset: u64, bytes: u32) -> io::Result<Vec<u8>> {
        let path = self.file(place);
        let mut frame = vec![0; bytes as usize];
        path.open()
            .and_then(|file| file.read_exact_at(&mut frame, offset))
            .map_err(|error| named(&error, "read", &path))?;
        Ok(frame)
    }

    fn folder(&self, place: SegmentPlace) -> Place {
        let folder = sled_log::folder_name(place.number);
        self.directory.segments().join(folder)
    }

    /// The file that holds the frames.
    fn file(&self, place: SegmentPlace) -> Place {
        if place.is_file {
            let name = file_log::file_name(place.number);
            self.directory.segments().join(name)
        } else {
            self.folder(place).join(sled_log::DB)
        }
    }
}

/// Reads a window and what a frame that begins in it may need; what cannot be read is zero.
fn fill(
    file: &File,
    from: u64,
    length: u64,
    window: &mut Vec<u8>,
    visit: &mut dyn FnMut(u64, &Remain<'_>),
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
            visit(at, &Remain::Unreadable(error));
        }
        at += sector.len() as u64;
    }
}

/// Shows what begins in a window, and gives how far it is done with.
fn look_through(window: &[u8], from: u64, visit: &mut dyn FnMut(u64, &Remain<'_>)) -> u64 {
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
                visit(offset, &Remain::Frame(view, bytes));
                // What looks like a frame within a frame is a part of its records.
                at += bytes as usize;
            }
            Err(bad) => {
                visit(offset, &Remain::Bad(bad));
                at += 1;
            }
        }
    }
    end.max(at) as u64
}

/// Looks at a store beside whoever has it open.
pub(crate) fn beside(path: &Path) -> Result<Remains, OpenFailure> {
    Ok(Remains {
        directory: Untouched::beside(path)?,
    })
}

/// Opens what is left of a store, for reading only.
pub(crate) fn open(path: &Path) -> Result<Remains, OpenFailure> {
    Ok(Remains {
        directory: Untouched::open(path)?,
    })
}
