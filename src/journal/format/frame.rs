//! [`FrameHeader`]: the unit of commit and its checksum. `docs/format.md` has the bytes.

use crate::journal::format::fields::{Fields, checksum};
use crate::value::fencing_token::widened_epoch;

/// Most bytes of one frame with its header: eight such frames fill one of sled's own segments.
pub(crate) const FRAME_BYTES_MAX: usize = 65_440;

/// Bytes of the header of a frame.
pub(crate) const HEADER_BYTES: usize = 80;

/// Most bytes of the records of a frame.
pub(crate) const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - HEADER_BYTES;

const _: () = assert!(
    PAYLOAD_BYTES_MAX < 1 << 16,
    "an offset in a payload has 16 bits, and so has the end of a record"
);

/// Highest frame number that a slot can hold: 44 bits.
pub(crate) const FRAME_NUMBER_MAX: u64 = (1 << 44) - 1;

const MAGIC: [u8; 8] = *b"hapaxfrm";

/// The version of the frame and record formats: the first one with 31 bits of epoch in a token.
pub(crate) const FORMAT_VERSION: u16 = 2;

/// The fields before the records of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) records: u32,
    pub(crate) store_id: [u8; 16],
    /// Without gaps within the journal.
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    /// Store time when it was sealed, in seconds.
    pub(crate) store_secs: u32,
    /// The last frame that was durable when this one was sealed.
    pub(crate) durable: u64,
    /// The checksum of the frame before it.
    pub(crate) previous: u64,
}

/// Why bytes are not a frame of this store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadFrame {
    /// Not a frame, or torn or changed: nothing in it can be trusted.
    Corrupt,
    /// A frame whose checksum holds, of another store.
    ForeignStore,
    /// A frame whose checksum holds, in a format that this version does not read.
    NewerFormat,
}

/// A frame whose checksum has been verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameView<'a> {
    pub(crate) header: FrameHeader,
    pub(crate) checksum: u64,
    pub(crate) payload: &'a [u8],
}

impl FrameHeader {
    /// Writes the whole frame to `out` and returns its checksum.
    pub(crate) fn seal(&self, payload: &[u8], out: &mut Vec<u8>) -> u64 {
        out.clear();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        // The group flag and its spare bits: reserved, zero in this version.
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&self.records.to_le_bytes());
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.store_secs.to_le_bytes());
        out.extend_from_slice(&self.durable.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        let length = u32::try_from(payload.len()).expect("a payload is under 64 KiB");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        let checksum = checksum(out, payload);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(payload);
        checksum
    }
}

/// The fields of a header before its checksum is verified.
struct RawHeader {
    magic: [u8; 8],
    version: u16,
    flags: u16,
    length: u32,
    header: FrameHeader,
}

impl RawHeader {
    /// Takes the fields from a header without its checksum.
    fn parse(covered: &[u8]) -> Self {
        let mut fields = Fields(covered);
        let magic = fields.take();
        let version = u16::from_le_bytes(fields.take());
        let flags = u16::from_le_bytes(fields.take());
        // In the order of the bytes.
        let header = FrameHeader {
            records: u32::from_le_bytes(fields.take()),
            store_id: fields.take(),
            number: u64::from_le_bytes(fields.take()),
            epoch: u32::from_le_bytes(fields.take()),
            store_secs: u32::from_le_bytes(fields.take()),
            durable: u64::from_le_bytes(fields.take()),
            previous: u64::from_le_bytes(fields.take()),
        };
        Self {
            magic,
            version,
            flags,
            length: u32::from_le_bytes(fields.take()),
            header,
        }
    }
}

/// Verifies a frame. Trusts nothing before the checksum holds.
pub(crate) fn open_frame<'a>(
    bytes: &'a [u8],
    store_id: &[u8; 16],
) -> Result<FrameView<'a>, BadFrame> {
    let (header, payload) = bytes
        .split_at_checked(HEADER_BYTES)
        .filter(|(_, payload)| payload.len() <= PAYLOAD_BYTES_MAX)
        .ok_or(BadFrame::Corrupt)?;
    let (covered, stored) = header.split_at(HEADER_BYTES - 8);
    let raw = RawHeader::parse(covered);
    let checksum = checksum(covered, payload);
    let is_whole = stored == checksum.to_le_bytes();
    if raw.magic != MAGIC || !is_whole || usize::try_from(raw.length) != Ok(payload.len()) {
        return Err(BadFrame::Corrupt);
    }
    if raw.version > FORMAT_VERSION || raw.flags != 0 {
        return Err(BadFrame::NewerFormat);
    }
    if raw.header.store_id != *store_id {
        return Err(BadFrame::ForeignStore);
    }
    let mut header = raw.header;
    if raw.version < FORMAT_VERSION {
        header.epoch = widened_epoch(header.epoch);
    }
    Ok(FrameView {
        header,
        checksum,
        payload,
    })
}

/// Where the next frame may begin.
pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(MAGIC.len())
        .position(|window| window == MAGIC)
}

/// Verifies the frame of any store that begins here, and returns how many bytes it has.
pub(crate) fn open_any(bytes: &[u8]) -> Result<(FrameView<'_>, u32), BadFrame> {
    let header = bytes.get(..HEADER_BYTES).ok_or(BadFrame::Corrupt)?;
    let mut fields = Fields(&header[16..]);
    let id: [u8; 16] = fields.take();
    let mut fields = Fields(&header[64..]);
    let payload = u32::from_le_bytes(fields.take());
    // Checked before it is added to: nothing in a header can be trusted yet.
    let length = usize::try_from(payload)
        .ok()
        .filter(|length| *length <= PAYLOAD_BYTES_MAX)
        .ok_or(BadFrame::Corrupt)?;
    let frame = bytes
        .get(..HEADER_BYTES + length)
        .ok_or(BadFrame::Corrupt)?;
    let length = u32::try_from(frame.len()).map_err(|_| BadFrame::Corrupt)?;
    open_frame(frame, &id).map(|view| (view, length))
}
