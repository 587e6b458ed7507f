//! What fuzz targets reach of the direct reader of sled's file.

use std::io;
use std::path::Path;

use crc32fast::Hasher;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::frames::Frames;
use crate::journal::log::sled_log::db_file::{CONF_BYTES, open_db};
use crate::journal::log::sled_log::messages::{self, Layout};
use crate::journal::log::sled_log::segment::Segment;

pub(crate) const CONF: &[u8] = CONF_BYTES;

/// Reads a closed segment in one go and frame by frame; refuses one that only sled can read.
pub(crate) fn read_segment(folder: &Path) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let folder = AnchoredPath::at(folder)?;
    let db = open_db(&folder)?;
    if let Layout::Recycled(_) = messages::layout(&db)? {
        return Err(io::Error::other("recycled"));
    }
    let segment = Segment::closed(folder.clone());
    let mut frames = Vec::new();
    // A torn frame is shown without its bytes, until the segment has been read as a whole.
    segment.read_all(&mut |index, frame| {
        if !frame.is_empty() {
            frames.push((index, frame.to_vec()));
        }
        true
    })?;
    for (index, frame) in &frames {
        let again = segment.read(*index)?;
        assert_eq!(
            again.as_ref(),
            Some(frame),
            "a frame is read as it was found"
        );
    }
    // A scan that stops early must not take what it saw for everything.
    let other = Segment::closed(folder.clone());
    other.read_all(&mut |_, _| false)?;
    let mut again = Vec::new();
    other.read_all(&mut |index, frame| {
        if !frame.is_empty() {
            again.push((index, frame.to_vec()));
        }
        true
    })?;
    assert_eq!(again, frames, "a scan that stopped early hides nothing");
    Ok(frames)
}

/// A block of sled's file: its header, and messages of (kind, page, body, intact).
pub(crate) fn block(number: u64, messages: &[(u8, u64, Vec<u8>, bool)]) -> Vec<u8> {
    let lsn = i64::try_from(number * messages::BLOCK_BYTES as u64).unwrap_or(0) ^ i64::MAX;
    let mut out = vec![0; 4];
    out.extend_from_slice(&lsn.to_le_bytes());
    out.extend_from_slice(&lsn.to_le_bytes());
    let mut crc = Hasher::new();
    crc.update(&out[4..]);
    out[..4].copy_from_slice(&(!crc.finalize()).to_le_bytes());
    for (kind, page, body, intact) in messages {
        let mut head = vec![*kind];
        for value in [body.len() as u64, number, *page] {
            head.push(255);
            head.extend_from_slice(&value.to_le_bytes());
        }
        let mut crc = Hasher::new();
        crc.update(body);
        crc.update(&head);
        let sum = if *intact {
            !crc.finalize()
        } else {
            crc.finalize()
        };
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(body);
    }
    out
}
