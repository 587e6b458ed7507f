//! [`Archive`]: the audit entries of a segment, kept when the segment goes.

use crate::journal::format::audit::chain::AUDIT_NUMBER_MAX;
use crate::journal::format::audit::entry::KIND;
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::fields::{Fields, checksum};
use crate::value::audit::AuditHead;

const MAGIC: [u8; 8] = *b"hapaxaud";
const VERSION: u32 = 1;

/// Bytes of the header of an archive.
const HEADER_BYTES: usize = 8 + 4 + 4 + 16 + 8 + 40 + 40 + 8 + 8;

/// The audit entries of one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Archive {
    pub(crate) store_id: [u8; 16],
    pub(crate) segment: u64,
    /// The chain before its first entry, and after its last.
    pub(crate) before: AuditHead,
    pub(crate) after: AuditHead,
    pub(crate) greatest_expiry: u32,
    /// The bytes of the entries, as in their frames; empty once they have expired, and only the place in
    /// the chain is kept.
    pub(crate) entries: Vec<u8>,
}

impl Archive {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.entries.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.greatest_expiry.to_le_bytes());
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.segment.to_le_bytes());
        for head in [self.before, self.after] {
            out.extend_from_slice(&head.number.to_le_bytes());
            out.extend_from_slice(&head.link);
        }
        let length = u64::try_from(self.entries.len()).expect("a length fits 64 bits");
        out.extend_from_slice(&length.to_le_bytes());
        let checksum = checksum(&out, &self.entries);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&self.entries);
        out
    }

    /// Refuses an archive whose checksum does not hold.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (header, entries) = bytes
            .split_at_checked(HEADER_BYTES)
            .ok_or(BadRecord::Malformed)?;
        let (covered, stored) = header.split_at(HEADER_BYTES - 8);
        let mut fields = Fields(covered);
        let magic: [u8; 8] = fields.take();
        if magic != MAGIC || stored != checksum(covered, entries).to_le_bytes() {
            return Err(BadRecord::Malformed);
        }
        if u32::from_le_bytes(fields.take()) != VERSION {
            return Err(BadRecord::UnknownKind(KIND));
        }
        let greatest_expiry = u32::from_le_bytes(fields.take());
        let store_id = fields.take();
        let segment = u64::from_le_bytes(fields.take());
        let mut head = || AuditHead {
            number: u64::from_le_bytes(fields.take()),
            link: fields.take(),
        };
        let (before, after) = (head(), head());
        if before.number.max(after.number) > AUDIT_NUMBER_MAX {
            return Err(BadRecord::Malformed);
        }
        if u64::from_le_bytes(fields.take()) != u64::try_from(entries.len()).unwrap_or(u64::MAX) {
            return Err(BadRecord::Malformed);
        }
        Ok(Self {
            store_id,
            segment,
            before,
            after,
            greatest_expiry,
            entries: entries.to_vec(),
        })
    }

    /// The same place in the chain without entries, which have expired.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            before: self.after,
            greatest_expiry: 0,
            entries: Vec::new(),
            ..self.clone()
        }
    }
}
