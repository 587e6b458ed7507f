//! [`WireRemoval`]: the entry of a key that is forgotten.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::fields::{FieldReader, put_number};
use crate::journal::format::codec::head::WireHead;
use crate::journal::format::codec::limits::RECORD_OVERHEAD_MAX;
use crate::journal::format::codec::sink::Sink;
use crate::value::locator::Locator;
use crate::value::record::{Head, RecordKind};

/// The kind of a removal in a frame.
pub(super) const REMOVAL: u8 = 9;

/// The removal of a key's last record. It names that record by its place, so it holds no byte of the
/// key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireRemoval {
    head: WireHead,
    /// 0 if the key had no record.
    frame: u64,
    offset: u16,
}

impl WireRemoval {
    /// A removal of the record at `removed`, if the key has one.
    pub(super) fn new(head: &Head, removed: Option<Locator>) -> Self {
        Self {
            head: WireHead::of_kind(REMOVAL, head),
            frame: removed.map_or(0, |at| at.frame),
            offset: removed.map_or(0, |at| at.offset),
        }
    }

    pub(super) fn put(&self, out: &mut impl Sink) {
        self.head.put(out);
        put_number(self.frame, out);
        put_number(self.offset.into(), out);
    }

    pub(super) fn take(fields: &mut FieldReader<'_>) -> Result<Self, BadRecord> {
        Ok(Self {
            head: WireHead::take(fields)?,
            frame: fields.u64()?,
            offset: fields.u16()?,
        })
    }

    pub(crate) fn head(&self) -> Result<Head, BadRecord> {
        self.head.decoded(RecordKind::Forgotten)
    }

    /// How many bytes it has in a frame.
    pub(crate) fn bytes(&self) -> usize {
        let mut bytes = Vec::with_capacity(RECORD_OVERHEAD_MAX);
        self.put(&mut bytes);
        bytes.len()
    }

    /// The place of the record that it removes, if the key had one.
    pub(crate) fn removed(&self) -> Option<Locator> {
        (self.frame != 0).then_some(Locator {
            frame: self.frame,
            offset: self.offset,
        })
    }
}
