//! The encoding of fields: bincode with a limit, and shortcuts for small numbers.

use bincode::config::{Configuration, Limit};
use bincode::{BorrowDecode, Encode};

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::sink::Sink;
use crate::journal::format::frame::PAYLOAD_BYTES_MAX;

pub(super) type Config = Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<{ PAYLOAD_BYTES_MAX + 1024 }>,
>;

pub(super) const CONFIG: Config = bincode::config::standard().with_limit();

/// Appends a value with a fixed number of short fields.
#[inline]
pub(super) fn put<E: Encode>(value: &E, out: &mut impl Sink) {
    out.fill(|room| {
        bincode::encode_into_slice(value, room, CONFIG)
            .expect("the fixed fields of a record fit its overhead")
    });
}

/// Appends a number.
#[inline]
pub(super) fn put_len(len: u64, out: &mut impl Sink) {
    // Such a small number is its own varint.
    match u8::try_from(len) {
        Ok(small) if small < 251 => out.extend(&[small]),
        _ => put(&len, out),
    }
}

/// Appends bytes, preceded by their number.
#[inline]
pub(super) fn put_bytes(bytes: &[u8], out: &mut impl Sink) {
    put_len(bytes.len() as u64, out);
    if !bytes.is_empty() {
        out.extend(bytes);
    }
}

/// Appends a value of any length.
pub(super) fn encode_into<E: Encode>(value: &E, out: &mut Vec<u8>) {
    struct Appender<'a>(&'a mut Vec<u8>);
    impl bincode::enc::write::Writer for Appender<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    bincode::encode_into_writer(value, Appender(out), CONFIG)
        .expect("writing flat values to memory does not fail");
}

/// Decodes the value at the front of `bytes`, and returns how many bytes it has.
pub(super) fn decode_wire<'a, D: BorrowDecode<'a, ()>>(
    bytes: &'a [u8],
) -> Result<(D, usize), BadRecord> {
    bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(|_| BadRecord::Malformed)
}
