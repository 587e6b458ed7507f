//! Opening: manifest, marks, the chain of frames, and the same `apply` as in live traffic.

use std::sync::Arc;

use crate::engine::audit::archive::resume;
use crate::engine::audit::archive_sizes::ArchiveSizes;
use crate::engine::audit::orphans::Orphans;
use crate::engine::call::line::Line;
use crate::engine::cold_reads::ColdReads;
use crate::engine::engine::Engine;
use crate::engine::intervene::doubted_guards::DoubtedGuards;
use crate::engine::lifecycle::{Access, Lifecycle};
use crate::engine::metrics::meters::Meters;
use crate::engine::namespaces::Namespaces;
use crate::engine::options::{EngineOptions, Opened};
use crate::engine::shards::Shards;
use crate::engine::time::Time;
use crate::engine::tokens::{Tokens, next_epoch};
use crate::engine::upkeep::alarm::Alarm;
use crate::engine::upkeep::compaction::state::Compaction;
use crate::engine::upkeep::numbering::Numbers;
use crate::engine::upkeep::recovery::identity::{Secrets, load_manifest, load_marks};
use crate::engine::upkeep::recovery::rebuild::rebuild;
use crate::engine::upkeep::room::Room;
use crate::engine::upkeep::sweep::Sweep;
use crate::engine::upkeep::workers::Workers;
use crate::journal::census::Census;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::recovery::FoundLog;
use crate::journal::tail::Tail;
use crate::journal::{Journal, JournalStart, WriterStart};
use crate::runtime::clock::Clock;
use crate::runtime::store_time::StoreTime;
use crate::runtime::sync::{Drive, Mutex, contain};
use crate::value::audit::AuditHead;
use crate::value::digest::Hasher128;
use crate::value::doing::Doing;
use crate::value::error::Result;

/// Free bytes under which the reserve is given up for the sake of recovery.
const RECOVERY_BYTES: u64 = 64 * 1024 * 1024;

/// A store that was read, and has not begun to run.
struct Past {
    manifest: Manifest,
    marks: Marks,
    /// The slot of the marks to write next.
    slot: usize,
    hasher: Hasher128,
    shards: Shards,
    found: FoundLog,
    records: u64,
    orphans: Orphans,
    /// The moment at which the log was read.
    read_ms: u64,
    time: StoreTime,
    audit: AuditHead,
    access: Access,
    tail: Tail,
}

impl Past {
    fn read(log: &dyn Log, clock: &Clock, options: &EngineOptions, began_ms: u64) -> Result<Self> {
        let mut secrets = Secrets::new(options.secrets);
        free_reserve_on_full_disk(log)?;
        let manifest = load_manifest(log, clock.wall_ms() / 1000, &mut secrets)?;
        let (marks, slot) = load_marks(log, &manifest)?;
        let hasher = Hasher128::new(secrets.draw()?);
        let shards = Shards::new(options.shards, began_ms, options.counts);
        let rebuilt = rebuild(log, &manifest, &marks, &shards, &hasher, options.drive)?;
        let (found, mut census, read_ms) = (rebuilt.found, rebuilt.census, clock.mono_ms());
        let mark_ms = marks.store_ms.max(u64::from(found.store_secs) * 1000);
        let time = start_time(mark_ms, clock, read_ms, options, &mut census)?;
        let last_segment = trim(log, &found, &marks, &mut census)?;
        let audit = resume(log, &marks, found.audit)?;
        let access = match Numbers::reached(&found, last_segment, &audit).spent() {
            _ if log.is_read_only() => Access::ReadOnly,
            Some(spent) => Access::Spent(spent),
            None => Access::Full,
        };
        let frames = options.segment_frames;
        let tail = Tail::new(found.last, last_segment, frames, audit, census);
        let (records, orphans) = (rebuilt.records, rebuilt.orphans);
        Ok(Self {
            manifest,
            marks,
            slot,
            hasher,
            shards,
            found,
            records,
            orphans,
            read_ms,
            time,
            audit,
            access,
            tail,
        })
    }

    fn opened(&self, began_ms: u64) -> Opened {
        Opened {
            recovered_records: self.records,
            torn_frames: self.found.torn_frames,
            audited: self.audit.number,
            ..Opened::between(began_ms, self.read_ms)
        }
    }
}

impl Engine {
    /// Opens the store that lies in a log, or makes one in an empty log.
    pub(crate) fn open(
        log: Arc<dyn Log>,
        clock: Clock,
        options: EngineOptions,
    ) -> Result<Arc<Self>> {
        let began_ms = clock.mono_ms();
        let past = Past::read(&*log, &clock, &options, began_ms)?;
        let opened = past.opened(began_ms);
        let read_only = !matches!(past.access, Access::Full);
        let options = driven(options, read_only);
        let archive_sizes = ArchiveSizes::measure(&*log)?;
        let start = (past.marks, past.slot, past.time.store_ms());
        let journal = journal(log, start, &past.found, past.tail, &options, &clock);
        let epoch = take_first_epoch(&journal, &past.found, read_only)?;
        let engine = Self {
            journal,
            seeded: Hasher128::new(past.manifest.seed),
            lifecycle: Lifecycle::new(past.access, past.manifest.salvaged),
            namespaces: Mutex::new(Namespaces::new(past.manifest)),
            tokens: Tokens::new(epoch, options.first_counter),
            options,
            shards: past.shards,
            time: Time::new(clock, past.time),
            hasher: past.hasher,
            opened,
            meters: Meters::new(),
            archive_sizes,
            doubted_guards: DoubtedGuards::default(),
            line: Line::default(),
            alarm: Alarm::default(),
            sweep: Sweep::default(),
            compaction: Compaction::default(),
            reads: ColdReads::default(),
            room: Room::default(),
            workers: Workers::default(),
        };
        engine.audit_orphans(past.orphans);
        contain(|| engine.opened.tell(epoch));
        Ok(Arc::new(engine))
    }
}

/// Starts store time, and counts as dead the records that have expired both by the store time of an earlier
/// run and by the wall clock. These go at once, even in a run of a few seconds. Records that only the wall
/// clock counts as expired have to wait, because it may be wrong at open.
fn start_time(
    mark_ms: u64,
    clock: &Clock,
    mono_ms: u64,
    options: &EngineOptions,
    census: &mut Census,
) -> Result<StoreTime> {
    let wall_ms = clock.wall_ms();
    let time = StoreTime::start(mark_ms, wall_ms, mono_ms, options.max_offline)?;
    let passed_secs = mark_ms.min(wall_ms) / 1000;
    census.advance(u32::try_from(passed_secs).unwrap_or(u32::MAX));
    Ok(time)
}

fn driven(options: EngineOptions, read_only: bool) -> EngineOptions {
    // Without a thread that writes, a caller that waits for the log does the work itself, and here no caller
    // waits.
    let drive = if read_only {
        Drive::Clock
    } else {
        options.drive
    };
    EngineOptions { drive, ..options }
}

fn journal(
    log: Arc<dyn Log>,
    (marks, marks_slot, store_ms): (Marks, usize, u64),
    found: &FoundLog,
    tail: Tail,
    options: &EngineOptions,
    clock: &Clock,
) -> Journal {
    Journal::new(JournalStart {
        log,
        writer: WriterStart {
            marks,
            marks_slot,
            last: found.last,
            checksum: found.checksum,
        },
        tail,
        durability: options.durability,
        unwritten_limit: options.limits.unwritten_bytes,
        write_deadline: options.write_deadline,
        drive: options.drive,
        clock: clock.clone(),
        store_ms,
    })
}

/// The epoch of this run, durable on return and above every earlier one. A run that only reads grants
/// nothing, and takes no epoch.
fn take_first_epoch(journal: &Journal, found: &FoundLog, read_only: bool) -> Result<u32> {
    if read_only {
        return Ok(found.epoch);
    }
    let epoch = next_epoch(found.epoch, 1)?;
    journal.raise_epoch(epoch)?;
    Ok(epoch)
}

fn free_reserve_on_full_disk(log: &dyn Log) -> Result<()> {
    let free = log
        .free_bytes()
        .while_doing("looking at the free disk space")?;
    if free.is_some_and(|bytes| bytes < RECOVERY_BYTES) && !log.is_read_only() {
        log.hold_reserve(0)
            .while_doing("giving up the disk reserve")?;
    }
    Ok(())
}

/// Discards an empty newest segment; gives the number of the newest one that stays.
fn trim(log: &dyn Log, found: &FoundLog, marks: &Marks, census: &mut Census) -> Result<u64> {
    let Some(newest) = found.segments.last() else {
        return Ok(marks.low.segment - 1);
    };
    if newest.first_frame <= found.last {
        return Ok(newest.number);
    }
    log.remove(newest.number)
        .while_doing("discarding an empty segment")?;
    census.discard_newest();
    Ok(newest.number - 1)
}
