//! [`WireHead`]: the fields of a record that have a fixed size.

use bincode::Encode;

use crate::journal::format::bad_record::BadRecord;
use crate::value::fencing_token::FencingToken;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, RecordKind};

const FLAG_BODY_OMITTED: u8 = 1;
const FLAG_ATTACHED: u8 = 2;

/// The first fields of a record or a removal. Field order is the format.
#[derive(Clone, Copy, Debug, Encode, bincode::Decode)]
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

    /// The head of a record.
    pub(super) fn record(&self) -> Result<Head, BadRecord> {
        self.decoded(kind_of(self.kind)?)
    }

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
