//! The engine: the one place where state and journal meet.
//!
//! ```text
//! lock one shard -> decide (pure) -> Journal::append -> Shard::apply -> unlock -> wake -> wait for the commit
//! ```
//!
//! Lock order: the namespaces, one shard, then the tail of the journal. No I/O, waiting, waker or destructor of a
//! user runs under either; what has to be woken or dropped is carried out in an [`Aftermath`].

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod intervene;
pub(crate) mod metrics;
pub(crate) mod namespaces;
pub(crate) mod shards;
#[cfg(test)]
mod tests;
pub(crate) mod upkeep;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::engine::call::waiting::Waiter;
use crate::engine::intervene::doubted_guards::Outlived;
use crate::engine::metrics::Meters;
use crate::engine::namespaces::{NamespaceCore, Namespaces};
use crate::engine::shards::{Locked, Shards};
use crate::engine::upkeep::backup::Pin;
use crate::engine::upkeep::compaction::{Janitor, ReadRequest};
use crate::engine::upkeep::room::Room;
use crate::engine::upkeep::workers::Workers;
use crate::journal::Journal;
use crate::observe::stats::Stats;
use crate::observe::trace::{Lapse, Subject};
use crate::runtime::clock::Clock;
use crate::runtime::process::Process;
use crate::runtime::store_time::StoreTime;
use crate::runtime::sync::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Drive, Mutex, Ordering, Signal, Wakes, block_on,
    contain,
};
use crate::state::running::Running;
use crate::value::digest::{Digest, Hasher128};
use crate::value::durability::Durability;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::{EPOCH_END, FencingToken};
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::limits::Limits;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::Record;
use crate::value::time::Now;

/// Epochs that a restore or a salvage jumps over, so that no token of the original is granted again.
pub(crate) const EPOCH_JUMP: u32 = 1 << 16;

/// How a store is opened.
#[derive(Debug)]
pub(crate) struct EngineOptions {
    pub(crate) durability: Durability,
    pub(crate) limits: Limits,
    pub(crate) shards: usize,
    pub(crate) max_offline: Option<Duration>,
    /// Nothing of the log survives this process.
    pub(crate) ephemeral: bool,
    /// An ephemeral store may hold namespaces that promise at-most-once.
    pub(crate) ephemeral_at_most_once: bool,
    /// How long one write may take before the store gives up.
    pub(crate) write_deadline: Duration,
    /// The first counter of this run's tokens; not zero only in tests of the counter's end.
    pub(crate) first_counter: u64,
    /// Frames after which a segment is full; fewer only in tests, which cannot write so many.
    pub(crate) segment_frames: u32,
    pub(crate) drive: Drive,
    /// Calls are counted and timed, which only a bench does without.
    pub(crate) counts: bool,
    /// Traces show keys, and not only their digests.
    pub(crate) trace_keys: bool,
    /// What a simulation draws its secrets from; `None` for the operating system.
    pub(crate) secrets: Option<u64>,
}

/// A store, without its public handle.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) journal: Journal,
    pub(crate) namespaces: Mutex<Namespaces>,
    pub(crate) options: EngineOptions,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// Why a store that was opened to write is read only: it has run out of numbers.
    pub(crate) spent: Option<String>,
    shards: Shards,
    clock: Clock,
    /// Draws digests of keys; its seed is of this process only.
    hasher: Hasher128,
    /// Draws fingerprints and derived keys; its seed lies in the manifest.
    pub(crate) seeded: Hasher128,
    /// The next token as a number; a counter that runs out carries into the epoch.
    next_token: CachePadded<AtomicU64>,
    /// The last epoch that is on the medium.
    durable_epoch: AtomicU32,
    store_time: Mutex<StoreTime>,
    store_secs: AtomicU32,
    outlived: Outlived,
    /// Waiting callers, of all keys.
    waiters: AtomicUsize,
    /// The place in line of the next one who waits.
    places: AtomicU64,
    /// The moment at which the timer thread will look again.
    next_timer_ms: AtomicU64,
    timer: Signal,
    janitor: Mutex<Janitor>,
    /// Copies that compaction has made and that are not on the medium yet: their originals are.
    copies: Mutex<HashSet<Locator>>,
    segments_dropped: AtomicU64,
    records_carried: AtomicU64,
    /// Reads of frames on disk that async callers wait for.
    reads: Mutex<Vec<ReadRequest>>,
    /// Compaction leaves the log alone while this is not zero.
    pins: AtomicUsize,
    room: Room,
    /// As in the manifest: nothing is granted that promises at-most-once.
    salvaged: AtomicBool,
    /// The process that opened the store.
    process: Process,
    closed: AtomicBool,
    workers: Mutex<Workers>,
    running_workers: AtomicUsize,
    /// Raised by each worker that ends.
    ended: Signal,
    opened: Opened,
    meters: Meters,
    archive_sizes: audit::ArchiveSizes,
}

/// What opening found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    pub(crate) recovered_records: u64,
    pub(crate) torn_frames: u64,
    pub(crate) recovery: Duration,
    pub(crate) at_ms: u64,
    /// The number of the last audit entry.
    pub(crate) audited: u64,
}

/// What is left to do once every lock has been released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    wakes: Wakes,
    /// Dropped outside of the lock: user code may hang on their wakers.
    ended: Option<Running<Arc<Waiter>>>,
    /// Where one call ends several.
    more: Vec<Running<Arc<Waiter>>>,
    /// Leases that have lapsed, with their namespaces and keys.
    lapses: Vec<(NamespaceId, Arc<[u8]>, Lapse)>,
}

impl Aftermath {
    fn end(&mut self, mut running: Running<Arc<Waiter>>) {
        self.wakes.extend(running.rest.take_watchers());
        self.more.extend(self.ended.replace(running));
    }

    pub(crate) fn carry_out(self) {
        self.wakes.wake();
        for ended in self.ended.into_iter().chain(self.more) {
            contain(|| drop(ended));
        }
    }
}

/// A turn at a shard: its lock, the moment, and what is left to do once it has been released.
#[derive(Debug)]
#[must_use = "what a turn leaves to do is done by `end`"]
pub(crate) struct Turn<'a> {
    pub(crate) shard: Locked<'a>,
    pub(crate) now: Now,
    pub(crate) aftermath: Aftermath,
}

impl Turn<'_> {
    pub(crate) fn end(self) {
        drop(self.shard);
        self.aftermath.carry_out();
    }
}

impl Engine {
    /// Takes a turn at the shard of this number.
    pub(crate) fn turn_at(&self, index: usize) -> Turn<'_> {
        let shard = self.shards.lock_at(index);
        Turn {
            shard,
            // As in `lock`, not before.
            now: self.now(),
            aftermath: Aftermath::default(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono_ms: self.clock.mono_ms(),
            store_secs: self.store_secs.load(Ordering::Relaxed),
        }
    }

    /// Locks the shard of a key; the moment is that of the lock. One from before it could be earlier
    /// than that of a lapse whose waiters have been woken, and whoever got in line or watched then
    /// would never be woken.
    pub(crate) fn lock(&self, digest: Digest) -> (Locked<'_>, Now) {
        let shard = self.shards.lock(digest);
        (shard, self.now())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses calls that the store must not answer at all any more.
    pub(crate) fn check_alive(&self) -> Result<()> {
        if self.is_closed() {
            return Err(closed());
        }
        self.check_fork(self.is_forked())?;
        self.check_current()
    }

    /// Refuses what was read of a store that is only read and was opened to write since.
    pub(crate) fn check_current(&self) -> Result<()> {
        if !self.read_only {
            return Ok(());
        }
        let current = self.journal.log().check_current();
        current.map_err(|error| Error::io("looking whether the store is as it was", error))
    }

    /// As [`check_alive`](Self::check_alive), for a call that is about to wait: also in a child that
    /// was forked past the C library, and has none of the threads that would wake it.
    pub(crate) fn check_can_wait(&self) -> Result<()> {
        self.check_fork(self.process.has_forked_exactly())
    }

    fn check_fork(&self, forked: bool) -> Result<()> {
        if forked {
            let text = format!(
                "this process is a fork of process {}, which has the store open: open stores after forking",
                self.process.id()
            );
            return Err(Error::new(ErrorKind::Forked, text));
        }
        Ok(())
    }

    /// Refuses changes of a key, under the lock of its shard. `close` takes each of these locks once
    /// it has closed the store, and commits last: what is written here before is committed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(closed());
        }
        self.check_writable()?;
        self.journal.check()
    }

    /// Refuses a change before any work is done for it.
    pub(crate) fn check_change(&self) -> Result<()> {
        self.check_alive()?;
        self.check_writable()
    }

    /// As [`check_change`](Self::check_change), of a store that is known to be alive.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if let Some(spent) = &self.spent {
            return Err(Error::new(ErrorKind::Unsupported, spent.clone()));
        }
        if self.read_only {
            let text = "the store is open read-only, and nothing of it may change: open it without read_only(), once nobody else has it open";
            return Err(Error::new(ErrorKind::ReadOnly, text));
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.process.has_forked()
    }

    /// Makes this look like the copy of a store in a forked child, or like itself again.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self, forked: bool) {
        self.process.pretend_forked(forked);
    }

    /// As before, of a child that was forked past the C library.
    #[cfg(test)]
    pub(crate) fn pretend_forked_uncounted(&self) {
        self.process.pretend_forked_uncounted();
    }

    /// The next token, higher than every one before it.
    pub(crate) fn next_token(&self) -> Result<FencingToken> {
        let token = FencingToken::from_u64(self.next_token.fetch_add(1, Ordering::Relaxed));
        let token = token.ok_or_else(no_epoch_left)?;
        // Acquire pairs with the release below: an epoch that is seen here is on the medium.
        if token.epoch() > self.durable_epoch.load(Ordering::Acquire) {
            self.take_epoch(token.epoch())?;
        }
        Ok(token)
    }

    /// Makes an epoch durable that a counter has run into: once in 2^32 tokens.
    fn take_epoch(&self, epoch: u32) -> Result<()> {
        if epoch >= EPOCH_END {
            return Err(no_epoch_left());
        }
        self.journal.raise_epoch(epoch)?;
        self.durable_epoch.fetch_max(epoch, Ordering::Release);
        Ok(())
    }

    /// Whether changes of a namespace are acknowledged only once they are on the medium.
    pub(crate) fn is_sync(&self, namespace: &NamespaceCore) -> bool {
        self.is_sync_under(&namespace.policy)
    }

    fn is_sync_under(&self, policy: &Policy) -> bool {
        let durability = policy.durability.unwrap_or(self.options.durability);
        durability == Durability::Sync && !self.options.ephemeral
    }

    /// The frame that an answer which rests on a record has to wait for.
    pub(crate) fn rests_on(&self, namespace: &NamespaceCore, locator: Locator) -> Option<u64> {
        self.rests_on_under(&namespace.policy, locator)
    }

    /// As [`rests_on`](Self::rests_on), where the policy is at hand and the namespace is not: its
    /// lock is not to be taken under that of a shard.
    fn rests_on_under(&self, policy: &Policy, locator: Locator) -> Option<u64> {
        let durable = locator.frame <= self.journal.durable();
        // A poisoned store may only answer what is durable, whatever the level: the wait fails.
        let waits = !durable && (self.is_sync_under(policy) || self.journal.is_poisoned());
        (waits && !self.copies.lock().contains(&locator)).then_some(locator.frame)
    }

    /// Waits for the frame that an answer rests on.
    pub(crate) async fn rest(&self, frame: Option<u64>) -> Result<()> {
        match frame {
            Some(frame) => self.wait(frame).await,
            None => Ok(()),
        }
    }

    /// Waits until a frame is on the medium.
    async fn wait(&self, frame: u64) -> Result<()> {
        if self.journal.durable() < frame {
            self.check_can_wait()?;
        }
        self.journal.wait(frame).await
    }

    /// Waits for what a refusal rests on: a power cut must not undo what a holder was told.
    pub(crate) async fn refuse(&self, error: Error) -> Error {
        match self.rest(error.rests_on()).await {
            Ok(()) => error,
            Err(failed) => failed,
        }
    }

    /// Whether a change counts as acknowledged without any wait.
    pub(crate) fn is_acknowledged(&self, sync: bool, frame: Option<u64>) -> bool {
        match frame {
            Some(frame) if sync => self.journal.durable() >= frame,
            // The change itself has told the journal what time it is.
            Some(frame) => {
                self.check_written(frame).is_ok()
                    && !self.journal.is_congested(self.journal.latest_ms())
            }
            None => true,
        }
    }

    /// Waits until a change counts as acknowledged.
    pub(crate) async fn acknowledge(&self, sync: bool, frame: Option<u64>) -> Result<()> {
        let Some(frame) = frame else { return Ok(()) };
        if sync {
            return self.wait(frame).await;
        }
        self.check_written(frame)?;
        self.make_room().await
    }

    /// Waits for the acknowledgement of a change that was carried out, or for what its refusal rests on.
    pub(crate) async fn acknowledged<T>(
        &self,
        namespace: &NamespaceCore,
        carried_out: Result<(T, Option<u64>)>,
    ) -> Result<T> {
        match carried_out {
            Ok((value, frame)) => {
                self.acknowledge(self.is_sync(namespace), frame).await?;
                Ok(value)
            }
            Err(error) => Err(self.refuse(error).await),
        }
    }

    /// After a failed write nothing is acknowledged that is not on the medium, at any durability.
    fn check_written(&self, frame: u64) -> Result<()> {
        if self.journal.is_poisoned() && self.journal.durable() < frame {
            return self.journal.check();
        }
        Ok(())
    }

    /// Waits while more is unwritten, or unsynced for longer, than is allowed.
    pub(crate) async fn make_room(&self) -> Result<()> {
        match self.journal.congestion(self.now().mono_ms) {
            Some(frame) => self.wait(frame).await,
            None => Ok(()),
        }
    }

    /// As [`make_room`](Self::make_room), on a thread that may block.
    pub(crate) fn make_room_blocking(&self) -> Result<()> {
        match self.journal.congestion(self.now().mono_ms) {
            Some(frame) => block_on(self.wait(frame)),
            None => Ok(()),
        }
    }

    /// Looks again at the timers at `at_ms`, or earlier.
    fn hint_timer(&self, at_ms: u64) {
        if at_ms < self.next_timer_ms.load(Ordering::Relaxed) {
            self.timer.raise();
        }
    }

    pub(crate) fn info(
        &self,
        namespace: &NamespaceCore,
        state: KeyState,
        record: Arc<Record>,
    ) -> KeyInfo {
        let record = match state {
            KeyState::InDoubt => record.into_doubt(),
            _ => record,
        };
        KeyInfo {
            namespace: Arc::clone(&namespace.name),
            digest: self.seeded.key_digest(namespace.id, &record.key),
            state,
            record,
        }
    }

    /// How a key is shown in traces.
    pub(crate) fn subject(&self, namespace: &NamespaceCore, key: &[u8]) -> Subject {
        let digest = self.seeded.key_digest(namespace.id, key);
        let shown = self.options.trace_keys.then_some(key);
        Subject::new(&namespace.name, digest, shown)
    }

    /// Tells of leases that have lapsed.
    fn tell_lapses(&self, aftermath: &mut Aftermath) {
        for (id, key, lapse) in std::mem::take(&mut aftermath.lapses) {
            if let Ok(namespace) = self.namespace_by_id(id) {
                contain(|| crate::observe::trace::lapsed(|| self.subject(&namespace, &key), lapse));
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for shard in self.shards.all() {
            stats.counters += shard.tallies.sum();
            stats.keys += to_u64(shard.keys());
            stats.running_keys += to_u64(shard.running_keys());
            stats.table_bytes += to_u64(shard.memory_bytes());
        }
        stats.waiters = to_u64(self.waiters.load(Ordering::Relaxed));
        self.journal.with_tail(|tail| {
            stats.window_bytes = to_u64(tail.window_bytes());
            stats.last_frame = tail.last_used();
            stats.appended_bytes = tail.appended_bytes();
            for segment in tail.census.segments() {
                stats.segments += 1;
                stats.live_records += segment.live;
                stats.log_bytes += segment.bytes;
                stats.live_bytes += segment.live_bytes();
            }
        });
        stats.store_secs = u64::from(self.store_secs.load(Ordering::Relaxed));
        stats.durable_frame = self.journal.durable();
        stats.syncs = self.journal.syncs();
        stats.disk_bytes = self.journal.log().disk_bytes().unwrap_or(0);
        stats.segments_dropped = self.segments_dropped.load(Ordering::Relaxed);
        stats.records_carried = self.records_carried.load(Ordering::Relaxed);
        stats.recovered_records = self.opened.recovered_records;
        stats.torn_frames = self.opened.torn_frames;
        stats.recovery = self.opened.recovery;
        stats
    }

    /// Recounts every invariant that the engine keeps; panics where one does not hold.
    ///
    /// Meant for tests and fuzzers, at a moment when nothing else uses the store.
    pub(crate) fn validate(&self) {
        // Compaction is nobody's call: it would move records between one count and the next.
        let _pin = Pin::hold(self);
        let mut live = Vec::new();
        let last_used = self.journal.last_used();
        for shard in self.shards.all() {
            shard.validate(last_used);
            live.extend(
                shard
                    .live_records()
                    .map(|last| (last.locator.frame, last.expires_at)),
            );
        }
        self.journal
            .with_tail(|tail| tail.census.validate(live.into_iter()));
        self.validate_lists();
    }
}

/// The epoch `by` after this one.
pub(crate) fn next_epoch(epoch: u32, by: u32) -> Result<u32> {
    match epoch.checked_add(by) {
        Some(next) if next < EPOCH_END => Ok(next),
        _ => Err(no_epoch_left()),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed: open it again")
}

fn no_epoch_left() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the store has taken 2^31 epochs, and no fencing token is left: bring its keys into a new store, by an export and an import",
    )
}

pub(crate) fn to_u64(value: usize) -> u64 {
    u64::try_from(value).expect("a size fits 64 bits")
}
