//! How many bytes the parts of a record may take.

use crate::journal::format::audit::entry::ENTRY_BYTES_MAX;
use crate::journal::format::codec::fingerprint::fingerprint_bytes;
use crate::journal::format::frame::PAYLOAD_BYTES_MAX;
use crate::value::record::RecordRef;

/// Most bytes of a record besides its key, fingerprint, metadata, reason and body.
pub(crate) const RECORD_OVERHEAD_MAX: usize = 64;

/// Most bytes of a body that is stored in its record, however long its other fields are.
pub(crate) const INLINE_BODY_MAX: usize = 24 * 1024;

/// Most bytes of a body in one part.
pub(crate) const PART_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 32;

const _: () = assert!(
    INLINE_BODY_MAX + 2 * 16 * 1024 + 1024 + 16 * 81 + 5 + RECORD_OVERHEAD_MAX + ENTRY_BYTES_MAX
        <= PAYLOAD_BYTES_MAX,
    "a record with every small field at its limit and its audit entry fit a frame"
);

/// An upper bound of the bytes of an encoded record.
#[inline]
pub(crate) fn record_bytes_max(record: &RecordRef<'_>) -> usize {
    let fingerprint = record.fingerprint.map_or(0, fingerprint_bytes);
    let inline = if record.body.len() > INLINE_BODY_MAX {
        0
    } else {
        record.body.len()
    };
    RECORD_OVERHEAD_MAX
        + record.key.len()
        + fingerprint
        + record.metadata.len()
        + record.reason.len()
        + inline
}
