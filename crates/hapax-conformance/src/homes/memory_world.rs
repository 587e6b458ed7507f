//! [`MemoryWorld`]: a store in memory that forgets, when it crashes, what it had not synced.

use std::time::Duration;

use hapax::Store;
use hapax::testing::{ManualClock, MemoryLog};

use crate::world::capability::Capabilities;
use crate::world::settings::Settings;
use crate::world::world::World;

/// A store in memory. A crash is a power cut: nothing is left of what was not synced.
#[derive(Debug, Default)]
pub struct MemoryWorld {
    settings: Settings,
    clock: ManualClock,
    log: MemoryLog,
}

impl MemoryWorld {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl World for MemoryWorld {
    fn another(&self, settings: &Settings) -> Box<dyn World> {
        Box::new(Self {
            settings: settings.clone(),
            ..Self::default()
        })
    }

    fn open(&self) -> Store {
        let builder = Store::in_memory().log(&self.log).clock(&self.clock);
        self.settings.ask(builder).open().unwrap()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn crash(&self, store: Store) {
        self.log.crash();
        drop(store);
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded()
    }
}
