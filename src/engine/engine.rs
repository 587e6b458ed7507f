//! [`Engine`]: a store, without its public handle.

use crate::engine::audit::archive_sizes::ArchiveSizes;
use crate::engine::call::line::Line;
use crate::engine::cold_reads::ColdReads;
use crate::engine::intervene::doubted_guards::DoubtedGuards;
use crate::engine::lifecycle::Lifecycle;
use crate::engine::metrics::meters::Meters;
use crate::engine::namespaces::Namespaces;
use crate::engine::options::{EngineOptions, Opened};
use crate::engine::shards::Shards;
use crate::engine::time::Time;
use crate::engine::tokens::Tokens;
use crate::engine::upkeep::alarm::Alarm;
use crate::engine::upkeep::compaction::state::Compaction;
use crate::engine::upkeep::room::Room;
use crate::engine::upkeep::sweep::Sweep;
use crate::engine::upkeep::workers::Workers;
use crate::journal::Journal;
use crate::runtime::sync::Mutex;
use crate::value::digest::Hasher128;
use crate::value::time::Now;

/// A store, without its public handle.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) journal: Journal,
    pub(crate) namespaces: Mutex<Namespaces>,
    pub(crate) options: EngineOptions,
    pub(in crate::engine) lifecycle: Lifecycle,
    pub(in crate::engine) time: Time,
    pub(in crate::engine) shards: Shards,
    /// Draws digests of keys; its seed is of this process only.
    pub(in crate::engine) hasher: Hasher128,
    /// Draws fingerprints and derived keys; its seed lies in the manifest.
    pub(crate) seeded: Hasher128,
    pub(in crate::engine) tokens: Tokens,
    pub(in crate::engine) line: Line,
    pub(in crate::engine) doubted_guards: DoubtedGuards,
    pub(in crate::engine) alarm: Alarm,
    pub(in crate::engine) sweep: Sweep,
    pub(crate) compaction: Compaction,
    pub(in crate::engine) reads: ColdReads,
    pub(in crate::engine) room: Room,
    pub(in crate::engine) workers: Workers,
    pub(in crate::engine) opened: Opened,
    pub(in crate::engine) meters: Meters,
    pub(in crate::engine) archive_sizes: ArchiveSizes,
}

impl Engine {
    pub(crate) fn now(&self) -> Now {
        self.time.now()
    }
}
