//! [`Builder`]: how a store is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::engine::Engine;
use crate::engine::options::EngineOptions;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::log::memory_log::memory_log::MemoryLog;
use crate::journal::log::open_log::OpenLog;
use crate::runtime::clock::Clock;
use crate::runtime::manual_clock::ManualClock;
#[cfg(feature = "sim")]
use crate::runtime::sync::Drive;
use crate::store::config::{Config, StoreConfig};
use crate::store::handle::StoreInner;
use crate::store::location::{Location, open_log, open_to_read};
use crate::store::store::Store;
use crate::value::durability::Durability;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::COUNTER_END;
use crate::value::limits::Limits;
use crate::value::log_kind::LogKind;

/// The options with which a store is opened.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Durability, Limits, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::builder(path)
///     .durability(Durability::Interval(Duration::from_millis(50)))
///     .limits(Limits::new().live_keys(10_000_000))
///     .wait_for_lock(Duration::from_secs(10))
///     .open()?;
/// store.close()?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    location: Location,
    clock: Option<ManualClock>,
    pub(in crate::store) options: EngineOptions,
}

impl Store {
    /// Opens the store in a directory, and makes one in a new directory. Every change is durable
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
        Builder::new(Location::Directory(path.as_ref().to_owned()))
    }

    /// A store in memory, for tests and for keys that may be lost with the process.
    pub fn in_memory() -> Builder {
        Builder::new(Location::Memory(MemoryLog::new(), true))
    }
}

impl Builder {
    pub(crate) fn new(location: Location) -> Self {
        Self {
            location,
            clock: None,
            options: EngineOptions::default(),
        }
    }

    /// Opens a store to read it: not a byte on disk is changed.
    ///
    /// `get`, `contains`, `scan`, `doubts`, `stats`, `verify` and `backup` answer what they would
    /// after an open to write: keys of at-most-once namespaces whose holder died are in doubt.
    /// Claims, and all other calls that change something, are refused with
    /// [`ReadOnly`](ErrorKind::ReadOnly); so is a namespace that is new, or is named with another
    /// policy than the stored one.
    ///
    /// Several readers may have the store open at once, also in a directory that they cannot write
    /// to, and no reader keeps a process from writing. Once the store is opened to write, what the
    /// readers have seen may be out of date: each of their calls is then refused with
    /// [`Locked`](ErrorKind::Locked), for good. A store that is open to write cannot be opened to
    /// be read. A backup can be read too.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{ErrorKind, Policy, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("dedup");
    /// let store = Store::open(&path)?;
    /// store.namespace("mail", Policy::at_least_once())?.insert("user-7")?;
    /// store.close()?;
    /// let reader = Store::builder(&path).read_only().open()?;
    /// let mail = reader.namespace("mail", Policy::at_least_once())?;
    /// assert!(mail.contains("user-7")?);
    /// assert_eq!(mail.claim("user-8").unwrap_err().kind(), ErrorKind::ReadOnly);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn read_only(mut self) -> Self {
        self.options.read_only = true;
        self
    }

    /// When a change counts as acknowledged; [`Durability::Sync`] by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// The kind of log that a new store gets; [`LogKind::Sled`] by default.
    ///
    /// An existing store is opened with its own kind of log; naming another one here is
    /// [`LogConflict`](ErrorKind::LogConflict). [`Store::move_log`] moves a store from one kind to the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{ErrorKind, LogKind, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("dedup");
    /// let store = Store::builder(&path).log_kind(LogKind::Files).open()?;
    /// store.close()?;
    /// assert_eq!(Store::open(&path)?.log_kind(), Some(LogKind::Files));
    /// let error = Store::builder(&path).log_kind(LogKind::Sled).open().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::LogConflict);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn log_kind(mut self, kind: LogKind) -> Self {
        self.options.log_kind = Some(kind);
        self
    }

    /// The limits of the store.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Whether to make a store in a new directory, as by default; otherwise a new directory is
    /// [`NotAStore`](ErrorKind::NotAStore).
    pub fn create(mut self, create: bool) -> Self {
        self.options.create = create;
        self
    }

    /// Waits this long for the directory while another handle has it open; by default it does not wait.
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.options.wait_for_lock = wait;
        self
    }

    /// How far the wall clock may be past the last time that the store saw; 30 days by default.
    pub fn max_offline(mut self, max: Duration) -> Self {
        self.options.max_offline = Some(max);
        self
    }

    /// Accepts any wall clock. Outcomes that have expired by it are forgotten.
    pub fn accept_clock_jump(mut self) -> Self {
        self.options.max_offline = None;
        self
    }

    /// How long one write may take before the store gives up and acknowledges nothing more; 30 s by default.
    pub fn write_deadline(mut self, deadline: Duration) -> Self {
        self.options.write_deadline = deadline;
        self
    }

    /// Runs the store on a clock that a test moves, without threads.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Keeps the log of an in-memory store in `log`, so that a test can crash and reopen it.
    pub fn log(mut self, log: &MemoryLog) -> Self {
        self.location = Location::Memory(log.clone(), false);
        self
    }

    /// Allows at-most-once namespaces in an in-memory store, although it cannot keep their promise after a
    /// crash.
    pub fn allow_at_most_once(mut self) -> Self {
        self.options.ephemeral_at_most_once = true;
        self
    }

    /// The number of parts of the key space with a lock each, rounded up to a power of two; 256 by default.
    pub fn shards(mut self, shards: usize) -> Self {
        self.options.shards = shards;
        self
    }

    /// The counter of the first token of this run, to test what happens when counters run out.
    #[doc(hidden)]
    pub fn first_token_counter(mut self, counter: u64) -> Self {
        self.options.first_counter = counter;
        self
    }

    /// Frames after which a segment is full, to test what happens when segments come and go.
    #[doc(hidden)]
    pub fn segment_frames(mut self, frames: u32) -> Self {
        self.options.segment_frames = frames;
        self
    }

    /// Lets traces (feature `tracing`) show keys, escaped, beside their digests; by default they do not. Keys
    /// may be personal data: see [privacy](crate::guide::privacy).
    pub fn trace_keys(mut self, show: bool) -> Self {
        self.options.trace_keys = show;
        self
    }

    /// Whether calls are counted and timed, as by default; a bench without it shows what that costs.
    #[doc(hidden)]
    pub fn metrics(mut self, metrics: bool) -> Self {
        self.options.counts = metrics;
        self
    }

    /// Takes over every option that a configuration names. The others stay as they are, and a builder that
    /// [only reads](Self::read_only) still only reads. [`Store::configure`] makes the namespaces of the
    /// configuration, or gives them their policies.
    pub fn config(mut self, config: &Config) -> Self {
        let only_reads = self.options.read_only;
        config.store.put_into(&mut self.options);
        self.options.read_only |= only_reads;
        config.limits.put_into(&mut self.options.limits);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As for [`Store::open`], [`Invalid`](ErrorKind::Invalid) for options that contradict each
    /// other, and [`LogConflict`](ErrorKind::LogConflict) for a store in another log than
    /// [`log_kind`](Self::log_kind) names.
    pub fn open(self) -> Result<Store> {
        self.check()?;
        let mut on_disk = None;
        let (log, ephemeral): (Arc<dyn Log>, bool) = match &self.location {
            Location::Directory(path) if self.options.read_only => {
                (self.open_to_read(path)?, false)
            }
            Location::Directory(path) => {
                let found = self.open_directory(path)?;
                (Arc::clone(&on_disk.insert(found).log), false)
            }
            Location::Memory(log, ephemeral) => {
                let session = log.session().map_err(|_| {
                    Error::new(
                        ErrorKind::Locked,
                        "another store has this in-memory log open: close it, or crash the log",
                    )
                })?;
                (Arc::new(session), *ephemeral)
            }
            #[cfg(feature = "sim")]
            Location::Simulated(log, _) => (Arc::clone(log), false),
        };
        let clock = self.clock.map_or_else(Clock::system, Clock::Manual);
        let (drive, secrets) = match &self.location {
            #[cfg(feature = "sim")]
            Location::Simulated(_, seed) => (Drive::Steps, Some(*seed)),
            _ => (clock.drive(), None),
        };
        let options = EngineOptions {
            ephemeral,
            drive,
            secrets,
            ..self.options
        };
        let engine = Engine::open(log, clock, options)?;
        if let Some(found) = on_disk {
            // The store is whole, so the remains of a move in the other log can go; if that fails they stay
            // void, and the next open tries again.
            let _ = found.discard_void();
        }
        let inner = Arc::new(StoreInner { engine });
        inner.engine.start()?;
        inner.engine.gather_segments();
        Ok(Store::of(inner))
    }

    fn open_directory(&self, path: &Path) -> Result<OpenLog> {
        let found = open_log(
            path,
            self.options.create,
            self.options.wait_for_lock,
            self.options.log_kind,
        )?;
        self.check_kind(path, Some(found.kind))?;
        Ok(found)
    }

    fn open_to_read(&self, path: &Path) -> Result<Arc<dyn Log>> {
        let log = open_to_read(path, self.options.wait_for_lock)?;
        self.check_kind(path, log.kind())?;
        Ok(Arc::new(log))
    }

    fn check_kind(&self, path: &Path, found: Option<LogKind>) -> Result<()> {
        match (self.options.log_kind, found) {
            (Some(wanted), Some(found)) if wanted != found => {
                let text = format!(
                    "{} lies in a log of the kind {found:?}, not {wanted:?}: open it without log_kind(), or move it with Store::move_log",
                    path.display(),
                );
                Err(Error::new(ErrorKind::LogConflict, text))
            }
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<()> {
        self.options.limits.check()?;
        StoreConfig::kept_by(&self.options).check()?;
        if self.options.segment_frames == 0 || self.options.segment_frames > SEGMENT_FRAMES_MAX {
            return Err(Error::invalid("a segment has 1 to 8192 frames"));
        }
        if self.options.first_counter >= COUNTER_END {
            return Err(Error::invalid("the counter of a token has 32 bits"));
        }
        if self.options.log_kind.is_some() && !matches!(self.location, Location::Directory(_)) {
            return Err(Error::invalid(
                "a store in memory has no kind of log: name none",
            ));
        }
        if self.options.read_only && !matches!(self.location, Location::Directory(_)) {
            return Err(Error::invalid(
                "a store in memory holds nothing before it is opened to write: open it without read_only()",
            ));
        }
        Ok(())
    }
}
