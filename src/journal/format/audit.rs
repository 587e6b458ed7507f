//! Audit entries as bytes, the hash chain through them, and the archives that they end in.
//!
//! `docs/format.md` documents the bytes, `docs/decisions/0013-audit.md` the reasons.

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3;

use crate::journal::format::codec;
use crate::journal::format::codec::{BadRecord, Entry};
use crate::journal::format::frame::{Fields, PAYLOAD_BYTES_MAX};
use crate::value::attribution::ACTOR_BYTES_MAX;
use crate::value::audit::{AuditHead, Origin, Transition};
use crate::value::fencing_token::FencingToken;
use crate::value::key::KEY_BYTES_MAX;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;

/// Highest number of an entry. A store gets no further: one that comes near changes nothing any more.
pub(crate) const AUDIT_NUMBER_MAX: u64 = 1 << 62;

/// The kind of an audit entry in a frame.
pub(crate) const KIND: u8 = 8;

/// Bytes before the body of an entry: kind, number, link, length of the body.
const PREFIX_BYTES: usize = 1 + 8 + 32 + 2;

/// Bytes of the fields of a body that have a fixed size.
const FIXED_BYTES: usize = 2 + 4 + 4 + 4 + 8 + 4 + 16 + 16 + 16 + 3 * 2;

/// Most bytes of an entry.
pub(crate) const ENTRY_BYTES_MAX: usize =
    PREFIX_BYTES + FIXED_BYTES + 2 * ACTOR_BYTES_MAX + KEY_BYTES_MAX;

const _: () = assert!(
    codec::INLINE_BODY_MAX
        + 2 * 16 * 1024
        + 1024
        + 16 * 81
        + 5
        + codec::RECORD_OVERHEAD_MAX
        + ENTRY_BYTES_MAX
        <= PAYLOAD_BYTES_MAX,
    "a record with every small field at its limit and its audit entry fit a frame"
);

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
    /// 0 for what concerns the whole store.
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

/// An entry that has no place in the chain yet: made before the lock of the tail is taken.
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
            digest: Sha256::digest(&body).into(),
            body,
            expires_at: facts.expires_at,
        }
    }

    /// What an entry says, to be said again in another chain.
    pub(crate) fn again(wire: &WireAudit<'_>, expires_at: u32) -> Self {
        Self {
            body: wire.body.to_vec(),
            digest: Sha256::digest(wire.body).into(),
            expires_at,
        }
    }

    /// Bytes that the entry takes.
    pub(crate) fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    /// Appends the entry as the next one after `head`, which moves on to it.
    pub(crate) fn write(&self, head: &mut AuditHead, out: &mut Vec<u8>) {
        *head = follow(head, &self.digest);
        out.push(KIND);
        out.extend_from_slice(&head.number.to_le_bytes());
        out.extend_from_slice(&head.link);
        put_bytes(&self.body, out);
    }
}

/// The head of a chain without an entry: another one for each store.
pub(crate) fn genesis(store_id: &[u8; 16]) -> AuditHead {
    let mut hasher = Sha256::new();
    hasher.update(b"hapax audit");
    hasher.update(store_id);
    AuditHead {
        number: 0,
        link: hasher.finalize().into(),
    }
}

/// The head after an entry whose body has this digest.
fn follow(head: &AuditHead, digest: &[u8; 32]) -> AuditHead {
    let number = head.number + 1;
    let mut hasher = Sha256::new();
    hasher.update(head.link);
    hasher.update(number.to_le_bytes());
    hasher.update(digest);
    AuditHead {
        number,
        link: hasher.finalize().into(),
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
    /// What the entry says that the chain is after it.
    pub(crate) head: AuditHead,
    body: &'a [u8],
}

/// Decodes the entry that `bytes` begin with, and gives the bytes that it took.
pub(crate) fn decode(bytes: &[u8]) -> Result<(WireAudit<'_>, usize), BadRecord> {
    let mut rest = bytes;
    let [_kind] = chunk(&mut rest)?;
    let head = AuditHead {
        number: u64::from_le_bytes(chunk(&mut rest)?),
        link: chunk(&mut rest)?,
    };
    let body = take_bytes(&mut rest)?;
    let taken = bytes.len() - rest.len();
    if taken > ENTRY_BYTES_MAX || head.number > AUDIT_NUMBER_MAX {
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
            && follow(head, &Sha256::digest(self.body).into()).link == self.head.link
    }

    /// Bytes that the entry takes.
    pub(crate) fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    pub(crate) fn facts(&self) -> Result<Facts<'a>, BadRecord> {
        let mut rest = self.body;
        let [transition, flags] = chunk(&mut rest)?;
        let origin = match flags >> ORIGIN_SHIFT {
            0 => Origin::Caller,
            1 => Origin::Engine,
            2 => Origin::Operator,
            _ => return Err(BadRecord::Malformed),
        };
        let has = |flag: u8| flags & flag != 0;
        let at = u32::from_le_bytes(chunk(&mut rest)?);
        let expires_at = u32::from_le_bytes(chunk(&mut rest)?);
        let namespace = NamespaceId(u32::from_le_bytes(chunk(&mut rest)?));
        let attempt = u32::from_le_bytes(chunk(&mut rest)?);
        let key_digest = KeyDigest::from_bytes(chunk(&mut rest)?);
        let mut token = None;
        if has(HAS_TOKEN) {
            let number = u64::from_le_bytes(chunk(&mut rest)?);
            token = Some(FencingToken::from_u64(number).ok_or(BadRecord::Malformed)?);
        }
        let mut digest = |there: bool| -> Result<Option<u128>, BadRecord> {
            Ok(if there {
                Some(u128::from_be_bytes(chunk(&mut rest)?))
            } else {
                None
            })
        };
        let (fingerprint, outcome) = (digest(has(HAS_FINGERPRINT))?, digest(has(HAS_OUTCOME))?);
        let (actor, reason) = (take_text(&mut rest)?, take_text(&mut rest)?);
        let key = if has(HAS_KEY) {
            Some(take_bytes(&mut rest)?)
        } else {
            None
        };
        let transition =
            Transition::of_byte(transition).ok_or(BadRecord::UnknownKind(transition))?;
        let known = HAS_TOKEN | HAS_FINGERPRINT | HAS_OUTCOME | HAS_KEY;
        if !rest.is_empty() || flags & !(known | 3 << ORIGIN_SHIFT) != 0 {
            return Err(BadRecord::Malformed);
        }
        Ok(Facts {
            transition,
            origin,
            at,
            expires_at,
            namespace,
            token,
            attempt,
            key_digest,
            fingerprint,
            outcome,
            key,
            actor,
            reason,
        })
    }
}

const MAGIC: [u8; 8] = *b"hapaxaud";
const VERSION: u32 = 1;

/// Bytes of the header of an archive.
const HEADER_BYTES: usize = 8 + 4 + 4 + 16 + 8 + 40 + 40 + 8 + 8;

/// The audit entries of one segment, once and for all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Archive {
    pub(crate) store_id: [u8; 16],
    pub(crate) segment: u64,
    /// The chain before its first entry, and after its last.
    pub(crate) before: AuditHead,
    pub(crate) after: AuditHead,
    pub(crate) greatest_expiry: u32,
    /// The entries as they lay in their frames; none in an archive whose entries have expired, and
    /// that only keeps the place in the chain.
    pub(crate) entries: Vec<u8>,
}

impl Archive {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.entries.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.greatest_expiry.to_le_bytes());
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.segment.to_le_bytes());
        for head in [self.before, self.after] {
            out.extend_from_slice(&head.number.to_le_bytes());
            out.extend_from_slice(&head.link);
        }
        let length = u64::try_from(self.entries.len()).expect("a length fits 64 bits");
        out.extend_from_slice(&length.to_le_bytes());
        let checksum = checksum(&out, &self.entries);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&self.entries);
        out
    }

    /// An archive whose checksum holds.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (header, entries) = bytes
            .split_at_checked(HEADER_BYTES)
            .ok_or(BadRecord::Malformed)?;
        let (covered, stored) = header.split_at(HEADER_BYTES - 8);
        let mut fields = Fields(covered);
        let magic: [u8; 8] = fields.take();
        if magic != MAGIC || stored != checksum(covered, entries).to_le_bytes() {
            return Err(BadRecord::Malformed);
        }
        if u32::from_le_bytes(fields.take()) != VERSION {
            return Err(BadRecord::UnknownKind(KIND));
        }
        let greatest_expiry = u32::from_le_bytes(fields.take());
        let store_id = fields.take();
        let segment = u64::from_le_bytes(fields.take());
        let mut head = || AuditHead {
            number: u64::from_le_bytes(fields.take()),
            link: fields.take(),
        };
        let (before, after) = (head(), head());
        if before.number.max(after.number) > AUDIT_NUMBER_MAX {
            return Err(BadRecord::Malformed);
        }
        if u64::from_le_bytes(fields.take()) != u64::try_from(entries.len()).unwrap_or(u64::MAX) {
            return Err(BadRecord::Malformed);
        }
        Ok(Self {
            store_id,
            segment,
            before,
            after,
            greatest_expiry,
            entries: entries.to_vec(),
        })
    }

    /// What is left of it once its entries have expired: its place in the chain.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            before: self.after,
            greatest_expiry: 0,
            entries: Vec::new(),
            ..self.clone()
        }
    }
}

fn checksum(header: &[u8], entries: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(header);
    hasher.update(entries);
    hasher.digest()
}

/// The audit entries among the entries of a frame or an archive.
pub(crate) fn audits(payload: &[u8]) -> impl Iterator<Item = Result<WireAudit<'_>, BadRecord>> {
    codec::entries(payload).filter_map(|entry| match entry {
        Ok((_, Entry::Audit(wire))) => Some(Ok(wire)),
        Ok(_) => None,
        Err(bad) => Some(Err(bad)),
    })
}

/// The bytes of the audit entries of a frame, one after the other.
pub(crate) fn extract(payload: &[u8], out: &mut Vec<u8>) -> Result<(), BadRecord> {
    let mut ends = codec::entries(payload).peekable();
    while let Some(entry) = ends.next() {
        let (offset, entry) = entry?;
        let end = match ends.peek() {
            Some(Ok((next, _))) => *next,
            _ => payload.len(),
        };
        if matches!(entry, Entry::Audit(_)) {
            out.extend_from_slice(&payload[offset..end]);
        }
    }
    Ok(())
}
