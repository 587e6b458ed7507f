//! [`WireHead`]: the fields of a record that have a fixed size.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::fields::{FieldReader, put_number};
use crate::journal::format::codec::sink::Sink;
use crate::value::fencing_token::FencingToken;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, RecordKind};

const FLAG_BODY_OMITTED: u8 = 1;
const FLAG_ATTACHED: u8 = 2;

/// The first fields of a record or a removal. Field order is the format.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireHead {
    kind: u8,
    flags: u8,
    namespace: u32,
    token: u64,
    attempt: u32,
    first_claimed_at: u32,
    recorded_at: u32,
    expires_at: u32,
    retention_secs: u32,
}

impl WireHead {
    /// The head of a record.
    #[inline]
    pub(super) fn new(head: &Head) -> Self {
        Self::of_kind(kind_byte(head.kind), head)
    }

    /// The head of an entry of another kind.
    #[inline]
    pub(super) fn of_kind(kind: u8, head: &Head) -> Self {
        Self {
            kind,
            flags: u8::from(head.body_omitted) * FLAG_BODY_OMITTED
                + u8::from(head.attached) * FLAG_ATTACHED,
            namespace: head.namespace.0,
            token: head.token.as_u64(),
            attempt: head.attempt,
            first_claimed_at: head.first_claimed_at,
            recorded_at: head.recorded_at,
            expires_at: head.expires_at,
            retention_secs: head.retention_secs,
        }
    }

    #[inline]
    pub(super) fn put(&self, out: &mut impl Sink) {
        out.extend(&[self.kind, self.flags]);
        put_number(self.namespace.into(), out);
        put_number(self.token, out);
        put_number(self.attempt.into(), out);
        put_number(self.first_claimed_at.into(), out);
        put_number(self.recorded_at.into(), out);
        put_number(self.expires_at.into(), out);
        put_number(self.retention_secs.into(), out);
    }

    #[inline]
    pub(super) fn take(fields: &mut FieldReader<'_>) -> Result<Self, BadRecord> {
        Ok(Self {
            kind: fields.byte()?,
            flags: fields.byte()?,
            namespace: fields.u32()?,
            token: fields.u64()?,
            attempt: fields.u32()?,
            first_claimed_at: fields.u32()?,
            recorded_at: fields.u32()?,
            expires_at: fields.u32()?,
            retention_secs: fields.u32()?,
        })
    }

    /// The head of a record.
    #[inline]
    pub(super) fn record(&self) -> Result<Head, BadRecord> {
        self.decoded(kind_of(self.kind)?)
    }

    #[inline]
    pub(super) fn decoded(&self, kind: RecordKind) -> Result<Head, BadRecord> {
        Ok(Head {
            kind,
            namespace: NamespaceId(self.namespace),
            token: FencingToken::from_u64(self.token).ok_or(BadRecord::Malformed)?,
            attempt: self.attempt,
            first_claimed_at: self.first_claimed_at,
            recorded_at: self.recorded_at,
            expires_at: self.expires_at,
            retention_secs: self.retention_secs,
            body_omitted: self.flags & FLAG_BODY_OMITTED != 0,
            attached: self.flags & FLAG_ATTACHED != 0,
        })
    }
}

fn kind_byte(kind: RecordKind) -> u8 {
    match kind {
        RecordKind::InProgress => 1,
        RecordKind::Completed => 2,
        RecordKind::Failed => 3,
        RecordKind::InDoubt => 4,
        RecordKind::Released => 5,
        RecordKind::Forgotten => 6,
    }
}

pub(super) fn kind_of(byte: u8) -> Result<RecordKind, BadRecord> {
    Ok(match byte {
        1 => RecordKind::InProgress,
        2 => RecordKind::Completed,
        3 => RecordKind::Failed,
        4 => RecordKind::InDoubt,
        5 => RecordKind::Released,
        6 => RecordKind::Forgotten,
        other => return Err(BadRecord::UnknownKind(other)),
    })
}
