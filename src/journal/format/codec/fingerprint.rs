//! Fingerprints as bytes.

use crate::journal::format::bad_record::BadRecord;
use crate::value::fingerprint::{FINGERPRINT_PARTS_MAX, Fingerprint, Part};

/// How many bytes a fingerprint takes.
pub(super) fn fingerprint_bytes(print: &Fingerprint) -> usize {
    5 + print
        .parts
        .iter()
        .map(|part| 17 + part.label.len())
        .sum::<usize>()
}

/// The bytes of a fingerprint.
pub(crate) fn fingerprint_to(print: &Fingerprint) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(fingerprint_bytes(print));
    encode_fingerprint(print, &mut bytes);
    bytes
}

/// The fingerprint in bytes of another medium; `None` if there is none.
pub(crate) fn fingerprint_from(bytes: &[u8]) -> Option<Fingerprint> {
    decode_fingerprint(bytes).ok()
}

/// Scheme (4 bytes), number of parts (1), then for each: label length (1), label, digest (16).
pub(super) fn encode_fingerprint(print: &Fingerprint, out: &mut Vec<u8>) {
    out.extend_from_slice(&print.scheme.to_le_bytes());
    out.push(u8::try_from(print.parts.len()).expect("a fingerprint has at most 16 parts"));
    for part in &print.parts {
        out.push(u8::try_from(part.label.len()).expect("a label has at most 64 bytes"));
        out.extend_from_slice(part.label.as_bytes());
        out.extend_from_slice(&part.digest.to_le_bytes());
    }
}

pub(super) fn decode_fingerprint(bytes: &[u8]) -> Result<Fingerprint, BadRecord> {
    let mut rest = bytes;
    let scheme = u32::from_le_bytes(chunk(&mut rest)?);
    let [count] = chunk(&mut rest)?;
    if usize::from(count) > FINGERPRINT_PARTS_MAX || count == 0 {
        return Err(BadRecord::Malformed);
    }
    let parts: Result<Vec<_>, _> = (0..count).map(|_| take_part(&mut rest)).collect();
    let parts = parts?;
    if rest.is_empty() {
        Ok(Fingerprint { scheme, parts })
    } else {
        Err(BadRecord::Malformed)
    }
}

fn take_part(rest: &mut &[u8]) -> Result<Part, BadRecord> {
    let [label_len] = chunk(rest)?;
    let (label, after) = rest
        .split_at_checked(usize::from(label_len))
        .ok_or(BadRecord::Malformed)?;
    *rest = after;
    let label = std::str::from_utf8(label).map_err(|_| BadRecord::Malformed)?;
    Ok(Part {
        label: label.to_owned(),
        digest: u128::from_le_bytes(chunk(rest)?),
    })
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadRecord> {
    let (chunk, rest) = bytes.split_first_chunk::<N>().ok_or(BadRecord::Malformed)?;
    *bytes = rest;
    Ok(*chunk)
}
