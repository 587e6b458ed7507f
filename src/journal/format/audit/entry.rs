//! An audit entry as bytes: [`Facts`] are what it says, [`Draft`] what is written, [`WireAudit`] what is
//! read. `docs/format.md` documents the bytes, `docs/decisions/0013-audit.md` the reasons.

use crate::journal::format::audit::chain;
use crate::journal::format::bad_record::BadRecord;
use crate::value::attribution::ACTOR_BYTES_MAX;
use crate::value::audit::{AuditHead, Origin, Transition};
use crate::value::fencing_token::FencingToken;
use crate::value::key::KEY_BYTES_MAX;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;

/// The kind of an audit entry in a frame.
pub(crate) const KIND: u8 = 8;

/// Bytes before the body of an entry: kind, number, link, length of the body.
const PREFIX_BYTES: usize = 1 + 8 + 32 + 2;

/// Bytes of the fields of a body that have a fixed size.
const FIXED_BYTES: usize = 2 + 4 + 4 + 4 + 8 + 4 + 16 + 16 + 16 + 3 * 2;

/// Most bytes of an entry.
pub(crate) const ENTRY_BYTES_MAX: usize =
    PREFIX_BYTES + FIXED_BYTES + 2 * ACTOR_BYTES_MAX + KEY_BYTES_MAX;

const HAS_TOKEN: u8 = 1;
const HAS_FINGERPRINT: u8 = 2;
const HAS_OUTCOME: u8 = 4;
const HAS_KEY: u8 = 8;
const ORIGIN_SHIFT: u8 = 6;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) transition: Transition,
    pub(crate) origin: Origin,
    /// Store time.
    pub(crate) at: u32,
    pub(crate) expires_at: u32,
    /// 0 if it concerns the whole store.
    pub(crate) namespace: NamespaceId,
    pub(crate) token: Option<FencingToken>,
    pub(crate) attempt: u32,
    pub(crate) key_digest: KeyDigest,
    pub(crate) fingerprint: Option<u128>,
    pub(crate) outcome: Option<u128>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) actor: &'a str,
    pub(crate) reason: &'a str,
}

/// An entry without its place in the chain, made before the lock of the tail is taken.
#[derive(Debug)]
pub(crate) struct Draft {
    body: Vec<u8>,
    digest: [u8; 32],
    pub(crate) expires_at: u32,
}

impl Draft {
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let body = encode_body(facts);
        Self {
            digest: chain::digest(&body),
            body,
            expires_at: facts.expires_at,
        }
    }

    /// A copy of an entry for another chain.
    pub(crate) fn copy_of(wire: &WireAudit<'_>, expires_at: u32) -> Self {
        Self {
            body: wire.body.to_vec(),
            digest: chain::digest(wire.body),
            expires_at,
        }
    }

    /// Bytes that the entry takes.
    pub(crate) fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    /// Appends the entry as the next one after `head`, which moves on to it.
    pub(crate) fn write(&self, head: &mut AuditHead, out: &mut Vec<u8>) {
        *head = chain::follow(head, &self.digest);
        out.push(KIND);
        out.extend_from_slice(&head.number.to_le_bytes());
        out.extend_from_slice(&head.link);
        put_bytes(&self.body, out);
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(bytes.len()).expect("an entry is under 64 KiB");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn encode_body(facts: &Facts<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(FIXED_BYTES + facts.actor.len() + facts.reason.len());
    let flag = |there: bool, flag: u8| if there { flag } else { 0 };
    let origin = match facts.origin {
        Origin::Caller => 0,
        Origin::Engine => 1,
        Origin::Operator => 2_u8,
    };
    out.push(facts.transition.byte());
    out.push(
        flag(facts.token.is_some(), HAS_TOKEN)
            | flag(facts.fingerprint.is_some(), HAS_FINGERPRINT)
            | flag(facts.outcome.is_some(), HAS_OUTCOME)
            | flag(facts.key.is_some(), HAS_KEY)
            | (origin << ORIGIN_SHIFT),
    );
    out.extend_from_slice(&facts.at.to_le_bytes());
    out.extend_from_slice(&facts.expires_at.to_le_bytes());
    out.extend_from_slice(&facts.namespace.0.to_le_bytes());
    out.extend_from_slice(&facts.attempt.to_le_bytes());
    out.extend_from_slice(&facts.key_digest.to_bytes());
    if let Some(token) = facts.token {
        out.extend_from_slice(&token.as_u64().to_le_bytes());
    }
    for digest in facts.fingerprint.iter().chain(&facts.outcome) {
        out.extend_from_slice(&digest.to_be_bytes());
    }
    put_bytes(facts.actor.as_bytes(), &mut out);
    put_bytes(facts.reason.as_bytes(), &mut out);
    if let Some(key) = facts.key {
        put_bytes(key, &mut out);
    }
    out
}

/// An entry in a frame or an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireAudit<'a> {
    /// The head of the chain after this entry, by what the entry says.
    pub(crate) head: AuditHead,
    body: &'a [u8],
}

/// Decodes the entry at the front of `bytes`, and returns how many bytes it has.
pub(crate) fn decode(bytes: &[u8]) -> Result<(WireAudit<'_>, usize), BadRecord> {
    let mut rest = bytes;
    let [_kind] = chunk(&mut rest)?;
    let head = AuditHead {
        number: u64::from_le_bytes(chunk(&mut rest)?),
        link: chunk(&mut rest)?,
    };
    let body = take_bytes(&mut rest)?;
    let taken = bytes.len() - rest.len();
    if taken > ENTRY_BYTES_MAX || head.number > chain::AUDIT_NUMBER_MAX {
        return Err(BadRecord::Malformed);
    }
    Ok((WireAudit { head, body }, taken))
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadRecord> {
    let (chunk, rest) = bytes.split_first_chunk::<N>().ok_or(BadRecord::Malformed)?;
    *bytes = rest;
    Ok(*chunk)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], BadRecord> {
    let len = usize::from(u16::from_le_bytes(chunk(bytes)?));
    let (taken, rest) = bytes.split_at_checked(len).ok_or(BadRecord::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, BadRecord> {
    std::str::from_utf8(take_bytes(bytes)?).map_err(|_| BadRecord::Malformed)
}

impl<'a> WireAudit<'a> {
    /// Whether it follows `head` in the chain.
    pub(crate) fn follows(&self, head: &AuditHead) -> bool {
        self.head.number == head.number.wrapping_add(1)
            && chain::follow(head, &chain::digest(self.body)).link == self.head.link
    }

    /// Bytes that the entry takes.
    pub(crate) fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    pub(crate) fn facts(&self) -> Result<Facts<'a>, BadRecord> {
        let mut rest = self.body;
        let [transition, flags] = chunk(&mut rest)?;
        let has = |flag: u8| flags & flag != 0;
        // In the order of the bytes.
        let facts = Facts {
            origin: origin_of(flags)?,
            at: u32::from_le_bytes(chunk(&mut rest)?),
            expires_at: u32::from_le_bytes(chunk(&mut rest)?),
            namespace: NamespaceId(u32::from_le_bytes(chunk(&mut rest)?)),
            attempt: u32::from_le_bytes(chunk(&mut rest)?),
            key_digest: KeyDigest::from_bytes(chunk(&mut rest)?),
            token: take_if(has(HAS_TOKEN), &mut rest, take_token)?,
            fingerprint: take_if(has(HAS_FINGERPRINT), &mut rest, take_digest)?,
            outcome: take_if(has(HAS_OUTCOME), &mut rest, take_digest)?,
            actor: take_text(&mut rest)?,
            reason: take_text(&mut rest)?,
            key: take_if(has(HAS_KEY), &mut rest, take_bytes)?,
            transition: Transition::of_byte(transition)
                .ok_or(BadRecord::UnknownKind(transition))?,
        };
        let known = HAS_TOKEN | HAS_FINGERPRINT | HAS_OUTCOME | HAS_KEY;
        if !rest.is_empty() || flags & !(known | 3 << ORIGIN_SHIFT) != 0 {
            return Err(BadRecord::Malformed);
        }
        Ok(facts)
    }
}

fn origin_of(flags: u8) -> Result<Origin, BadRecord> {
    match flags >> ORIGIN_SHIFT {
        0 => Ok(Origin::Caller),
        1 => Ok(Origin::Engine),
        2 => Ok(Origin::Operator),
        _ => Err(BadRecord::Malformed),
    }
}

/// Takes a field that is optional.
fn take_if<'a, T>(
    is_there: bool,
    bytes: &mut &'a [u8],
    take: impl FnOnce(&mut &'a [u8]) -> Result<T, BadRecord>,
) -> Result<Option<T>, BadRecord> {
    is_there.then(|| take(bytes)).transpose()
}

fn take_token(bytes: &mut &[u8]) -> Result<FencingToken, BadRecord> {
    let number = u64::from_le_bytes(chunk(bytes)?);
    FencingToken::from_u64(number).ok_or(BadRecord::Malformed)
}

fn take_digest(bytes: &mut &[u8]) -> Result<u128, BadRecord> {
    Ok(u128::from_be_bytes(chunk(bytes)?))
}
