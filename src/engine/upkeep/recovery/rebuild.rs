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
use crate::runtime::sync::{Drive, pipe};
use crate::state::last_record::LastRecord;
use crate::state::removal::Removal;
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

/// A part of the log that was read and is not in the tables yet.
struct ReadAhead {
    /// Segments and frames, which count before the records do.
    places: Vec<FoundPart>,
    records: Vec<ReadRecord>,
    removals: Vec<FoundRemoval>,
}

enum FoundPart {
    Segment(FoundSegment),
    /// A frame of the newest segment, with the bytes of its records.
    Frame(usize),
    /// An audit entry of a segment.
    Audit {
        segment: u64,
        bytes: u64,
        expires_at: u32,
    },
}

/// A record on its way into the tables.
struct ReadRecord {
    segment: u64,
    head: Head,
    digest: Digest,
    guarantee: Guarantee,
    locator: Locator,
    bytes: u64,
}

/// Records that go into the tables at once: a few for each shard, so that they wait for memory
/// together.
const BATCH_RECORDS: usize = 4096;

impl ReadAhead {
    fn new() -> Self {
        Self {
            places: Vec::new(),
            records: Vec::with_capacity(BATCH_RECORDS),
            removals: Vec::new(),
        }
    }
}

/// Reads the records of the log, and hands them on in batches.
struct LogReader<'a> {
    hasher: &'a Hasher128,
    guarantees: HashMap<NamespaceId, Guarantee>,
    batch: ReadAhead,
    orphans: Orphans,
    send: &'a mut dyn FnMut(ReadAhead),
}

impl LogReader<'_> {
    /// Hands the batch on if it is full.
    fn flush_full(&mut self, items: usize) {
        if items >= BATCH_RECORDS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        (self.send)(std::mem::replace(&mut self.batch, ReadAhead::new()));
    }
}

impl Visitor for LogReader<'_> {
    fn segment(&mut self, segment: FoundSegment) {
        self.batch.places.push(FoundPart::Segment(segment));
    }

    fn frame(&mut self, payload_bytes: usize) {
        self.batch.places.push(FoundPart::Frame(payload_bytes));
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
        let key_bytes = to_u64(record.key.len() + RECORD_OVERHEAD_MAX);
        self.batch.records.push(ReadRecord {
            segment,
            head,
            digest: self.hasher.digest(head.namespace, record.key),
            guarantee: *guarantee,
            locator,
            bytes: key_bytes.saturating_add(record.body_len),
        });
        self.flush_full(self.batch.records.len());
        Ok(())
    }

    fn removal(&mut self, removal: FoundRemoval) {
        self.batch.removals.push(removal);
        self.flush_full(self.batch.removals.len());
    }

    fn audit(&mut self, segment: u64, number: u64, facts: &Facts<'_>, bytes: usize) {
        self.orphans.meet(number, facts);
        self.batch.places.push(FoundPart::Audit {
            segment,
            bytes: to_u64(bytes),
            expires_at: facts.expires_at,
        });
        self.flush_full(self.batch.places.len());
    }
}

/// Builds the tables and the live counts.
struct TableBuilder<'a> {
    shards: &'a Shards,
    census: Census,
    records: u64,
    /// The removals that name a record. They are applied last, because their records may have been replaced.
    removals: Vec<Removal>,
}

impl TableBuilder<'_> {
    /// Applies a batch.
    fn apply(&mut self, batch: ReadAhead) {
        for place in batch.places {
            self.count_place(&place);
        }
        let replaced = self.replace(&batch.records);
        for (item, replaced) in batch.records.iter().zip(replaced) {
            self.count(item, replaced);
        }
        for removal in batch.removals {
            let (head, at) = (removal.head, removal.at);
            self.census
                .removal(removal.segment, &head, to_u64(removal.bytes));
            self.records += 1;
            let removed = removal.removed;
            self.removals
                .extend(removed.map(|removed| Removal { removed, head, at }));
        }
    }

    fn count_place(&mut self, place: &FoundPart) {
        match *place {
            FoundPart::Segment(FoundSegment {
                number,
                first_frame,
            }) => self.census.open_segment(number, first_frame),
            FoundPart::Frame(payload_bytes) => self.census.frame(payload_bytes),
            FoundPart::Audit {
                segment,
                bytes,
                expires_at,
            } => self.census.audited(segment, 1, bytes, expires_at),
        }
    }

    /// Applies the records, shard by shard; within a shard, and so for each key, in the order of the log. Returns
    /// the records that they replace.
    fn replace(&self, records: &[ReadRecord]) -> Vec<Option<LastRecord>> {
        let digests = records.iter().map(|item| item.digest);
        let order = ShardOrder::new(self.shards, digests.enumerate());
        let mut replaced = vec![None; records.len()];
        for (shard, run) in order.runs(usize::MAX) {
            let mut shard = self.shards.lock_at(shard);
            shard.touch(run.iter().map(|number| records[*number].digest));
            for &number in run {
                let item = &records[number];
                replaced[number] = shard.last_record(item.digest);
                // Every record counts, expired ones too: an expired completion covers the claim
                // before it.
                shard.apply(item.digest, &item.head, item.guarantee, item.locator);
            }
        }
        replaced
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

    fn count(&mut self, item: &ReadRecord, replaced: Option<LastRecord>) {
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

/// Reads the log into the shards.
pub(in crate::engine) fn rebuild(
    log: &dyn Log,
    manifest: &Manifest,
    marks: &Marks,
    shards: &Shards,
    hasher: &Hasher128,
    drive: Drive,
) -> Result<Rebuilt> {
    let mut builder = TableBuilder {
        shards,
        // From zero, because expiry is known only when the log has been read.
        census: Census::new(0),
        records: 0,
        removals: Vec::new(),
    };
    let guarantee_of = |entry: &NamespaceEntry| (entry.id, entry.policy.guarantee);
    let guarantees = manifest.namespaces.iter().map(guarantee_of).collect();
    let consume = |batch| builder.apply(batch);
    let (found, orphans) = pipe(drive, consume, |send| {
        let mut reader = LogReader {
            hasher,
            guarantees,
            batch: ReadAhead::new(),
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
