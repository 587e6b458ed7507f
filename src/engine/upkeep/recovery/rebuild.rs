//! The log read into the shards, record by record.

use std::collections::HashMap;

use crate::engine::audit::orphans::Orphans;
use crate::engine::shard_order::ShardOrder;
use crate::engine::shards::Shards;
use crate::engine::sizes::to_u64;
use crate::journal::census::Census;
use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::{RECORD_OVERHEAD_MAX, WireRecord};
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::recovery::{FoundLog, FoundRemoval, FoundSegment, Visitor, recover};
use crate::runtime::sync::{Drive, Mutex, pipe};
use crate::state::last_record::LastRecord;
use crate::state::removal::Removal;
use crate::state::slot::Settled;
use crate::value::digest::{Digest, Hasher128};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, RecordKind};

/// The result of reading the log.
pub(in crate::engine) struct Rebuilt {
    /// Where it ends.
    pub(in crate::engine) found: FoundLog,
    pub(in crate::engine) census: Census,
    pub(in crate::engine) records: u64,
    pub(in crate::engine) orphans: Orphans,
}

/// A record on its way into the tables. It is as large as a line of the cache, because writing it for the
/// other thread is a large part of reading it.
#[derive(Clone, Copy)]
struct ReadRecord {
    digest: Digest,
    head: Head,
    /// The frame, and in the lowest 16 bits the offset.
    at: u64,
}

const _: () = assert!(size_of::<ReadRecord>() == 64, "a record is one line");

impl ReadRecord {
    fn locator(&self) -> Locator {
        let offset = self.at & u64::from(u16::MAX);
        Locator {
            frame: self.at >> u16::BITS,
            offset: u16::try_from(offset).expect("it was masked"),
        }
    }
}

/// Records that were read and are not in the tables yet, in the order of the log.
type Batch = Vec<ReadRecord>;

/// Records that go into the tables at once: so many for each shard that they wait for memory together, and
/// so few that they stay in the cache between the two threads.
const BATCH_RECORDS: usize = 16 * 1024;

/// The guarantees of the namespaces.
#[derive(Clone)]
struct Guarantees {
    all: HashMap<NamespaceId, Guarantee>,
    /// The one that was asked for last: most records are of the same namespace as the record before.
    latest: Option<(NamespaceId, Guarantee)>,
}

impl Guarantees {
    fn of(manifest: &Manifest) -> Self {
        let guarantee_of = |entry: &NamespaceEntry| (entry.id, entry.policy.guarantee);
        Self {
            all: manifest.namespaces.iter().map(guarantee_of).collect(),
            latest: None,
        }
    }

    #[inline]
    fn get(&mut self, namespace: NamespaceId) -> Option<Guarantee> {
        match self.latest {
            Some((latest, guarantee)) if latest == namespace => Some(guarantee),
            _ => {
                let guarantee = *self.all.get(&namespace)?;
                self.latest = Some((namespace, guarantee));
                Some(guarantee)
            }
        }
    }
}

/// What is known of the log without the tables.
struct Counts {
    census: Census,
    records: u64,
    /// The removals that name a record. They are applied last, because their records may have been replaced.
    removals: Vec<Removal>,
    orphans: Orphans,
}

impl Counts {
    /// Counts records out that are no longer the newest of their keys.
    fn count_out(&mut self, records: Vec<LastRecord>) {
        for last in records {
            self.census.died(last.locator.frame, last.expires_at);
        }
    }

    /// Applies the removals, when every record has been.
    fn remove(&mut self, shards: &Shards) {
        let mut removals = std::mem::take(&mut self.removals);
        if removals.is_empty() {
            return;
        }
        removals.sort_by_key(|removal| removal.removed);
        for mut shard in shards.all() {
            self.count_out(shard.remove_at(&removals));
        }
    }
}

/// Reads the records of the log, counts them, and hands them on in batches.
struct LogReader<'a> {
    hasher: &'a Hasher128,
    guarantees: Guarantees,
    counts: Counts,
    batch: Batch,
    replaced: &'a Replaced,
    send: &'a mut dyn FnMut(Batch),
}

impl LogReader<'_> {
    fn flush(&mut self) {
        let next = Vec::with_capacity(self.batch.len());
        (self.send)(std::mem::replace(&mut self.batch, next));
        self.counts.count_out(self.replaced.take());
    }
}

#[cold]
fn unknown(namespace: NamespaceId, frame: u64) -> Error {
    let text = format!(
        "frame {frame} names namespace {}, which the manifest lacks: restore a backup, or save what is left with Store::salvage_with",
        namespace.0
    );
    Error::new(ErrorKind::Damaged, text)
}

impl Visitor for LogReader<'_> {
    fn segment(&mut self, segment: FoundSegment) {
        let FoundSegment {
            number,
            first_frame,
        } = segment;
        self.counts.census.open_segment(number, first_frame);
    }

    fn frame(&mut self, payload_bytes: usize) {
        self.counts.census.frame(payload_bytes);
    }

    #[inline]
    fn record(
        &mut self,
        segment: u64,
        head: &Head,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<()> {
        if self.guarantees.get(head.namespace).is_none() {
            return Err(unknown(head.namespace, locator.frame));
        }
        let key_bytes = to_u64(record.key.len() + RECORD_OVERHEAD_MAX);
        let bytes = key_bytes.saturating_add(record.body_len);
        self.counts.census.written(segment, head, bytes);
        if head.kind != RecordKind::Forgotten {
            self.counts.census.born(segment, head.expires_at);
        }
        self.counts.records += 1;
        let digest = self.hasher.digest(head.namespace, record.key);
        self.batch.push(ReadRecord {
            digest,
            head: *head,
            at: locator.frame << u16::BITS | u64::from(locator.offset),
        });
        if self.batch.len() >= BATCH_RECORDS {
            self.flush();
        }
        Ok(())
    }

    fn removal(&mut self, removal: FoundRemoval) {
        let (head, at) = (removal.head, removal.at);
        self.counts
            .census
            .removal(removal.segment, &head, to_u64(removal.bytes));
        self.counts.records += 1;
        let removed = removal.removed;
        self.counts
            .removals
            .extend(removed.map(|removed| Removal { removed, head, at }));
    }

    fn audit(&mut self, segment: u64, number: u64, facts: &Facts<'_>, bytes: usize) {
        self.counts.orphans.meet(number, facts);
        self.counts
            .census
            .audited(segment, 1, to_u64(bytes), facts.expires_at);
    }
}

/// Records that others have replaced in the tables, and that still count as live.
///
/// Invariant: each was counted in when it was read, before it was handed on.
#[derive(Default)]
struct Replaced(Mutex<Vec<LastRecord>>);

impl Replaced {
    fn take(&self) -> Vec<LastRecord> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Applies a batch, shard by shard; within a shard, and so for each key, in the order of the log.
fn apply(batch: &Batch, shards: &Shards, guarantees: &mut Guarantees, replaced: &Replaced) {
    let order = ShardOrder::new(shards, batch.iter().map(|item| item.digest).enumerate());
    let mut found = Vec::new();
    for (shard, run) in order.runs(usize::MAX) {
        let mut shard = shards.lock_at(shard);
        shard.touch(run.iter().map(|number| batch[*number].digest));
        for item in run.iter().map(|number| &batch[*number]) {
            let guarantee = guarantees.get(item.head.namespace);
            let guarantee = guarantee.expect("the namespace was there when the record was read");
            found.extend(shard.last_record(item.digest));
            // Every record counts, expired ones too: an expired completion covers the claim
            // before it.
            shard.apply(item.digest, &item.head, guarantee, item.locator());
        }
    }
    replaced.0.lock().append(&mut found);
}

/// Reads the log into the shards.
pub(in crate::engine) fn rebuild(
    log: &dyn Log,
    manifest: &Manifest,
    marks: &Marks,
    shards: &Shards,
    hasher: &Hasher128,
    drive: Drive,
) -> Result<Rebuilt> {
    let guarantees = Guarantees::of(manifest);
    let replaced = Replaced::default();
    let mut own = guarantees.clone();
    let consume = |batch| apply(&batch, shards, &mut own, &replaced);
    let (found, mut counts) = pipe(drive, consume, |send| {
        let mut reader = LogReader {
            hasher,
            guarantees,
            counts: Counts {
                // From zero, because expiry is known only when the log has been read.
                census: Census::new(0),
                records: 0,
                removals: Vec::new(),
                orphans: Orphans::default(),
            },
            batch: Vec::new(),
            replaced: &replaced,
            send,
        };
        let found = recover(log, marks, &mut reader)?;
        reader.flush();
        Ok::<_, Error>((found, reader.counts))
    })?;
    counts.count_out(replaced.take());
    counts.remove(shards);
    for mut shard in shards.all() {
        if shard.settled_keys(Settled::Forgotten) > 0 {
            shard.sweep(found.last);
        }
    }
    Ok(Rebuilt {
        found,
        census: counts.census,
        records: counts.records,
        orphans: counts.orphans,
    })
}
