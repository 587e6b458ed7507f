//! [`WirePart`]: a part of a body that is larger than a frame.

use bincode::{BorrowDecode, Encode};

use crate::journal::format::codec::wire::encode_into;

/// The kind of a part in a frame.
pub(super) const PART: u8 = 7;

/// A part of a body. Field order is the format.
#[derive(Clone, Copy, Debug, Encode, BorrowDecode)]
pub(crate) struct WirePart<'a> {
    kind: u8,
    pub(crate) index: u32,
    pub(crate) bytes: &'a [u8],
}

/// Appends a part of a body.
pub(crate) fn encode_part(index: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_into(
        &WirePart {
            kind: PART,
            index,
            bytes,
        },
        out,
    );
}
