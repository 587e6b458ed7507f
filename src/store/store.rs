//! [`Store`]: one directory, open in one process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::claim::claim::{Doubt, Resolution};
use crate::claim::lease::{Lease, LeaseError, Ticket};
use crate::claim::pending::Pending;
use crate::engine::Engine;
use crate::journal::log::memory_log::memory_log::MemoryLog;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::observe::stats::Stats;
use crate::operator::operator::Operator;
use crate::operator::reconcile::{Reconciled, Reconciler};
use crate::runtime::sync::block_on;
use crate::scan::audit::AuditScan;
use crate::scan::doubts::DoubtScan;
use crate::scan::in_progress::InProgressScan;
use crate::scan::scan::{KeyFilter, Scan};
use crate::store::builder::{Builder, Place};
use crate::store::config::{Config, Explained, StoreConfig};
use crate::store::namespace::Namespace;
use crate::value::attribution::Attribution;
use crate::value::audit::{AuditFilter, AuditHead, AuditReport};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::key::check_key;
use crate::value::log_kind::LogKind;
use crate::value::policy::Policy;

/// What the handles of a store share; the last of them to go closes it.
#[derive(Debug)]
pub(crate) struct StoreInner {
    pub(crate) engine: Arc<Engine>,
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close`.
        let _ = self.engine.close();
    }
}

/// One directory, open in one process. Cheap to clone; the last handle to go closes it.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::open(&path)?;
/// let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
/// match mail.claim("user-7")? {
///     Claim::Granted(lease) => lease.complete("sent")?,
///     other => println!("somebody else has it: {other:?}"),
/// }
/// store.close()?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

impl Store {
    pub(crate) fn of(inner: Arc<StoreInner>) -> Self {
        Self { inner }
    }

    /// Opens the store in a directory, and makes it if there is none. Every change is durable
    /// before it is acknowledged ([`Durability::Sync`](crate::Durability::Sync)).
    ///
    /// # Errors
    /// [`Locked`](ErrorKind::Locked) while another handle has it open,
    /// [`NotAStore`](ErrorKind::NotAStore) for a directory of something else,
    /// [`Damaged`](ErrorKind::Damaged), [`Unsupported`](ErrorKind::Unsupported),
    /// [`ClockJump`](ErrorKind::ClockJump), [`AtCapacity`](ErrorKind::AtCapacity) for a full disk,
    /// [`Io`](ErrorKind::Io).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// Opens a store with other options than the defaults.
    pub fn builder(path: impl AsRef<Path>) -> Builder {
        Builder::new(Place::Directory(path.as_ref().to_owned()))
    }

    /// A store of which nothing survives; for tests, and where that is enough.
    pub fn in_memory() -> Builder {
        Builder::new(Place::Memory(MemoryLog::new(), true))
    }

    /// Lets a store that was salvaged with losses grant again what promises at-most-once, for
    /// good: says that whatever was under way when it was damaged has been settled outside.
    ///
    /// # Errors
    /// Whatever keeps the manifest from being written.
    pub fn accept_salvage(&self) -> Result<()> {
        self.inner.engine.accept_salvage()
    }

    /// The namespace of this name, made with this policy if it is new.
    ///
    /// The policy lies in the manifest. A policy that differs in anything but the guarantee takes
    /// the place of the stored one, if no handle of the namespace is alive; records keep the
    /// retention that they were written with.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a policy that contradicts itself,
    /// [`AtCapacity`](ErrorKind::AtCapacity) for more than 4096 namespaces,
    /// [`PolicyConflict`](ErrorKind::PolicyConflict) while it is in use with another policy, or
    /// was made with another guarantee.
    pub fn namespace(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let core = self.inner.engine.namespace(name, policy)?;
        Ok(Namespace::new(&self.inner, &core))
    }

    /// A namespace that was made before, under the policy that is stored.
    ///
    /// # Errors
    /// [`NoNamespace`](ErrorKind::NoNamespace) when there is none of this name, and
    /// [`Closed`](ErrorKind::Closed).
    pub fn open_namespace(&self, name: &str) -> Result<Namespace> {
        let core = self.inner.engine.existing(name)?;
        Ok(Namespace::new(&self.inner, &core))
    }

    /// What people and tools do to the store: each action under a name and a reason.
    #[must_use]
    pub fn operator(&self, by: Attribution) -> Operator {
        Operator::new(&self.inner, by)
    }

    /// Gives a namespace another guarantee.
    ///
    /// # Errors
    /// As for [`namespace`](Self::namespace), and [`InUse`](ErrorKind::InUse) while one of its
    /// keys is in progress or in doubt.
    pub fn change_guarantee(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let core = self.inner.engine.change_guarantee(name, policy)?;
        Ok(Namespace::new(&self.inner, &core))
    }

    /// The namespaces of a configuration, each made with its policy if it is new, or given it, as
    /// [`namespace`](Self::namespace) does: by name. Its other options are those of
    /// [`Builder::config`].
    ///
    /// Records keep the retention that they were written with, whatever changes; and a guarantee
    /// never changes here. An option that a namespace does not name has its default, also where
    /// another value is stored. Nothing is changed unless all of it can be.
    ///
    /// # Errors
    /// As for [`Config::check`] and [`namespace`](Self::namespace).
    pub fn configure(&self, config: &Config) -> Result<BTreeMap<String, Namespace>> {
        config.check_under(self.inner.engine.options.durability)?;
        let mut policies = Vec::new();
        for (name, space) in &config.namespaces {
            let policy = space.policy()?;
            self.inner.engine.check_policy(name, &policy)?;
            policies.push((name.clone(), policy));
        }
        let made = policies.into_iter().map(|(name, policy)| {
            let space = self.namespace(&name, policy)?;
            Ok((name, space))
        });
        made.collect()
    }

    /// Every option in force: its value, where it comes from, and what it means.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Limits, Store};
    /// use hapax::config::OptionSource;
    ///
    /// let limits = Limits::new().key_bytes(64);
    /// let explained = Store::in_memory().limits(limits).open()?.explain();
    /// let option = explained.find("limits.key_bytes").unwrap();
    /// assert_eq!((option.value(), option.source()), (Some("64 B"), Source::Set));
    /// assert_eq!(option.by_default(), Some("1 KiB"));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    #[must_use]
    pub fn explain(&self) -> Explained {
        let engine = &self.inner.engine;
        let options = &engine.options;
        let by_default = Self::in_memory().to_config().store;
        let mut explained = Explained::default();
        let store = StoreConfig {
            durability: Some(options.durability),
            log_kind: self.log_kind(),
            max_offline: options.max_offline,
            accept_clock_jump: Some(options.max_offline.is_none()),
            write_deadline: Some(options.write_deadline),
            shards: Some(options.shards),
            read_only: Some(engine.read_only && engine.spent.is_none()),
            ..StoreConfig::default()
        };
        explained.add_store(&store, &by_default);
        explained.add_limits(&options.limits);
        let namespaces = engine.namespaces.lock();
        for entry in &namespaces.manifest.namespaces {
            explained.add_namespace(&entry.name, &entry.policy);
        }
        explained
    }

    /// The names of the namespaces, in the order in which they were made.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        let namespaces = self.inner.engine.namespaces.lock();
        namespaces
            .manifest
            .namespaces
            .iter()
            .map(|entry| entry.name.clone())
            .collect()
    }

    /// Turns a ticket into a lease, after a restart too, if its token is still the last and the key
    /// has no outcome.
    ///
    /// A ticket may be delivered more than once, by a queue that does so: what is delivered again is
    /// refused, and the error has [what the key is](Error::current). Under at-most-once, and with
    /// [`max_attempts`](Policy::max_attempts), a ticket is used once, which is on the medium before
    /// this returns: if its holder dies, the key is in doubt, or can be claimed for the next attempt.
    /// [Detached](Lease::detach) again, the lease is a ticket again. A ticket that comes after its
    /// lease has lapsed still settles the key, unless another claim has taken it over.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, ErrorKind, Policy, KeyState, Store, Ticket};
    ///
    /// /// Called for each delivery; `Ok` takes it off the queue.
    /// fn consume(store: &Store, ticket: &Ticket) -> hapax::Result<Vec<u8>> {
    ///     let error = match store.attach(ticket) {
    ///         Ok(lease) => {
    ///             let receipt = b"receipt".to_vec(); // here goes the effect
    ///             lease.complete(&receipt)?;
    ///             return Ok(receipt);
    ///         }
    ///         Err(error) => error,
    ///     };
    ///     match (error.kind(), error.current()) {
    ///         // It ran: the answer is the stored one, and nothing runs.
    ///         (ErrorKind::AlreadySettled, Some(key)) if key.state() == KeyState::Completed => {
    ///             Ok(key.body().to_vec())
    ///         }
    ///         // InUse: in progress, so deliver it later; in doubt, so the reconciler has it.
    ///         _ => Err(error),
    ///     }
    /// }
    ///
    /// let store = Store::in_memory().allow_at_most_once().open()?;
    /// let pay = store.namespace("pay", Policy::at_most_once())?;
    /// let Claim::Granted(lease) = pay.claim("order-42")? else { unreachable!() };
    /// let ticket = lease.detach()?;
    /// assert_eq!(consume(&store, &ticket)?, b"receipt");
    /// assert_eq!(consume(&store, &ticket)?, b"receipt", "delivered again");
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`AlreadySettled`](ErrorKind::AlreadySettled) for a key that has its outcome, whatever brought
    ///   it about, and for one that the holder of this ticket gave up.
    /// - [`InUse`](ErrorKind::InUse) while its lease is held in this process, and for a ticket that was
    ///   used by a holder who left no outcome: the key is in doubt then, or its lease runs out.
    /// - [`Superseded`](ErrorKind::Superseded) when a later token has the key,
    ///   [`NotHeld`](ErrorKind::NotHeld) when the key or its namespace is not there,
    ///   [`Salvaged`](ErrorKind::Salvaged), and whatever keeps the store from answering.
    pub fn attach(&self, ticket: &Ticket) -> Result<Lease> {
        let engine = &self.inner.engine;
        engine.check_alive()?;
        check_key(ticket.key(), engine.options.limits.key_bytes)?;
        let core = engine
            .namespace_by_name(ticket.namespace())
            .ok_or_else(|| {
                let text = format!(
                    "there is no namespace {:?}: this ticket is of another store",
                    ticket.namespace()
                );
                Error::new(ErrorKind::NotHeld, text)
            })?;
        let named = engine.named(&core, ticket.key());
        let granted = engine
            .attach(named, ticket.token())
            .map_err(|error| block_on(engine.refuse(error)))?;
        let rests_on = granted.rests_on;
        let lease = Namespace::new(&self.inner, &core).lease(named.digest, granted);
        match block_on(engine.rest(rests_on)) {
            Ok(()) => Ok(lease),
            Err(error) => Err(LeaseError::new(error, lease).into_error()),
        }
    }

    /// The keys in doubt, of all namespaces, oldest first. All of them are held in memory:
    /// [`doubts`](Self::doubts) gives them one by one.
    ///
    /// # Errors
    /// Whatever keeps the store from answering.
    pub fn in_doubt(&self) -> Result<Vec<Doubt>> {
        self.doubts()?.collect()
    }

    /// As [`in_doubt`](Self::in_doubt), one by one: the record of each is read when it is asked
    /// for, so that the first few of very many are found as fast as a few.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once())?;
    /// for number in 0..100 {
    ///     let Claim::Granted(lease) = mail.claim(format!("user-{number}"))? else { unreachable!() };
    ///     lease.doubt("the provider timed out")?;
    /// }
    /// let mut doubts = store.doubts()?;
    /// for doubt in doubts.by_ref().take(10) {
    ///     println!("{:?}", doubt?);
    /// }
    /// let reached = doubts.reached().expect("ten were met");
    /// assert_eq!(store.doubts()?.after(reached).count(), 90);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn doubts(&self) -> Result<DoubtScan> {
        DoubtScan::new(&self.inner, None)
    }

    /// Goes through the keys that somebody runs, the longest-running first, and copies one at a
    /// time. Keys in doubt are none of them: those are [`doubts`](Self::doubts).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(&self.inner, None)
    }

    /// Asks `settle` about every key in doubt, and resolves those that it knows about; `None`
    /// leaves a key in doubt.
    ///
    /// Meant to be called after open; [`reconciler`](Self::reconciler) goes on asking about what
    /// stays unknown.
    ///
    /// # Errors
    /// The first failure to resolve; doubts that were settled meanwhile are none.
    pub fn reconcile(
        &self,
        settle: impl FnMut(&Doubt) -> Option<Resolution>,
    ) -> Result<Reconciled> {
        self.reconciler(Duration::ZERO, Duration::ZERO).step(settle)
    }

    /// Settles doubts over time: one that stays unknown is asked about again after `first`, then
    /// after twice as long each time, up to `most`.
    #[must_use]
    pub fn reconciler(&self, first: Duration, most: Duration) -> Reconciler {
        Reconciler::new(self.clone(), first, most)
    }

    /// Goes through the keys of all namespaces that pass a filter.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn scan(&self, filter: KeyFilter) -> Result<Scan> {
        Scan::new(Arc::clone(&self.inner), None, filter)
    }

    /// What the store has done since it was opened, and what it holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.engine.stats()
    }

    /// Everything that the store counts and measures, at this moment, for Prometheus and the like.
    ///
    /// Takes the lock of each shard in turn: meant to be called every few seconds, not for each
    /// request. `docs/metrics.md` says what each number means.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.inner.engine.metrics()
    }

    /// Whether the store serves, and what troubles it. Cheap, and waits for nothing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.engine.health()
    }

    /// The kind of log that the store lies in; `None` for one in memory.
    #[must_use]
    pub fn log_kind(&self) -> Option<LogKind> {
        self.inner.engine.journal.log().kind()
    }

    /// Waits until everything that was done before is on the medium.
    ///
    /// # Errors
    /// [`Poisoned`](ErrorKind::Poisoned), [`Closed`](ErrorKind::Closed).
    pub fn sync(&self) -> Result<()> {
        let engine = &self.inner.engine;
        engine.check_alive()?;
        block_on(engine.rest(Some(engine.journal.last_used())))
    }

    /// As [`sync`](Self::sync), without blocking.
    pub fn sync_async(&self) -> Pending<Result<()>> {
        let inner = Arc::clone(&self.inner);
        let last = (inner.engine.check_alive()).map(|()| inner.engine.journal.last_used());
        Pending::new(async move {
            let last = last?;
            inner.engine.check_alive()?;
            inner.engine.rest(Some(last)).await
        })
    }

    /// Goes through the audit log, oldest entry first.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, ClaimOptions, Policy, Store};
    /// use hapax::audit::{AuditFilter, AuditLevel};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once().audit(AuditLevel::Digests))?;
    /// let options = ClaimOptions::new().actor("sender-3");
    /// let Claim::Granted(lease) = mail.claim_with("user-7", options)? else { unreachable!() };
    /// lease.complete("sent")?;
    ///
    /// let filter = AuditFilter::new().namespace("mail").key("user-7");
    /// let entries: Vec<_> = store.audit(filter)?.collect::<hapax::Result<_>>()?;
    /// assert_eq!(entries.len(), 2, "claimed and completed");
    /// assert_eq!(entries[1].actor(), "sender-3");
    /// println!("{}\n{}", entries[0], entries[1].to_json());
    /// store.verify_audit()?;
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store is closed, or a namespace of the filter is not there
    /// ([`NoNamespace`](ErrorKind::NoNamespace)). Each item has its own result.
    pub fn audit(&self, filter: AuditFilter) -> Result<AuditScan> {
        AuditScan::new(Arc::clone(&self.inner), filter)
    }

    /// The last entry of the audit log: written down elsewhere, it shows later whether anything
    /// before it was changed.
    #[must_use]
    pub fn audit_head(&self) -> AuditHead {
        self.inner.engine.audit_head()
    }

    /// What stands for a response or an error in the audit log of this store.
    #[must_use]
    pub fn outcome_digest(&self, outcome: impl AsRef<[u8]>) -> u128 {
        self.inner.engine.outcome_digest(outcome.as_ref())
    }

    /// Reads the whole audit log and checks its hash chain.
    ///
    /// # Errors
    /// [`Damaged`](ErrorKind::Damaged) with the place where it breaks.
    pub fn verify_audit(&self) -> Result<AuditReport> {
        self.verify_chain(None)
    }

    /// As [`verify_audit`](Self::verify_audit), against a head that was noted before: whoever
    /// changed an entry up to it and made everything after it fit again is found too.
    ///
    /// # Errors
    /// [`Damaged`](ErrorKind::Damaged) with the place where it breaks, or where the noted entry is
    /// missing or another one. A noted entry from before [`AuditReport::first`] has expired, or was
    /// taken away, and tells nothing any more.
    pub fn verify_audit_against(&self, noted: AuditHead) -> Result<AuditReport> {
        self.verify_chain(Some(noted))
    }

    fn verify_chain(&self, noted: Option<AuditHead>) -> Result<AuditReport> {
        let engine = &self.inner.engine;
        engine.check_alive()?;
        engine.hold_pin();
        let verified = engine.verify_audit(noted);
        engine.release_pin();
        verified
    }

    /// Recounts every invariant of the state in memory; panics where one does not hold. For tests
    /// and fuzzers, while nothing else uses the store.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.inner.engine.validate();
    }

    #[cfg(feature = "prometheus-client")]
    pub(crate) fn inner(&self) -> &Arc<StoreInner> {
        &self.inner
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Closes the store: every lease ends, everything is made durable, and the directory is free.
    ///
    /// Other handles of it get [`Closed`](ErrorKind::Closed) from then on. Keys in progress are
    /// what their guarantee says after a crash.
    ///
    /// # Errors
    /// When not everything could be made durable, or the store was closed before.
    pub fn close(&self) -> Result<()> {
        self.inner.engine.close()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("namespaces", &self.namespaces())
            .finish_non_exhaustive()
    }
}
