//! [`Marks`]: how far the store has come, in a small synced file of two alternating slots; and
//! [`Link`], the marker of a segment.

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::audit::chain::AUDIT_NUMBER_MAX;
use crate::journal::format::fields::Fields;
use crate::journal::format::frame::FRAME_NUMBER_MAX;
use crate::value::audit::AuditHead;
use crate::value::fencing_token::{EPOCH_END, widened_epoch};

const MAGIC: [u8; 8] = *b"hapaxmrk";
/// The first version with 31 bits of epoch in a token.
const VERSION: u32 = 2;

/// Bytes of one slot.
pub(crate) const MARKS_BYTES: usize = 112;

/// The place where the journal begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LowMark {
    /// The oldest segment.
    pub(crate) segment: u64,
    /// The number of the frame before its first one.
    pub(crate) before: u64,
    /// The checksum of that frame.
    pub(crate) checksum: u64,
}

/// The last audit entry that went into an archive below the low mark, with the part of its link that
/// the marks have room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Archived {
    /// 0 if no entry was archived, or if an earlier version did not note it.
    number: u64,
    /// The first bytes of its link.
    link: [u8; 8],
}

impl Archived {
    pub(crate) fn at(head: &AuditHead) -> Self {
        let link = head.link.first_chunk().copied();
        Self {
            number: head.number,
            link: link.expect("a link has 32 bytes"),
        }
    }

    /// Its number, if it is known.
    pub(crate) fn number(self) -> Option<u64> {
        Some(self.number).filter(|number| *number > 0)
    }
}

/// Highest number of a segment. A store that comes near refuses all changes.
pub(crate) const SEGMENT_NUMBER_MAX: u64 = (1 << 44) - 1;

/// How far the store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marks {
    pub(crate) store_id: [u8; 16],
    /// Rises with every write, and wraps to 0: of two valid slots the later one counts.
    pub(crate) generation: u64,
    pub(crate) epoch: u32,
    /// The last frame that was durable: the log may be longer, but not shorter.
    pub(crate) durable: u64,
    /// The checksum of that frame.
    pub(crate) durable_checksum: u64,
    pub(crate) low: LowMark,
    /// Store time in milliseconds.
    pub(crate) store_ms: u64,
    pub(crate) archived: Archived,
}

impl Marks {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MARKS_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.durable.to_le_bytes());
        out.extend_from_slice(&self.durable_checksum.to_le_bytes());
        out.extend_from_slice(&self.low.segment.to_le_bytes());
        out.extend_from_slice(&self.low.before.to_le_bytes());
        out.extend_from_slice(&self.low.checksum.to_le_bytes());
        out.extend_from_slice(&self.store_ms.to_le_bytes());
        out.extend_from_slice(&self.archived.number.to_le_bytes());
        out.extend_from_slice(&self.archived.link);
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    /// `None` for bytes that are not marks of a known version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::checked(bytes, MARKS_BYTES, MAGIC)?;
        let version = u32::from_le_bytes(fields.take());
        if !(1..=VERSION).contains(&version) {
            return None;
        }
        let epoch = u32::from_le_bytes(fields.take());
        Some(Self {
            epoch: if version < VERSION {
                widened_epoch(epoch)
            } else {
                epoch
            },
            store_id: fields.take(),
            generation: u64::from_le_bytes(fields.take()),
            durable: u64::from_le_bytes(fields.take()),
            durable_checksum: u64::from_le_bytes(fields.take()),
            low: LowMark {
                segment: u64::from_le_bytes(fields.take()),
                before: u64::from_le_bytes(fields.take()),
                checksum: u64::from_le_bytes(fields.take()),
            },
            store_ms: u64::from_le_bytes(fields.take()),
            archived: Archived {
                number: u64::from_le_bytes(fields.take()),
                link: fields.take(),
            },
        })
    }

    /// Whether bytes say that they are marks of a version that is not known here.
    pub(crate) fn is_newer(bytes: &[u8]) -> bool {
        let version = bytes
            .strip_prefix(&MAGIC)
            .and_then(<[u8]>::first_chunk::<4>);
        version.is_some_and(|version| u32::from_le_bytes(*version) > VERSION)
    }

    /// Whether a store can have come there. One that is near an end changes nothing, and so never
    /// passes these bounds.
    pub(crate) fn is_plausible(&self) -> bool {
        let low = self.low;
        (1..=SEGMENT_NUMBER_MAX).contains(&low.segment)
            && low.before <= self.durable
            && self.durable <= FRAME_NUMBER_MAX
            && self.epoch < EPOCH_END
            && self.archived.number <= AUDIT_NUMBER_MAX
    }

    /// Whether it was written after `other`.
    pub(crate) fn is_after(&self, other: &Self) -> bool {
        // Compared as serial numbers are (RFC 1982), so that they never run out.
        self.generation.wrapping_sub(other.generation) <= u64::MAX / 2
    }

    /// The newer of the two slots, and the slot to write next.
    pub(crate) fn newest(slots: &[Vec<u8>; 2]) -> (Option<Self>, usize) {
        let [first, second] = slots;
        match (Self::decode(first), Self::decode(second)) {
            (Some(a), Some(b)) if a.is_after(&b) => (Some(a), 1),
            (_, Some(b)) => (Some(b), 0),
            (Some(a), None) => (Some(a), 1),
            (None, None) => (None, 0),
        }
    }
}

/// The marker of a segment: which frame its first one follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) store_id: [u8; 16],
    pub(crate) segment: u64,
    /// The last valid frame before the segment; what follows it in the predecessor is void.
    pub(crate) before: u64,
    pub(crate) checksum: u64,
}

const LINK_MAGIC: [u8; 8] = *b"hapaxlnk";

/// Bytes of a link.
pub(crate) const LINK_BYTES: usize = 56;

impl Link {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LINK_BYTES);
        out.extend_from_slice(&LINK_MAGIC);
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.before.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::checked(bytes, LINK_BYTES, LINK_MAGIC)?;
        Some(Self {
            store_id: fields.take(),
            segment: u64::from_le_bytes(fields.take()),
            before: u64::from_le_bytes(fields.take()),
            checksum: u64::from_le_bytes(fields.take()),
        })
    }
}
