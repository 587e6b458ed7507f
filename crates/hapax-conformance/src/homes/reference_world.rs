//! [`ReferenceWorld`]: stores over the reference backend, whose processes share one server in memory.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use hapax::sim::{ReferenceBackend, Server};
use hapax::{ErrorKind, OpenOptions, Store};

use crate::world::capability::{Capabilities, Capability};
use crate::world::settings::Settings;
use crate::world::world::World;

/// After how long without a sign of life a process counts as gone.
const SILENCE: Duration = Duration::from_secs(10);

/// How long the longest lease of a test lasts.
const LEASE: Duration = Duration::from_secs(600);

/// The longest span that passes step by step.
const LIVED: Duration = Duration::from_secs(60 * 60);

/// Stores over the reference backend. Each that is opened is a process of its own.
#[derive(Debug, Default)]
pub struct ReferenceWorld {
    settings: Settings,
    server: Server,
    links: RefCell<Vec<ReferenceBackend>>,
}

impl ReferenceWorld {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The link of the process that opened a store: the one without which it reaches nothing.
    fn link_of(&self, store: &Store) -> ReferenceBackend {
        let links = self.links.borrow();
        let reaches_nothing = |link: &&ReferenceBackend| {
            link.cut();
            let asked = store.open_namespace("a name that no namespace of a test has");
            link.heal();
            asked.is_err_and(|error| error.kind() != ErrorKind::NoNamespace)
        };
        let link = links.iter().find(reaches_nothing);
        link.expect("the store is of this world").clone()
    }
}

impl World for ReferenceWorld {
    fn another(&self, settings: &Settings) -> Box<dyn World> {
        Box::new(Self {
            settings: settings.clone(),
            ..Self::default()
        })
    }

    fn open(&self) -> Store {
        let link = self.server.client();
        let number = self.links.borrow().len();
        let seed = u64::try_from(number).unwrap_or(u64::MAX);
        let mut options = OpenOptions::new().heartbeat(SILENCE).secrets(seed << 32);
        if let Some(limits) = self.settings.limits_asked() {
            options = options.limits(limits.clone());
        }
        self.links.borrow_mut().push(link.clone());
        Store::over(Arc::new(link), options).unwrap()
    }

    fn second(&self) -> Option<Store> {
        Some(self.open())
    }

    fn advance(&self, by: Duration) {
        let clock = self.server.clock();
        // The processes give a sign of life every few seconds: of a span of years only the last hour is lived through.
        let lived = by.min(LIVED);
        if let Ok(skipped @ 1..) = i64::try_from((by - lived).as_secs()) {
            clock.step_wall(skipped);
        }
        clock.advance(lived);
        self.server.validate();
    }

    fn crash(&self, store: Store) {
        self.link_of(&store).crash();
        drop(store);
    }

    fn let_orphans_end(&self) {
        // A ticket outlives its process; its lease does not outlive this.
        self.advance(LEASE);
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new([
            Capability::SeveralProcesses,
            Capability::AnswersAtOnce,
            Capability::ExactTimes,
            Capability::ListsByAge,
        ])
    }
}
