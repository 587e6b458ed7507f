//! LMDB, through heed: a copy-on-write B-tree in a memory map. One writer at a time.

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "lmdb",
    label: "LMDB (heed)",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "NOSYNC: each write goes to the system; a power cut may damage the file",
    sync: "its default, synced at each commit",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

/// Address space, not disk.
const MAP_BYTES: usize = 64 << 30;

struct Lmdb {
    env: Env,
    keys: Database<Bytes, Bytes>,
}

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let dir = place.dir.join("lmdb");
    std::fs::create_dir_all(&dir)?;
    let env = open_env(&dir, place.durability)?;
    let mut transaction = env.write_txn()?;
    let keys = env.create_database(&mut transaction, None)?;
    transaction.commit()?;
    Ok(Box::new(Lmdb { env, keys }))
}

#[expect(
    unsafe_code,
    reason = "the file is in a new directory, so nothing else changes it under the map"
)]
fn open_env(dir: &std::path::Path, durability: Durability) -> Outcome<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES).max_readers(256);
    if durability == Durability::Interval {
        // SAFETY: without syncs a power cut can damage the file, but the file is never opened after
        // one.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
    }
    // SAFETY: the directory belongs to this run alone.
    Ok(unsafe { options.open(dir)? })
}

impl Engine for Lmdb {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.env.force_sync()?)
    }
}

struct Caller<'a>(&'a Lmdb);

impl KeyValue for Caller<'_> {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let mut transaction = self.0.env.write_txn()?;
        if self
            .0
            .keys
            .get_or_put(&mut transaction, key, record)?
            .is_some()
        {
            return Ok(false);
        }
        transaction.commit()?;
        Ok(true)
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        let mut transaction = self.0.env.write_txn()?;
        self.0.keys.put(&mut transaction, key, record)?;
        Ok(transaction.commit()?)
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let transaction = self.0.env.read_txn()?;
        let record = self.0.keys.get(&transaction, key)?;
        if let Some(record) = record {
            read(record);
        }
        Ok(record.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut transaction = self.0.env.write_txn()?;
        let mut granted = 0;
        for key in keys {
            let record = claim_record(key);
            let there = self.0.keys.get_or_put(&mut transaction, key, &record)?;
            granted += usize::from(there.is_none());
        }
        transaction.commit()?;
        Ok(granted)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let mut transaction = self.0.env.write_txn()?;
        for key in keys {
            self.0.keys.put(&mut transaction, key, &response(key))?;
        }
        Ok(transaction.commit()?)
    }
}
