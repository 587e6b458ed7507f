//! [`FileKind`]: what a file is that has the name of a segment.

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, remove_if_there};
use crate::journal::log::file_log::header::{BadHeader, HEADER_BYTES, Header};
use crate::journal::log::file_log::scan;

/// What a file is that has the name of a segment.
#[derive(Debug)]
pub(super) enum FileKind {
    Segment(Header),
    /// It was made ahead of need and never used.
    Unused,
}

/// Looks at a file, and refuses one that was a segment and is no longer whole.
pub(super) fn look_at(path: &AnchoredPath, number: u64) -> io::Result<FileKind> {
    let (decoded, is_unused) = read(path).naming("read", path)?;
    match decoded {
        Ok(header) if header.number == number => Ok(FileKind::Segment(header)),
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
        Err(BadHeader::Corrupt) if is_unused => Ok(FileKind::Unused),
        Err(BadHeader::Corrupt) => {
            let what = format!(
                "{path} is a segment whose header is damaged; nothing was changed: restore a backup, or save what is left with Store::salvage"
            );
            Err(io::Error::new(ErrorKind::InvalidData, what))
        }
    }
}

/// The header of a file, and whether the file was never used.
fn read(path: &AnchoredPath) -> io::Result<(Result<Header, BadHeader>, bool)> {
    let file = path.open()?;
    let mut block = [0; HEADER_BYTES];
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let there = length.min(HEADER_BYTES);
    file.read_exact_at(&mut block[..there], 0)?;
    let decoded = Header::decode(&block);
    // A file is made with room for more than a header; a shorter one was cut.
    let is_cut = there > 0 && there < HEADER_BYTES;
    let is_unused = decoded == Err(BadHeader::Corrupt) && !is_cut && !scan::holds_anything(&file)?;
    Ok((decoded, is_unused))
}

/// The marker of a segment, which is in its header.
pub(crate) fn read_link(path: &AnchoredPath, number: u64) -> io::Result<Vec<u8>> {
    match look_at(path, number)? {
        FileKind::Segment(header) => Ok(header.link),
        FileKind::Unused => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("{path} was never used"),
        )),
    }
}

/// Deletes what an earlier try has left; refuses a segment.
pub(super) fn discard_unused(path: &AnchoredPath, number: u64) -> io::Result<()> {
    match look_at(path, number)? {
        FileKind::Unused => remove_if_there(path),
        FileKind::Segment(_) => {
            let what = format!("{path} is in use");
            Err(io::Error::new(ErrorKind::AlreadyExists, what))
        }
    }
}
