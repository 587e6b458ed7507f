//! The reader of a segment's file, as the fuzzer drives it.

use std::io;
use std::path::Path;

use crate::journal::log::file_log::format::{Header, Lead};
use crate::journal::log::place::Place;

use crate::journal::log::file_log::segment::{Kind, Segment, look_at};

/// Reads a segment in one go, again, and frame by frame. `None` for a file that is no segment.
pub(crate) fn read_segment(path: &Path, number: u64) -> io::Result<Option<Vec<(u32, Vec<u8>)>>> {
    let folder = Place::at(path.parent().unwrap_or(path))?;
    let path = &folder.join(path.file_name().unwrap_or_default());
    let Kind::Segment(header) = look_at(path, number)? else {
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
    // Stopped early, it must not take what it saw for all there is.
    let other = Segment::closed(path.clone(), header);
    other.read_all(&mut |_, _| false)?;
    assert_eq!(
        read_all(&other)?,
        frames,
        "a scan that stopped early hides nothing"
    );
    // Cutting off what is zero loses nothing.
    segment.give_back()?;
    let cut = look_at(path, number)?;
    assert!(
        matches!(cut, Kind::Segment(_)),
        "a segment stays one: {cut:?}"
    );
    assert_eq!(read_all(&segment)?, frames, "only zeros were cut off");
    Ok(Some(frames))
}

/// The block at the front of a segment's file; of no bytes for a link that is too long.
pub(crate) fn header(number: u64, salt: u64, link: &[u8]) -> Vec<u8> {
    let header = Header {
        number,
        salt,
        link: link.to_vec(),
    };
    header.encode().unwrap_or_default()
}

/// What stands before a frame of so many bytes.
pub(crate) fn lead(number: u64, salt: u64, index: u32, bytes: u32) -> Vec<u8> {
    Lead { index, bytes }.encode(number, salt).to_vec()
}
