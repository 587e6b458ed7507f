//! [`LiveMeters`]: what the journal counts and times by itself.

use crate::observe::metrics::Distribution;
use crate::observe::metrics::histogram::Histogram;
use crate::runtime::clock::Clock;
use crate::runtime::sync::{AtomicU64, Ordering};

/// The live counters. Each only rises.
#[derive(Debug)]
pub(super) struct LiveMeters {
    clock: Clock,
    /// How long the medium took to make a segment durable.
    pub(super) sync_times: Histogram,
    /// How long the medium took to return a frame.
    pub(super) read_times: Histogram,
    /// Commits that have synced.
    pub(super) syncs: AtomicU64,
    /// Bytes that the writer has taken, with a little for each frame.
    pub(super) taken_bytes: AtomicU64,
}

/// What the journal had counted and timed at one moment.
#[derive(Debug)]
pub(crate) struct JournalMeters {
    pub(crate) sync_times: Distribution,
    pub(crate) read_times: Distribution,
    /// Records that were read from memory, from the cache of cold frames, and from the medium.
    pub(crate) window_reads: u64,
    pub(crate) cold_reads: u64,
    pub(crate) disk_reads: u64,
    pub(crate) unwritten_bytes: usize,
    pub(crate) unsynced_ms: u64,
    pub(crate) unsynced_frames: u64,
}

impl LiveMeters {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            sync_times: Histogram::new(1),
            read_times: Histogram::new(1),
            syncs: AtomicU64::new(0),
            taken_bytes: AtomicU64::new(0),
        }
    }

    /// Times a sync of the medium, if it succeeds.
    pub(super) fn time_sync<E>(&self, sync: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let (result, took_ns) = self.time(sync);
        if result.is_ok() {
            self.sync_times.observe(0, took_ns);
        }
        result
    }

    /// Times a read of the medium.
    pub(super) fn time_read<T>(&self, read: impl FnOnce() -> T) -> T {
        let (result, took_ns) = self.time(read);
        self.read_times.observe(0, took_ns);
        result
    }

    fn time<T>(&self, act: impl FnOnce() -> T) -> (T, u64) {
        let began_ns = self.clock.mono_ns();
        let result = act();
        (result, self.clock.mono_ns().saturating_sub(began_ns))
    }

    /// Counts bytes that the writer has taken.
    pub(super) fn note_taken(&self, bytes: u64) {
        self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
