//! [`DirectoryWorld`]: a store in a directory, on sled's log or on plain files.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{LogKind, Store};
use tempfile::TempDir;

use crate::world::capability::Capabilities;
use crate::world::settings::Settings;
use crate::world::world::World;

/// A store in a directory that is removed with it.
#[derive(Debug)]
pub struct DirectoryWorld {
    kind: LogKind,
    settings: Settings,
    clock: ManualClock,
    root: TempDir,
    crashes: Cell<u32>,
}

impl DirectoryWorld {
    /// A store on sled's log.
    #[must_use]
    pub fn sled() -> Self {
        Self::new(LogKind::Sled, Settings::new())
    }

    /// A store on plain files.
    #[must_use]
    pub fn files() -> Self {
        Self::new(LogKind::Files, Settings::new())
    }

    fn new(kind: LogKind, settings: Settings) -> Self {
        Self {
            kind,
            settings,
            clock: ManualClock::new(),
            root: TempDir::new().unwrap(),
            crashes: Cell::new(0),
        }
    }

    fn path(&self) -> PathBuf {
        self.root
            .path()
            .join(format!("store-{}", self.crashes.get()))
    }
}

impl World for DirectoryWorld {
    fn another(&self, settings: &Settings) -> Box<dyn World> {
        Box::new(Self::new(self.kind, settings.clone()))
    }

    fn open(&self) -> Store {
        let builder = Store::builder(self.path()).log_kind(self.kind);
        let builder = self.settings.ask(builder.clock(&self.clock));
        builder.open().unwrap()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The files as they lie there are what a killed process leaves. The next one gets a copy, so nothing that is left
    /// of this one in the test can change them.
    fn crash(&self, store: Store) {
        let left = self.path();
        self.crashes.set(self.crashes.get() + 1);
        copy(&left, &self.path());
        drop(store);
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
