//! [`Engine`]: a store, without its public handle; [`Turn`]: one lock of a shard of it.

use std::collections::HashSet;

use crossbeam_utils::CachePadded;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::archive_sizes::ArchiveSizes;
use crate::engine::intervene::doubted_guards::Outlived;
use crate::engine::metrics::meters::Meters;
use crate::engine::namespaces::Namespaces;
use crate::engine::options::{EngineOptions, Opened};
use crate::engine::shards::{Locked, Shards};
use crate::engine::upkeep::compaction::janitor::Janitor;
use crate::engine::upkeep::read_request::ReadRequest;
use crate::engine::upkeep::room::Room;
use crate::engine::upkeep::workers::Workers;
use crate::journal::Journal;
use crate::runtime::clock::Clock;
use crate::runtime::process::Process;
use crate::runtime::store_time::StoreTime;
use crate::runtime::sync::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, Signal,
};
use crate::value::digest::{Digest, Hasher128};
use crate::value::locator::Locator;
use crate::value::time::Now;

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
    pub(in crate::engine) shards: Shards,
    pub(in crate::engine) clock: Clock,
    /// Draws digests of keys; its seed is of this process only.
    pub(in crate::engine) hasher: Hasher128,
    /// Draws fingerprints and derived keys; its seed lies in the manifest.
    pub(crate) seeded: Hasher128,
    /// The next token as a number; a counter that runs out carries into the epoch.
    pub(in crate::engine) next_token: CachePadded<AtomicU64>,
    /// The last epoch that is on the medium.
    pub(in crate::engine) durable_epoch: AtomicU32,
    pub(in crate::engine) store_time: Mutex<StoreTime>,
    pub(in crate::engine) store_secs: AtomicU32,
    pub(in crate::engine) outlived: Outlived,
    /// Waiting callers, of all keys.
    pub(in crate::engine) waiters: AtomicUsize,
    /// The place in line of the next one who waits.
    pub(in crate::engine) places: AtomicU64,
    /// The moment at which the timer thread will look again.
    pub(in crate::engine) next_timer_ms: AtomicU64,
    pub(in crate::engine) timer: Signal,
    pub(in crate::engine) janitor: Mutex<Janitor>,
    /// Copies that compaction has made and that are not on the medium yet: their originals are.
    pub(in crate::engine) copies: Mutex<HashSet<Locator>>,
    pub(in crate::engine) segments_dropped: AtomicU64,
    pub(in crate::engine) records_carried: AtomicU64,
    /// Reads of frames on disk that async callers wait for.
    pub(in crate::engine) reads: Mutex<Vec<ReadRequest>>,
    /// Compaction leaves the log alone while this is not zero.
    pub(in crate::engine) pins: AtomicUsize,
    pub(in crate::engine) room: Room,
    /// As in the manifest: nothing is granted that promises at-most-once.
    pub(in crate::engine) salvaged: AtomicBool,
    /// The process that opened the store.
    pub(in crate::engine) process: Process,
    pub(in crate::engine) closed: AtomicBool,
    pub(in crate::engine) workers: Mutex<Workers>,
    pub(in crate::engine) running_workers: AtomicUsize,
    /// Raised by each worker that ends.
    pub(in crate::engine) ended: Signal,
    pub(in crate::engine) opened: Opened,
    pub(in crate::engine) meters: Meters,
    pub(in crate::engine) archive_sizes: ArchiveSizes,
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

    /// Looks again at the timers at `at_ms`, or earlier.
    pub(in crate::engine) fn hint_timer(&self, at_ms: u64) {
        if at_ms < self.next_timer_ms.load(Ordering::Relaxed) {
            self.timer.raise();
        }
    }
}
