//! What a newer version wrote.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec;
use crate::journal::format::frame::{BadFrame, FORMAT_VERSION, HEADER_BYTES, open_frame};
use crate::journal::format::golden::samples::{STORE_ID, frame, manifest, marks};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::value::error::ErrorKind;

/// A valid frame with another byte in its header than this version writes.
fn resealed(at: usize, value: u8) -> Vec<u8> {
    let mut bytes = frame();
    bytes[at] = value;
    let (header, payload) = bytes.split_at(HEADER_BYTES);
    let covered = [&header[..HEADER_BYTES - 8], payload].concat();
    let checksum = xxhash_rust::xxh3::xxh3_64(&covered);
    bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_a_newer_version_wrote_is_told_from_damage() {
    assert!(open_frame(&resealed(0, b'h'), &STORE_ID).is_ok());
    let newer = u8::try_from(FORMAT_VERSION + 1).unwrap();
    assert_eq!(
        open_frame(&resealed(8, newer), &STORE_ID).unwrap_err(),
        BadFrame::NewerFormat
    );
    assert_eq!(
        open_frame(&resealed(10, 1), &STORE_ID).unwrap_err(),
        BadFrame::NewerFormat
    );
    assert_eq!(
        open_frame(&frame(), &[0; 16]).unwrap_err(),
        BadFrame::ForeignStore
    );
    let mut newer = marks().encode();
    assert!(!Marks::is_newer(&newer));
    newer[8] += 1;
    assert!(Marks::is_newer(&newer) && Marks::decode(&newer).is_none());
    let mut manifest = manifest_file::encode(&manifest());
    manifest[8] = 4;
    assert_eq!(
        manifest_file::decode(&manifest).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    manifest[0] = b'x';
    assert_eq!(
        manifest_file::decode(&manifest).unwrap_err().kind(),
        ErrorKind::Damaged
    );
    assert_eq!(
        codec::decode_entry(&[10, 0, 0]).unwrap_err(),
        BadRecord::UnknownKind(10)
    );
}
