//! [`Manifest`]: what the store is. A small synced file, replaced as a whole.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::codec;
use crate::value::audit::Audit;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::namespace_id::{NAME_BYTES_MAX, NamespaceId};
use crate::value::policy::{AUDIT_RETENTION, Policy};

const MAGIC: [u8; 8] = *b"hapaxman";

/// What every version reads.
const VERSION_PLAIN: u32 = 1;

/// A salvaged store, to which a version that knows of none must not grant anything.
const VERSION_SALVAGED: u32 = 2;

/// Namespaces with an audit log, which a version that knows of none must not write to.
const VERSION_EXTENDED: u32 = 3;

const PREFIX_BYTES: usize = 20;

/// Most namespaces of a store: each makes the manifest longer, which is written and read as a whole.
pub(crate) const NAMESPACES_MAX: usize = 4096;

/// What the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store_id: [u8; 16],
    /// The secret under fingerprints and derived keys.
    pub(crate) seed: [u8; 16],
    pub(crate) created_secs: u64,
    /// A backup: it has to be restored before it can be opened.
    pub(crate) backup: bool,
    /// Salvaged with losses that nobody has accepted yet: no grant may be made that promises
    /// at-most-once.
    pub(crate) salvaged: bool,
    /// Invariant: ids and names are unique.
    pub(crate) namespaces: Vec<NamespaceEntry>,
}

/// A namespace in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceEntry {
    pub(crate) id: NamespaceId,
    pub(crate) name: String,
    pub(crate) policy: Policy,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let body = codec::encode_manifest(self);
        let mut out = Vec::with_capacity(PREFIX_BYTES + body.len());
        out.extend_from_slice(&MAGIC);
        let version = match self.salvaged {
            _ if self.is_extended() => VERSION_EXTENDED,
            true => VERSION_SALVAGED,
            false => VERSION_PLAIN,
        };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || {
            Error::new(
                ErrorKind::Damaged,
                "the manifest is damaged: restore a backup, or save what is left with Store::salvage_with",
            )
        };
        let (prefix, body) = bytes.split_at_checked(PREFIX_BYTES).ok_or_else(damaged)?;
        let mut fields = crate::journal::format::frame::Fields(prefix);
        let (magic, version): ([u8; 8], u32) = (fields.take(), u32::from_le_bytes(fields.take()));
        let checksum = u64::from_le_bytes(fields.take());
        if magic != MAGIC {
            // What is no store at all is refused before its manifest is read.
            return Err(damaged());
        }
        if version > VERSION_EXTENDED {
            let text = format!(
                "the manifest has format {version}, this version of hapax reads up to {VERSION_EXTENDED}: use the version that wrote it, or a newer one"
            );
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        if version == 0 || checksum != xxh3_64(body) {
            return Err(damaged());
        }
        let extended = version == VERSION_EXTENDED;
        let manifest = codec::decode_manifest(body, extended).map_err(|_| damaged())?;
        let is_stated = extended || manifest.salvaged == (version == VERSION_SALVAGED);
        if !is_stated || !manifest.is_plausible() {
            return Err(damaged());
        }
        Ok(manifest)
    }

    /// Whether bytes begin as a manifest does, whole or not.
    pub(crate) fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// The version that bytes which decode are of.
    pub(crate) fn version_of(bytes: &[u8]) -> u32 {
        let version = bytes.get(8..12).and_then(|bytes| bytes.try_into().ok());
        version.map_or(0, u32::from_le_bytes)
    }

    /// Whether it says something that earlier versions cannot say.
    pub(crate) fn is_extended(&self) -> bool {
        let mut policies = self.namespaces.iter().map(|entry| &entry.policy);
        policies
            .any(|policy| policy.audit != Audit::Off || policy.audit_retention != AUDIT_RETENTION)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&NamespaceEntry> {
        self.namespaces.iter().find(|entry| entry.name == name)
    }

    /// The id of one more namespace.
    ///
    /// # Errors
    /// [`ErrorKind::AtCapacity`] when there is room for none.
    pub(crate) fn next_id(&self) -> Result<NamespaceId> {
        let at_capacity = |text: String| Error::new(ErrorKind::AtCapacity, text);
        if self.namespaces.len() >= NAMESPACES_MAX {
            return Err(at_capacity(format!(
                "the store has {NAMESPACES_MAX} namespaces, which is the limit: a namespace is a policy; put tenants into keys"
            )));
        }
        let highest = self.namespaces.iter().map(|entry| entry.id.0).max();
        let next = highest.unwrap_or(0).checked_add(1);
        next.map(NamespaceId).ok_or_else(|| {
            at_capacity("the last id of a namespace is taken: move to a new store".to_owned())
        })
    }

    /// Whether it has the ids and names of a store.
    fn is_plausible(&self) -> bool {
        let entries = || self.namespaces.iter();
        let ids: HashSet<_> = entries().map(|entry| entry.id).collect();
        let names: HashSet<_> = entries().map(|entry| &entry.name).collect();
        let is_named = |entry: &NamespaceEntry| (1..=NAME_BYTES_MAX).contains(&entry.name.len());
        let count = self.namespaces.len();
        count <= NAMESPACES_MAX
            && (ids.len(), names.len()) == (count, count)
            && entries().all(|entry| entry.id.0 > 0 && is_named(entry))
    }
}
