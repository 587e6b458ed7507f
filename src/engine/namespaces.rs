//! [`Namespaces`]: names, guarantees and policies, as the manifest has them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::observe::tallies::{COLUMNS_MAX, Column};
use crate::value::error::{Error, Result};
use crate::value::namespace_id::{NAME_BYTES_MAX, NamespaceId};
use crate::value::policy::Policy;
use crate::value::size::check_size;

/// A namespace that is in use.
#[derive(Debug)]
pub(crate) struct NamespaceCore {
    pub(crate) id: NamespaceId,
    pub(crate) name: Arc<str>,
    pub(crate) policy: Arc<Policy>,
    /// Where it is counted.
    pub(crate) column: Column,
}

/// The manifest, and which of its namespaces have a live handle.
#[derive(Debug)]
pub(crate) struct Namespaces {
    pub(crate) manifest: Manifest,
    pub(in crate::engine) live: HashMap<NamespaceId, Weak<NamespaceCore>>,
    /// The namespaces with a column of their own, and their names, by column.
    columns: Vec<(NamespaceId, Arc<str>)>,
}

impl Namespaces {
    pub(crate) fn new(manifest: Manifest) -> Self {
        Self {
            manifest,
            live: HashMap::new(),
            columns: Vec::new(),
        }
    }

    pub(crate) fn core(&mut self, entry: &NamespaceEntry) -> Arc<NamespaceCore> {
        if let Some(core) = self.live.get(&entry.id).and_then(Weak::upgrade) {
            return core;
        }
        let name = Arc::from(entry.name.as_str());
        let core = Arc::new(NamespaceCore {
            id: entry.id,
            column: self.column(entry.id, &name),
            name,
            policy: Arc::new(entry.policy.clone()),
        });
        self.live.insert(entry.id, Arc::downgrade(&core));
        core
    }

    /// The column of a namespace: its own while columns are left, then the shared one.
    fn column(&mut self, id: NamespaceId, name: &Arc<str>) -> Column {
        let known = self.columns.iter().position(|(known, _)| *known == id);
        let number = known.unwrap_or(self.columns.len());
        if known.is_none() && number < COLUMNS_MAX {
            self.columns.push((id, Arc::clone(name)));
        }
        Column::of(number)
    }

    /// The names of the namespaces that are counted by themselves, by column.
    pub(crate) fn column_names(&self) -> Vec<Arc<str>> {
        self.columns
            .iter()
            .map(|(_, name)| Arc::clone(name))
            .collect()
    }

    /// The namespace with this number that is in use, if it is.
    pub(crate) fn in_use(&self, id: NamespaceId) -> Option<Arc<NamespaceCore>> {
        self.live.get(&id).and_then(Weak::upgrade)
    }

    pub(crate) fn by_id(&mut self, id: NamespaceId) -> Option<Arc<NamespaceCore>> {
        let entry = self
            .manifest
            .namespaces
            .iter()
            .find(|entry| entry.id == id)?
            .clone();
        Some(self.core(&entry))
    }
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(
            "the name of the namespace is empty: name what its keys stand for",
        ));
    }
    check_size(
        "the name of the namespace",
        name.len(),
        NAME_BYTES_MAX,
        "shorten it",
    )?;
    Ok(())
}
