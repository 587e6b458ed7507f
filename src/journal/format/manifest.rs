//! [`Manifest`]: what the store is.

use std::collections::HashSet;

use crate::value::audit::AuditLevel;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::namespace_id::{NAME_BYTES_MAX, NamespaceId};
use crate::value::policy::{AUDIT_RETENTION, Policy};

/// Most namespaces of a store: each makes the manifest longer, and the manifest is read and written as
/// a whole.
pub(crate) const NAMESPACES_MAX: usize = 4096;

/// What the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store_id: [u8; 16],
    /// The secret under fingerprints and derived keys.
    pub(crate) seed: [u8; 16],
    pub(crate) created_secs: u64,
    /// It is a backup, which must be restored before it can be opened.
    pub(crate) backup: bool,
    /// It was salvaged with losses that are not accepted yet: no grant may promise at-most-once.
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
    /// Whether it has a namespace with an audit log, which earlier versions cannot write to.
    pub(crate) fn is_extended(&self) -> bool {
        let mut policies = self.namespaces.iter().map(|entry| &entry.policy);
        policies.any(|policy| {
            policy.audit != AuditLevel::Off || policy.audit_retention != AUDIT_RETENTION
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&NamespaceEntry> {
        self.namespaces.iter().find(|entry| entry.name == name)
    }

    /// The id of the next namespace.
    ///
    /// # Errors
    /// [`ErrorKind::AtCapacity`] if the store has as many namespaces, or ids, as it can have.
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

    /// Whether its ids and names can be those of a store.
    pub(crate) fn is_plausible(&self) -> bool {
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
