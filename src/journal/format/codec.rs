//! Records, parts and the manifest as bytes: the only file that names bincode.
//!
//! Decoding is total: any bytes give `Ok` or an error, in time and memory bounded by their length,
//! without recursion, and nothing may be left over. `docs/format.md` documents the bytes.

mod manifest;

pub(crate) use crate::journal::format::codec::manifest::{
    decode_manifest, encode_manifest, encode_policy,
};

use bincode::config::{Configuration, Limit};
use bincode::{BorrowDecode, Encode};

use crate::journal::format::audit;
use crate::journal::format::audit::WireAudit;
use crate::journal::format::frame::PAYLOAD_BYTES_MAX;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{FINGERPRINT_PARTS_MAX, Fingerprint, Part};
use crate::value::key::KEY_BYTES_MAX;
use crate::value::limits::SMALL_BYTES_MAX;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::RESPONSE_BYTES_MAX;
use crate::value::record::{Head, Record, RecordKind, RecordRef};

type Config = Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<{ PAYLOAD_BYTES_MAX + 1024 }>,
>;

const CONFIG: Config = bincode::config::standard().with_limit();

/// Why bytes do not decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadRecord {
    /// Not what an encoder writes.
    Malformed,
    /// A kind that this version does not know.
    UnknownKind(u8),
}

/// One entry of a frame's payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    Record(WireRecord<'a>),
    Part(WirePart<'a>),
    Audit(WireAudit<'a>),
    Removal(WireRemoval),
}

/// A record in a frame. Field order is the format.
#[derive(Clone, Copy, Debug, BorrowDecode)]
pub(crate) struct WireRecord<'a> {
    head: WireHead,
    pub(crate) key: &'a [u8],
    fingerprint: &'a [u8],
    metadata: &'a [u8],
    reason: &'a [u8],
    /// Frames before this one that hold the body, when it does not lie here.
    pub(crate) body_frames: u32,
    /// Bytes of the body, wherever it lies.
    pub(crate) body_len: u64,
    body: &'a [u8],
}

/// The fields of a [`WireRecord`] that have a fixed size.
#[derive(Clone, Copy, Debug, Encode, bincode::Decode)]
struct WireHead {
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

/// What is written for a key that is forgotten: it names the record that it removes by its place, and
/// so holds no byte of the key.
#[derive(Clone, Copy, Debug, Encode, bincode::Decode)]
pub(crate) struct WireRemoval {
    head: WireHead,
    /// 0 where the key had no record.
    frame: u64,
    offset: u16,
}

/// A piece of a body that is larger than a frame.
#[derive(Clone, Copy, Debug, Encode, BorrowDecode)]
pub(crate) struct WirePart<'a> {
    kind: u8,
    pub(crate) index: u32,
    pub(crate) bytes: &'a [u8],
}

const PART: u8 = 7;
const REMOVAL: u8 = 9;
const FLAG_BODY_OMITTED: u8 = 1;
const FLAG_ATTACHED: u8 = 2;

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

fn kind_of(byte: u8) -> Result<RecordKind, BadRecord> {
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

/// Most bytes that a record takes beside its key, fingerprint, metadata, reason and body.
pub(crate) const RECORD_OVERHEAD_MAX: usize = 64;

/// Most bytes of a body that lies in its record, whatever else the record holds.
pub(crate) const INLINE_BODY_MAX: usize = 24 * 1024;

/// Most bytes of a body in one part.
pub(crate) const PART_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 32;

/// An upper bound of the bytes that [`encode_record`] appends.
pub(crate) fn record_bytes_max(record: &RecordRef<'_>) -> usize {
    let fingerprint = record.fingerprint.map_or(0, fingerprint_bytes);
    let inline = if record.body.len() > INLINE_BODY_MAX {
        0
    } else {
        record.body.len()
    };
    RECORD_OVERHEAD_MAX
        + record.key.len()
        + fingerprint
        + record.metadata.len()
        + record.reason.len()
        + inline
}

/// Most bytes of a removal.
const REMOVAL_BYTES_MAX: usize = RECORD_OVERHEAD_MAX;

/// What a record is encoded into.
pub(crate) trait Sink {
    fn extend(&mut self, bytes: &[u8]);

    /// Hands out room for [`RECORD_OVERHEAD_MAX`] bytes; what is written there says how many it
    /// took.
    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> usize);
}

impl Sink for Vec<u8> {
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        let start = self.len();
        self.resize(start + RECORD_OVERHEAD_MAX, 0);
        let taken = write(&mut self[start..]);
        self.truncate(start + taken);
    }
}

/// A record as bytes, on the stack if it is a small one: so it is encoded before the lock of the
/// tail is taken, which every change of every key goes through.
pub(crate) struct Encoded {
    small: Small,
    /// Everything, where it may be more than the stack takes.
    large: Vec<u8>,
}

/// Bytes that take no allocation.
struct Small {
    bytes: [u8; ENCODED_SMALL],
    len: usize,
}

const ENCODED_SMALL: usize = 256;

impl Encoded {
    pub(crate) fn new(record: &RecordRef<'_>, body_frames: u32) -> Self {
        let mut encoded = Self {
            small: Small {
                bytes: [0; ENCODED_SMALL],
                len: 0,
            },
            large: Vec::new(),
        };
        let bound = record_bytes_max(record);
        if bound <= ENCODED_SMALL {
            encode_record(record, body_frames, &mut encoded.small);
        } else {
            encoded.large.reserve(bound);
            encode_record(record, body_frames, &mut encoded.large);
        }
        encoded
    }

    /// What takes the place of a record that says that its key is forgotten, and of which `removed`
    /// is the last record.
    pub(crate) fn removal(head: &Head, removed: Option<Locator>) -> Self {
        let mut encoded = Self {
            small: Small {
                bytes: [0; ENCODED_SMALL],
                len: 0,
            },
            large: Vec::new(),
        };
        let wire = WireRemoval {
            head: WireHead {
                kind: REMOVAL,
                ..wire_head(head)
            },
            frame: removed.map_or(0, |at| at.frame),
            offset: removed.map_or(0, |at| at.offset),
        };
        put(&wire, &mut encoded.small);
        encoded
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.large.is_empty() {
            &self.small.bytes[..self.small.len]
        } else {
            &self.large
        }
    }
}

/// For records that are known to fit; more is a panic.
impl Sink for Small {
    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        self.len += write(&mut self.bytes[self.len..]);
    }
}

/// Appends a record; `body_frames` frames before it hold the body when it is not zero.
///
/// The fields of a [`WireRecord`] in their order, written in few and large pieces: every change of a
/// key comes through here.
pub(crate) fn encode_record(record: &RecordRef<'_>, body_frames: u32, out: &mut impl Sink) {
    put(&wire_head(&record.head), out);
    put_bytes(record.key, out);
    match record.fingerprint {
        None => put_bytes(&[], out),
        Some(print) => {
            let mut bytes = Vec::with_capacity(fingerprint_bytes(print));
            encode_fingerprint(print, &mut bytes);
            put_bytes(&bytes, out);
        }
    }
    put_bytes(record.metadata, out);
    put_bytes(record.reason, out);
    put_len(u64::from(body_frames), out);
    put_len(record.body.len() as u64, out);
    put_bytes(if body_frames == 0 { record.body } else { &[] }, out);
}

fn wire_head(head: &Head) -> WireHead {
    WireHead {
        kind: kind_byte(head.kind),
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

/// Appends values of a fixed number of fields, which take few bytes.
#[inline]
fn put<E: Encode>(value: &E, out: &mut impl Sink) {
    out.fill(|room| {
        bincode::encode_into_slice(value, room, CONFIG)
            .expect("the fixed fields of a record fit its overhead")
    });
}

/// Appends a number.
#[inline]
fn put_len(len: u64, out: &mut impl Sink) {
    // A number of this size is its own varint.
    match u8::try_from(len) {
        Ok(small) if small < 251 => out.extend(&[small]),
        _ => put(&len, out),
    }
}

/// Appends bytes after their number.
#[inline]
fn put_bytes(bytes: &[u8], out: &mut impl Sink) {
    put_len(bytes.len() as u64, out);
    if !bytes.is_empty() {
        out.extend(bytes);
    }
}

/// Appends a part of a body.
pub(crate) fn encode_part(index: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_into(
        &WirePart {
            kind: PART,
            index,
            bytes,
        },
        out,
    );
}

fn encode_into<E: Encode>(value: &E, out: &mut Vec<u8>) {
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

/// Decodes the first entry of `bytes` and gives the bytes that it took.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<(Entry<'_>, usize), BadRecord> {
    let kind = *bytes.first().ok_or(BadRecord::Malformed)?;
    if kind == PART {
        let (part, taken) = decode_wire::<WirePart<'_>>(bytes)?;
        return Ok((Entry::Part(part), taken));
    }
    if kind == audit::KIND {
        let (wire, taken) = audit::decode(bytes)?;
        return Ok((Entry::Audit(wire), taken));
    }
    if kind == REMOVAL {
        let (removal, taken) = decode_wire::<WireRemoval>(bytes)?;
        return Ok((Entry::Removal(removal), taken));
    }
    kind_of(kind)?;
    let (record, taken) = decode_wire::<WireRecord<'_>>(bytes)?;
    Ok((Entry::Record(record), taken))
}

/// The entries of a frame's payload in order, each with its offset; it ends with the first bad one.
pub(crate) fn entries(
    payload: &[u8],
) -> impl Iterator<Item = Result<(usize, Entry<'_>), BadRecord>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let offset = next;
        let bytes = payload.get(offset..).filter(|bytes| !bytes.is_empty())?;
        let entry = decode_entry(bytes);
        next = entry
            .as_ref()
            .map_or(payload.len(), |(_, taken)| offset + taken);
        Some(entry.map(|(entry, _)| (offset, entry)))
    })
}

fn decode_wire<'a, D: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<(D, usize), BadRecord> {
    bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(|_| BadRecord::Malformed)
}

impl WireHead {
    fn decoded(&self, kind: RecordKind) -> Result<Head, BadRecord> {
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

impl WireRemoval {
    pub(crate) fn head(&self) -> Result<Head, BadRecord> {
        self.head.decoded(RecordKind::Forgotten)
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let mut room = [0; REMOVAL_BYTES_MAX];
        bincode::encode_into_slice(self, &mut room, CONFIG).expect("a removal has few bytes")
    }

    /// Where the record lies that is removed, if there was one.
    pub(crate) fn removed(&self) -> Option<Locator> {
        (self.frame != 0).then_some(Locator {
            frame: self.frame,
            offset: self.offset,
        })
    }
}

impl<'a> WireRecord<'a> {
    /// Refuses what no encoder writes: sizes over their limits, or that contradict one another.
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
        self.head.decoded(kind_of(self.head.kind)?)
    }

    /// The whole record; `body` is what its parts hold, or `None` when it lies in the record.
    pub(crate) fn to_record(self, body: Option<Vec<u8>>) -> Result<Record, BadRecord> {
        let body = match body {
            Some(bytes) => bytes,
            None if self.body_frames == 0 => self.body.to_vec(),
            None => return Err(BadRecord::Malformed),
        };
        if u64::try_from(body.len()) != Ok(self.body_len) {
            return Err(BadRecord::Malformed);
        }
        Ok(Record {
            head: self.head()?,
            key: self.key.into(),
            fingerprint: self.fingerprint()?,
            metadata: self.metadata.into(),
            reason: self.reason.into(),
            body: body.into(),
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

fn fingerprint_bytes(print: &Fingerprint) -> usize {
    5 + print
        .parts
        .iter()
        .map(|part| 17 + part.label.len())
        .sum::<usize>()
}

/// Scheme (4 bytes), number of parts (1), then for each: label length (1), label, digest (16).
fn encode_fingerprint(print: &Fingerprint, out: &mut Vec<u8>) {
    out.extend_from_slice(&print.scheme.to_le_bytes());
    out.push(u8::try_from(print.parts.len()).expect("a fingerprint has at most 16 parts"));
    for part in &print.parts {
        out.push(u8::try_from(part.label.len()).expect("a label has at most 64 bytes"));
        out.extend_from_slice(part.label.as_bytes());
        out.extend_from_slice(&part.digest.to_le_bytes());
    }
}

fn decode_fingerprint(bytes: &[u8]) -> Result<Fingerprint, BadRecord> {
    fn chunk<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadRecord> {
        let (chunk, rest) = bytes.split_first_chunk::<N>().ok_or(BadRecord::Malformed)?;
        *bytes = rest;
        Ok(*chunk)
    }
    let mut rest = bytes;
    let scheme = u32::from_le_bytes(chunk(&mut rest)?);
    let [count] = chunk(&mut rest)?;
    if usize::from(count) > FINGERPRINT_PARTS_MAX || count == 0 {
        return Err(BadRecord::Malformed);
    }
    let mut parts = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let [label_len] = chunk(&mut rest)?;
        let (label, after) = rest
            .split_at_checked(usize::from(label_len))
            .ok_or(BadRecord::Malformed)?;
        rest = after;
        let label = std::str::from_utf8(label)
            .map_err(|_| BadRecord::Malformed)?
            .to_owned();
        parts.push(Part {
            label,
            digest: u128::from_le_bytes(chunk(&mut rest)?),
        });
    }
    if rest.is_empty() {
        Ok(Fingerprint { scheme, parts })
    } else {
        Err(BadRecord::Malformed)
    }
}
