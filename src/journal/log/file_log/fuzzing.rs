//! What fuzz targets reach of the reader of a segment's file.

use std::io;
use std::path::Path;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::disk_segment::DiskSegment;
use crate::journal::log::file_log::file_kind::{FileKind, look_at};
use crate::journal::log::file_log::header::Header;
use crate::journal::log::file_log::lead::Lead;
use crate::journal::log::file_log::segment::Segment;
use crate::journal::log::frames::Frames;

/// Reads a segment in one go, again, and frame by frame. `None` if the file is no segment.
pub(crate) fn read_segment(path: &Path, number: u64) -> io::Result<Option<Vec<(u32, Vec<u8>)>>> {
    let folder = AnchoredPath::at(path.parent().unwrap_or(path))?;
    let path = &folder.join(path.file_name().unwrap_or_default());
    let FileKind::Segment(header) = look_at(path, number)? else {
        return Ok(None);
    };
    let segment = Segment::closed(path.clone(), header.clone());
    let read_all = |segment: &Segment| {
        let mut frames = Vec::new();
        let read = segment.read_all(&mut |index, frame| {
            frames.push((index, frame.to_vec()));
            true
        });
        read.map(|()| frames)
    };
    let frames = read_all(&segment)?;
    assert_eq!(
        read_all(&segment)?,
        frames,
        "known frames lie where they lay"
    );
    for (index, frame) in &frames {
        let again = segment.read(*index)?;
        assert_eq!(
            again.as_ref(),
            Some(frame),
            "a frame is read as it was found"
        );
    }
    // A scan that stops early must not take what it saw for everything.
    let other = Segment::closed(path.clone(), header);
    other.read_all(&mut |_, _| false)?;
    assert_eq!(
        read_all(&other)?,
        frames,
        "a scan that stopped early hides nothing"
    );
    // Cutting off the zeros loses nothing.
    segment.give_back()?;
    let cut = look_at(path, number)?;
    assert!(
        matches!(cut, FileKind::Segment(_)),
        "a segment stays one: {cut:?}"
    );
    assert_eq!(read_all(&segment)?, frames, "only zeros were cut off");
    Ok(Some(frames))
}

/// The block at the front of a segment's file; empty if the link is too long.
pub(crate) fn header(number: u64, salt: u64, link: &[u8]) -> Vec<u8> {
    let header = Header {
        number,
        salt,
        link: link.to_vec(),
    };
    header.encode().unwrap_or_default()
}

/// The lead of a frame of this size.
pub(crate) fn lead(number: u64, salt: u64, index: u32, bytes: u32) -> Vec<u8> {
    Lead { index, bytes }.encode(number, salt).to_vec()
}
