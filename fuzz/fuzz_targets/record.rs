//! Frames, entries, marks, links and manifests from any bytes: an answer in bounded time and memory,
//! and what was believed is written again as it was read.
//!
//! `ci/fuzz 60 record`

#![no_main]

mod bounded;

use arbitrary::{Arbitrary, Unstructured};
use hapax::fuzzing::{self, AnyRecord};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

const STORE: [u8; 16] = [0; 16];
const HEADER: usize = 80;

#[derive(Arbitrary, Debug)]
enum Input {
    /// Bytes as they come.
    Raw(Kind, Vec<u8>),
    /// Bytes as they come, under the right magic and checksum.
    Sealed(Kind, Vec<u8>),
    /// A frame of good entries, changed here and there, under the right checksum.
    Frame {
        entries: Vec<AnyEntry>,
        changes: Vec<(u16, u8)>,
        cut: Option<u16>,
        tail: Vec<u8>,
        zeros: u32,
    },
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Kind {
    Frame,
    Entries,
    Marks,
    Link,
    Manifest,
}

#[derive(Arbitrary, Debug)]
enum AnyEntry {
    Record(#[arbitrary(with = any_record)] AnyRecord),
    Part(u32, Vec<u8>),
}

fn any_record(input: &mut Unstructured<'_>) -> arbitrary::Result<AnyRecord> {
    Ok(AnyRecord {
        kind: input.arbitrary()?,
        namespace: input.arbitrary()?,
        token: input.arbitrary()?,
        attempt: input.arbitrary()?,
        times: input.arbitrary()?,
        retention_secs: input.arbitrary()?,
        body_omitted: input.arbitrary()?,
        attached: input.arbitrary()?,
        key: input.arbitrary()?,
        labels: input.arbitrary()?,
        metadata: input.arbitrary()?,
        reason: input.arbitrary()?,
        body: input.arbitrary()?,
    })
}

fuzz_target!(|input: Input| {
    match input {
        Input::Raw(kind, bytes) => check(kind, &bytes),
        Input::Sealed(kind, bytes) => check(kind, &seal(kind, bytes)),
        Input::Frame {
            entries,
            changes,
            cut,
            tail,
            zeros,
        } => {
            let mut payload = Vec::new();
            for entry in &entries {
                match entry {
                    AnyEntry::Record(record) => payload.extend(fuzzing::encode_record(record)),
                    AnyEntry::Part(index, bytes) => {
                        payload.extend(fuzzing::encode_part(*index, bytes));
                    }
                }
            }
            if changes.is_empty() {
                let again = fuzzing::recode_entries(&payload);
                assert_eq!(again, payload, "good entries come back as they were");
            }
            payload.extend(&tail);
            for (at, value) in changes {
                if let Some(byte) = payload.get_mut(usize::from(at)) {
                    *byte ^= value;
                }
            }
            payload.truncate(cut.map_or(usize::MAX, usize::from));
            if zeros % 16 == 0 {
                payload.resize(payload.len() + zeros as usize % 80_000, 0);
            }
            let frame = fuzzing::seal_frame(1, entries.len() as u32, &payload);
            let again = fuzzing::reseal_frame(&frame, &STORE);
            let fits = frame.len() <= 65_440;
            assert_eq!(
                again,
                fits.then_some(frame),
                "a frame that fits is believed"
            );
            check(Kind::Entries, &payload);
        }
    }
});

/// Puts magic, version, lengths and checksum in their places.
fn seal(kind: Kind, mut bytes: Vec<u8>) -> Vec<u8> {
    match kind {
        Kind::Frame => {
            bytes.resize(bytes.len().max(HEADER), 0);
            bytes[..8].copy_from_slice(b"hapaxfrm");
            bytes[8] %= 3;
            bytes[9] = 0;
            let length = (bytes.len() - HEADER) as u32;
            bytes[64..68].copy_from_slice(&length.to_le_bytes());
            let mut covered = bytes[..72].to_vec();
            covered.extend_from_slice(&bytes[HEADER..]);
            bytes[72..HEADER].copy_from_slice(&xxh3_64(&covered).to_le_bytes());
        }
        Kind::Entries => {}
        Kind::Marks => under_checksum(&mut bytes, *b"hapaxmrk", 112),
        Kind::Link => under_checksum(&mut bytes, *b"hapaxlnk", 56),
        Kind::Manifest => {
            let sum = xxh3_64(&bytes);
            let mut whole = b"hapaxman\x01\0\0\0".to_vec();
            whole.extend_from_slice(&sum.to_le_bytes());
            whole.append(&mut bytes);
            bytes = whole;
        }
    }
    bytes
}

fn under_checksum(bytes: &mut Vec<u8>, magic: [u8; 8], length: usize) {
    bytes.resize(length, 0);
    bytes[..8].copy_from_slice(&magic);
    if length == 112 {
        bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[..length - 8]);
    bytes[length - 8..].copy_from_slice(&sum.to_le_bytes());
}

fn check(kind: Kind, bytes: &[u8]) {
    match kind {
        Kind::Frame => {
            let mut store = STORE;
            if let Some(id) = bytes.get(16..32) {
                store.copy_from_slice(id);
            }
            if let Some(again) = fuzzing::reseal_frame(bytes, &store) {
                assert!(bytes.len() <= 65_440, "no frame is larger");
                // Version 1 counted epochs otherwise, and is sealed as version 2.
                let is_plain = bytes[8..10] == [2, 0] && bytes[68..72] == [0; 4];
                assert!(!is_plain || again == bytes, "a frame is sealed in one way");
                check(Kind::Entries, &bytes[HEADER..]);
            }
        }
        Kind::Entries => {
            let once = fuzzing::recode_entries(bytes);
            assert_eq!(
                fuzzing::recode_entries(&once),
                once,
                "one way to write an entry"
            );
            if let Some(kind) = fuzzing::unknown_kind(bytes) {
                assert!(!(1..=7).contains(&kind));
            }
        }
        Kind::Marks => {
            if let Some(again) = fuzzing::recode_marks(bytes) {
                // Version 1 counted epochs otherwise, and is written as version 2.
                let is_plain = bytes[8] == 2 && bytes[88..104] == [0; 16];
                assert!(!is_plain || again == bytes, "marks are written in one way");
            }
        }
        Kind::Link => {
            if let Some(again) = fuzzing::recode_link(bytes) {
                assert_eq!(again, bytes, "a link is written in one way");
            }
        }
        Kind::Manifest => {
            if let Some(once) = fuzzing::recode_manifest(bytes) {
                let again = fuzzing::recode_manifest(&once);
                assert_eq!(again, Some(once), "a manifest is written in one way");
            }
        }
    }
}
