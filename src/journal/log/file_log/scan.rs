//! Reads a segment's file from its beginning to its end.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::file_log::header::{HEADER_BYTES, Header};
use crate::journal::log::file_log::lead::{ALIGN_BYTES, LEAD_BYTES, Lead, align};

/// Bytes of a file that are read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A frame as it is in the file. Its lead is whole; its bytes are not checked.
#[derive(Debug)]
pub(super) struct FoundFrame<'a> {
    pub(super) index: u32,
    /// Where its lead begins.
    pub(super) offset: u64,
    pub(super) frame: &'a [u8],
}

/// Shows each frame whose lead is whole, with ascending indexes, until `visit` returns `false`.
/// Returns where the last byte ends that is not zero, or `None` if `visit` stopped it.
///
/// Behind the last frame there are only zeros, unless it was torn or something is damaged. So where
/// there is no lead, the search goes on at the next multiple of 64, up to the end of the file: frames
/// behind the gap show that it is damage and not a torn end.
pub(super) fn each(
    file: &File,
    header: &Header,
    visit: &mut dyn FnMut(FoundFrame<'_>) -> io::Result<bool>,
) -> io::Result<Option<u64>> {
    let mut window = FilePart::new(file)?;
    let (mut offset, mut end, mut next) = (HEADER_BYTES as u64, HEADER_BYTES as u64, 0);
    while offset < window.length {
        let bytes = window.at(offset, LEAD_BYTES + FRAME_BYTES_MAX)?;
        let Some((lead, frame)) = frame_at(bytes, header, next) else {
            let cell = &bytes[..bytes.len().min(ALIGN_BYTES)];
            if let Some(last) = cell.iter().rposition(|byte| *byte != 0) {
                end = offset + last as u64 + 1;
            }
            offset += ALIGN_BYTES as u64;
            continue;
        };
        let found = FoundFrame {
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

/// The frame that begins here, if its lead is whole and its index is `next` or higher.
fn frame_at<'a>(bytes: &'a [u8], header: &Header, next: u32) -> Option<(Lead, &'a [u8])> {
    let lead = Lead::decode(bytes, header.number, header.salt).filter(|lead| lead.index >= next)?;
    let frame = bytes.get(LEAD_BYTES..LEAD_BYTES + lead.frame_bytes())?;
    Some((lead, frame))
}

/// Whether there is anything but zeros behind the header.
pub(super) fn holds_anything(file: &File) -> io::Result<bool> {
    let mut window = FilePart::new(file)?;
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
struct FilePart<'a> {
    file: &'a File,
    /// The length of the file when the reading began.
    length: u64,
    from: u64,
    bytes: Vec<u8>,
}

impl<'a> FilePart<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self {
            file,
            length: file.metadata()?.len(),
            from: 0,
            bytes: Vec::new(),
        })
    }

    /// The bytes from `offset` on: at least `wanted`, unless the file is shorter.
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

    /// Reads the window. Meanwhile the file may be cut behind its last frame.
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
