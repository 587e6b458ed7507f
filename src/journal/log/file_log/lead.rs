//! [`Lead`]: what precedes each frame in a segment's file. `docs/format.md` has the bytes.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::journal::format::fields::Fields;
use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::SEGMENT_FRAMES_MAX;

/// Bytes before each frame.
pub(super) const LEAD_BYTES: usize = 24;

/// Leads begin at multiples of this, so that they can be found behind damage.
pub(super) const ALIGN_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"hpxl";

/// The index and the length of the frame behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lead {
    pub(super) index: u32,
    /// Bytes of the frame.
    pub(super) bytes: u32,
}

impl Lead {
    pub(super) fn encode(self, number: u64, salt: u64) -> [u8; LEAD_BYTES] {
        let mut out = [0; LEAD_BYTES];
        out[..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&self.index.to_le_bytes());
        out[8..12].copy_from_slice(&self.bytes.to_le_bytes());
        out[12..16].copy_from_slice(&number.to_le_bytes()[..4]);
        let checksum = xxh3_64_with_seed(&out[..16], salt);
        out[16..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// `None` if the bytes are no lead of this file.
    pub(super) fn decode(bytes: &[u8], number: u64, salt: u64) -> Option<Self> {
        let bytes = bytes.get(..LEAD_BYTES)?;
        if bytes[..4] != MAGIC {
            return None;
        }
        let mut fields = Fields(&bytes[4..]);
        let lead = Self {
            index: u32::from_le_bytes(fields.take()),
            bytes: u32::from_le_bytes(fields.take()),
        };
        let is_ours = lead.encode(number, salt) == bytes;
        let fits = (1..=FRAME_BYTES_MAX).contains(&lead.frame_bytes());
        (is_ours && fits && lead.index < SEGMENT_FRAMES_MAX).then_some(lead)
    }

    pub(super) fn frame_bytes(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

/// Where the next lead may begin.
pub(super) fn align(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGN_BYTES as u64)
}
