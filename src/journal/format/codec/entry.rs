//! [`Entry`]: one entry of a frame's payload.

use crate::journal::format::audit::entry::{self as audit, WireAudit};
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::fields::FieldReader;
use crate::journal::format::codec::head::kind_of;
use crate::journal::format::codec::part::{PART, WirePart};
use crate::journal::format::codec::record::WireRecord;
use crate::journal::format::codec::removal::{REMOVAL, WireRemoval};
use crate::journal::format::codec::wire::decode_wire;

/// One entry of a frame's payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    Record(WireRecord<'a>),
    Part(WirePart<'a>),
    Audit(WireAudit<'a>),
    Removal(WireRemoval),
}

/// Whether a record stands at the front of `bytes`.
#[inline]
pub(crate) fn is_record(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|kind| kind_of(*kind).is_ok())
}

/// Decodes the record at the front of `bytes`, and returns how many bytes it has.
#[inline]
pub(crate) fn decode_record(bytes: &[u8]) -> Result<(WireRecord<'_>, usize), BadRecord> {
    let mut fields = FieldReader::new(bytes);
    let record = WireRecord::take(&mut fields)?;
    Ok((record, bytes.len() - fields.left()))
}

/// Decodes the entry at the front of `bytes`, and returns how many bytes it has.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<(Entry<'_>, usize), BadRecord> {
    let kind = *bytes.first().ok_or(BadRecord::Malformed)?;
    if kind == PART {
        let (part, taken) = decode_wire::<WirePart<'_>>(bytes)?;
        return Ok((Entry::Part(part), taken));
    }
    if kind == audit::KIND {
        let (wire, taken) = audit::decode(bytes)?;
        return Ok((Entry::Audit(wire), taken));
    }
    if kind == REMOVAL {
        let mut fields = FieldReader::new(bytes);
        let removal = WireRemoval::take(&mut fields)?;
        return Ok((Entry::Removal(removal), bytes.len() - fields.left()));
    }
    kind_of(kind)?;
    let (record, taken) = decode_record(bytes)?;
    Ok((Entry::Record(record), taken))
}

/// The entries of a frame's payload in order, each with its offset, up to the first bad one.
pub(crate) fn entries(
    payload: &[u8],
) -> impl Iterator<Item = Result<(usize, Entry<'_>), BadRecord>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let offset = next;
        let bytes = payload.get(offset..).filter(|bytes| !bytes.is_empty())?;
        let entry = decode_entry(bytes);
        next = entry
            .as_ref()
            .map_or(payload.len(), |(_, taken)| offset + taken);
        Some(entry.map(|(entry, _)| (offset, entry)))
    })
}

/// The audit entries of a frame or an archive.
pub(crate) fn audits(payload: &[u8]) -> impl Iterator<Item = Result<WireAudit<'_>, BadRecord>> {
    entries(payload).filter_map(|entry| match entry {
        Ok((_, Entry::Audit(wire))) => Some(Ok(wire)),
        Ok(_) => None,
        Err(bad) => Some(Err(bad)),
    })
}

/// Appends the bytes of the audit entries of a frame.
pub(crate) fn extract_audits(payload: &[u8], out: &mut Vec<u8>) -> Result<(), BadRecord> {
    let mut ends = entries(payload).peekable();
    while let Some(entry) = ends.next() {
        let (offset, entry) = entry?;
        let end = match ends.peek() {
            Some(Ok((next, _))) => *next,
            _ => payload.len(),
        };
        if matches!(entry, Entry::Audit(_)) {
            out.extend_from_slice(&payload[offset..end]);
        }
    }
    Ok(())
}
