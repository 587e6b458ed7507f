//! [`Journal`]: the durable log of records.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::journal::backlog::Backlog;
use crate::journal::cold_frames::ColdFrames;
use crate::journal::commit_policy::CommitPolicy;
use crate::journal::durable_position::DurablePosition;
use crate::journal::format::audit::entry::Draft;
use crate::journal::format::codec::{Encoded, record_bytes_max};
use crate::journal::janitor_call::JanitorCall;
use crate::journal::log::contract::Log;
use crate::journal::meters::{JournalMeters, LiveMeters};
use crate::journal::poison::Poison;
use crate::journal::retries::Retries;
use crate::journal::tail::{Replaced, Tail, split_body};
use crate::journal::watchdog::Watchdog;
use crate::journal::writer::{Writer, WriterStart};
use crate::runtime::clock::Clock;
use crate::runtime::sync::{AtomicU64, Drive, Mutex, MutexGuard, Ordering, Signal, Wakes, contain};
use crate::value::durability::Durability;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::{RecordKind, RecordRef};

/// The durable log of records.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) log: Arc<dyn Log>,
    pub(super) store_id: [u8; 16],
    pub(super) drive: Drive,
    pub(super) clock: Clock,
    pub(super) policy: CommitPolicy,
    /// On cache lines of its own, as `backlog` is, so that its changes do not slow down readers of the
    /// other fields.
    pub(super) tail: CachePadded<Mutex<Tail>>,
    pub(super) backlog: CachePadded<Backlog>,
    /// Locked while writing to the log, by one thread at a time.
    pub(super) writer: Mutex<Writer>,
    pub(super) cold: Mutex<ColdFrames>,
    pub(super) durable: DurablePosition,
    pub(super) watchdog: Watchdog,
    pub(super) poison: Poison,
    pub(super) meters: LiveMeters,
    /// Store time, for the headers of frames and the marks.
    store_ms: AtomicU64,
    pub(crate) retries: Retries,
    /// Wakes the journal thread.
    pub(crate) signal: Signal,
    pub(crate) janitor: JanitorCall,
}

/// What a new [`Journal`] starts from.
#[derive(Debug)]
pub(crate) struct JournalStart {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) writer: WriterStart,
    pub(crate) tail: Tail,
    pub(crate) durability: Durability,
    /// Bytes that may be unwritten before callers must wait.
    pub(crate) unwritten_limit: usize,
    pub(crate) write_deadline: Duration,
    pub(crate) drive: Drive,
    pub(crate) clock: Clock,
    pub(crate) store_ms: u64,
}

impl Journal {
    pub(crate) fn new(start: JournalStart) -> Self {
        Self {
            log: start.log,
            store_id: start.writer.marks.store_id,
            drive: start.drive,
            policy: CommitPolicy {
                durability: start.durability,
                unwritten_limit: start.unwritten_limit,
            },
            tail: CachePadded::new(Mutex::new(start.tail)),
            backlog: CachePadded::default(),
            durable: DurablePosition::new(start.writer.last),
            writer: Mutex::new(Writer::new(start.writer)),
            cold: Mutex::default(),
            watchdog: Watchdog::new(start.write_deadline),
            poison: Poison::default(),
            meters: LiveMeters::new(start.clock.clone()),
            clock: start.clock,
            store_ms: AtomicU64::new(start.store_ms),
            retries: Retries::default(),
            signal: Signal::default(),
            janitor: JanitorCall::default(),
        }
    }

    /// Appends a record. Never waits: the memory that it takes was admitted before.
    ///
    /// Called under the lock of the key's shard, so the order of the log is the order of the
    /// key's transitions. `parts` is what [`split`](Self::split) made of a body that is too long for
    /// its record; `audit` is the entry of the transition, which goes into the same frame.
    #[inline]
    pub(crate) fn append(
        &self,
        record: &RecordRef<'_>,
        parts: Vec<Vec<u8>>,
        replaced: Option<Replaced>,
        audit: Option<&Draft>,
        now_ms: u64,
    ) -> Locator {
        let mut encoded = Encoded::empty();
        encode(record, parts.len(), replaced, &mut encoded);
        let encoded = encoded.bytes();
        debug_assert!(
            encoded.len() <= record_bytes_max(record),
            "the bound of a record holds"
        );
        let bytes = encoded.len()
            + parts.iter().map(Vec::len).sum::<usize>()
            + audit.map_or(0, Draft::bytes);
        let mut tail = self.tail.lock();
        let locator = tail.append(record, encoded, parts, replaced, audit);
        self.wake_for(tail, bytes, now_ms);
        locator
    }

    /// Appends the audit entry of a transition that has no record. Never waits. Returns its frame.
    pub(crate) fn append_audit(&self, draft: &Draft, now_ms: u64) -> u64 {
        let mut tail = self.tail.lock();
        let frame = tail.append_audit(draft);
        self.wake_for(tail, draft.bytes(), now_ms);
        frame
    }

    /// Releases the tail after bytes were appended, and wakes the threads that must hear of them.
    #[inline]
    fn wake_for(&self, mut tail: MutexGuard<'_, Tail>, bytes: usize, now_ms: u64) {
        let wakes_writer = self.backlog.add(bytes, now_ms);
        let calls_janitor = tail.take_call();
        drop(tail);
        if wakes_writer {
            self.signal.raise();
        }
        if calls_janitor {
            self.janitor.raise();
        }
    }

    /// The parts of a body for [`append`](Self::append), made outside of every lock.
    pub(crate) fn split(body: &[u8]) -> Vec<Vec<u8>> {
        split_body(body)
    }

    /// Runs `look` over the end of the log. It holds the lock of the tail, so it must be quick.
    pub(crate) fn with_tail<R>(&self, look: impl FnOnce(&mut Tail) -> R) -> R {
        look(&mut self.tail.lock())
    }

    /// The frame to wait for before another change may be made; `None` if there is room.
    pub(crate) fn congestion(&self, now_ms: u64) -> Option<u64> {
        self.is_congested(now_ms).then(|| self.last_used())
    }

    /// Whether callers must wait for the medium. Takes no lock, unlike [`congestion`](Self::congestion).
    #[inline]
    pub(crate) fn is_congested(&self, now_ms: u64) -> bool {
        self.policy.is_congested(&self.backlog, now_ms)
    }

    /// The last frame that holds anything.
    pub(crate) fn last_used(&self) -> u64 {
        self.tail.lock().last_used()
    }

    /// The last frame such that it and every frame before it is on the medium.
    #[inline]
    pub(crate) fn durable(&self) -> u64 {
        self.durable.get()
    }

    /// Whether a frame is on the medium; if it is not, the janitor is woken once it is.
    pub(crate) fn is_durable_for_janitor(&self, frame: u64) -> bool {
        if self.durable() >= frame {
            return true;
        }
        self.janitor.wait_for(frame);
        // Once more: the frame may have become durable before the writer could see who waits.
        self.durable.get_in_order() >= frame
    }

    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        self.poison.check()
    }

    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Stops acknowledging, for good.
    pub(crate) fn poison(&self, doing: &str, error: &io::Error) {
        let is_first = self.poison.fail(doing, error);
        self.wake_all();
        if is_first {
            contain(|| crate::observe::trace::poisoned(doing, error));
        }
    }

    /// Stops acknowledging because the store was closed.
    pub(crate) fn shut(&self) {
        self.poison.close();
        self.wake_all();
    }

    /// Wakes every caller that waits for a commit.
    fn wake_all(&self) {
        let mut wakes = Wakes::default();
        self.durable.take_all(&mut wakes);
        wakes.wake();
    }

    /// What went wrong; `None` unless a failure has poisoned the store.
    pub(crate) fn poison_cause(&self) -> Option<String> {
        self.poison.cause()
    }

    /// Poisons the store if the writer has been at one piece of work for longer than the write
    /// deadline. Called at every tick.
    pub(crate) fn watch(&self, now_ms: u64) {
        if let Some(error) = self.watchdog.look(now_ms) {
            self.poison("writing to the log", &error);
        }
    }

    /// For how long the writer has been at its current work; 0 while it has none.
    pub(crate) fn busy_ms(&self, now_ms: u64) -> u64 {
        self.watchdog.busy_ms(now_ms)
    }

    /// Whether a caller that waits for a commit carries it out itself, with no thread that would.
    pub(super) fn commits_inline(&self) -> bool {
        let never_wakes = self.drive == Drive::Threads && self.clock.park_until(0).is_none();
        self.drive.is_inline() || never_wakes
    }

    pub(crate) fn set_store_ms(&self, store_ms: u64) {
        self.store_ms.fetch_max(store_ms, Ordering::Relaxed);
    }

    pub(super) fn store_ms(&self) -> u64 {
        self.store_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self) -> &dyn Log {
        &*self.log
    }

    pub(crate) fn store_id(&self) -> &[u8; 16] {
        &self.store_id
    }

    /// The latest moment that the journal has heard of, on the monotonic clock.
    #[inline]
    pub(crate) fn latest_ms(&self) -> u64 {
        self.backlog.latest_ms()
    }

    /// The age of the oldest change that is not on the medium; 0 if all are.
    pub(crate) fn unsynced_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.backlog.oldest_ms())
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.meters.syncs.load(Ordering::Relaxed)
    }

    /// What the journal has counted and timed so far.
    pub(crate) fn meters(&self, now_ms: u64) -> JournalMeters {
        let (window_reads, last_used) = {
            let tail = self.tail.lock();
            (tail.reads(), tail.last_used())
        };
        let (cold_reads, disk_reads) = self.cold.lock().reads();
        JournalMeters {
            sync_times: self.meters.sync_times.snapshot(),
            read_times: self.meters.read_times.snapshot(),
            window_reads,
            cold_reads,
            disk_reads,
            unwritten_bytes: self.backlog.bytes(),
            unsynced_ms: self.unsynced_ms(now_ms),
            unsynced_frames: last_used.saturating_sub(self.durable()),
        }
    }

    /// Bytes that were given to the log in this run, those that wait to be written included.
    #[inline]
    pub(crate) fn given_bytes(&self) -> u64 {
        let unwritten = u64::try_from(self.backlog.bytes()).unwrap_or(u64::MAX);
        let taken = self.meters.taken_bytes.load(Ordering::Relaxed);
        taken.saturating_add(unwritten)
    }

    /// Whether the writer has given the reserve of the disk back since the last call.
    pub(crate) fn reserve_is_gone(&self) -> bool {
        self.janitor.take_reserve_gone()
    }

    /// The newest segment that takes frames; 0 before the first of this run.
    pub(crate) fn activated(&self) -> u64 {
        self.janitor.activated()
    }
}

/// Encodes a record; that of a forgotten key becomes a removal.
#[inline]
fn encode(record: &RecordRef<'_>, parts: usize, replaced: Option<Replaced>, encoded: &mut Encoded) {
    if record.head.kind == RecordKind::Forgotten {
        encoded.put_removal(&record.head, replaced.map(|replaced| replaced.locator));
    } else {
        let body_frames = u32::try_from(parts).expect("a body has few parts");
        encoded.put(record, body_frames);
    }
}
