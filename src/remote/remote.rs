//! [`Remote`]: a store over a backend, without its public handle.

use std::future::Future;
use std::sync::{Arc, Weak};

use crate::backend::{Backend, KeyRef};
use crate::engine::namespaces::{NamespaceCore, Namespaces};
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::counters::Counters;
use crate::observe::metrics::MetricSource;
use crate::observe::tallies::{Column, Tallies};
use crate::observe::trace::TraceSubject;
use crate::remote::beats::Beats;
use crate::remote::first_of::first_of;
use crate::remote::hold::Hold;
use crate::remote::holds::Holds;
use crate::remote::nonces::Nonces;
use crate::remote::options::OpenOptions;
use crate::remote::receipt::Receipt;
use crate::remote::rows::key_ref;
use crate::remote::traffic::Traffic;
use crate::remote::waits::Waits;
use crate::runtime::sync::{AtomicBool, Mutex, Ordering};
use crate::value::digest::Hasher128;
use crate::value::durability::Durability;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::policy::Policy;

/// A store over a backend, without its public handle.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: OpenOptions,
    /// Draws fingerprints and derived keys; its seed lies in the manifest, which all processes share.
    pub(crate) seeded: Hasher128,
    /// The number of this process among those that share the store.
    pub(super) process: u128,
    pub(super) nonces: Nonces,
    pub(super) namespaces: Mutex<Catalogue>,
    pub(super) beats: Beats,
    pub(super) waits: Waits,
    pub(super) traffic: Arc<Traffic>,
    pub(super) holds: Holds,
    tallies: Mutex<Tallies>,
    pub(super) sources: Mutex<Vec<(Column, Weak<dyn MetricSource>)>>,
    closed: AtomicBool,
}

/// The manifest as this process saw it last.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) namespaces: Namespaces,
    pub(super) revision: u64,
}

/// What a store over a backend is made of once it was reached.
pub(super) struct Parts {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) options: OpenOptions,
    pub(super) seeded: Hasher128,
    pub(super) process: u128,
    pub(super) nonces: Nonces,
    pub(super) catalogue: Catalogue,
}

impl Remote {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            beats: Beats::new(),
            waits: Waits::new(),
            traffic: Arc::new(Traffic::new()),
            holds: Holds::new(),
            tallies: Mutex::new(Tallies::default()),
            sources: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
            namespaces: Mutex::new(parts.catalogue),
            backend: parts.backend,
            options: parts.options,
            seeded: parts.seeded,
            process: parts.process,
            nonces: parts.nonces,
        }
    }

    /// Refuses every call on a store that is closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the store is closed"));
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.check_open().is_err()
    }

    /// Sends a call, which counts as under way until it has its answer.
    pub(crate) fn send<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Receipt<T> {
        if let Err(closed) = self.check_open() {
            return Receipt::refused(closed);
        }
        let passage = self.traffic.enter();
        Receipt::send(&*self.backend, async move {
            let _passage = passage;
            call.await
        })
    }

    pub(crate) fn key(core: &NamespaceCore, key: &[u8]) -> KeyRef {
        key_ref(core, key)
    }

    /// Whether changes under this policy are on the medium before they are acknowledged.
    pub(crate) fn is_sync(&self, policy: &Policy) -> bool {
        policy.durability.unwrap_or(self.options.durability) == Durability::Sync
    }

    pub(crate) fn count(&self, core: &NamespaceCore, add: impl FnOnce(&mut Counters)) {
        self.tallies.lock().count(core.column, add);
    }

    pub(crate) fn count_claim(&self, core: &NamespaceCore, outcome: ClaimOutcome) {
        self.count(core, |counters| *counters.claims(outcome) += 1);
    }

    pub(super) fn with_tallies<T>(&self, read: impl FnOnce(&Tallies) -> T) -> T {
        read(&self.tallies.lock())
    }

    /// How a key is shown in traces.
    pub(crate) fn subject(&self, core: &NamespaceCore, key: &[u8]) -> TraceSubject {
        let digest = self.seeded.key_digest(core.id, key);
        TraceSubject::new(&core.name, digest, self.options.trace_keys.then_some(key))
    }

    /// Until when a lease runs for sure, on the monotonic clock: its own end, or that of what this process last
    /// said of itself.
    pub(crate) fn sure_until_ms(&self, hold: &Hold) -> u64 {
        let (until_ms, sent_ms, ended) =
            hold.with_state(|state| (state.until_ms, state.sent_ms, state.ended));
        if ended || sent_ms < self.beats.alive_since_ms() {
            return 0;
        }
        until_ms.min(self.beats.alive_until_ms())
    }

    pub(crate) fn is_lost(&self, hold: &Hold) -> bool {
        self.sure_until_ms(hold) <= self.backend.mono_ms()
    }

    /// How long the lease of a hold still runs, if this process goes on giving signs of life.
    pub(crate) fn lease_left_ms(&self, hold: &Hold) -> u64 {
        if self.is_lost(hold) {
            return 0;
        }
        let until_ms = hold.with_state(|state| state.until_ms);
        until_ms.saturating_sub(self.backend.mono_ms())
    }

    /// Ends when the lease of a hold is lost.
    pub(crate) fn lost(self: &Arc<Self>, hold: &Arc<Hold>) -> Receipt<()> {
        let (backend, hold) = (Arc::clone(&self.backend), Arc::clone(hold));
        let remote = Arc::downgrade(self);
        // It is not under way: a lease that is watched keeps no store open.
        Receipt::send(&*self.backend, async move {
            loop {
                let until_ms = match remote.upgrade() {
                    Some(remote) if !remote.is_closed() => remote.sure_until_ms(&hold),
                    _ => 0,
                };
                let left_ms = until_ms.saturating_sub(backend.mono_ms());
                if left_ms == 0 {
                    return Ok(());
                }
                first_of(backend.sleep(left_ms), hold.ended()).await;
            }
        })
    }

    /// What the clock of the server shows by now, by its last answer: for estimates, never for decisions.
    pub(super) fn server_estimate_ms(&self) -> u64 {
        self.beats.server_estimate_ms(self.backend.mono_ms())
    }

    /// Closes the store: no call is taken any more, what was sent is carried out, and the leases of this process end.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::Closed, "the store was closed before"));
        }
        self.end_all();
        crate::runtime::sync::block_on(self.leave())
    }

    /// As [`close`](Self::close), without a wait.
    pub(crate) fn close_later(self: &Arc<Self>) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.end_all();
            drop(self.leave());
        }
    }

    /// Callers that wait, and grants on their way, have no callers any more.
    fn end_all(self: &Arc<Self>) {
        self.end_waits();
        self.holds.end_all();
    }

    fn leave(self: &Arc<Self>) -> Receipt<()> {
        let remote = Arc::clone(self);
        Receipt::send(&*self.backend, async move {
            remote.traffic.idle().await;
            for hold in remote.holds.undelivered() {
                // Where the backend does not answer, its lease ends with this process.
                let _ = remote.withdraw_now(&hold).await;
            }
            let left = remote.backend.leave(remote.process).await;
            remote.backend.close();
            left
        })
    }
}
