//! [`Encoded`]: a record or a removal as bytes, on the stack if it is small.

use crate::journal::format::codec::limits::record_bytes_max;
use crate::journal::format::codec::record::encode_record;
use crate::journal::format::codec::removal::WireRemoval;
use crate::journal::format::codec::sink::Sink;
use crate::value::locator::Locator;
use crate::value::record::{Head, RecordRef};

/// An entry that is encoded before the lock of the tail is taken, through which every change of every
/// key goes.
pub(crate) struct Encoded {
    small: Small,
    /// All bytes, if there may be more than `small` holds; else empty.
    large: Vec<u8>,
}

/// Bytes without an allocation.
struct Small {
    bytes: [u8; ENCODED_SMALL],
    len: usize,
}

const ENCODED_SMALL: usize = 256;

impl Encoded {
    /// No bytes yet. It is filled where it lies, for it is large.
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            small: Small {
                bytes: [0; ENCODED_SMALL],
                len: 0,
            },
            large: Vec::new(),
        }
    }

    /// Encodes a record.
    #[inline]
    pub(crate) fn put(&mut self, record: &RecordRef<'_>, body_frames: u32) {
        let bound = record_bytes_max(record);
        if bound <= ENCODED_SMALL {
            encode_record(record, body_frames, &mut self.small);
        } else {
            self.large.reserve(bound);
            encode_record(record, body_frames, &mut self.large);
        }
    }

    /// Encodes the removal of a forgotten key, whose last record is `removed`.
    pub(crate) fn put_removal(&mut self, head: &Head, removed: Option<Locator>) {
        WireRemoval::new(head, removed).put(&mut self.small);
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.large.is_empty() {
            &self.small.bytes[..self.small.len]
        } else {
            &self.large
        }
    }
}

/// For records that are known to fit: it panics if there are more bytes.
impl Sink for Small {
    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}
