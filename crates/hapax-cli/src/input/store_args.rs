//! [`StoreArgs`]: the store, and how it is opened.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hapax::{Builder, Store};

use crate::notation::time;
use crate::trouble::{Result, Trouble};

/// The options that open a store.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The directory of the store
    pub(crate) store: PathBuf,

    /// Trust the clock of this machine, even if it is far ahead of the store
    #[arg(long, help_heading = "Store")]
    accept_clock_jump: bool,

    /// Wait up to this long for the process that holds the store
    #[arg(long, value_name = "SPAN", value_parser = time::parse_span, help_heading = "Store")]
    wait_for_lock: Option<Duration>,
}

impl StoreArgs {
    /// Opens the store to change it, or only to read it.
    pub(crate) fn open(&self, changes: bool) -> Result<Store> {
        if changes { self.write() } else { self.read() }
    }

    /// Opens the store to read it, without changing anything on the disk.
    pub(crate) fn read(&self) -> Result<Store> {
        Ok(self.builder().read_only().open()?)
    }

    /// Opens the store to change it.
    pub(crate) fn write(&self) -> Result<Store> {
        Ok(self.builder().open()?)
    }

    /// Creates a new store.
    pub(crate) fn create(&self) -> Result<Store> {
        Ok(self.builder().create(true).open()?)
    }

    /// Whether the directory of the store is missing or empty.
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
