//! Opening: manifest, marks, the chain of frames, and the same `apply` as in live traffic.

pub(crate) mod identity;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::engine::audit;
use crate::engine::audit::Orphans;
use crate::engine::intervene::doubted_guards::Outlived;
use crate::engine::metrics::Meters;
use crate::engine::namespaces::Namespaces;
use crate::engine::shards::Shards;
use crate::engine::upkeep::compaction::Janitor;
use crate::engine::upkeep::numbering::Numbers;
use crate::engine::upkeep::recovery::identity::{Secrets, load_manifest, load_marks};
use crate::engine::upkeep::room::Room;
use crate::engine::upkeep::workers::Workers;
use crate::engine::{Engine, EngineOptions, Opened, next_epoch};
use crate::journal::census::Census;
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::{RECORD_OVERHEAD_MAX, WireRecord};
use crate::journal::format::manifest::Manifest;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::recovery::{Found, FoundSegment, Visitor, recover};
use crate::journal::tail::Tail;
use crate::journal::{Journal, JournalStart, WriterStart};
use crate::runtime::clock::Clock;
use crate::runtime::process::Process;
use crate::runtime::store_time::StoreTime;
use crate::runtime::sync::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Drive, Mutex, Signal, contain, pipe,
};
use crate::state::last_record::LastRecord;
use crate::state::shard::Removal;
use crate::value::digest::{Digest, Hasher128};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, RecordKind};

/// Free bytes under which the reserve is given up for the sake of recovery.
const RECOVERY_BYTES: u64 = 64 * 1024 * 1024;

impl Engine {
    /// Opens the store that lies in a log, or makes one in an empty log.
    pub(crate) fn open(
        log: Arc<dyn Log>,
        clock: Clock,
        options: EngineOptions,
    ) -> Result<Arc<Self>> {
        let began_ms = clock.mono_ms();
        let mut secrets = Secrets::new(options.secrets);
        free_reserve_on_full_disk(&*log)?;
        let manifest = load_manifest(&*log, clock.wall_ms() / 1000, &mut secrets)?;
        let (marks, slot) = load_marks(&*log, &manifest)?;
        let hasher = Hasher128::new(secrets.draw()?);
        let shards = Shards::new(options.shards, began_ms, options.counts);
        let rebuilt = rebuild(&*log, &manifest, &marks, &shards, &hasher, options.drive)?;
        let (found, mut census, mono_ms) = (rebuilt.found, rebuilt.census, clock.mono_ms());
        let mark_ms = marks.store_ms.max(u64::from(found.store_secs) * 1000);
        let time = start_time(mark_ms, &clock, mono_ms, &options, &mut census)?;
        let last_segment = trim(&*log, &found, &marks, &mut census)?;
        let audit = audit::resume(&*log, &marks, found.audit)?;
        let numbers = Numbers::reached(&found, last_segment, &audit);
        let spent = numbers.spent().filter(|_| !log.is_read_only());
        let read_only = log.is_read_only() || spent.is_some();
        let options = driven(options, read_only);
        let archive_sizes = audit::ArchiveSizes::measure(&*log)?;
        let frames = options.segment_frames;
        let tail = Tail::new(found.last, last_segment, frames, audit, census);
        let start = (marks, slot, time.store_ms());
        let journal = journal(log, start, &found, tail, &options, &clock);
        let epoch = take_first_epoch(&journal, &found, read_only)?;
        let opened = Opened {
            recovered_records: rebuilt.records,
            torn_frames: found.torn_frames,
            audited: audit.number,
            ..Opened::between(began_ms, mono_ms)
        };
        let next_token = FencingToken::new(epoch, options.first_counter);
        let engine = Self {
            journal,
            seeded: Hasher128::new(manifest.seed),
            namespaces: Mutex::new(Namespaces::new(manifest.clone())),
            next_token: CachePadded::new(AtomicU64::new(next_token.as_u64())),
            durable_epoch: AtomicU32::new(epoch),
            options,
            read_only,
            spent,
            shards,
            clock,
            hasher,
            store_secs: AtomicU32::new(time.store_secs()),
            store_time: Mutex::new(time),
            opened,
            meters: Meters::new(),
            archive_sizes,
            outlived: Outlived::default(),
            waiters: AtomicUsize::new(0),
            places: AtomicU64::new(0),
            next_timer_ms: AtomicU64::new(0),
            timer: Signal::default(),
            janitor: Mutex::new(Janitor::default()),
            copies: Mutex::new(HashSet::new()),
            segments_dropped: AtomicU64::new(0),
            records_carried: AtomicU64::new(0),
            reads: Mutex::new(Vec::new()),
            pins: AtomicUsize::new(0),
            room: Room::default(),
            salvaged: AtomicBool::new(manifest.salvaged),
            process: Process::this(),
            closed: AtomicBool::new(false),
            workers: Mutex::new(Workers::default()),
            running_workers: AtomicUsize::new(0),
            ended: Signal::default(),
        };
        engine.audit_orphans(rebuilt.orphans);
        contain(|| engine.opened.tell(epoch));
        Ok(Arc::new(engine))
    }
}

impl Opened {
    fn between(began_ms: u64, ended_ms: u64) -> Self {
        Self {
            recovery: Duration::from_millis(ended_ms.saturating_sub(began_ms)),
            at_ms: ended_ms,
            ..Self::default()
        }
    }

    /// Tells whoever traces the store that it is open.
    fn tell(&self, epoch: u32) {
        crate::observe::trace::recovered(
            self.recovered_records,
            self.torn_frames,
            epoch,
            self.recovery,
        );
    }
}

/// Starts store time, and counts as dead what has expired for sure: an earlier run wrote that time
/// down, and the clock on the wall says so too. It goes at once, in a run of a few seconds too; what
/// only the clock on the wall says has to wait, as that may be wrong at open.
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
    // Without a writer of its own, whoever waits for the log does its work: there is none.
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
    found: &Found,
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

/// The epoch of this run, durable on return: above every one before it. A run that only reads
/// grants nothing, and takes none.
fn take_first_epoch(journal: &Journal, found: &Found, read_only: bool) -> Result<u32> {
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
        .map_err(|error| Error::io("looking at the free disk space", error))?;
    if free.is_some_and(|bytes| bytes < RECOVERY_BYTES) && !log.is_read_only() {
        log.hold_reserve(0)
            .map_err(|error| Error::io("giving up the disk reserve", error))?;
    }
    Ok(())
}

/// What reading the log came to.
struct Rebuilt {
    /// Where it ends.
    found: Found,
    census: Census,
    records: u64,
    orphans: Orphans,
}

/// Reads the log into the shards.
fn rebuild(
    log: &dyn Log,
    manifest: &Manifest,
    marks: &Marks,
    shards: &Shards,
    hasher: &Hasher128,
    drive: Drive,
) -> Result<Rebuilt> {
    let mut builder = Builder {
        shards,
        // From zero: what counts as expired is known only when the log has been read.
        census: Census::new(0),
        records: 0,
        removals: Vec::new(),
    };
    let guarantees = manifest.namespaces.iter();
    let guarantees = guarantees
        .map(|entry| (entry.id, entry.policy.guarantee))
        .collect();
    let consume = |batch| builder.apply(batch);
    let (found, orphans) = pipe(drive, consume, |send| {
        let mut reader = Reader {
            hasher,
            guarantees,
            batch: Batch::new(),
            orphans: Orphans::default(),
            send,
        };
        let found = recover(log, marks, &mut reader)?;
        reader.flush();
        Ok::<_, Error>((found, reader.orphans))
    })?;
    builder.remove();
    for mut shard in shards.all() {
        shard.sweep(found.last);
    }
    Ok(Rebuilt {
        found,
        census: builder.census,
        records: builder.records,
        orphans,
    })
}

/// Discards an empty newest segment; gives the number of the newest one that stays.
fn trim(log: &dyn Log, found: &Found, marks: &Marks, census: &mut Census) -> Result<u64> {
    let Some(newest) = found.segments.last() else {
        return Ok(marks.low.segment - 1);
    };
    if newest.first_frame <= found.last {
        return Ok(newest.number);
    }
    log.remove(newest.number)
        .map_err(|error| Error::io("discarding an empty segment", error))?;
    census.discard_newest();
    Ok(newest.number - 1)
}

/// What was read of the log and is not in the tables yet.
struct Batch {
    /// Segments and frames, which count before the records do.
    places: Vec<Met>,
    records: Vec<Pending>,
    removals: Vec<PendingRemoval>,
}

enum Met {
    Segment(FoundSegment),
    /// A frame of the newest segment, with the bytes of its records.
    Frame(usize),
    /// Audit entries of a segment.
    Audits {
        segment: u64,
        entries: u64,
        bytes: u64,
        expires_at: u32,
    },
}

/// A record on its way into the tables.
struct Pending {
    segment: u64,
    head: Head,
    digest: Digest,
    guarantee: Guarantee,
    locator: Locator,
    bytes: u64,
}

/// A removal on its way into the tables.
struct PendingRemoval {
    segment: u64,
    head: Head,
    removed: Option<Locator>,
    at: Locator,
    bytes: u64,
}

/// Records that go into the tables at once: a few for each shard, so that they wait for memory
/// together.
const BATCH_RECORDS: usize = 4096;

impl Batch {
    fn new() -> Self {
        Self {
            places: Vec::new(),
            records: Vec::with_capacity(BATCH_RECORDS),
            removals: Vec::new(),
        }
    }
}

/// Reads the records of the log, and hands them on in batches.
struct Reader<'a> {
    hasher: &'a Hasher128,
    guarantees: HashMap<NamespaceId, Guarantee>,
    batch: Batch,
    orphans: Orphans,
    send: &'a mut dyn FnMut(Batch),
}

impl Reader<'_> {
    fn flush(&mut self) {
        (self.send)(std::mem::replace(&mut self.batch, Batch::new()));
    }
}

impl Visitor for Reader<'_> {
    fn segment(&mut self, segment: FoundSegment) {
        self.batch.places.push(Met::Segment(segment));
    }

    fn frame(&mut self, payload_bytes: usize) {
        self.batch.places.push(Met::Frame(payload_bytes));
    }

    fn record(
        &mut self,
        segment: u64,
        head: Head,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<()> {
        let Some(guarantee) = self.guarantees.get(&head.namespace) else {
            let text = format!(
                "frame {} names namespace {}, which the manifest lacks: restore a backup, or save what is left with Store::salvage_with",
                locator.frame, head.namespace.0
            );
            return Err(Error::new(ErrorKind::Damaged, text));
        };
        let key_bytes = crate::engine::to_u64(record.key.len() + RECORD_OVERHEAD_MAX);
        self.batch.records.push(Pending {
            segment,
            head,
            digest: self.hasher.digest(head.namespace, record.key),
            guarantee: *guarantee,
            locator,
            bytes: key_bytes.saturating_add(record.body_len),
        });
        if self.batch.records.len() == BATCH_RECORDS {
            self.flush();
        }
        Ok(())
    }

    fn removal(
        &mut self,
        segment: u64,
        head: Head,
        removed: Option<Locator>,
        at: Locator,
        bytes: usize,
    ) {
        self.batch.removals.push(PendingRemoval {
            segment,
            head,
            removed,
            at,
            bytes: crate::engine::to_u64(bytes),
        });
        if self.batch.removals.len() == BATCH_RECORDS {
            self.flush();
        }
    }

    fn audit(&mut self, segment: u64, number: u64, facts: &Facts<'_>, bytes: usize) {
        self.orphans.meet(number, facts);
        self.batch.places.push(Met::Audits {
            segment,
            entries: 1,
            bytes: crate::engine::to_u64(bytes),
            expires_at: facts.expires_at,
        });
        if self.batch.places.len() >= BATCH_RECORDS {
            self.flush();
        }
    }
}

/// Builds the tables and the live counts.
struct Builder<'a> {
    shards: &'a Shards,
    census: Census,
    records: u64,
    /// Those that name a record. They are applied last: what they name may have been replaced.
    removals: Vec<Removal>,
}

impl Builder<'_> {
    /// Applies what was read, shard by shard; within a shard, and so for each key, in log order.
    fn apply(&mut self, batch: Batch) {
        for place in batch.places {
            match place {
                Met::Segment(segment) => self
                    .census
                    .open_segment(segment.number, segment.first_frame),
                Met::Frame(payload_bytes) => self.census.frame(payload_bytes),
                Met::Audits {
                    segment,
                    entries,
                    bytes,
                    expires_at,
                } => self.census.audited(segment, entries, bytes, expires_at),
            }
        }
        let records = &batch.records;
        let order = self.shards.in_order(records.iter().map(|item| item.digest));
        let mut replaced = vec![None; records.len()];
        let shard_of = |number: &usize| self.shards.index(records[*number].digest);
        for run in order.chunk_by(|a, b| shard_of(a) == shard_of(b)) {
            let mut shard = self.shards.lock_at(shard_of(&run[0]));
            shard.touch(run.iter().map(|number| records[*number].digest));
            for &number in run {
                let item = &records[number];
                replaced[number] = shard.last_record(item.digest);
                // Every record counts, expired ones too: an expired completion covers the claim
                // before it.
                shard.apply(item.digest, &item.head, item.guarantee, item.locator);
            }
        }
        for (item, replaced) in records.iter().zip(replaced) {
            self.count(item, replaced);
        }
        for removal in batch.removals {
            self.census
                .removal(removal.segment, &removal.head, removal.bytes);
            self.records += 1;
            self.removals.extend(removal.removed.map(|removed| Removal {
                removed,
                head: removal.head,
                at: removal.at,
            }));
        }
    }

    /// Applies the removals, when every record has been.
    fn remove(&mut self) {
        if self.removals.is_empty() {
            return;
        }
        self.removals.sort_by_key(|removal| removal.removed);
        for mut shard in self.shards.all() {
            for last in shard.remove_at(&self.removals) {
                self.census.died(last.locator.frame, last.expires_at);
            }
        }
    }

    fn count(&mut self, item: &Pending, replaced: Option<LastRecord>) {
        self.census.written(item.segment, &item.head, item.bytes);
        if let Some(last) = replaced {
            self.census.died(last.locator.frame, last.expires_at);
        }
        if item.head.kind != RecordKind::Forgotten {
            self.census.born(item.segment, item.head.expires_at);
        }
        self.records += 1;
    }
}
