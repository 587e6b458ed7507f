//! A segment's file, read from its beginning to its end.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::log::contract::FRAME_BYTES_MAX;
use crate::journal::log::file_log::format::{
    ALIGN_BYTES, HEADER_BYTES, Header, LEAD_BYTES, Lead, align,
};

/// Bytes of a file that are read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A frame as it lies in the file. Its lead is whole; of its bytes nothing is known.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) index: u32,
    /// Where its lead begins.
    pub(super) offset: u64,
    pub(super) frame: &'a [u8],
}

/// Shows each frame whose lead is whole, with ascending indexes, until `visit` answers `false`.
/// Gives where the last byte ends that is not zero; `None` if it was stopped before.
///
/// Behind the last frame lies nothing but zeros, unless it was torn or something is damaged. So
/// wherever no lead is found the next multiple of 64 is looked at, up to the end of the file:
/// frames behind the damage tell it from a torn end.
pub(super) fn each(
    file: &File,
    header: &Header,
    visit: &mut dyn FnMut(Found<'_>) -> io::Result<bool>,
) -> io::Result<Option<u64>> {
    let mut window = Window::new(file)?;
    let (mut offset, mut end, mut next) = (HEADER_BYTES as u64, HEADER_BYTES as u64, 0);
    while offset < window.length {
        let bytes = window.at(offset, LEAD_BYTES + FRAME_BYTES_MAX)?;
        let whole = Lead::decode(bytes, header.number, header.salt)
            .filter(|lead| lead.index >= next)
            .and_then(|lead| {
                Some((
                    lead,
                    bytes.get(LEAD_BYTES..LEAD_BYTES + lead.frame_bytes())?,
                ))
            });
        let Some((lead, frame)) = whole else {
            let cell = &bytes[..bytes.len().min(ALIGN_BYTES)];
            if let Some(last) = cell.iter().rposition(|byte| *byte != 0) {
                end = offset + last as u64 + 1;
            }
            offset += ALIGN_BYTES as u64;
            continue;
        };
        let found = Found {
            index: lead.index,
            offset,
            frame,
        };
        end = offset + (LEAD_BYTES + frame.len()) as u64;
        if !visit(found)? {
            return Ok(None);
        }
        next = lead.index + 1;
        offset = align(end);
    }
    Ok(Some(end))
}

/// Whether anything but zeros lies behind the header.
pub(super) fn holds_anything(file: &File) -> io::Result<bool> {
    let mut window = Window::new(file)?;
    let mut offset = HEADER_BYTES as u64;
    while offset < window.length {
        let bytes = window.at(offset, ALIGN_BYTES)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        offset += bytes.len() as u64;
    }
    Ok(false)
}

/// A part of a file in memory.
struct Window<'a> {
    file: &'a File,
    /// Of the file, as it was at first.
    length: u64,
    from: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self {
            file,
            length: file.metadata()?.len(),
            from: 0,
            bytes: Vec::new(),
        })
    }

    /// The bytes from `offset` on: at least `wanted`, unless the file ends before.
    fn at(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let there = self.from + self.bytes.len() as u64;
        let until = self.length.min(offset + wanted as u64);
        if offset < self.from || until > there {
            let left = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
            self.bytes.resize(left.min(WINDOW_BYTES), 0);
            self.from = offset;
            self.fill()?;
        }
        let start = usize::try_from(offset - self.from).unwrap_or(usize::MAX);
        Ok(self.bytes.get(start..).unwrap_or_default())
    }

    /// Reads the window; the file may have been cut meanwhile, behind its last frame.
    fn fill(&mut self) -> io::Result<()> {
        let mut filled = 0;
        while filled < self.bytes.len() {
            let at = self.from + filled as u64;
            match self.file.read_at(&mut self.bytes[filled..], at) {
                Ok(0) => {
                    self.bytes.truncate(filled);
                    self.length = at;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
