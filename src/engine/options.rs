//! [`EngineOptions`]: how a store is opened; [`Opened`]: what opening found.

use std::time::Duration;

use crate::runtime::sync::Drive;
use crate::value::durability::Durability;
use crate::value::limits::Limits;

/// How a store is opened.
#[derive(Debug)]
pub(crate) struct EngineOptions {
    pub(crate) durability: Durability,
    pub(crate) limits: Limits,
    pub(crate) shards: usize,
    pub(crate) max_offline: Option<Duration>,
    /// Nothing of the log survives this process.
    pub(crate) ephemeral: bool,
    /// Whether an ephemeral store may hold at-most-once namespaces.
    pub(crate) ephemeral_at_most_once: bool,
    /// How long one write may take before the store gives up.
    pub(crate) write_deadline: Duration,
    /// The first counter of this run's tokens; not zero only in tests of the counter's end.
    pub(crate) first_counter: u64,
    /// Frames after which a segment is full; fewer only in tests, which cannot write so many.
    pub(crate) segment_frames: u32,
    pub(crate) drive: Drive,
    /// Whether calls are counted and timed; only a bench switches it off.
    pub(crate) counts: bool,
    /// Whether traces show keys, and not only their digests.
    pub(crate) trace_keys: bool,
    /// The source of secrets in a simulation; `None` for the operating system.
    pub(crate) secrets: Option<u64>,
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

impl Opened {
    pub(in crate::engine) fn between(began_ms: u64, ended_ms: u64) -> Self {
        Self {
            recovery: Duration::from_millis(ended_ms.saturating_sub(began_ms)),
            at_ms: ended_ms,
            ..Self::default()
        }
    }

    /// Tells the trace that the store is open.
    pub(in crate::engine) fn tell(&self, epoch: u32) {
        crate::observe::trace::recovered(
            self.recovered_records,
            self.torn_frames,
            epoch,
            self.recovery,
        );
    }
}
