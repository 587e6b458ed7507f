//! Namespaces by name: made, found, and given another policy, in the manifest that all processes share.

use std::sync::Arc;

use crate::backend::{ManifestEdit, StoredManifest};
use crate::engine::namespaces::{NamespaceCore, Namespaces, check_name};
use crate::engine::policies::{check_guarantee, check_unused, no_namespace};
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::manifest_file;
use crate::remote::receipt::Receipt;
use crate::remote::remote::{Catalogue, Remote};
use crate::value::audit::AuditLevel;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::policy::Policy;

impl Catalogue {
    /// The manifest as the backend has it.
    pub(super) fn read(stored: &StoredManifest) -> Result<Self> {
        Ok(Self {
            namespaces: Namespaces::new(manifest_file::decode(&stored.bytes)?),
            revision: stored.revision,
        })
    }

    /// Takes a newer manifest in; namespaces that are in use keep the policy that they were opened with.
    fn follow(&mut self, stored: &StoredManifest) -> Result<()> {
        if stored.revision > self.revision {
            self.namespaces.manifest = manifest_file::decode(&stored.bytes)?;
            self.revision = stored.revision;
        }
        Ok(())
    }
}

/// The edit that makes this manifest the newest one.
pub(super) fn edit_to(manifest: &Manifest, expect: u64) -> ManifestEdit {
    let names = manifest.namespaces.iter();
    ManifestEdit {
        expect,
        bytes: manifest_file::encode(manifest).into(),
        names: names
            .map(|entry| (entry.id.0, entry.name.clone()))
            .collect(),
    }
}

impl Remote {
    /// The namespace of this name, made if it is new.
    pub(crate) fn namespace(
        self: &Arc<Self>,
        name: &str,
        policy: Policy,
    ) -> Receipt<Arc<NamespaceCore>> {
        let checked = self.check_policy(name, &policy);
        let (remote, name) = (Arc::clone(self), name.to_owned());
        self.send(async move {
            checked?;
            loop {
                let (edit, core) = match remote.plan(&name, &policy) {
                    Ok(Plan::There(core)) => return Ok(core),
                    Ok(Plan::Edit(edit)) => (Some(edit), None),
                    // What this process knows may be old.
                    Err(error) => (None, Some(error)),
                };
                let revision = remote.namespaces.lock().revision;
                let stored = remote.backend.manifest(edit).await?;
                let stored = stored.ok_or_else(manifest_lost)?;
                remote.namespaces.lock().follow(&stored)?;
                if let Some(error) = core.filter(|_| stored.revision == revision) {
                    return Err(error);
                }
            }
        })
    }

    fn plan(&self, name: &str, policy: &Policy) -> Result<Plan> {
        let mut catalogue = self.namespaces.lock();
        let revision = catalogue.revision;
        let namespaces = &mut catalogue.namespaces;
        let Some(entry) = namespaces.manifest.find(name).cloned() else {
            let mut manifest = namespaces.manifest.clone();
            manifest.namespaces.push(NamespaceEntry {
                id: namespaces.manifest.next_id()?,
                name: name.to_owned(),
                policy: policy.clone(),
            });
            return Ok(Plan::Edit(edit_to(&manifest, revision)));
        };
        if entry.policy == *policy {
            check_same(namespaces, &entry)?;
            return Ok(Plan::There(namespaces.core(&entry)));
        }
        check_guarantee(&entry, policy)?;
        check_unused(namespaces, &entry)?;
        let mut manifest = namespaces.manifest.clone();
        for there in manifest
            .namespaces
            .iter_mut()
            .filter(|there| there.id == entry.id)
        {
            there.policy = policy.clone();
        }
        Ok(Plan::Edit(edit_to(&manifest, revision)))
    }

    /// Refuses a policy that no namespace of this store can have.
    pub(crate) fn check_policy(&self, name: &str, policy: &Policy) -> Result<()> {
        self.check_open()?;
        check_name(name)?;
        policy.check(self.options.durability)?;
        if policy.audit != AuditLevel::Off {
            let text = format!(
                "a store over {} keeps no audit log: switch the audit of namespace {name:?} off, or use that of the server",
                self.backend.name()
            );
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        Ok(())
    }

    /// The namespace of this name, under the policy that is stored.
    pub(crate) fn existing(self: &Arc<Self>, name: &str) -> Receipt<Arc<NamespaceCore>> {
        let checked = check_name(name);
        let (remote, name) = (Arc::clone(self), name.to_owned());
        self.send(async move {
            checked?;
            if let Some(core) = remote.known(&name) {
                return Ok(core);
            }
            remote.refresh().await?;
            remote.known(&name).ok_or_else(|| {
                let catalogue = remote.namespaces.lock();
                no_namespace(&catalogue.namespaces.manifest, &name)
            })
        })
    }

    /// The namespace of this name, if this process knows it.
    fn known(&self, name: &str) -> Option<Arc<NamespaceCore>> {
        let mut catalogue = self.namespaces.lock();
        let entry = catalogue.namespaces.manifest.find(name)?.clone();
        Some(catalogue.namespaces.core(&entry))
    }

    /// The namespace of this number, looked for in the backend where this process does not know it.
    pub(super) async fn core_of(&self, number: u32) -> Result<Arc<NamespaceCore>> {
        let id = crate::value::namespace_id::NamespaceId(number);
        if let Some(core) = self.namespaces.lock().namespaces.by_id(id) {
            return Ok(core);
        }
        self.refresh().await?;
        let found = self.namespaces.lock().namespaces.by_id(id);
        found.ok_or_else(|| {
            let text =
                format!("the manifest lacks namespace {number}: restore a backup of the backend");
            Error::new(ErrorKind::Damaged, text)
        })
    }

    async fn refresh(&self) -> Result<()> {
        let stored = self
            .backend
            .manifest(None)
            .await?
            .ok_or_else(manifest_lost)?;
        self.namespaces.lock().follow(&stored)
    }

    /// The names of the namespaces that this process knows, in the order in which they were made.
    pub(crate) fn names(&self) -> Vec<String> {
        let catalogue = self.namespaces.lock();
        let entries = catalogue.namespaces.manifest.namespaces.iter();
        entries.map(|entry| entry.name.clone()).collect()
    }

    pub(crate) fn manifest(&self) -> Manifest {
        self.namespaces.lock().namespaces.manifest.clone()
    }
}

/// What has to be done for a namespace to be there.
enum Plan {
    There(Arc<NamespaceCore>),
    Edit(ManifestEdit),
}

/// Refuses a namespace that is in use here with another policy than the stored one.
fn check_same(namespaces: &Namespaces, entry: &NamespaceEntry) -> Result<()> {
    match namespaces.in_use(entry.id) {
        Some(core) if *core.policy != entry.policy => check_unused(namespaces, entry),
        _ => Ok(()),
    }
}

fn manifest_lost() -> Error {
    let text =
        "the manifest of the store is gone from the backend: restore a backup of the backend";
    Error::new(ErrorKind::Damaged, text)
}
