//! [`Store`]: one directory, open in one process.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::builder::{Builder, Place, open_log, open_remains};
use crate::claim::{Doubt, Resolution};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::{Engine, backup, moving, salvage};
use crate::error::{Error, ErrorKind, Result};
use crate::health::Health;
use crate::journal::log::Log;
use crate::journal::memory_log::MemoryLog;
use crate::key::{NamespaceId, check_key};
use crate::lease::{Lease, Ticket};
use crate::metrics::Metrics;
use crate::namespace::Namespace;
use crate::options::{LogKind, Policy};
use crate::pending::Pending;
use crate::reconcile::{Reconciled, Reconciler};
use crate::record::Record;
use crate::salvage::{Salvage, SalvageOptions};
use crate::scan::{Filter, Scan};
use crate::stats::Stats;
use crate::sync::block_on;

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

impl StoreInner {
    pub(crate) fn doubts(self: &Arc<Self>, only: Option<NamespaceId>) -> Result<Vec<Doubt>> {
        let doubts = self.engine.doubts(only)?;
        let mut spaces: HashMap<NamespaceId, Namespace> = HashMap::new();
        let doubt = |(core, record, alive): (Arc<NamespaceCore>, Arc<Record>, bool)| {
            let space = spaces.entry(core.id);
            space
                .or_insert_with(|| Namespace::new(self, &core))
                .doubt(record, alive, false)
        };
        Ok(doubts.into_iter().map(doubt).collect())
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

    /// Makes a store in a new directory out of a backup, in the same kind of log. Tokens jump far
    /// ahead, so that none that the original has granted since the backup is granted again.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn restore(backup: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<()> {
        let from = open_log(backup.as_ref(), false, Duration::ZERO, None)?;
        let to = empty_log(into.as_ref(), from.kind)?;
        backup::restore(&*from.log, &*to)?;
        close_log(&*from.log)?;
        close_log(&*to)
    }

    /// Moves a store that is not open into the other kind of log, where it lies.
    ///
    /// Every frame is copied as it is, under its number, so that keys, tokens, namespaces and
    /// everything else stay what they were. What was written is read back and checked before the
    /// store changes over, in one step; then the old log is removed. Until then the disk has to
    /// hold both. Wherever this is cut short, the store lies whole in one of them, the next open
    /// finds out in which, and the same call again goes on. One that lies there already stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{LogKind, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("dedup");
    /// # Store::open(&path)?.close()?;
    /// let moved = Store::move_log(&path, LogKind::Files)?;
    /// println!("{} frames in {} segments", moved.frames(), moved.segments());
    /// assert_eq!(Store::open(&path)?.log_kind(), Some(LogKind::Files));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`AtCapacity`](ErrorKind::AtCapacity) for a full disk, [`Damaged`](ErrorKind::Damaged) for a
    /// store that is not whole: it then lies where it was, as it was. [`Locked`](ErrorKind::Locked)
    /// while it is open, [`NotAStore`](ErrorKind::NotAStore), [`Unsupported`](ErrorKind::Unsupported),
    /// [`Io`](ErrorKind::Io).
    pub fn move_log(path: impl AsRef<Path>, to: LogKind) -> Result<Moved> {
        let found = open_log(path.as_ref(), false, Duration::ZERO, None)?;
        let copied = moving::move_log(&found, to)?;
        close_log(&*found.log)?;
        Ok(Moved {
            segments: copied.segments,
            frames: copied.frames,
            bytes: copied.bytes,
        })
    }

    /// Saves what is left of a damaged store into a new directory, in the same kind of log.
    ///
    /// Every frame that is still whole is read, past gaps, missing segments and damaged marks; the
    /// newest record of each key goes into a new store, under tokens far ahead. The original is
    /// read only: not a byte of it is changed, and it is locked meanwhile, where it has its lock
    /// file. The report says what could not be saved.
    ///
    /// - A key whose records are all lost is absent, and can be claimed again under at-least-once.
    ///   One of which an older record is left is what that record says.
    /// - A key with an outcome whose bytes are lost is in doubt.
    /// - Unless the report [`is_whole`](Salvage::is_whole), namespaces that promise at-most-once
    ///   answer what they know and refuse to grant, insert or attach anything else, with
    ///   [`Salvaged`](ErrorKind::Salvaged), until [`accept_salvage`](Self::accept_salvage).
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (broken, rescued) = (dir.path().join("broken"), dir.path().join("rescued"));
    /// # Store::open(&broken)?.namespace("pay", Policy::at_most_once())?.insert("order-42")?;
    /// # std::fs::remove_file(broken.join("MARKS")).unwrap();
    /// let salvage = Store::salvage(&broken, &rescued)?;
    /// println!("{salvage}");
    /// let store = Store::open(&rescued)?;
    /// if !salvage.is_whole() {
    ///     // Once a person has looked up what was under way:
    ///     store.accept_salvage()?;
    /// }
    /// # assert!(!salvage.is_whole());
    /// # assert!(store.namespace("pay", Policy::at_most_once())?.contains("order-42")?);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Damaged`](ErrorKind::Damaged) when the manifest is lost, so that
    /// [`salvage_with`](Self::salvage_with) is needed; [`Locked`](ErrorKind::Locked) while the
    /// store is open, [`NotAStore`](ErrorKind::NotAStore) for a target that holds something,
    /// [`Unsupported`](ErrorKind::Unsupported) for frames of a newer version,
    /// [`AtCapacity`](ErrorKind::AtCapacity) for a full disk, [`Io`](ErrorKind::Io).
    pub fn salvage(from: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<Salvage> {
        Self::salvage_with(from, into, SalvageOptions::new())
    }

    /// As [`salvage`](Self::salvage), told what the manifest would have told.
    ///
    /// # Errors
    /// As for [`salvage`](Self::salvage), and [`Invalid`](ErrorKind::Invalid) for options that
    /// contradict each other.
    pub fn salvage_with(
        from: impl AsRef<Path>,
        into: impl AsRef<Path>,
        options: SalvageOptions,
    ) -> Result<Salvage> {
        let remains = open_remains(from.as_ref())?;
        check_outside(from.as_ref(), into.as_ref())?;
        let to = empty_log(into.as_ref(), remains.kind())?;
        salvage::salvage(&remains, &to, &options)
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

    /// Gives a namespace another guarantee.
    ///
    /// # Errors
    /// As for [`namespace`](Self::namespace), and [`InUse`](ErrorKind::InUse) while one of its
    /// keys is in progress or in doubt.
    pub fn change_guarantee(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let core = self.inner.engine.change_guarantee(name, policy)?;
        Ok(Namespace::new(&self.inner, &core))
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

    /// Turns a ticket into a lease again, after a restart too, if its token is still the last.
    ///
    /// # Errors
    /// [`Superseded`](ErrorKind::Superseded), [`NotHeld`](ErrorKind::NotHeld), and
    /// [`InUse`](ErrorKind::InUse) while its lease is held in this process.
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
        Ok(Namespace::new(&self.inner, &core).lease(named.digest, granted))
    }

    /// The keys in doubt, of all namespaces, oldest first.
    ///
    /// # Errors
    /// Whatever keeps the store from answering.
    pub fn in_doubt(&self) -> Result<Vec<Doubt>> {
        self.inner.doubts(None)
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
    pub fn scan(&self, filter: Filter) -> Result<Scan> {
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

    /// Reads the whole log back and checks it against its checksums.
    ///
    /// # Errors
    /// [`Damaged`](ErrorKind::Damaged) with the place.
    pub fn verify(&self) -> Result<VerifyReport> {
        let verified = self.inner.engine.verify()?;
        Ok(VerifyReport {
            segments: verified.segments,
            frames: verified.frames,
            records: verified.records,
            live_records: verified.live_records,
        })
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

    /// Copies everything up to now into a new directory, which [`restore`](Self::restore) can make
    /// a store of, in the same kind of log.
    ///
    /// # Errors
    /// [`NotAStore`](ErrorKind::NotAStore) for a directory that holds something,
    /// [`AtCapacity`](ErrorKind::AtCapacity) for a full disk, [`Damaged`](ErrorKind::Damaged) for a
    /// store that cannot be read back, and whatever keeps the store from answering.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<()> {
        let to = empty_log(path.as_ref(), self.log_kind().unwrap_or_default())?;
        self.inner.engine.backup(&*to)?;
        close_log(&*to)
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

/// What [`Store::verify`] read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VerifyReport {
    segments: u64,
    frames: u64,
    records: u64,
    live_records: u64,
}

impl VerifyReport {
    /// Segments of the log.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// Frames that were read.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that are the newest of their key.
    #[must_use]
    pub fn live_records(&self) -> u64 {
        self.live_records
    }
}

/// What [`Store::move_log`] copied; nothing where the store was there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moved {
    segments: u64,
    frames: u64,
    bytes: u64,
}

impl Moved {
    /// Segments of the log.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// Frames of all segments.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of all frames.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Opens the log of a new store; refuses a directory that holds one.
fn empty_log(path: &Path, kind: LogKind) -> Result<Arc<dyn Log>> {
    let log = open_log(path, true, Duration::ZERO, Some(kind))?.log;
    let doing = format!("looking into {}", path.display());
    let manifest = log
        .read_manifest()
        .map_err(|error| Error::io(&doing, error))?;
    let segments = log.segments().map_err(|error| Error::io(&doing, error))?;
    if manifest.is_some() || !segments.is_empty() {
        let text = format!(
            "{} holds a store already: name a new directory",
            path.display()
        );
        return Err(Error::new(ErrorKind::NotAStore, text));
    }
    Ok(log)
}

/// Refuses a target within the directory of which nothing may be changed.
fn check_outside(from: &Path, into: &Path) -> Result<()> {
    let doing = |error| Error::io("looking for the directories", error);
    let from = from.canonicalize().map_err(doing)?;
    let into = std::path::absolute(into).map_err(doing)?;
    let there = into.ancestors().find_map(|path| path.canonicalize().ok());
    if there.is_some_and(|path| path.starts_with(&from)) {
        return Err(Error::invalid(
            "the new directory lies within the damaged one, which must stay as it is: name one beside it",
        ));
    }
    Ok(())
}

fn close_log(log: &dyn Log) -> Result<()> {
    log.close()
        .map_err(|error| Error::io("closing the log", error))
}
