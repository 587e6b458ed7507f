//! The body of the manifest as bytes.

use std::time::Duration;

use bincode::Encode;

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::wire::encode_into;
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::value::audit::AuditLevel;
use crate::value::comparison::FingerprintPolicy;
use crate::value::durability::Durability;
use crate::value::guarantee::Guarantee;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{AUDIT_RETENTION, OnChange, Oversize, Policy};

/// Most bytes of a manifest.
const MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The fields of every manifest. Field order is the format.
#[derive(Debug, Encode, bincode::Decode)]
struct WireManifest {
    store_id: [u8; 16],
    seed: [u8; 16],
    created_secs: u64,
    backup: bool,
    namespaces: Vec<WireNamespace>,
}

#[derive(Debug, Encode, bincode::Decode)]
struct WireNamespace {
    id: u32,
    name: String,
    at_most_once: bool,
    lease_nanos: u64,
    retention_nanos: u64,
    failed_retention_nanos: Option<u64>,
    attempt_retention_nanos: u64,
    max_attempts: Option<u32>,
    max_response_bytes: u64,
    outcome_only: bool,
    fingerprints: u8,
    rerun_on_change: bool,
    /// Absent for the durability of the store, 0 for `Sync`, else the window of `Interval`.
    durability_nanos: Option<u64>,
}

/// The byte behind the fields in the manifest of a salvaged store.
const SALVAGED: u8 = 1;

/// What a manifest of version 3 has behind those fields.
#[derive(Debug, Encode, bincode::Decode)]
struct WireExtension {
    salvaged: bool,
    /// For each namespace, in the same order.
    audits: Vec<WireAuditPolicy>,
}

#[derive(Debug, Encode, bincode::Decode)]
struct WireAuditPolicy {
    audit: u8,
    audit_retention_nanos: u64,
}

/// Encodes the body of a manifest; its file adds a magic, a version and a checksum.
pub(crate) fn encode_manifest(manifest: &Manifest) -> Vec<u8> {
    let wire = WireManifest {
        store_id: manifest.store_id,
        seed: manifest.seed,
        created_secs: manifest.created_secs,
        backup: manifest.backup,
        namespaces: manifest.namespaces.iter().map(wire_namespace).collect(),
    };
    let config = bincode::config::standard();
    let mut bytes =
        bincode::encode_to_vec(&wire, config).expect("writing flat values to memory does not fail");
    if manifest.is_extended() {
        let audits = manifest.namespaces.iter().map(wire_audit_policy);
        let extension = WireExtension {
            salvaged: manifest.salvaged,
            audits: audits.collect(),
        };
        encode_into(&extension, &mut bytes);
    } else if manifest.salvaged {
        bytes.push(SALVAGED);
    }
    bytes
}

/// A namespace with its whole policy, as in a manifest of version 3.
pub(crate) fn encode_policy(entry: &NamespaceEntry) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&wire_namespace(entry), &mut bytes);
    encode_into(&wire_audit_policy(entry), &mut bytes);
    bytes
}

/// Decodes the body of a manifest, of version 3 or of an earlier one.
pub(crate) fn decode_manifest(bytes: &[u8], extended: bool) -> Result<Manifest, BadRecord> {
    let config = bincode::config::standard().with_limit::<MANIFEST_BYTES_MAX>();
    let (wire, taken): (WireManifest, usize) =
        bincode::decode_from_slice(bytes, config).map_err(|_| BadRecord::Malformed)?;
    let namespaces: Result<Vec<_>, _> = wire.namespaces.into_iter().map(namespace_entry).collect();
    let mut namespaces = namespaces?;
    let salvaged = match bytes.get(taken..).unwrap_or_default() {
        more if extended => decode_extension(more, &mut namespaces)?,
        [] => false,
        [SALVAGED] => true,
        _ => return Err(BadRecord::Malformed),
    };
    Ok(Manifest {
        store_id: wire.store_id,
        seed: wire.seed,
        created_secs: wire.created_secs,
        backup: wire.backup,
        salvaged,
        namespaces,
    })
}

fn decode_extension(bytes: &[u8], namespaces: &mut [NamespaceEntry]) -> Result<bool, BadRecord> {
    let config = bincode::config::standard().with_limit::<MANIFEST_BYTES_MAX>();
    let (extension, taken): (WireExtension, usize) =
        bincode::decode_from_slice(bytes, config).map_err(|_| BadRecord::Malformed)?;
    if taken != bytes.len() || extension.audits.len() != namespaces.len() {
        return Err(BadRecord::Malformed);
    }
    for (entry, wire) in namespaces.iter_mut().zip(extension.audits) {
        entry.policy.audit = match wire.audit {
            0 => AuditLevel::Off,
            1 => AuditLevel::Digests,
            2 => AuditLevel::Keys,
            other => return Err(BadRecord::UnknownKind(other)),
        };
        entry.policy.audit_retention = Duration::from_nanos(wire.audit_retention_nanos);
    }
    Ok(extension.salvaged)
}

fn wire_audit_policy(entry: &NamespaceEntry) -> WireAuditPolicy {
    WireAuditPolicy {
        audit: match entry.policy.audit {
            AuditLevel::Off => 0,
            AuditLevel::Digests => 1,
            AuditLevel::Keys => 2,
        },
        audit_retention_nanos: nanos(entry.policy.audit_retention),
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("a span of a policy is at most ten years")
}

fn wire_namespace(entry: &NamespaceEntry) -> WireNamespace {
    let policy = &entry.policy;
    WireNamespace {
        id: entry.id.0,
        name: entry.name.clone(),
        at_most_once: policy.guarantee == Guarantee::AtMostOnce,
        lease_nanos: nanos(policy.lease),
        retention_nanos: nanos(policy.retention),
        failed_retention_nanos: policy.failed_retention.map(nanos),
        attempt_retention_nanos: nanos(policy.attempt_retention),
        max_attempts: policy.max_attempts,
        max_response_bytes: u64::try_from(policy.max_response_bytes).expect("at most 16 MiB"),
        outcome_only: policy.oversize == Oversize::OutcomeOnly,
        fingerprints: match policy.fingerprints {
            FingerprintPolicy::Required => 0,
            FingerprintPolicy::Optional => 1,
            FingerprintPolicy::Ignored => 2,
        },
        rerun_on_change: policy.on_change == OnChange::Rerun,
        durability_nanos: policy.durability.map(|durability| match durability {
            Durability::Sync => 0,
            Durability::Interval(window) => nanos(window),
        }),
    }
}

fn namespace_entry(wire: WireNamespace) -> Result<NamespaceEntry, BadRecord> {
    let policy = wire.policy()?;
    Ok(NamespaceEntry {
        id: NamespaceId(wire.id),
        name: wire.name,
        policy,
    })
}

impl WireNamespace {
    /// The policy, without its audit log.
    fn policy(&self) -> Result<Policy, BadRecord> {
        let max_response_bytes =
            usize::try_from(self.max_response_bytes).map_err(|_| BadRecord::Malformed)?;
        Ok(Policy {
            guarantee: match self.at_most_once {
                true => Guarantee::AtMostOnce,
                false => Guarantee::AtLeastOnce,
            },
            lease: Duration::from_nanos(self.lease_nanos),
            retention: Duration::from_nanos(self.retention_nanos),
            failed_retention: self.failed_retention_nanos.map(Duration::from_nanos),
            attempt_retention: Duration::from_nanos(self.attempt_retention_nanos),
            max_attempts: self.max_attempts,
            max_response_bytes,
            oversize: match self.outcome_only {
                true => Oversize::OutcomeOnly,
                false => Oversize::Refuse,
            },
            fingerprints: match self.fingerprints {
                0 => FingerprintPolicy::Required,
                1 => FingerprintPolicy::Optional,
                2 => FingerprintPolicy::Ignored,
                other => return Err(BadRecord::UnknownKind(other)),
            },
            on_change: match self.rerun_on_change {
                true => OnChange::Rerun,
                false => OnChange::Refuse,
            },
            audit: AuditLevel::Off,
            audit_retention: AUDIT_RETENTION,
            durability: self.durability_nanos.map(durability),
        })
    }
}

fn durability(nanos: u64) -> Durability {
    match nanos {
        0 => Durability::Sync,
        nanos => Durability::Interval(Duration::from_nanos(nanos)),
    }
}
