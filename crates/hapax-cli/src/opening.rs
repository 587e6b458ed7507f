//! How a store is opened: to read, unless the verb says otherwise.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hapax::{Builder, Namespace, Store};

use crate::span;
use crate::trouble::{Result, Trouble};

/// Which store, and how it is opened.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The directory of the store
    pub(crate) store: PathBuf,

    /// Believe the clock of this machine, though it is far ahead of the store
    #[arg(long, help_heading = "Store")]
    accept_clock_jump: bool,

    /// Wait this long for a process that holds the store
    #[arg(long, value_name = "SPAN", value_parser = span::parse, help_heading = "Store")]
    wait_for_lock: Option<Duration>,
}

impl StoreArgs {
    /// Opens it to read: nothing on the disk is changed.
    pub(crate) fn read(&self) -> Result<Store> {
        Ok(self.builder().read_only().open()?)
    }

    /// Opens it to change it.
    pub(crate) fn write(&self) -> Result<Store> {
        Ok(self.builder().open()?)
    }

    /// Makes a new one.
    pub(crate) fn create(&self) -> Result<Store> {
        Ok(self.builder().create(true).open()?)
    }

    /// Whether there is nothing yet where it is to be.
    pub(crate) fn is_absent(&self) -> Result<bool> {
        match std::fs::read_dir(&self.store) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Trouble::Io(
                format!("reading {}", self.store.display()),
                error,
            )),
        }
    }

    fn builder(&self) -> Builder {
        let mut builder = Store::builder(&self.store).create(false);
        if self.accept_clock_jump {
            builder = builder.accept_clock_jump();
        }
        if let Some(wait) = self.wait_for_lock {
            builder = builder.wait_for_lock(wait);
        }
        builder
    }
}

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
