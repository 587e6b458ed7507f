//! [`EngineOptions`]: how a store is opened; [`Opened`]: what opening found.

use std::time::Duration;

use crate::journal::log::contract::SEGMENT_FRAMES_MAX;
use crate::runtime::sync::Drive;
use crate::value::durability::Durability;
use crate::value::limits::Limits;
use crate::value::log_kind::LogKind;

/// How far the wall clock may be past the last time that the store saw, if not said otherwise.
pub(crate) const MAX_OFFLINE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How a store is opened. `store/config/` has the options that a configuration names, each with its meaning.
#[derive(Clone, Debug)]
pub(crate) struct EngineOptions {
    pub(crate) durability: Durability,
    pub(crate) log_kind: Option<LogKind>,
    pub(crate) create: bool,
    pub(crate) wait_for_lock: Duration,
    /// `None` believes the wall clock however far it is.
    pub(crate) max_offline: Option<Duration>,
    pub(crate) write_deadline: Duration,
    pub(crate) shards: usize,
    pub(crate) read_only: bool,
    pub(crate) limits: Limits,
    /// Nothing of the log survives this process.
    pub(crate) ephemeral: bool,
    /// Whether an ephemeral store may hold at-most-once namespaces.
    pub(crate) ephemeral_at_most_once: bool,
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

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            log_kind: None,
            create: true,
            wait_for_lock: Duration::ZERO,
            max_offline: Some(MAX_OFFLINE),
            write_deadline: Duration::from_secs(30),
            shards: 256,
            read_only: false,
            limits: Limits::default(),
            ephemeral: false,
            ephemeral_at_most_once: false,
            first_counter: 0,
            segment_frames: SEGMENT_FRAMES_MAX,
            drive: Drive::Threads,
            counts: true,
            trace_keys: false,
            secrets: None,
        }
    }
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
