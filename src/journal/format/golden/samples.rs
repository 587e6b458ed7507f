//! One value of each kind, whose bytes the tests know.

use std::time::Duration;

use crate::journal::format::audit::chain::genesis;
use crate::journal::format::audit::entry::{Draft, Facts};
use crate::journal::format::codec;
use crate::journal::format::frame::FrameHeader;
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::marks::{Archived, Link, LowMark, Marks};
use crate::value::audit::{AuditHead, Origin, Transition};
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::Durability;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{OnChange, Oversize, Policy};
use crate::value::record::{Head, Record, RecordKind};

pub(super) const STORE_ID: [u8; 16] = *b"sixteen bytes id";

/// Tests try every place, or in a slow interpreter every 31st, which falls on all parts of all fields.
pub(super) const STEP: usize = if cfg!(miri) { 31 } else { 1 };

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token of epoch 2 of version 1.
pub(super) fn token() -> FencingToken {
    FencingToken::from_u64((2 << 40) + 5).expect("63 bits")
}

pub(super) fn print() -> Fingerprint {
    let part = |label: &str, digest| Part {
        label: label.to_owned(),
        digest,
    };
    Fingerprint {
        scheme: 7,
        parts: vec![part("amount", 1), part("to", u128::MAX - 1)],
    }
}

pub(super) fn record(kind: RecordKind) -> Record {
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

pub(super) const KINDS: [RecordKind; 6] = [
    RecordKind::InProgress,
    RecordKind::Completed,
    RecordKind::Failed,
    RecordKind::InDoubt,
    RecordKind::Released,
    RecordKind::Forgotten,
];

/// One record of each kind, and a part.
pub(super) fn payload() -> (Vec<u8>, u32) {
    let mut out = Vec::new();
    for kind in KINDS {
        codec::encode_record(&record(kind).as_ref(), 0, &mut out);
    }
    codec::encode_part(1, b"a part", &mut out);
    (out, 7)
}

pub(super) fn frame() -> Vec<u8> {
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

pub(super) fn marks() -> Marks {
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

pub(super) fn link() -> Link {
    Link {
        store_id: STORE_ID,
        segment: 14,
        before: 15,
        checksum: 16,
    }
}

pub(super) fn manifest() -> Manifest {
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

pub(super) fn facts() -> Facts<'static> {
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

pub(super) fn entry() -> (AuditHead, Vec<u8>) {
    let mut head = genesis(&STORE_ID);
    let mut bytes = Vec::new();
    Draft::new(&facts()).write(&mut head, &mut bytes);
    (head, bytes)
}
