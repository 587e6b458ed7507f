//! The encoding of entries that are not hot: bincode with a limit.

use bincode::config::{Configuration, Limit};
use bincode::{BorrowDecode, Encode};

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::frame::PAYLOAD_BYTES_MAX;

pub(super) type Config = Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<{ PAYLOAD_BYTES_MAX + 1024 }>,
>;

pub(super) const CONFIG: Config = bincode::config::standard().with_limit();

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
