//! [`Server`]: the state that several processes share.

use std::sync::Arc;

use crate::backend::{
    Answered, Change, KeyRef, ManifestEdit, Outcome, PageQuery, Row, Stored, StoredManifest,
};
use crate::runtime::manual_clock::ManualClock;
use crate::runtime::sync::{AtomicU64, Mutex, Ordering};
use crate::sim::reference::executor::Executor;
use crate::sim::reference::rows::{Mark, Rows};
use crate::sim::reference::timers::Timers;
use crate::sim::reference::watchers::Watchers;
use crate::value::error::Result;

/// The state that several processes share: rows, manifest, signs of life and tokens, in memory.
///
/// Each process reaches it by a [`ReferenceBackend`](crate::sim::ReferenceBackend) of its own. Its calls are those of
/// the trait, with nothing in between: for tests that look behind the link. A call may run tasks of processes that
/// watch a row, so make it under no lock. Clones are one server.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::sim::Server;
///
/// let server = Server::new();
/// let before = server.now_ms();
/// server.clock().advance(Duration::from_secs(1));
/// assert_eq!(server.now_ms(), before + 1000);
/// server.validate();
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    rows: Mutex<Rows>,
    watchers: Arc<Watchers>,
    timers: Arc<Timers>,
    executor: Arc<Executor>,
    clients: AtomicU64,
}

impl Server {
    /// Makes an empty server on a clock of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::on(&ManualClock::new())
    }

    /// Makes an empty server on this clock. Its wall clock decides what has expired; its monotonic clock is that of
    /// the processes too, but for their [`Skew`](crate::sim::Skew).
    #[must_use]
    pub fn on(clock: &ManualClock) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock: clock.clone(),
                rows: Mutex::new(Rows::new()),
                watchers: Arc::default(),
                timers: Timers::new(clock),
                executor: Arc::default(),
                clients: AtomicU64::new(0),
            }),
        }
    }

    /// The clock. Moving it ends sleeps, each with the clock standing at its moment, and runs what waited for them.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.shared.clock
    }

    /// Where its wall clock stands, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.wall_ms()
    }

    /// As the `submit` of the trait.
    ///
    /// # Errors
    /// `Invalid` if a nonce is zero, or two changes name one key: nothing is carried out.
    pub fn submit(&self, changes: &[Change]) -> Result<Answered<Vec<Outcome>>> {
        let (now_ms, submitted) = {
            let mut rows = self.shared.rows.lock();
            // Read under the lock, so that changes come in the order of their moments.
            let now_ms = self.now_ms();
            (now_ms, rows.submit(changes, now_ms)?)
        };
        self.shared.watchers.tell(&submitted.changed);
        Ok(Answered {
            now_ms,
            found: submitted.outcomes,
        })
    }

    /// As the `read` of the trait.
    #[must_use]
    pub fn read(&self, keys: &[KeyRef]) -> Answered<Vec<Option<Row>>> {
        let rows = self.shared.rows.lock();
        let now_ms = self.now_ms();
        let found = keys.iter().map(|key| rows.read(key, now_ms)).collect();
        Answered { now_ms, found }
    }

    /// As the `page` of the trait.
    #[must_use]
    pub fn page(&self, query: &PageQuery) -> Answered<Vec<Stored>> {
        let rows = self.shared.rows.lock();
        let now_ms = self.now_ms();
        let found = rows.page(query, now_ms);
        Answered { now_ms, found }
    }

    /// As the `manifest` of the trait.
    #[must_use]
    pub fn manifest(&self, edit: Option<&ManifestEdit>) -> Option<StoredManifest> {
        self.shared.rows.lock().manifest(edit)
    }

    /// The numbers and names of all namespaces, as the newest manifest gave them.
    #[must_use]
    pub fn names(&self) -> Vec<(u32, String)> {
        self.shared.rows.lock().names.clone()
    }

    /// As the `beat` of the trait. A process that has left stays gone.
    pub fn beat(&self, process: u128, for_ms: u64) -> u64 {
        let mut rows = self.shared.rows.lock();
        let now_ms = self.now_ms();
        rows.beat(process, for_ms, now_ms);
        now_ms
    }

    /// As the `leave` of the trait.
    pub fn leave(&self, process: u128) {
        let its = self.shared.rows.lock().leave(process);
        self.shared.watchers.tell(&its);
    }

    /// Removes the rows that have expired, which no call can tell from their absence. Gives how many.
    pub fn sweep(&self) -> usize {
        let mut rows = self.shared.rows.lock();
        let now_ms = self.now_ms();
        rows.sweep(now_ms)
    }

    /// How many rows there are, expired ones too.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shared.rows.lock().by_key.len()
    }

    /// This moment, to lose later what comes after it.
    pub fn mark(&self) -> Mark {
        Mark(self.shared.rows.lock().clone())
    }

    /// Fails over to a replica that knows nothing behind the mark: the newest changes are gone, durable ones too,
    /// with the newest manifest and signs of life. Tokens go on in the next epoch, so none is drawn twice.
    pub fn lose_since(&self, mark: &Mark) {
        self.shared.rows.lock().return_to(mark);
        self.shared.watchers.tell_all();
    }

    /// Restarts with what has survived: the changes behind the last durable one are gone. Tokens go on in the next
    /// epoch.
    pub fn restart(&self) {
        self.shared.rows.lock().lose_memory();
        self.shared.watchers.tell_all();
    }

    /// Checks the rows, and that no task of a process has panicked.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn validate(&self) {
        // Checked on a copy, so that a panic leaves the server as it is.
        let rows = self.shared.rows.lock().clone();
        rows.validate();
        let panics = self.shared.executor.panics();
        assert_eq!(panics, 0, "tasks of a process have panicked");
    }

    pub(super) fn watchers(&self) -> &Arc<Watchers> {
        &self.shared.watchers
    }

    pub(super) fn timers(&self) -> &Arc<Timers> {
        &self.shared.timers
    }

    pub(super) fn executor(&self) -> &Arc<Executor> {
        &self.shared.executor
    }

    /// The number of the next process.
    pub(super) fn next_client(&self) -> u64 {
        self.shared.clients.fetch_add(1, Ordering::Relaxed)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}
