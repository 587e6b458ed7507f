//! The format, byte by byte: what was written once must be readable for ever.
//!
//! A test that fails here has found a change of the format: that takes a new version number, not a
//! new constant.

use std::time::Duration;

use proptest::prelude::*;

use crate::journal::format::audit::{Archive, Draft, Facts, genesis};
use crate::journal::format::codec;
use crate::journal::format::codec::{BadRecord, Entry};
use crate::journal::format::frame::{
    BadFrame, FORMAT_VERSION, FrameHeader, HEADER_BYTES, open_frame,
};
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::marks::{Archived, LINK_BYTES, Link, LowMark, MARKS_BYTES, Marks};
use crate::value::audit::{Audit, AuditHead, Origin, Transition};
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::Durability;
use crate::value::error::ErrorKind;
use crate::value::fencing_token::{EPOCH_END, FencingToken};
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::key_digest::KeyDigest;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{OnChange, Oversize, Policy};
use crate::value::record::{Head, Record, RecordKind};

const STORE_ID: [u8; 16] = *b"sixteen bytes id";

/// Of so many places one is tried, and random bytes are so much fewer: an interpreter takes its time
/// for each. 31 is in step with no field.
const STEP: usize = if cfg!(miri) { 31 } else { 1 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of the epoch 2 of version 1.
fn token() -> FencingToken {
    FencingToken::from_u64((2 << 40) + 5).expect("63 bits")
}

fn print() -> Fingerprint {
    let part = |label: &str, digest| Part {
        label: label.to_owned(),
        digest,
    };
    Fingerprint {
        scheme: 7,
        parts: vec![part("amount", 1), part("to", u128::MAX - 1)],
    }
}

fn record(kind: RecordKind) -> Record {
    Record {
        head: Head {
            kind,
            namespace: NamespaceId(3),
            token: token(),
            attempt: 300,
            first_claimed_at: 1_767_225_600,
            recorded_at: 1_767_225_601,
            expires_at: u32::MAX,
            retention_secs: 604_800,
            body_omitted: kind == RecordKind::Failed,
            attached: false,
        },
        key: b"key"[..].into(),
        fingerprint: (kind == RecordKind::Completed).then(print),
        metadata: b"meta"[..].into(),
        reason: b"why"[..].into(),
        body: b"body"[..].into(),
    }
}

const KINDS: [RecordKind; 6] = [
    RecordKind::InProgress,
    RecordKind::Completed,
    RecordKind::Failed,
    RecordKind::InDoubt,
    RecordKind::Released,
    RecordKind::Forgotten,
];

/// One record of each kind, and a part.
fn payload() -> (Vec<u8>, u32) {
    let mut out = Vec::new();
    for kind in KINDS {
        codec::encode_record(&record(kind).as_ref(), 0, &mut out);
    }
    codec::encode_part(1, b"a part", &mut out);
    (out, 7)
}

fn frame() -> Vec<u8> {
    let (payload, records) = payload();
    let header = FrameHeader {
        records,
        store_id: STORE_ID,
        number: 0x0102_0304_0506,
        epoch: 9,
        store_secs: 1_767_225_602,
        durable: 0x0102_0304_0505,
        previous: 0x1122_3344_5566_7788,
    };
    let mut out = Vec::new();
    header.seal(&payload, &mut out);
    out
}

fn marks() -> Marks {
    Marks {
        store_id: STORE_ID,
        generation: 11,
        epoch: 9,
        durable: 12,
        durable_checksum: 13,
        low: LowMark {
            segment: 14,
            before: 15,
            checksum: 16,
        },
        store_ms: 1_767_225_602_003,
        archived: Archived::default(),
    }
}

fn link() -> Link {
    Link {
        store_id: STORE_ID,
        segment: 14,
        before: 15,
        checksum: 16,
    }
}

fn manifest() -> Manifest {
    let second = Duration::from_secs(1);
    let all = Policy::at_most_once()
        .lease(second)
        .retention(second * 100)
        .failed_retention(second * 50)
        .attempt_retention(second * 70)
        .max_attempts(4)
        .max_response(1000)
        .oversize(Oversize::OutcomeOnly)
        .fingerprints(FingerprintPolicy::Required)
        .on_change(OnChange::Rerun)
        .durability(Durability::Interval(Duration::from_millis(250)));
    let entry = |id, name: &str, policy| NamespaceEntry {
        id: NamespaceId(id),
        name: name.to_owned(),
        policy,
    };
    Manifest {
        store_id: STORE_ID,
        seed: [0xab; 16],
        created_secs: 1_767_225_600,
        backup: false,
        salvaged: false,
        namespaces: vec![
            entry(1, "plain", Policy::at_least_once()),
            entry(2, "all", all),
        ],
    }
}

#[test]
fn records_of_every_kind_are_these_bytes() {
    let golden = [
        "010003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "020003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b65792f070000000206616d6f756e740100000000000000000000000000000002746ffeffffffffffffffffffffffffffffff046d65746103776879000404626f6479",
        "030103fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "040003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "050003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "060003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
    ];
    for (kind, golden) in KINDS.into_iter().zip(golden) {
        let mut bytes = Vec::new();
        codec::encode_record(&record(kind).as_ref(), 0, &mut bytes);
        assert_eq!(hex(&bytes), golden, "{kind:?}");
        let Ok((Entry::Record(wire), taken)) = codec::decode_entry(&bytes) else {
            panic!("a record")
        };
        assert_eq!(taken, bytes.len());
        assert_eq!(wire.to_record(None).unwrap(), record(kind));
    }
}

/// It names a place, and so holds no byte of the key that it removes.
#[test]
fn a_removal_is_these_bytes() {
    let at = Locator {
        frame: 300,
        offset: 70,
    };
    let head = record(RecordKind::Forgotten).head;
    for (removed, golden) in [
        (
            Some(at),
            "090003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900fb2c0146",
        ),
        (
            None,
            "090003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a09000000",
        ),
    ] {
        let encoded = codec::Encoded::removal(&head, removed);
        assert_eq!(hex(encoded.bytes()), golden);
        let Ok((Entry::Removal(removal), taken)) = codec::decode_entry(encoded.bytes()) else {
            panic!("a removal")
        };
        assert_eq!((taken, removal.bytes()), (golden.len() / 2, taken));
        assert_eq!((removal.head(), removal.removed()), (Ok(head), removed));
    }
}

#[test]
fn a_part_is_these_bytes() {
    let mut bytes = Vec::new();
    codec::encode_part(300, b"bytes", &mut bytes);
    assert_eq!(hex(&bytes), "07fb2c01056279746573");
    let Ok((Entry::Part(part), taken)) = codec::decode_entry(&bytes) else {
        panic!("a part")
    };
    assert_eq!(
        (part.index, part.bytes, taken),
        (300, &b"bytes"[..], bytes.len())
    );
}

fn facts() -> Facts<'static> {
    Facts {
        transition: Transition::Completed,
        origin: Origin::Operator,
        at: 1_767_225_600,
        expires_at: 1_767_225_601,
        namespace: NamespaceId(3),
        token: Some(token()),
        attempt: 300,
        key_digest: KeyDigest::from_bytes([0xd1; 16]),
        fingerprint: Some(1),
        outcome: Some(2),
        key: Some(b"key"),
        actor: "alice",
        reason: "why",
    }
}

fn entry() -> (AuditHead, Vec<u8>) {
    let mut head = genesis(&STORE_ID);
    let mut bytes = Vec::new();
    Draft::new(&facts()).write(&mut head, &mut bytes);
    (head, bytes)
}

#[test]
fn an_audit_entry_is_these_bytes() {
    let (head, bytes) = entry();
    assert_eq!(
        hex(&bytes),
        "08010000000000000012ba421bb1cd5fd4aebfdadd011866960475a9afec197f5b83e5a7c7ba46a92f5b00038f00b9556901b95569030000002c010000d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1050000000002000000000000000000000000000000000001000000000000000000000000000000020500616c696365030077687903006b6579"
    );
    let Ok((Entry::Audit(wire), taken)) = codec::decode_entry(&bytes) else {
        panic!("an audit entry")
    };
    assert_eq!(
        (taken, wire.bytes(), wire.head),
        (bytes.len(), bytes.len(), head)
    );
    assert!(wire.follows(&genesis(&STORE_ID)) && !wire.follows(&head));
    assert_eq!(wire.facts().unwrap(), facts());
    for end in (0..bytes.len()).step_by(STEP) {
        assert!(codec::decode_entry(&bytes[..end]).is_err());
    }
}

#[test]
fn an_audit_archive_is_these_bytes() {
    let (after, entries) = entry();
    let archive = Archive {
        store_id: STORE_ID,
        segment: 14,
        before: genesis(&STORE_ID),
        after,
        greatest_expiry: 1_767_225_601,
        entries,
    };
    let bytes = archive.encode();
    assert_eq!(
        hex(&bytes[..136]),
        "68617061786175640100000001b955697369787465656e2062797465732069640e0000000000000000000000000000000253d94dee29d9df19a439ed5116a50a05e6c421e5ec3ec45b06c7fee65fddf4010000000000000012ba421bb1cd5fd4aebfdadd011866960475a9afec197f5b83e5a7c7ba46a92f860000000000000008a4b186f1b94548"
    );
    assert_eq!(bytes[136..], archive.entries);
    assert_eq!(Archive::decode(&bytes).as_ref(), Ok(&archive));
    for end in (0..bytes.len()).step_by(STEP) {
        assert!(Archive::decode(&bytes[..end]).is_err());
    }
    let mut newer = bytes;
    newer[8] = 2;
    assert!(Archive::decode(&newer).is_err());
}

/// What earlier versions could not say makes a version that they refuse.
#[test]
fn the_manifest_of_namespaces_with_an_audit_log_is_longer() {
    let mut audited = manifest();
    audited.namespaces[1].policy = audited.namespaces[1].policy.clone().audit(Audit::Keys);
    for salvaged in [false, true] {
        audited.salvaged = salvaged;
        let bytes = audited.encode();
        let plain = manifest().encode();
        assert_eq!(bytes[8..12], [3, 0, 0, 0]);
        assert_eq!(bytes[20..plain.len()], plain[20..]);
        let extension = format!(
            "{:02x}0200fd0000700b23c87a0002fd0000700b23c87a00",
            u8::from(salvaged)
        );
        assert_eq!(hex(&bytes[plain.len()..]), extension);
        assert_eq!(Manifest::decode(&bytes).unwrap(), audited);
    }
}

#[test]
fn a_frame_is_these_bytes() {
    let bytes = frame();
    assert_eq!(
        hex(&bytes[..HEADER_BYTES]),
        "686170617866726d02000000070000007369787465656e20627974657320696406050403020100000900000002b95569050504030201000088776655443322118801000000000000e59e0c0aefd85f92"
    );
    let view = open_frame(&bytes, &STORE_ID).unwrap();
    assert_eq!(
        (view.header.number, view.header.epoch),
        (0x0102_0304_0506, 9)
    );
    assert_eq!(view.payload, payload().0);
}

/// Tokens had 23 bits of epoch before. An epoch of that time stands for the last one of today that
/// holds a token of it, so that every later token is higher.
#[test]
fn frames_and_marks_of_version_1_are_read() {
    let mut bytes = bytes_of(
        "686170617866726d01000000070000007369787465656e20627974657320696406050403020100000900000002b95569050504030201000088776655443322118801000000000000902deca13622d610",
    );
    bytes.extend(payload().0);
    let view = open_frame(&bytes, &STORE_ID).unwrap();
    assert_eq!(view.header.epoch, 0x9ff);
    assert!(FencingToken::new(0xa00, 0).as_u64() > (9 << 40) + COUNTER_1_MAX);
    assert!(FencingToken::new(0x9ff, 0).as_u64() < (9 << 40) + COUNTER_1_MAX);
    let bytes = bytes_of(
        "68617061786d726b01000000090000007369787465656e2062797465732069640b000000000000000c000000000000000d000000000000000e000000000000000f000000000000001000000000000000d3afda769b01000000000000000000000000000000000000fbfa24558cdfc140",
    );
    let widened = Marks {
        epoch: 0x9ff,
        ..marks()
    };
    assert_eq!(Marks::decode(&bytes), Some(widened));
    let beyond = resealed_marks(bytes, 12, &(1_u32 << 23).to_le_bytes());
    assert!(Marks::decode(&beyond).unwrap().epoch >= EPOCH_END);
}

/// The highest counter of a token of version 1.
const COUNTER_1_MAX: u64 = (1 << 40) - 1;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn resealed_marks(mut bytes: Vec<u8>, at: usize, field: &[u8]) -> Vec<u8> {
    bytes[at..at + field.len()].copy_from_slice(field);
    let end = bytes.len() - 8;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// A slot that was written after the last generation there is counted as the older one.
#[test]
fn generations_of_marks_go_on_past_the_last() {
    let slot = |generation: u64, durable: u64| {
        let marks = Marks {
            generation,
            durable,
            ..marks()
        };
        marks.encode()
    };
    let newest = |slots: [Vec<u8>; 2]| {
        let (marks, next) = Marks::newest(&slots);
        (marks.unwrap().durable, next)
    };
    assert_eq!(newest([slot(u64::MAX, 1), slot(0, 2)]), (2, 0));
    assert_eq!(newest([slot(1, 2), slot(u64::MAX, 1)]), (2, 1));
    assert_eq!(newest([slot(7, 1), slot(8, 2)]), (2, 0));
    assert_eq!(newest([slot(8, 2), slot(8, 2)]), (2, 1));
}

#[test]
fn marks_and_links_are_these_bytes() {
    assert_eq!(
        hex(&marks().encode()),
        "68617061786d726b02000000090000007369787465656e2062797465732069640b000000000000000c000000000000000d000000000000000e000000000000000f000000000000001000000000000000d3afda769b01000000000000000000000000000000000000cc6f946869cd1801"
    );
    assert_eq!(Marks::decode(&marks().encode()), Some(marks()));
    let archived = Marks {
        archived: Archived::at(&entry().0),
        ..marks()
    };
    let (plain, bytes) = (marks().encode(), archived.encode());
    assert_eq!(bytes[..88], plain[..88]);
    assert_eq!(hex(&bytes[88..104]), "010000000000000012ba421bb1cd5fd4");
    assert_eq!(Marks::decode(&bytes), Some(archived));
    assert_eq!(
        hex(&link().encode()),
        concat!(
            "68617061786c6e6b7369787465656e2062797465732069640e000000000000000f000000000000001000000000000000",
            "1420fe2cd394349f"
        )
    );
    assert_eq!(Link::decode(&link().encode()), Some(link()));
}

#[test]
fn a_manifest_is_these_bytes() {
    assert_eq!(
        hex(&manifest().encode()),
        "68617061786d616e010000002c8090bce8aecfd37369787465656e206279746573206964ababababababababababababababababfc00b9556900020105706c61696e00fd005847f80d000000fd00004f91944e000000fd00004f91944e000000fc00001000000100000203616c6c01fc00ca9a3bfd00e876481700000001fd00743ba40b000000fd003c534c100000000104fbe80301000101fc80b2e60e"
    );
    assert_eq!(Manifest::decode(&manifest().encode()).unwrap(), manifest());
}

#[test]
fn the_manifest_of_a_salvaged_store_is_one_byte_longer() {
    let plain = manifest().encode();
    let salvaged = Manifest {
        salvaged: true,
        ..manifest()
    };
    let bytes = salvaged.encode();
    assert_eq!(
        hex(&bytes[..20]),
        "68617061786d616e02000000bb57e308046971d1"
    );
    assert_eq!(bytes[20..bytes.len() - 1], plain[20..]);
    assert_eq!(bytes.last(), Some(&1));
    assert_eq!(Manifest::decode(&bytes).unwrap(), salvaged);
    for (mut changed, version) in [(bytes, 1), (plain, 2)] {
        changed[8] = version;
        assert_eq!(
            Manifest::decode(&changed).unwrap_err().kind(),
            ErrorKind::Damaged
        );
    }
}

#[test]
fn nothing_that_is_cut_short_or_too_long_decodes() {
    let mut completed = Vec::new();
    codec::encode_record(&record(RecordKind::Completed).as_ref(), 0, &mut completed);
    for end in 0..completed.len() {
        assert_eq!(
            codec::decode_entry(&completed[..end]).unwrap_err(),
            BadRecord::Malformed
        );
    }
    let frame = frame();
    for end in (0..frame.len()).step_by(STEP) {
        assert_eq!(
            open_frame(&frame[..end], &STORE_ID).unwrap_err(),
            BadFrame::Corrupt
        );
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(
        open_frame(&longer(&frame), &STORE_ID).unwrap_err(),
        BadFrame::Corrupt
    );
    let (marks, link, manifest) = (marks().encode(), link().encode(), manifest().encode());
    assert_eq!((marks.len(), link.len()), (MARKS_BYTES, LINK_BYTES));
    assert!(
        (0..marks.len())
            .step_by(STEP)
            .all(|end| Marks::decode(&marks[..end]).is_none())
    );
    assert!(
        (0..link.len())
            .step_by(STEP)
            .all(|end| Link::decode(&link[..end]).is_none())
    );
    assert!(
        (0..manifest.len())
            .step_by(STEP)
            .all(|end| Manifest::decode(&manifest[..end]).is_err())
    );
    assert!(Marks::decode(&longer(&marks)).is_none() && Link::decode(&longer(&link)).is_none());
    assert!(Manifest::decode(&longer(&manifest)).is_err());
}

#[test]
fn one_changed_bit_is_found_wherever_it_is() {
    let all = [
        frame(),
        marks().encode(),
        link().encode(),
        manifest().encode(),
    ];
    for (which, bytes) in all.iter().enumerate() {
        for bit in (0..bytes.len() * 8).step_by(STEP) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = match which {
                0 => open_frame(&changed, &STORE_ID).is_err(),
                1 => Marks::decode(&changed).is_none(),
                2 => Link::decode(&changed).is_none(),
                _ => Manifest::decode(&changed).is_err(),
            };
            assert!(refused, "bit {bit} of {which}");
        }
    }
}

/// A valid frame whose header says something else than this version writes.
fn resealed(at: usize, value: u8) -> Vec<u8> {
    let mut bytes = frame();
    bytes[at] = value;
    let (header, payload) = bytes.split_at(HEADER_BYTES);
    let covered = [&header[..HEADER_BYTES - 8], payload].concat();
    let checksum = xxhash_rust::xxh3::xxh3_64(&covered);
    bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_a_newer_version_wrote_is_told_from_damage() {
    assert!(open_frame(&resealed(0, b'h'), &STORE_ID).is_ok());
    let newer = u8::try_from(FORMAT_VERSION + 1).unwrap();
    assert_eq!(
        open_frame(&resealed(8, newer), &STORE_ID).unwrap_err(),
        BadFrame::NewerFormat
    );
    assert_eq!(
        open_frame(&resealed(10, 1), &STORE_ID).unwrap_err(),
        BadFrame::NewerFormat
    );
    assert_eq!(
        open_frame(&frame(), &[0; 16]).unwrap_err(),
        BadFrame::ForeignStore
    );
    let mut newer = marks().encode();
    assert!(!Marks::is_newer(&newer));
    newer[8] += 1;
    assert!(Marks::is_newer(&newer) && Marks::decode(&newer).is_none());
    let mut manifest = manifest().encode();
    manifest[8] = 4;
    assert_eq!(
        Manifest::decode(&manifest).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    manifest[0] = b'x';
    assert_eq!(
        Manifest::decode(&manifest).unwrap_err().kind(),
        ErrorKind::Damaged
    );
    assert_eq!(
        codec::decode_entry(&[10, 0, 0]).unwrap_err(),
        BadRecord::UnknownKind(10)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300 / STEP), kind in 0..9_u8) {
        for start in [bytes.clone(), [&[kind][..], &bytes].concat()] {
            match codec::decode_entry(&start) {
                Ok((Entry::Record(wire), taken)) => {
                    prop_assert!(taken <= start.len());
                    let _ = wire.head();
                    let _ = wire.to_record(None);
                }
                Ok((Entry::Audit(wire), taken)) => {
                    prop_assert!(taken <= start.len());
                    let _ = wire.facts();
                }
                _ => {}
            }
            let _ = Archive::decode(&start);
        }
        prop_assert!(open_frame(&bytes, &STORE_ID).is_err());
        prop_assert!(Marks::decode(&bytes).is_none() && Link::decode(&bytes).is_none());
        prop_assert!(Manifest::decode(&bytes).is_err());
        let _ = codec::decode_manifest(&bytes, false);
        let _ = codec::decode_manifest(&bytes, true);
    }

    #[test]
    fn a_record_that_was_tampered_with_never_panics(at in 0..200_usize, value in any::<u8>(), which in 0..6_usize) {
        let mut bytes = Vec::new();
        codec::encode_record(&record(KINDS[which]).as_ref(), 0, &mut bytes);
        let end = bytes.len();
        bytes[at % end] = value;
        if let Ok((Entry::Record(wire), _)) = codec::decode_entry(&bytes) {
            let _ = wire.to_record(None);
            let _ = wire.to_record(Some(vec![0; 4]));
        }
    }

    #[test]
    fn what_is_encoded_comes_back(
        key in proptest::collection::vec(any::<u8>(), 1..1 + 1024 / STEP),
        metadata in proptest::collection::vec(any::<u8>(), 0..300 / STEP),
        body in proptest::collection::vec(any::<u8>(), 0..3000 / STEP),
        numbers in any::<(u32, u32, u32, u32, u32)>(),
        which in 0..6_usize,
    ) {
        let mut record = record(KINDS[which]);
        let (namespace, attempt, first, at, expires) = numbers;
        record.head = Head {
            namespace: NamespaceId(namespace),
            attempt,
            first_claimed_at: first,
            recorded_at: at,
            expires_at: expires,
            ..record.head
        };
        (record.key, record.metadata, record.body) = (key.into(), metadata.into(), body.into());
        let mut bytes = Vec::new();
        codec::encode_record(&record.as_ref(), 0, &mut bytes);
        prop_assert!(bytes.len() <= codec::record_bytes_max(&record.as_ref()));
        // On the stack or, beyond its room, off it: the same bytes.
        let encoded = codec::Encoded::new(&record.as_ref(), 0);
        prop_assert_eq!(encoded.bytes(), &bytes[..]);
        let whole = bytes.len();
        bytes.extend_from_slice(b"the next one");
        let Ok((Entry::Record(wire), taken)) = codec::decode_entry(&bytes) else { panic!("a record") };
        prop_assert_eq!(taken, whole);
        prop_assert_eq!(wire.to_record(None).unwrap(), record);
    }
}
