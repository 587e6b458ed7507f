//! What fuzz targets need from the inside. It exists only under `cfg(fuzzing)`, and promises nothing.
//!
//! Each function takes bytes or values and returns the result of the code; the targets assert what must hold
//! between the two.

use std::io;
use std::path::Path;

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec;
use crate::journal::format::codec::Entry;
use crate::journal::format::frame::{FrameHeader, open_frame};
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::memory_log::memory_log::MemoryLog;
use crate::journal::log::{file_log, sled_log};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Head, RecordKind, RecordRef};

pub use crate::journal::log::memory_log::image::{Image, SegmentImage};

/// A log that holds exactly this image.
#[must_use]
pub fn log_of(image: Image) -> MemoryLog {
    MemoryLog::of_image(image)
}

/// Everything in a log.
#[must_use]
pub fn image_of(log: &MemoryLog) -> Image {
    log.image()
}

/// Makes the next append of the open session fail.
pub fn fail_next_append(log: &MemoryLog) {
    log.fail_next_append(io::ErrorKind::StorageFull);
}

/// Makes the next sync of the open session fail.
pub fn fail_next_sync(log: &MemoryLog) {
    log.fail_next_sync(io::ErrorKind::Other);
}

/// Opens a frame; returns the frame that its header and payload seal to, if it is valid.
#[must_use]
pub fn reseal_frame(bytes: &[u8], store_id: &[u8; 16]) -> Option<Vec<u8>> {
    let view = open_frame(bytes, store_id).ok()?;
    let mut again = Vec::new();
    let checksum = view.header.seal(view.payload, &mut again);
    // The checksum covers spare bits, and sealing clears them.
    assert!(checksum == view.checksum || again[..72] != bytes[..72]);
    Some(again)
}

/// A frame of these entries.
#[must_use]
pub fn seal_frame(number: u64, records: u32, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        records,
        store_id: [0; 16],
        number,
        epoch: 0,
        store_secs: 0,
        durable: 0,
        previous: 0,
    };
    let mut out = Vec::new();
    header.seal(payload, &mut out);
    out
}

/// Decodes the entries of a payload, and encodes those before the first bad one again.
#[must_use]
pub fn recode_entries(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut next = 0;
    for entry in codec::entries(payload) {
        let Ok((offset, entry)) = entry else { break };
        assert_eq!(offset, next, "entries leave no gap");
        let (_, taken) = codec::decode_entry(&payload[offset..]).expect("it decoded before");
        assert!(taken > 0 && offset + taken <= payload.len());
        next = offset + taken;
        match entry {
            Entry::Part(part) => codec::encode_part(part.index, part.bytes, &mut out),
            Entry::Audit(wire) => {
                assert_eq!(wire.bytes(), taken, "an audit entry is as long as it says");
                let _ = wire.facts();
                out.extend_from_slice(&payload[offset..next]);
            }
            Entry::Removal(removal) => {
                let Ok(head) = removal.head() else { continue };
                let mut again = codec::Encoded::empty();
                again.put_removal(&head, removal.removed());
                out.extend_from_slice(again.bytes());
            }
            Entry::Record(wire) => {
                let Ok(record) = wire.to_record(None) else {
                    continue;
                };
                let before = out.len();
                codec::encode_record(&record.as_ref(), 0, &mut out);
                let bound = codec::record_bytes_max(&record.as_ref());
                let inline = record.body.len() > codec::INLINE_BODY_MAX;
                assert!(
                    inline || out.len() - before <= bound,
                    "the bound of a record holds"
                );
            }
        }
    }
    out
}

/// An arbitrary record.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "as in the record")]
pub struct AnyRecord {
    pub kind: u8,
    pub namespace: u32,
    pub token: u64,
    pub attempt: u32,
    pub times: [u32; 3],
    pub retention_secs: u32,
    pub body_omitted: bool,
    pub attached: bool,
    pub key: Vec<u8>,
    pub labels: Vec<(String, u128)>,
    pub metadata: Vec<u8>,
    pub reason: Vec<u8>,
    pub body: Vec<u8>,
}

/// Encodes a record, and checks that it decodes to itself.
#[must_use]
pub fn encode_record(any: &AnyRecord) -> Vec<u8> {
    const KINDS: [RecordKind; 6] = [
        RecordKind::InProgress,
        RecordKind::Completed,
        RecordKind::Failed,
        RecordKind::InDoubt,
        RecordKind::Released,
        RecordKind::Forgotten,
    ];
    let labels = any.labels.iter().take(16);
    let part = |(label, digest): &(String, u128)| Part {
        label: label.chars().take(16).collect(),
        digest: *digest,
    };
    let mut parts: Vec<Part> = labels.map(part).collect();
    parts.retain(|part| !part.label.is_empty());
    parts.sort_by(|a, b| a.label.cmp(&b.label));
    parts.dedup_by(|a, b| a.label == b.label);
    let fingerprint = (!parts.is_empty()).then_some(Fingerprint {
        scheme: any.namespace,
        parts,
    });
    let head = head_of(any, KINDS[usize::from(any.kind) % KINDS.len()]);
    let record = RecordRef {
        head,
        key: &any.key,
        fingerprint: fingerprint.as_ref(),
        metadata: &any.metadata,
        reason: &any.reason,
        body: &any.body,
    };
    let mut out = Vec::new();
    codec::encode_record(&record, 0, &mut out);
    match codec::decode_entry(&out) {
        Ok((Entry::Record(wire), taken)) => {
            assert_eq!(taken, out.len());
            let decoded = wire.to_record(None).expect("what was encoded decodes");
            assert_eq!(decoded, record.to_record());
        }
        other => panic!("{other:?}"),
    }
    out
}

fn head_of(any: &AnyRecord, kind: RecordKind) -> Head {
    Head {
        kind,
        namespace: NamespaceId(any.namespace),
        token: FencingToken::from_u64(any.token >> 1).expect("63 bits"),
        attempt: any.attempt,
        first_claimed_at: any.times[0],
        recorded_at: any.times[1],
        expires_at: any.times[2],
        retention_secs: any.retention_secs,
        body_omitted: any.body_omitted,
        attached: any.attached,
    }
}

/// A removal of the record at a place, with the fixed fields of an arbitrary record.
#[must_use]
pub fn encode_removal(any: &AnyRecord, frame: u64, offset: u16) -> Vec<u8> {
    let head = head_of(any, RecordKind::Forgotten);
    let removed = (frame != 0).then_some(Locator { frame, offset });
    let mut encoded = codec::Encoded::empty();
    encoded.put_removal(&head, removed);
    match codec::decode_entry(encoded.bytes()) {
        Ok((Entry::Removal(again), taken)) => {
            assert_eq!(taken, encoded.bytes().len());
            assert_eq!(again.head(), Ok(head), "what was encoded decodes");
            assert_eq!(again.removed(), removed, "what was encoded decodes");
        }
        other => panic!("{other:?}"),
    }
    encoded.bytes().to_vec()
}

/// A part of a body.
#[must_use]
pub fn encode_part(index: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec::encode_part(index, bytes, &mut out);
    out
}

/// The kind byte of an entry, if this version does not know that kind.
#[must_use]
pub fn unknown_kind(entry: &[u8]) -> Option<u8> {
    match codec::decode_entry(entry) {
        Err(BadRecord::UnknownKind(kind)) => Some(kind),
        _ => None,
    }
}

/// Decodes marks, and encodes them again.
#[must_use]
pub fn recode_marks(bytes: &[u8]) -> Option<Vec<u8>> {
    Marks::decode(bytes).map(|marks| marks.encode())
}

/// Decodes a link, and encodes it again.
#[must_use]
pub fn recode_link(bytes: &[u8]) -> Option<Vec<u8>> {
    Link::decode(bytes).map(|link| link.encode())
}

/// Decodes a manifest, and encodes it again.
#[must_use]
pub fn recode_manifest(bytes: &[u8]) -> Option<Vec<u8>> {
    manifest_file::decode(bytes)
        .ok()
        .map(|manifest| manifest_file::encode(&manifest))
}

/// A manifest of a store with these namespaces, all else at its default.
#[must_use]
pub fn manifest_of(store_id: [u8; 16], namespaces: &[(u32, &str)]) -> Vec<u8> {
    let entry = |(id, name): &(u32, &str)| NamespaceEntry {
        id: NamespaceId(*id),
        name: (*name).to_owned(),
        policy: Policy::at_least_once(),
    };
    let manifest = Manifest {
        store_id,
        seed: [0; 16],
        created_secs: 0,
        backup: false,
        salvaged: false,
        namespaces: namespaces.iter().map(entry).collect(),
    };
    manifest_file::encode(&manifest)
}

/// The frames that the direct reader finds in the file of a closed segment, which it reads twice: in
/// one go and one by one. sled does not run.
///
/// # Errors
/// Those of the reader.
pub fn read_segment(folder: &Path) -> io::Result<Vec<(u32, Vec<u8>)>> {
    sled_log::fuzzing::read_segment(folder)
}

/// A block of sled's file with these messages: kind, page, body, and whether the checksum holds.
#[must_use]
pub fn sled_block(number: u64, messages: &[(u8, u64, Vec<u8>, bool)]) -> Vec<u8> {
    sled_log::fuzzing::block(number, messages)
}

/// The configuration of sled in the folder of a segment.
pub const CONF: &[u8] = sled_log::fuzzing::CONF;

/// The frames in the file of a segment, which is read in one go, again, and one by one. `None` if the
/// file is no segment.
///
/// # Errors
/// Those of the reader.
pub fn read_file_segment(path: &Path, number: u64) -> io::Result<Option<Vec<(u32, Vec<u8>)>>> {
    file_log::fuzzing::read_segment(path, number)
}

/// The block at the front of a segment's file; empty if the link is too long.
#[must_use]
pub fn file_header(number: u64, salt: u64, link: &[u8]) -> Vec<u8> {
    file_log::fuzzing::header(number, salt, link)
}

/// What precedes a frame of this size in a segment's file.
#[must_use]
pub fn file_lead(number: u64, salt: u64, index: u32, bytes: u32) -> Vec<u8> {
    file_log::fuzzing::lead(number, salt, index, bytes)
}
