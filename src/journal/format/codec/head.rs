//! [`WireHead`]: the fields of a record that have a fixed size.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::fields::{FieldReader, U16, U32, U64, put_number};
use crate::journal::format::codec::sink::Sink;
use crate::value::fencing_token::FencingToken;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, RecordKind};

/// Bytes of a [head in the usual form](WireHead::take_usual).
const USUAL_BYTES: usize = 29;

const FLAG_BODY_OMITTED: u8 = 1;
const FLAG_ATTACHED: u8 = 2;

/// The first fields of a record or a removal. Field order is the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        if let Some(usual) = self.usual() {
            out.extend(&usual);
        } else {
            self.put_fields(out);
        }
    }

    fn put_fields(&self, out: &mut impl Sink) {
        out.extend(&[self.kind, self.flags]);
        put_number(self.namespace.into(), out);
        put_number(self.token, out);
        put_number(self.attempt.into(), out);
        put_number(self.first_claimed_at.into(), out);
        put_number(self.recorded_at.into(), out);
        put_number(self.expires_at.into(), out);
        put_number(self.retention_secs.into(), out);
    }

    /// The bytes of a head in the usual form, in one piece: that is half of the instructions.
    #[inline]
    fn usual(&self) -> Option<[u8; USUAL_BYTES]> {
        let moments = [self.first_claimed_at, self.recorded_at, self.expires_at];
        let small = [self.namespace, self.attempt, self.retention_secs];
        let is_usual = self.token > u64::from(u32::MAX)
            && moments.iter().all(|moment| *moment > u32::from(u16::MAX))
            && small.iter().all(|number| *number < u32::from(U16));
        if !is_usual {
            return None;
        }
        let [namespace, attempt, retention_secs] = small.map(|number| number.to_le_bytes()[0]);
        let mut bytes = [0; USUAL_BYTES];
        bytes[..4].copy_from_slice(&[self.kind, self.flags, namespace, U64]);
        bytes[4..12].copy_from_slice(&self.token.to_le_bytes());
        bytes[12] = attempt;
        for (at, moment) in [13, 18, 23].into_iter().zip(moments) {
            bytes[at] = U32;
            bytes[at + 1..at + 5].copy_from_slice(&moment.to_le_bytes());
        }
        bytes[28] = retention_secs;
        Some(bytes)
    }

    #[inline]
    pub(super) fn take(fields: &mut FieldReader<'_>) -> Result<Self, BadRecord> {
        match Self::take_usual(fields) {
            Some(head) => Ok(head),
            None => Self::take_fields(fields),
        }
    }

    fn take_fields(fields: &mut FieldReader<'_>) -> Result<Self, BadRecord> {
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

    /// A head in the usual form, in which each field has the width that it has in nearly every record:
    /// the token takes eight bytes, a moment four, and the other numbers one.
    #[inline]
    fn take_usual(fields: &mut FieldReader<'_>) -> Option<Self> {
        let bytes = fields.ahead::<USUAL_BYTES>()?;
        let widths = [bytes[3], bytes[13], bytes[18], bytes[23]];
        let small = [bytes[2], bytes[12], bytes[28]];
        if widths != [U64, U32, U32, U32] || small.iter().any(|number| *number >= U16) {
            return None;
        }
        let moment = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let [_, _, _, _, a, b, c, d, e, f, g, h, ..] = *bytes;
        let head = Self {
            kind: bytes[0],
            flags: bytes[1],
            namespace: bytes[2].into(),
            token: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            attempt: bytes[12].into(),
            first_claimed_at: moment(14),
            recorded_at: moment(19),
            expires_at: moment(24),
            retention_secs: bytes[28].into(),
        };
        fields.skip(USUAL_BYTES);
        Some(head)
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

#[cfg(test)]
mod tests {
    use super::WireHead;
    use crate::journal::format::codec::fields::FieldReader;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u32> {
        let near = |edge: u32| edge.saturating_sub(2)..=edge.saturating_add(2);
        prop_oneof![
            0..5_u32,
            near(250),
            near(0xffff),
            near(u32::MAX),
            any::<u32>()
        ]
    }

    fn heads() -> impl Strategy<Value = WireHead> {
        let token = prop_oneof![any::<u64>(), number().prop_map(u64::from), Just(1 << 32)];
        let moments = [number(), number(), number()];
        (
            any::<[u8; 2]>(),
            token,
            [number(), number(), number()],
            moments,
        )
            .prop_map(
                |([kind, flags], token, [namespace, attempt, retention_secs], moments)| WireHead {
                    kind,
                    flags,
                    namespace,
                    token,
                    attempt,
                    first_claimed_at: moments[0],
                    recorded_at: moments[1],
                    expires_at: moments[2],
                    retention_secs,
                },
            )
    }

    proptest! {
        #[test]
        fn a_head_in_one_piece_is_the_head_by_fields(head in heads(), behind in 0..2_u8) {
            let (mut whole, mut by_fields) = (Vec::new(), Vec::new());
            head.put(&mut whole);
            head.put_fields(&mut by_fields);
            prop_assert_eq!(&whole, &by_fields);
            whole.extend(std::iter::repeat_n(9, behind.into()));
            let mut fields = FieldReader::new(&whole);
            prop_assert_eq!(WireHead::take(&mut fields).ok(), Some(head));
            prop_assert_eq!(fields.left(), usize::from(behind));
        }

        /// Also what no encoder writes.
        #[test]
        fn what_is_read_in_one_piece_is_what_the_fields_say(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 249_u8..], 0..40)) {
            let (mut whole, mut by_fields) = (FieldReader::new(&bytes), FieldReader::new(&bytes));
            let (ours, theirs) = (WireHead::take(&mut whole), WireHead::take_fields(&mut by_fields));
            prop_assert_eq!(ours.ok().map(|head| (head, whole.left())), theirs.ok().map(|head| (head, by_fields.left())));
        }
    }
}
