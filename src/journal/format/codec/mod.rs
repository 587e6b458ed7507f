//! Entries of frames and the manifest as bytes: the only folder that names bincode.
//! What comes in: records and namespaces to be encoded, or untrusted bytes of a medium.
//! It does not know frames, and it does not know the place of an entry.
//!
//! Decoding is total: any bytes give `Ok` or an error, in time and memory bounded by their length,
//! without recursion, and no byte may be left over. `docs/format.md` documents the bytes.

mod encoded;
mod entry;
mod fields;
mod fingerprint;
mod head;
mod limits;
mod manifest;
mod part;
mod record;
mod removal;
mod sink;
mod wire;

pub(crate) use crate::journal::format::codec::encoded::Encoded;
pub(crate) use crate::journal::format::codec::entry::{
    Entry, audits, decode_entry, decode_record, entries, extract_audits, is_record,
};
pub(crate) use crate::journal::format::codec::fingerprint::{fingerprint_from, fingerprint_to};
pub(crate) use crate::journal::format::codec::limits::{
    INLINE_BODY_MAX, PART_BYTES_MAX, RECORD_OVERHEAD_MAX, record_bytes_max,
};
pub(crate) use crate::journal::format::codec::manifest::{
    decode_manifest, encode_manifest, encode_policy,
};
pub(crate) use crate::journal::format::codec::part::encode_part;
pub(crate) use crate::journal::format::codec::record::WireRecord;
#[cfg(any(test, fuzzing))]
pub(crate) use crate::journal::format::codec::record::encode_record;
pub(crate) use crate::journal::format::codec::removal::WireRemoval;
