//! [`FieldReader`]: the fields of an entry as bincode writes them, in the few instructions that every call
//! can afford.
//!
//! bincode's varint (its specification, "Varint encoding"): a number below 251 is one byte; larger ones
//! follow a byte that says how wide they are, in little-endian order.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::sink::Sink;

/// Numbers from here on are as wide as their first byte says.
pub(super) const U16: u8 = 251;
pub(super) const U32: u8 = 252;
pub(super) const U64: u8 = 253;

/// Appends a number.
#[inline]
pub(super) fn put_number(number: u64, out: &mut impl Sink) {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    match number {
        0..=250 => out.extend(&[a]),
        251..=0xffff => out.extend(&[U16, a, b]),
        0x1_0000..=0xffff_ffff => out.extend(&[U32, a, b, c, d]),
        _ => out.extend(&[U64, a, b, c, d, e, f, g, h]),
    }
}

/// Appends bytes, preceded by their number.
#[inline]
pub(super) fn put_bytes(bytes: &[u8], out: &mut impl Sink) {
    put_number(bytes.len() as u64, out);
    if !bytes.is_empty() {
        out.extend(bytes);
    }
}

/// Takes the fields of an entry one after the other.
#[derive(Debug)]
pub(super) struct FieldReader<'a> {
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that come next, which stay.
    #[inline]
    pub(super) fn ahead<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.rest.first_chunk()
    }

    /// Leaves out bytes that were [looked at](Self::ahead).
    #[inline]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], BadRecord> {
        let split = self.rest.split_first_chunk::<N>();
        let (chunk, rest) = split.ok_or(BadRecord::Malformed)?;
        self.rest = rest;
        Ok(*chunk)
    }

    /// A byte as it is.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, BadRecord> {
        let [byte] = self.chunk()?;
        Ok(byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, BadRecord> {
        match self.byte()? {
            U16 => Ok(u16::from_le_bytes(self.chunk()?)),
            small @ 0..U16 => Ok(small.into()),
            _ => Err(BadRecord::Malformed),
        }
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, BadRecord> {
        match self.byte()? {
            small @ 0..U16 => Ok(small.into()),
            U16 => Ok(u16::from_le_bytes(self.chunk()?).into()),
            U32 => Ok(u32::from_le_bytes(self.chunk()?)),
            _ => Err(BadRecord::Malformed),
        }
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, BadRecord> {
        match self.byte()? {
            small @ 0..U16 => Ok(small.into()),
            U16 => Ok(u16::from_le_bytes(self.chunk()?).into()),
            U32 => Ok(u32::from_le_bytes(self.chunk()?).into()),
            U64 => Ok(u64::from_le_bytes(self.chunk()?)),
            _ => Err(BadRecord::Malformed),
        }
    }

    /// Bytes, preceded by their number.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], BadRecord> {
        let len = usize::try_from(self.u64()?).map_err(|_| BadRecord::Malformed)?;
        let split = self.rest.split_at_checked(len);
        let (bytes, rest) = split.ok_or(BadRecord::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldReader, put_bytes, put_number};
    use crate::journal::format::codec::wire::CONFIG;
    use proptest::prelude::*;

    fn edges() -> impl Strategy<Value = u64> {
        let near = |edge: u64| edge.saturating_sub(2)..=edge.saturating_add(2);
        prop_oneof![
            any::<u64>(),
            near(250),
            near(0xffff),
            near(0xffff_ffff),
            near(u64::MAX)
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_bincode_writes(number in edges(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut ours = Vec::new();
            put_number(number, &mut ours);
            put_bytes(&bytes, &mut ours);
            let theirs = bincode::encode_to_vec((number, bytes.as_slice()), CONFIG).unwrap();
            prop_assert_eq!(ours, theirs);
        }

        /// Also what no encoder writes: each takes the same bytes, and refuses the same.
        #[test]
        fn what_is_read_is_what_bincode_reads(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 249_u8..], 0..20)) {
            let theirs = bincode::borrow_decode_from_slice::<u16, _>(&bytes, CONFIG);
            let mut ours = FieldReader::new(&bytes);
            prop_assert_eq!(ours.u16().ok().map(|it| (it, bytes.len() - ours.left())), theirs.ok());
            let theirs = bincode::borrow_decode_from_slice::<u32, _>(&bytes, CONFIG);
            let mut ours = FieldReader::new(&bytes);
            prop_assert_eq!(ours.u32().ok().map(|it| (it, bytes.len() - ours.left())), theirs.ok());
            let theirs = bincode::borrow_decode_from_slice::<u64, _>(&bytes, CONFIG);
            let mut ours = FieldReader::new(&bytes);
            prop_assert_eq!(ours.u64().ok().map(|it| (it, bytes.len() - ours.left())), theirs.ok());
            let theirs = bincode::borrow_decode_from_slice::<&[u8], _>(&bytes, CONFIG);
            let mut ours = FieldReader::new(&bytes);
            prop_assert_eq!(ours.bytes().ok().map(|it| (it, bytes.len() - ours.left())), theirs.ok());
        }
    }
}
