//! Namespaces by name: made, found, and given another policy.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::namespaces::{NamespaceCore, Namespaces, check_name};
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::manifest_file;
use crate::runtime::sync::{MutexGuard, block_on};
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::guarantee::Guarantee;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;

/// Namespaces that an error names.
const NAMED_MAX: usize = 16;

impl Engine {
    /// The namespace of this name, made if it is new.
    pub(crate) fn namespace(&self, name: &str, policy: Policy) -> Result<Arc<NamespaceCore>> {
        self.check_alive()?;
        check_name(name)?;
        policy.check(self.options.durability)?;
        self.check_ephemeral(&policy)?;
        let mut told = None;
        loop {
            let mut namespaces = self.namespaces.lock();
            let Some(entry) = namespaces.manifest.find(name).cloned() else {
                return self.make_namespace(&mut namespaces, name, policy);
            };
            if entry.policy == policy {
                return Ok(namespaces.core(&entry));
            }
            check_guarantee(&entry, &policy)?;
            if let Some(core) = self.replace_policy(namespaces, &entry, &policy, &mut told)? {
                return Ok(core);
            }
        }
    }

    fn make_namespace(
        &self,
        namespaces: &mut Namespaces,
        name: &str,
        policy: Policy,
    ) -> Result<Arc<NamespaceCore>> {
        let entry = NamespaceEntry {
            id: namespaces.manifest.next_id()?,
            name: name.to_owned(),
            policy,
        };
        let mut manifest = namespaces.manifest.clone();
        manifest.namespaces.push(entry.clone());
        self.write_manifest(namespaces, manifest)?;
        Ok(namespaces.core(&entry))
    }

    /// Gives a namespace another guarantee, while none of its keys is running or in doubt.
    pub(crate) fn change_guarantee(
        &self,
        name: &str,
        policy: Policy,
    ) -> Result<Arc<NamespaceCore>> {
        self.check_change()?;
        policy.check(self.options.durability)?;
        self.check_ephemeral(&policy)?;
        let mut told = None;
        loop {
            let namespaces = self.namespaces.lock();
            let Some(entry) = namespaces.manifest.find(name).cloned() else {
                return Err(Error::new(
                    ErrorKind::NotHeld,
                    format!("there is no namespace {name:?}: make it with namespace()"),
                ));
            };
            if self.has_unsettled(entry.id)? {
                let text = format!(
                    "namespace {name:?} has keys in progress or in doubt: settle them, then change its guarantee"
                );
                return Err(Error::new(ErrorKind::InUse, text));
            }
            if let Some(core) = self.replace_policy(namespaces, &entry, &policy, &mut told)? {
                return Ok(core);
            }
        }
    }

    /// Refuses a policy that [`namespace`](Self::namespace) would refuse, and changes nothing.
    pub(crate) fn check_policy(&self, name: &str, policy: &Policy) -> Result<()> {
        self.check_alive()?;
        policy.check(self.options.durability)?;
        self.check_ephemeral(policy)?;
        let namespaces = self.namespaces.lock();
        match namespaces.manifest.find(name) {
            Some(entry) if entry.policy == *policy => Ok(()),
            Some(entry) => {
                check_guarantee(entry, policy)?;
                check_unused(&namespaces, entry)?;
                self.lifecycle.check_writable()
            }
            None => self.lifecycle.check_writable(),
        }
    }

    /// Replaces the policy of a namespace once the audit log has an entry of the change (`told`). Returns
    /// `None` after it has waited for that entry, without the lock, so the caller has to look at everything
    /// again.
    fn replace_policy(
        &self,
        mut namespaces: MutexGuard<'_, Namespaces>,
        entry: &NamespaceEntry,
        policy: &Policy,
        told: &mut Option<NamespaceEntry>,
    ) -> Result<Option<Arc<NamespaceCore>>> {
        check_unused(&namespaces, entry)?;
        self.check_open()?;
        let changed = NamespaceEntry {
            policy: policy.clone(),
            ..entry.clone()
        };
        let is_told = told.as_ref() == Some(entry) || entry.policy == *policy;
        let frame = (!is_told).then(|| self.audit_policy(entry, &changed));
        if let Some(frame) = frame.flatten() {
            drop(namespaces);
            block_on(self.rest(Some(frame)))?;
            *told = Some(entry.clone());
            return Ok(None);
        }
        let mut manifest = namespaces.manifest.clone();
        for there in manifest
            .namespaces
            .iter_mut()
            .filter(|there| there.id == entry.id)
        {
            *there = changed.clone();
        }
        self.write_manifest(&mut namespaces, manifest)?;
        Ok(Some(namespaces.core(&changed)))
    }

    pub(in crate::engine) fn write_manifest(
        &self,
        namespaces: &mut Namespaces,
        manifest: Manifest,
    ) -> Result<()> {
        self.lifecycle.check_writable()?;
        self.journal.check()?;
        let bytes = manifest_file::encode(&manifest);
        let written = self.journal.log().write_manifest(&bytes);
        written.while_doing("writing the manifest")?;
        namespaces.manifest = manifest;
        Ok(())
    }

    fn check_ephemeral(&self, policy: &Policy) -> Result<()> {
        let promises = policy.guarantee == Guarantee::AtMostOnce;
        if promises && self.options.ephemeral && !self.options.ephemeral_at_most_once {
            return Err(Error::invalid(
                "an in-memory store forgets everything with its process, so it cannot promise at-most-once: \
                 open a directory, or call allow_at_most_once() in a test",
            ));
        }
        Ok(())
    }

    /// The namespace of a record.
    pub(crate) fn namespace_by_id(&self, id: NamespaceId) -> Result<Arc<NamespaceCore>> {
        let found = self.namespaces.lock().by_id(id);
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("the manifest lacks namespace {}: restore a backup", id.0),
            )
        })
    }

    /// The namespace of this name, under the policy that is stored.
    pub(crate) fn existing(&self, name: &str) -> Result<Arc<NamespaceCore>> {
        self.check_alive()?;
        check_name(name)?;
        if let Some(core) = self.namespace_by_name(name) {
            return Ok(core);
        }
        Err(no_namespace(&self.namespaces.lock().manifest, name))
    }

    /// The namespace of this name, if it was made before.
    pub(crate) fn namespace_by_name(&self, name: &str) -> Option<Arc<NamespaceCore>> {
        let mut namespaces = self.namespaces.lock();
        let entry = namespaces.manifest.find(name)?.clone();
        Some(namespaces.core(&entry))
    }
}

/// The refusal of a name that no namespace has: it lists those that exist.
pub(crate) fn no_namespace(manifest: &Manifest, name: &str) -> Error {
    let names = manifest.namespaces.iter();
    let names: Vec<_> = names.map(|entry| format!("{:?}", entry.name)).collect();
    let there = match names.len() {
        0 => "the store has none".to_owned(),
        count if count > NAMED_MAX => {
            format!(
                "there are {count}, {} among them",
                names[..NAMED_MAX].join(", ")
            )
        }
        _ => format!("there are {}", names.join(", ")),
    };
    Error::new(
        ErrorKind::NoNamespace,
        format!("there is no namespace {name:?}: {there}"),
    )
}

pub(crate) fn check_guarantee(entry: &NamespaceEntry, policy: &Policy) -> Result<()> {
    if entry.policy.guarantee == policy.guarantee {
        return Ok(());
    }
    let text = format!(
        "namespace {:?} was made with another guarantee: change it with change_guarantee()",
        entry.name
    );
    Err(Error::new(ErrorKind::PolicyConflict, text))
}

/// Refuses to change the policy of a namespace that has a live handle.
pub(crate) fn check_unused(namespaces: &Namespaces, entry: &NamespaceEntry) -> Result<()> {
    let live = namespaces.live.get(&entry.id);
    if live.is_none_or(|core| core.strong_count() == 0) {
        return Ok(());
    }
    let text = format!(
        "namespace {:?} is in use with another policy: use the same one, or drop its handles and leases first",
        entry.name
    );
    Err(Error::new(ErrorKind::PolicyConflict, text))
}
