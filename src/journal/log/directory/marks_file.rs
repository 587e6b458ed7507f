//! [`MarksFile`]: the two slots of the marks in their file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::FileResult;

/// Bytes of one slot: a write of one slot touches no block of the other.
const SLOT_BYTES: usize = 4096;

/// Most bytes that a slot holds.
const MARKS_BYTES_MAX: usize = 512;

/// The file of the marks, open for writing.
#[derive(Debug)]
pub(crate) struct MarksFile {
    path: AnchoredPath,
    /// Stays open as long as the store, so that no error of an earlier write is missed.
    file: File,
}

impl MarksFile {
    /// Opens the marks, with both slots already allocated. Writing a slot makes that durable too.
    pub(crate) fn open(path: AnchoredPath) -> io::Result<Self> {
        let open = || {
            let file = path.open_or_create()?;
            let there = file.metadata()?.len();
            let zeros = [0; 2 * SLOT_BYTES];
            // Only what is missing: a crash may have come after the first slot.
            let missing = zeros.get(usize::try_from(there).unwrap_or(usize::MAX)..);
            if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
                file.write_all_at(missing, there)?;
            }
            Ok(file)
        };
        let file = open().naming("open", &path)?;
        Ok(Self { path, file })
    }

    pub(crate) fn read(&self) -> io::Result<[Vec<u8>; 2]> {
        read_slots(&self.file).naming("read", &self.path)
    }

    /// Writes one slot durably.
    pub(crate) fn write(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        if slot > 1 || bytes.len() > MARKS_BYTES_MAX {
            let what = format!("slot {slot} of the marks cannot take {} bytes", bytes.len());
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        // The whole slot is written, so that no block has to be read first, and a retry after a
        // failure overwrites whatever that failure left.
        let mut block = vec![0; SLOT_BYTES];
        block[..2].copy_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
        block[2..2 + bytes.len()].copy_from_slice(bytes);
        self.file
            .write_all_at(&block, (slot * SLOT_BYTES) as u64)
            .and_then(|()| self.file.sync_data())
            .naming("write", &self.path)
    }
}

/// Both slots of the marks.
pub(crate) fn read_slots(marks: &File) -> io::Result<[Vec<u8>; 2]> {
    Ok([read_slot(marks, 0)?, read_slot(marks, 1)?])
}

/// One slot of the marks, as long as it says that it is. Where the file is too short for a slot, the
/// rest was never written, and reads as zero.
pub(crate) fn read_slot(marks: &File, slot: usize) -> io::Result<Vec<u8>> {
    let mut bytes = [0; 2 + MARKS_BYTES_MAX];
    let from = (slot * SLOT_BYTES) as u64;
    let there = marks.metadata()?.len().saturating_sub(from);
    let there = usize::try_from(there).map_or(bytes.len(), |there| there.min(bytes.len()));
    marks.read_exact_at(&mut bytes[..there], from)?;
    let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    // With an impossible length the whole slot is returned, for the journal's checksum to refuse.
    let written = &bytes[2..];
    Ok(written[..length.min(written.len())].to_vec())
}
