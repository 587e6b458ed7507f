//! [`Header`]: the first block of a segment's file. `docs/format.md` has the bytes.

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::fields::Fields;

/// Bytes before the first frame: a block of its own, never written again once there is a frame.
pub(super) const HEADER_BYTES: usize = 4096;

/// Most bytes of a segment's marker.
pub(super) const LINK_BYTES_MAX: usize = 512;

const MAGIC: [u8; 8] = *b"hapaxseg";
const VERSION: u32 = 1;

/// Bytes of the header that its checksum covers; the same in every version.
const COVERED_BYTES: usize = 32 + LINK_BYTES_MAX;

/// The first block of a segment's file, which makes it a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) number: u64,
    /// Random: so a lead of another file is no lead of this one, and no caller can forge one inside a
    /// body.
    pub(super) salt: u64,
    pub(super) link: Vec<u8>,
}

/// Why a block is no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadHeader {
    /// Never written, torn or damaged.
    Corrupt,
    /// Its checksum holds, but this version does not know its format.
    NewerFormat(u32),
}

impl Header {
    /// The block; `None` if the link is too long.
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

    /// Believes nothing before the checksum holds.
    pub(super) fn decode(block: &[u8]) -> Result<Self, BadHeader> {
        let length = COVERED_BYTES + 8;
        let checked = block.get(..length).unwrap_or_default();
        let fields = Fields::checked(checked, length, MAGIC);
        let mut fields = fields.ok_or(BadHeader::Corrupt)?;
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
