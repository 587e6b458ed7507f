//! [`NamespaceArgs`]: which namespace.

use clap::Args;
use hapax::{Namespace, Store};

use crate::trouble::{Result, Trouble};

/// Which namespace.
#[derive(Debug, Args)]
pub(crate) struct NamespaceArgs {
    /// The namespace; may be left out where the store has only one
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
}

impl NamespaceArgs {
    pub(crate) fn open(&self, store: &Store) -> Result<Namespace> {
        Ok(store.open_namespace(&self.name(store)?)?)
    }

    /// Whether a key has to be named with its namespace.
    pub(crate) fn is_needed(&self, store: &Store) -> bool {
        self.namespace.is_some() || store.namespaces().len() > 1
    }

    /// The name that was given, or the only one there is.
    pub(crate) fn name(&self, store: &Store) -> Result<String> {
        if let Some(name) = &self.namespace {
            return Ok(name.clone());
        }
        let names = store.namespaces();
        match &names[..] {
            [only] => Ok(only.clone()),
            [] => Err(Trouble::usage("the store has no namespace, and so no key")),
            _ => Err(Trouble::usage(format!(
                "the store has several namespaces: add --namespace with one of {}",
                names.join(", ")
            ))),
        }
    }
}
