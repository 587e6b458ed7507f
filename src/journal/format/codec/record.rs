//! [`WireRecord`]: a record in a frame.

use std::sync::Arc;

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::fields::{FieldReader, put_bytes, put_number};
use crate::journal::format::codec::fingerprint::{decode_fingerprint, fingerprint_to};
use crate::journal::format::codec::head::WireHead;
use crate::journal::format::codec::limits::PART_BYTES_MAX;
use crate::journal::format::codec::sink::Sink;
use crate::value::blob::Blob;
use crate::value::fingerprint::Fingerprint;
use crate::value::key::KEY_BYTES_MAX;
use crate::value::limits::SMALL_BYTES_MAX;
use crate::value::policy::RESPONSE_BYTES_MAX;
use crate::value::record::{Head, Record, RecordRef};

/// A record in a frame. Field order is the format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireRecord<'a> {
    head: WireHead,
    pub(crate) key: &'a [u8],
    fingerprint: &'a [u8],
    metadata: &'a [u8],
    reason: &'a [u8],
    /// How many frames before this one hold the body; 0 if it is here.
    pub(crate) body_frames: u32,
    /// Bytes of the body, here or in parts.
    pub(crate) body_len: u64,
    body: &'a [u8],
}

/// What stands between the key and the body of a plain record: no fingerprint, metadata or reason, and no
/// frames before it. Nearly all are, so it is written and read in one piece.
const PLAIN: [u8; 4] = [0; 4];

impl<'a> WireRecord<'a> {
    #[inline(always)]
    pub(super) fn take(fields: &mut FieldReader<'a>) -> Result<Self, BadRecord> {
        let (head, key) = (WireHead::take(fields)?, fields.bytes()?);
        if fields.ahead() == Some(&PLAIN) {
            fields.skip(PLAIN.len());
            return Ok(Self {
                head,
                key,
                fingerprint: &[],
                metadata: &[],
                reason: &[],
                body_frames: 0,
                body_len: fields.u64()?,
                body: fields.bytes()?,
            });
        }
        Ok(Self {
            head,
            key,
            fingerprint: fields.bytes()?,
            metadata: fields.bytes()?,
            reason: fields.bytes()?,
            body_frames: fields.u32()?,
            body_len: fields.u64()?,
            body: fields.bytes()?,
        })
    }

    /// Refuses what no encoder writes: sizes over their limits, or sizes that contradict each other.
    pub(crate) fn check(&self) -> Result<(), BadRecord> {
        let body_max = match usize::try_from(self.body_frames) {
            Ok(0) => self.body.len(),
            Ok(frames) if self.body.is_empty() => frames.saturating_mul(PART_BYTES_MAX),
            _ => return Err(BadRecord::Malformed),
        };
        let body_len = usize::try_from(self.body_len).map_err(|_| BadRecord::Malformed)?;
        let fits = (1..=KEY_BYTES_MAX).contains(&self.key.len())
            && self.metadata.len() <= SMALL_BYTES_MAX
            && self.reason.len() <= SMALL_BYTES_MAX
            && body_len <= body_max.min(RESPONSE_BYTES_MAX)
            && (self.body_frames > 0 || body_len == body_max);
        if fits {
            Ok(())
        } else {
            Err(BadRecord::Malformed)
        }
    }

    pub(crate) fn head(&self) -> Result<Head, BadRecord> {
        self.head.record()
    }

    /// The whole record; `body` comes from its parts, or is `None` if the record itself holds it.
    pub(crate) fn to_record(self, body: Option<Vec<u8>>) -> Result<Record, BadRecord> {
        let body = match body {
            Some(bytes) => bytes,
            None if self.body_frames == 0 => self.body.to_vec(),
            None => return Err(BadRecord::Malformed),
        };
        if u64::try_from(body.len()) != Ok(self.body_len) {
            return Err(BadRecord::Malformed);
        }
        self.with_body(body.into())
    }

    /// The whole record, whose body stays in its frame; the entry of the record ends at `end` there. `None`
    /// where the body is in parts.
    #[inline]
    pub(crate) fn to_record_in(
        self,
        payload: &Arc<Vec<u8>>,
        end: usize,
    ) -> Result<Option<Arc<Record>>, BadRecord> {
        if self.body_frames > 0 {
            return Ok(None);
        }
        if u64::try_from(self.body.len()) != Ok(self.body_len) {
            return Err(BadRecord::Malformed);
        }
        // The body is the last field.
        let body = Blob::in_frame(payload, end, self.body.len()).ok_or(BadRecord::Malformed)?;
        Ok(Some(Arc::new(self.with_body(body)?)))
    }

    #[inline]
    fn with_body(self, body: Blob) -> Result<Record, BadRecord> {
        Ok(Record {
            head: self.head()?,
            key: self.key.into(),
            fingerprint: self.fingerprint()?,
            metadata: self.metadata.into(),
            reason: self.reason.into(),
            body,
        })
    }

    pub(crate) fn metadata(&self) -> &'a [u8] {
        self.metadata
    }

    pub(crate) fn fingerprint(&self) -> Result<Option<Fingerprint>, BadRecord> {
        if self.fingerprint.is_empty() {
            return Ok(None);
        }
        decode_fingerprint(self.fingerprint).map(Some)
    }
}

/// Appends a record, whose body is in the `body_frames` frames before it, or here if that is 0.
///
/// It writes the fields of a [`WireRecord`] in their order, in a few large pieces: every change of a
/// key comes through here.
#[inline]
pub(crate) fn encode_record(record: &RecordRef<'_>, body_frames: u32, out: &mut impl Sink) {
    WireHead::new(&record.head).put(out);
    put_bytes(record.key, out);
    let is_plain = record.fingerprint.is_none()
        && record.metadata.is_empty()
        && record.reason.is_empty()
        && body_frames == 0;
    if is_plain {
        out.extend(&PLAIN);
    } else {
        put_extras(record, body_frames, out);
    }
    put_number(record.body.len() as u64, out);
    put_bytes(if body_frames == 0 { record.body } else { &[] }, out);
}

fn put_extras(record: &RecordRef<'_>, body_frames: u32, out: &mut impl Sink) {
    match record.fingerprint {
        None => put_bytes(&[], out),
        Some(print) => {
            let bytes = fingerprint_to(print);
            put_bytes(&bytes, out);
        }
    }
    put_bytes(record.metadata, out);
    put_bytes(record.reason, out);
    put_number(u64::from(body_frames), out);
}
