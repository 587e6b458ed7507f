//! [`NamespaceArgs`]: the namespace of a key.

use clap::Args;
use hapax::{Namespace, Store};

use crate::trouble::{Result, Trouble};

/// The option that names a namespace.
#[derive(Debug, Args)]
pub(crate) struct NamespaceArgs {
    /// The namespace; optional if the store has only one
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
}

impl NamespaceArgs {
    pub(crate) fn open(&self, store: &Store) -> Result<Namespace> {
        Ok(store.open_namespace(&self.name(store)?)?)
    }

    /// Whether a command for a key must name its namespace.
    pub(crate) fn is_needed(&self, store: &Store) -> bool {
        self.namespace.is_some() || store.namespaces().len() > 1
    }

    /// The given name, or that of the only namespace.
    pub(crate) fn name(&self, store: &Store) -> Result<String> {
        if let Some(name) = &self.namespace {
            return Ok(name.clone());
        }
        let names = store.namespaces();
        match &names[..] {
            [only] => Ok(only.clone()),
            [] => Err(Trouble::usage(
                "the store has no namespaces, and so no keys",
            )),
            _ => Err(Trouble::usage(format!(
                "the store has several namespaces: add --namespace with one of {}",
                names.join(", ")
            ))),
        }
    }
}
