//! The journal: the durable log of records, in frames, in segments.
//!
//! ```text
//! append(record) -> Tail: the open frame, under one short lock; never waits, never writes
//! commit()       -> seal the frame -> Log::append -> Log::sync -> publish the durable position
//! read(locator)  -> the open frame, the window in memory, or the log
//! recover()      -> every valid record, oldest first
//! ```
//!
//! Invariants:
//! - Positions become durable in order: `durable` is the last frame such that it and all before it
//!   are on the medium.
//! - After the first failed write or sync nothing more is acknowledged (`poison`).
//! - Only the holder of `writer` writes to the log.

pub(crate) mod census;
pub(crate) mod chore;
pub(crate) mod format;
pub(crate) mod log;
pub(crate) mod read;
pub(crate) mod recovery;
pub(crate) mod retries;
pub(crate) mod salvage;
pub(crate) mod tail;
mod wait;
mod writer;

use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;
use std::{collections::BTreeMap, io};

use crossbeam_utils::CachePadded;

use crate::journal::chore::Chore;
use crate::journal::format::audit::entry::Draft;
use crate::journal::format::codec::{Encoded, record_bytes_max};
use crate::journal::log::contract::Log;
use crate::journal::read::ColdFrames;
use crate::journal::retries::Retries;
use crate::journal::tail::{Replaced, Tail, split_body};
use crate::journal::writer::Writer;
use crate::observe::metrics::Distribution;
use crate::observe::metrics::histogram::Histogram;
use crate::runtime::clock::Clock;
use crate::runtime::patience::{LOOK_MS_MAX, Patience};
use crate::runtime::sync::{
    AtomicBool, AtomicU64, AtomicUsize, Drive, Mutex, MutexGuard, Ordering, Signal, Wakes, contain,
};
use crate::value::durability::Durability;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::record::{RecordKind, RecordRef};

use crate::journal::wait::CommitWait;
pub(crate) use crate::journal::writer::{FullSegment, WriterStart};

/// The journal thread is woken for each of so many bytes, however long it may wait otherwise.
const WAKE_BYTES: usize = 1024 * 1024;

/// The durable log of records.
#[derive(Debug)]
pub(crate) struct Journal {
    log: Arc<dyn Log>,
    store_id: [u8; 16],
    durability: Durability,
    /// Bytes that may wait to be written before callers have to wait.
    unwritten_limit: usize,
    drive: Drive,
    /// On cache lines of its own, as `unsynced` is: whoever only reads the others is not disturbed.
    tail: CachePadded<Mutex<Tail>>,
    unsynced: CachePadded<Unsynced>,
    /// Held while writing to the log: the writer is one at a time.
    writer: Mutex<Writer>,
    cold: Mutex<ColdFrames>,
    /// The last frame of which everything up to it is on the medium.
    durable: AtomicU64,
    /// Someone waits for this frame.
    wanted: AtomicU64,
    /// The janitor goes on once this frame is durable; `u64::MAX` while it waits for none.
    janitor_waits_for: AtomicU64,
    /// When the writer began what it is doing; `u64::MAX` while it does nothing.
    busy_since_ms: AtomicU64,
    /// What the watcher over the writer has seen of that, and for how long.
    watched: Mutex<Option<(u64, Patience)>>,
    watched_ms: AtomicU64,
    /// Bytes that the writer has taken, with a little for each frame.
    taken_bytes: AtomicU64,
    /// The newest segment that takes frames, or has taken some; 0 before the first.
    activated: AtomicU64,
    write_deadline: Duration,
    /// The writer gave the reserve of the disk back, to have room for what holders wrote.
    reserve_is_gone: AtomicBool,
    pub(crate) retries: Retries,
    store_ms: AtomicU64,
    waiters: Mutex<CommitWaiters>,
    poison: OnceLock<Poison>,
    poisoned: AtomicBool,
    syncs: AtomicU64,
    clock: Clock,
    /// How long the medium took to make a segment durable, and to give a frame back.
    sync_times: Histogram,
    read_times: Histogram,
    /// Wakes the journal thread.
    pub(crate) signal: Signal,
    /// Wakes the janitor: a segment is full.
    pub(crate) janitor: Signal,
}

/// What every change notes beside the tail, and every call looks at.
#[derive(Debug)]
struct Unsynced {
    unwritten_bytes: AtomicUsize,
    /// When the oldest change was made that is not on the medium; `u64::MAX` for none.
    unsynced_since_ms: AtomicU64,
    /// As before, of the changes that are being synced.
    syncing_since_ms: AtomicU64,
    /// The latest moment that the journal has heard of, on the monotonic clock.
    latest_ms: AtomicU64,
}

/// What a journal counts and measures by itself.
#[derive(Debug)]
pub(crate) struct JournalMeters {
    pub(crate) sync_times: Distribution,
    pub(crate) read_times: Distribution,
    /// Records that were read from memory, from frames that were read lately, and from the medium.
    pub(crate) window_reads: u64,
    pub(crate) cold_reads: u64,
    pub(crate) disk_reads: u64,
    pub(crate) unwritten_bytes: usize,
    pub(crate) unsynced_ms: u64,
    pub(crate) unsynced_frames: u64,
}

/// Why nothing is acknowledged any more.
#[derive(Debug)]
struct Poison {
    doing: String,
    kind: io::ErrorKind,
    text: String,
    closed: bool,
}

#[derive(Debug, Default)]
struct CommitWaiters {
    next: u64,
    /// By the frame that they wait for.
    waiting: BTreeMap<(u64, u64), Waker>,
}

/// What a new [`Journal`] starts from.
#[derive(Debug)]
pub(crate) struct JournalStart {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) writer: WriterStart,
    pub(crate) tail: Tail,
    pub(crate) durability: Durability,
    pub(crate) unwritten_limit: usize,
    pub(crate) write_deadline: Duration,
    pub(crate) drive: Drive,
    /// To measure with.
    pub(crate) clock: Clock,
    pub(crate) store_ms: u64,
}

impl Journal {
    pub(crate) fn new(start: JournalStart) -> Self {
        let store_id = start.writer.marks.store_id;
        let durable = start.writer.last;
        Self {
            log: Arc::clone(&start.log),
            store_id,
            durability: start.durability,
            unwritten_limit: start.unwritten_limit,
            drive: start.drive,
            tail: CachePadded::new(Mutex::new(start.tail)),
            writer: Mutex::new(Writer::new(start.writer)),
            cold: Mutex::new(ColdFrames::default()),
            durable: AtomicU64::new(durable),
            wanted: AtomicU64::new(0),
            janitor_waits_for: AtomicU64::new(u64::MAX),
            unsynced: CachePadded::new(Unsynced {
                unwritten_bytes: AtomicUsize::new(0),
                unsynced_since_ms: AtomicU64::new(u64::MAX),
                syncing_since_ms: AtomicU64::new(u64::MAX),
                latest_ms: AtomicU64::new(0),
            }),
            busy_since_ms: AtomicU64::new(u64::MAX),
            watched: Mutex::new(None),
            watched_ms: AtomicU64::new(0),
            taken_bytes: AtomicU64::new(0),
            activated: AtomicU64::new(0),
            write_deadline: start.write_deadline,
            reserve_is_gone: AtomicBool::new(false),
            retries: Retries::default(),
            store_ms: AtomicU64::new(start.store_ms),
            waiters: Mutex::new(CommitWaiters::default()),
            poison: OnceLock::new(),
            poisoned: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            clock: start.clock,
            sync_times: Histogram::new(1),
            read_times: Histogram::new(1),
            signal: Signal::default(),
            janitor: Signal::default(),
        }
    }

    /// Appends a record. Never waits: what it takes in memory was admitted before.
    ///
    /// Called under the lock of the key's shard, so the order of the log is the order of the
    /// key's transitions. `parts` is what [`split_body`] made of a body that is over the limit of
    /// one record.
    pub(crate) fn append(
        &self,
        record: &RecordRef<'_>,
        parts: Vec<Vec<u8>>,
        replaced: Option<Replaced>,
        now_ms: u64,
    ) -> Locator {
        self.append_audited(record, parts, replaced, None, now_ms)
    }

    /// As [`append`](Self::append), with the audit entry of the transition: both lie in one frame.
    pub(crate) fn append_audited(
        &self,
        record: &RecordRef<'_>,
        parts: Vec<Vec<u8>>,
        replaced: Option<Replaced>,
        audit: Option<&Draft>,
        now_ms: u64,
    ) -> Locator {
        let body_frames = u32::try_from(parts.len()).expect("a body has few parts");
        let encoded = if record.head.kind == RecordKind::Forgotten {
            Encoded::removal(&record.head, replaced.map(|replaced| replaced.locator))
        } else {
            Encoded::new(record, body_frames)
        };
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

    /// Appends the audit entry of a transition that has no record. Never waits. Gives its frame.
    pub(crate) fn append_audit(&self, draft: &Draft, now_ms: u64) -> u64 {
        let mut tail = self.tail.lock();
        let frame = tail.append_audit(draft);
        self.wake_for(tail, draft.bytes(), now_ms);
        frame
    }

    /// Lets go of the tail after bytes were appended, and wakes who has to hear of them.
    fn wake_for(&self, mut tail: MutexGuard<'_, Tail>, bytes: usize, now_ms: u64) {
        let wakes_writer = self.note_unwritten(bytes, now_ms);
        let calls_janitor = tail.take_call();
        drop(tail);
        if wakes_writer {
            self.signal.raise();
        }
        if calls_janitor {
            self.janitor.raise();
        }
    }

    /// Counts bytes that were appended, and says whether the journal thread has to hear of them.
    /// Called under the lock of the tail, as is all that changes these: so plain stores will do.
    fn note_unwritten(&self, bytes: usize, now_ms: u64) -> bool {
        let before = self.unsynced.unwritten_bytes.load(Ordering::Relaxed);
        let after = before + bytes;
        self.unsynced
            .unwritten_bytes
            .store(after, Ordering::Relaxed);
        if self.unsynced.latest_ms.load(Ordering::Relaxed) < now_ms {
            self.unsynced.latest_ms.store(now_ms, Ordering::Relaxed);
        }
        let first = self.unsynced.unsynced_since_ms.load(Ordering::Relaxed) == u64::MAX;
        if first {
            self.unsynced
                .unsynced_since_ms
                .store(now_ms, Ordering::Release);
        }
        first || before / WAKE_BYTES != after / WAKE_BYTES
    }

    /// The latest moment that the journal has heard of, on the monotonic clock.
    pub(crate) fn latest_ms(&self) -> u64 {
        self.unsynced.latest_ms.load(Ordering::Relaxed)
    }

    /// The parts of a body for [`append`](Self::append), made outside of every lock.
    pub(crate) fn split(body: &[u8]) -> Vec<Vec<u8>> {
        split_body(body)
    }

    /// The frame to wait for before another change may be made; `None` when there is room.
    pub(crate) fn congestion(&self, now_ms: u64) -> Option<u64> {
        self.is_congested(now_ms)
            .then(|| self.tail.lock().last_used())
    }

    /// The last frame that holds anything.
    pub(crate) fn last_used(&self) -> u64 {
        self.tail.lock().last_used()
    }

    /// The last frame of which everything up to it is on the medium.
    pub(crate) fn durable(&self) -> u64 {
        // Acquire pairs with the release in `publish`.
        self.durable.load(Ordering::Acquire)
    }

    /// Whether a frame is on the medium; if not, the janitor is woken when it is, whenever that is.
    pub(crate) fn is_durable_for_janitor(&self, frame: u64) -> bool {
        if self.durable() >= frame {
            return true;
        }
        self.janitor_waits_for.store(frame, Ordering::SeqCst);
        // Once more: the frame may have become durable before the writer could see who waits.
        self.durable.load(Ordering::SeqCst) >= frame
    }

    /// Waits until a frame is on the medium.
    pub(crate) fn wait(&self, frame: u64) -> CommitWait<'_> {
        CommitWait::new(self, frame)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            Err(self.poison_error())
        } else {
            Ok(())
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Stops acknowledging, for good.
    pub(crate) fn poison(&self, doing: &str, error: &io::Error) {
        let is_first = self.stop(Poison {
            doing: doing.to_owned(),
            kind: error.kind(),
            text: error.to_string(),
            closed: false,
        });
        if is_first {
            contain(|| crate::observe::trace::poisoned(doing, error));
        }
    }

    /// Stops acknowledging because the store was closed.
    pub(crate) fn shut(&self) {
        self.stop(Poison {
            doing: String::new(),
            kind: io::ErrorKind::Other,
            text: String::new(),
            closed: true,
        });
    }

    /// Stops, and says whether this is what has stopped it.
    fn stop(&self, poison: Poison) -> bool {
        let is_first = self.poison.set(poison).is_ok();
        self.poisoned.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut self.waiters.lock().waiting);
        let mut wakes = Wakes::default();
        wakes.extend(wakers.into_values());
        wakes.wake();
        is_first
    }

    fn poison_error(&self) -> Error {
        match self.poison.get() {
            Some(poison) if !poison.closed => {
                let text = format!(
                    "{}: {}; the store acknowledges nothing more, and the effect of the last changes is unknown until it is reopened",
                    poison.doing, poison.text
                );
                Error::new(ErrorKind::Poisoned, text)
                    .with_source(io::Error::new(poison.kind, poison.text.clone()))
            }
            _ => Error::new(ErrorKind::Closed, "the store was closed: open it again"),
        }
    }

    /// Poisons the store when the writer has been at one thing for longer than the write deadline.
    /// Called at every tick: time in which nobody looked, as when the process was stopped, does not
    /// count.
    pub(crate) fn watch(&self, now_ms: u64) {
        let since_ms = self.busy_since_ms.load(Ordering::Relaxed);
        let mut watched = self.watched.lock();
        if since_ms == u64::MAX {
            *watched = None;
            self.watched_ms.store(0, Ordering::Relaxed);
            return;
        }
        let known = watched.take().filter(|(since, _)| *since == since_ms);
        let (_, patience) =
            watched.insert(known.unwrap_or_else(|| (since_ms, Patience::new(since_ms))));
        let seen_ms = patience.look(now_ms);
        drop(watched);
        self.watched_ms.store(seen_ms, Ordering::Relaxed);
        let limit = self.write_deadline;
        if seen_ms > crate::value::time::millis(limit) {
            let error = io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {limit:?}"));
            self.poison("writing to the log", &error);
        }
    }

    pub(crate) fn set_store_ms(&self, store_ms: u64) {
        self.store_ms.fetch_max(store_ms, Ordering::Relaxed);
    }

    pub(crate) fn log(&self) -> &dyn Log {
        &*self.log
    }

    pub(crate) fn store_id(&self) -> &[u8; 16] {
        &self.store_id
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// What the journal counts and measures by itself.
    pub(crate) fn meters(&self, now_ms: u64) -> JournalMeters {
        let (window_reads, last_used) = {
            let tail = self.tail.lock();
            (tail.reads(), tail.last_used())
        };
        let (cold_reads, disk_reads) = self.cold.lock().reads();
        JournalMeters {
            sync_times: self.sync_times.snapshot(),
            read_times: self.read_times.snapshot(),
            window_reads,
            cold_reads,
            disk_reads,
            unwritten_bytes: self.unsynced.unwritten_bytes.load(Ordering::Relaxed),
            unsynced_ms: self.unsynced_ms(now_ms),
            unsynced_frames: last_used.saturating_sub(self.durable()),
        }
    }

    /// The age of the oldest change that is not on the medium; zero when there is none.
    pub(crate) fn unsynced_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.oldest_unsynced_ms())
    }

    /// When the oldest change was made that is not on the medium; `u64::MAX` for none.
    fn oldest_unsynced_ms(&self) -> u64 {
        // In this order: a commit has set the second when it clears the first.
        let unsynced = self.unsynced.unsynced_since_ms.load(Ordering::Acquire);
        unsynced.min(self.unsynced.syncing_since_ms.load(Ordering::Acquire))
    }

    /// For how long the writer has been at what it is doing; zero while it does nothing.
    pub(crate) fn busy_ms(&self, now_ms: u64) -> u64 {
        let busy_ms = now_ms.saturating_sub(self.busy_since_ms.load(Ordering::Relaxed));
        let watched_ms = self.watched_ms.load(Ordering::Relaxed);
        busy_ms.min(watched_ms.saturating_add(LOOK_MS_MAX))
    }

    /// Bytes that were given to the log in this run, those that wait to be written included.
    pub(crate) fn given_bytes(&self) -> u64 {
        let unwritten = self.unsynced.unwritten_bytes.load(Ordering::Relaxed);
        let taken = self.taken_bytes.load(Ordering::Relaxed);
        taken.saturating_add(u64::try_from(unwritten).unwrap_or(u64::MAX))
    }

    /// Whether the writer has given the reserve of the disk back since the last call.
    pub(crate) fn reserve_is_gone(&self) -> bool {
        self.reserve_is_gone.swap(false, Ordering::AcqRel)
    }

    /// The newest segment that takes frames; 0 before the first of this run.
    pub(crate) fn activated(&self) -> u64 {
        self.activated.load(Ordering::Acquire)
    }

    /// Whether callers wait for the medium. Takes no lock, as [`congestion`](Self::congestion) may.
    pub(crate) fn is_congested(&self, now_ms: u64) -> bool {
        let over = self.unsynced.unwritten_bytes.load(Ordering::Relaxed) > self.unwritten_limit;
        let late = match self.durability {
            Durability::Interval(window) => {
                let since = self.oldest_unsynced_ms();
                // Milliseconds are cut off, so that "equal" may be a little more.
                since.saturating_add(crate::value::time::millis(window)) <= now_ms
            }
            Durability::Sync => false,
        };
        over || late
    }

    /// What went wrong, where the store is poisoned and not just closed.
    pub(crate) fn poison_cause(&self) -> Option<String> {
        let poison = self.poison.get().filter(|poison| !poison.closed)?;
        Some(format!("{}: {}", poison.doing, poison.text))
    }

    /// Runs `look` over the end of the log; under its lock, so it must be quick.
    pub(crate) fn with_tail<R>(&self, look: impl FnOnce(&mut Tail) -> R) -> R {
        look(&mut self.tail.lock())
    }

    /// A moment at which the journal thread has something to do, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let since = self.unsynced.unsynced_since_ms.load(Ordering::Relaxed);
        let commit = match self.durability {
            _ if since == u64::MAX => None,
            Durability::Sync => Some(since),
            // Half the window, so that a slow sync still ends within it.
            Durability::Interval(window) => {
                Some(since.saturating_add(crate::value::time::millis(window) / 2))
            }
        };
        let later = |at: Option<u64>, chore| match self.retries.again_ms(chore) {
            Some(again) => at.map(|at| at.max(again)),
            None => at,
        };
        // What could not be written is due when the next try is, whatever else has come since.
        let commit = match self.retries.again_ms(Chore::Begin) {
            Some(again) => Some(again),
            None => commit,
        };
        let writer = self.writer.try_lock();
        let marks = writer.and_then(|writer| writer.marks_due_ms());
        match (commit, later(marks, Chore::Marks)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
