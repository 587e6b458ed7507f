//! The table: 256 parts, each a `hashbrown::HashTable` of 24-byte slots behind its own lock.

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;
use siphasher::sip128::SipHasher24;

use super::log::Record;
use crate::engine::keys::Key;

const SHARDS: usize = 256;

/// Set in the last word of a slot while its key runs, so that it has no place in the log.
const RUNNING: u64 = u64::MAX;

/// What identifies a key: 128 bits, so that the key itself need not be kept.
pub(super) type Digest = (u64, u64);

#[derive(Clone, Copy)]
struct Slot {
    digest: Digest,
    /// Where the completion stands in the log, or `RUNNING`.
    offset: u64,
}

type Shard = CachePadded<Mutex<HashTable<Slot>>>;

/// One key of a batch.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    digest: Digest,
    index: u32,
    is_new: bool,
}

impl Probe {
    pub(super) fn new(digest: Digest, index: usize) -> Self {
        Self {
            digest,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            is_new: false,
        }
    }

    /// Its place in the batch.
    pub(super) fn index(&self) -> usize {
        self.index as usize
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }
}

pub(super) struct Table {
    shards: Box<[Shard]>,
    hasher: SipHasher24,
}

impl Table {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| CachePadded::new(Mutex::new(HashTable::new())));
        Self {
            shards: shards.collect(),
            hasher: SipHasher24::new_with_keys(0x6861_7061_7820_6973, 0x6F6E_6365_206F_6E6C),
        }
    }

    pub(super) fn digest(&self, key: &Key) -> Digest {
        let hash = self.hasher.hash(key);
        (hash.h1, hash.h2)
    }

    fn shard(&self, digest: Digest) -> &Shard {
        &self.shards[place(digest)]
    }

    /// Whether the key is new; it runs from then on.
    pub(super) fn claim(&self, digest: Digest) -> bool {
        let mut shard = self.shard(digest).lock();
        insert(&mut shard, digest)
    }

    /// Claims a batch, shard by shard: under one lock the lookups of many keys overlap in memory.
    pub(super) fn claim_all(&self, probes: &mut [Probe]) -> usize {
        probes.sort_unstable_by_key(|probe| place(probe.digest));
        let mut new = 0;
        for group in probes.chunk_by_mut(|a, b| place(a.digest) == place(b.digest)) {
            let mut shard = self.shard(group[0].digest).lock();
            shard.reserve(group.len(), |slot| slot.digest.0);
            for probe in group {
                probe.is_new = insert(&mut shard, probe.digest);
                new += usize::from(probe.is_new);
            }
        }
        new
    }

    pub(super) fn complete(&self, digest: Digest, offset: u64) {
        let mut shard = self.shard(digest).lock();
        if let Some(slot) = shard.find_mut(digest.0, |slot| slot.digest == digest) {
            slot.offset = offset;
        }
    }

    /// Where the completion of a key stands, if it is completed.
    pub(super) fn completed(&self, digest: Digest) -> Option<u64> {
        let shard = self.shard(digest).lock();
        let slot = shard.find(digest.0, |slot| slot.digest == digest)?;
        (slot.offset != RUNNING).then_some(slot.offset)
    }

    /// Takes in what the log holds, a batch at a time; `hint` is how many records there may be.
    pub(super) fn recover(&self, records: &[(Record, u64)], hint: usize) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            if shard.is_empty() {
                shard.reserve(hint / SHARDS, |slot| slot.digest.0);
            }
        }
        for (record, offset) in records {
            let digest = self.digest(record.key());
            let mut shard = self.shard(digest).lock();
            let offset = if record.is_completion() {
                *offset
            } else {
                RUNNING
            };
            match entry(&mut shard, digest) {
                Entry::Occupied(mut slot) => slot.get_mut().offset = offset,
                Entry::Vacant(vacant) => {
                    vacant.insert(Slot { digest, offset });
                }
            }
        }
    }
}

fn place(digest: Digest) -> usize {
    // The table uses the first half; the second is left for the shard.
    usize::try_from(digest.1 % SHARDS as u64).unwrap_or(0)
}

fn entry(shard: &mut HashTable<Slot>, digest: Digest) -> Entry<'_, Slot> {
    shard.entry(digest.0, |slot| slot.digest == digest, |slot| slot.digest.0)
}

fn insert(shard: &mut HashTable<Slot>, digest: Digest) -> bool {
    match entry(shard, digest) {
        Entry::Occupied(_) => false,
        Entry::Vacant(vacant) => {
            vacant.insert(Slot {
                digest,
                offset: RUNNING,
            });
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::keys::key;

    #[test]
    fn a_slot_has_24_bytes() {
        assert_eq!(size_of::<Slot>(), 24);
    }

    #[test]
    fn a_batch_is_told_what_is_new() {
        let table = Table::new();
        assert!(table.claim(table.digest(&key(3))));
        let probe = |i: u64| Probe::new(table.digest(&key(i)), usize::try_from(i).unwrap());
        let mut probes: Vec<Probe> = (0..1000).map(probe).collect();
        assert_eq!(table.claim_all(&mut probes), 999);
        assert_eq!(
            probes.iter().find(|probe| !probe.is_new()).unwrap().index(),
            3
        );
        assert_eq!(table.claim_all(&mut probes), 0);
    }
}
