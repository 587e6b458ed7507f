//! What stands in a segment's file around its frames. `docs/format.md` has the bytes.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::journal::format::frame::Fields;
use crate::journal::log::contract::{FRAME_BYTES_MAX, SEGMENT_FRAMES_MAX};

/// Bytes before the first frame: a block of its own, never written again once there is a frame.
pub(super) const HEADER_BYTES: usize = 4096;

/// Bytes before each frame.
pub(super) const LEAD_BYTES: usize = 24;

/// Leads begin at multiples of this, so that they can be found again behind damage.
pub(super) const ALIGN_BYTES: usize = 64;

/// Most bytes of a segment's marker.
pub(super) const LINK_BYTES_MAX: usize = 512;

const MAGIC: [u8; 8] = *b"hapaxseg";
const LEAD_MAGIC: [u8; 4] = *b"hpxl";
const VERSION: u32 = 1;

/// Bytes of the header that its checksum covers; it has the same place in every version.
const COVERED_BYTES: usize = 32 + LINK_BYTES_MAX;

/// The first block of a segment's file, which makes it a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) number: u64,
    /// Random: with it no lead of another file is one of this file, and nobody can make a body
    /// that holds one.
    pub(super) salt: u64,
    pub(super) link: Vec<u8>,
}

/// Why a block is no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadHeader {
    /// It was never written, or is torn or damaged.
    Corrupt,
    /// Its checksum holds, and its version is one that is not known here.
    NewerFormat(u32),
}

impl Header {
    /// The block; `None` for a link that is too long.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let link_bytes = u16::try_from(self.link.len()).ok()?;
        if self.link.len() > LINK_BYTES_MAX {
            return None;
        }
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&link_bytes.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&self.link);
        out.resize(COVERED_BYTES, 0);
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out.resize(HEADER_BYTES, 0);
        Some(out)
    }

    /// Nothing is believed before the checksum holds.
    pub(super) fn decode(block: &[u8]) -> Result<Self, BadHeader> {
        let (covered, rest) = block
            .split_at_checked(COVERED_BYTES)
            .ok_or(BadHeader::Corrupt)?;
        let stored = rest.get(..8).ok_or(BadHeader::Corrupt)?;
        let mut fields = Fields(covered);
        let magic: [u8; 8] = fields.take();
        if magic != MAGIC || stored != xxh3_64(covered).to_le_bytes() {
            return Err(BadHeader::Corrupt);
        }
        let version = u32::from_le_bytes(fields.take());
        let flags = u16::from_le_bytes(fields.take());
        if version != VERSION || flags != 0 {
            return Err(BadHeader::NewerFormat(version));
        }
        let link_bytes = usize::from(u16::from_le_bytes(fields.take()));
        let number = u64::from_le_bytes(fields.take());
        let salt = u64::from_le_bytes(fields.take());
        let link = fields.0.get(..link_bytes).ok_or(BadHeader::Corrupt)?;
        Ok(Self {
            number,
            salt,
            link: link.to_vec(),
        })
    }
}

/// What stands before a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lead {
    pub(super) index: u32,
    /// Bytes of the frame.
    pub(super) bytes: u32,
}

impl Lead {
    pub(super) fn encode(self, number: u64, salt: u64) -> [u8; LEAD_BYTES] {
        let mut out = [0; LEAD_BYTES];
        out[..4].copy_from_slice(&LEAD_MAGIC);
        out[4..8].copy_from_slice(&self.index.to_le_bytes());
        out[8..12].copy_from_slice(&self.bytes.to_le_bytes());
        out[12..16].copy_from_slice(&number.to_le_bytes()[..4]);
        let checksum = xxh3_64_with_seed(&out[..16], salt);
        out[16..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// `None` for bytes that are no lead of this file.
    pub(super) fn decode(bytes: &[u8], number: u64, salt: u64) -> Option<Self> {
        let bytes = bytes.get(..LEAD_BYTES)?;
        if bytes[..4] != LEAD_MAGIC {
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
