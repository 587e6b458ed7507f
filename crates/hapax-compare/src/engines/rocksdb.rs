//! `RocksDB`: a log-structured merge tree in C++, which this package compiles only when asked to.

use crate::engine::keys::PAIR_BYTES;
use crate::engine::{Engine, Entry, Kind, Place, Role};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "rocksdb",
    label: "RocksDB",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "write-ahead log, not synced; bloom filter, 1 GiB of cache",
    sync: "WriteOptions::sync; its own group commit",
    only: &[],
    callers: 1,
    missing,
    open,
    serve: None,
};

#[cfg(not(hapax_rocksdb))]
fn missing() -> Option<String> {
    Some("not built: docs/comparison.md has the command".to_owned())
}

#[cfg(not(hapax_rocksdb))]
fn open(_: &Place) -> Outcome<Box<dyn Engine>> {
    Err("RocksDB was not built".into())
}

#[cfg(hapax_rocksdb)]
use built::open;

#[cfg(hapax_rocksdb)]
fn missing() -> Option<String> {
    None
}

#[cfg(hapax_rocksdb)]
mod built {
    use rocksdb::{BlockBasedOptions, Cache, DB, Options, WriteBatch, WriteOptions};

    use super::super::key_locks::KeyLocks;
    use super::{Engine, Outcome, Place};
    use crate::engine::keys::{Key, claim_record, response};
    use crate::engine::{Durability, KeyValue, Session};

    const CACHE_BYTES: usize = 1 << 30;

    struct Rocks {
        db: DB,
        writes: WriteOptions,
        locks: KeyLocks,
    }

    pub(super) fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_bloom_filter(10.0, false);
        blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        let mut writes = WriteOptions::default();
        writes.set_sync(place.durability == Durability::Sync);
        Ok(Box::new(Rocks {
            db: DB::open(&options, place.dir.join("rocksdb"))?,
            writes,
            locks: KeyLocks::new(),
        }))
    }

    impl Engine for Rocks {
        fn session(&self) -> Outcome<Box<dyn Session + '_>> {
            Ok(Box::new(Caller(self)))
        }

        fn sync(&self) -> Outcome<()> {
            Ok(self.db.flush_wal(true)?)
        }
    }

    struct Caller<'a>(&'a Rocks);

    impl KeyValue for Caller<'_> {
        fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
            let _guard = self.0.locks.lock(key);
            if self.0.db.get_pinned(key)?.is_some() {
                return Ok(false);
            }
            self.0.db.put_opt(key, record, &self.0.writes)?;
            Ok(true)
        }

        fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
            Ok(self.0.db.put_opt(key, record, &self.0.writes)?)
        }

        fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
            let record = self.0.db.get_pinned(key)?;
            if let Some(record) = &record {
                read(record);
            }
            Ok(record.is_some())
        }

        fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
            let _guards = self.0.locks.all();
            let mut batch = WriteBatch::default();
            let mut granted = 0;
            for key in keys {
                if self.0.db.get_pinned(key)?.is_none() {
                    batch.put(key, claim_record(key));
                    granted += 1;
                }
            }
            self.0.db.write_opt(batch, &self.0.writes)?;
            Ok(granted)
        }

        fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
            let mut batch = WriteBatch::default();
            for key in keys {
                batch.put(key, response(key));
            }
            Ok(self.0.db.write_opt(batch, &self.0.writes)?)
        }
    }
}
