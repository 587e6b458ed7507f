//! fjall 3: a log-structured merge tree. A claim reads and inserts under a lock of ours.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::group_commit::GroupCommit;
use super::key_locks::KeyLocks;
use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "fjall",
    label: "fjall",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "its default: each write goes to the system, nothing is synced",
    sync: "PersistMode::SyncData, one for all callers that wait",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

struct Fjall {
    database: Database,
    keys: Keyspace,
    locks: KeyLocks,
    commit: GroupCommit,
    waits: bool,
}

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let database = Database::builder(place.dir.join("fjall")).open()?;
    let keys = database.keyspace("keys", KeyspaceCreateOptions::default)?;
    Ok(Box::new(Fjall {
        database,
        keys,
        locks: KeyLocks::new(),
        commit: GroupCommit::default(),
        waits: place.durability == Durability::Sync,
    }))
}

impl Fjall {
    fn wait(&self) -> Outcome<()> {
        if self.waits { self.sync() } else { Ok(()) }
    }
}

impl Engine for Fjall {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        self.commit
            .wait(|| Ok(self.database.persist(PersistMode::SyncData)?))
    }
}

struct Caller<'a>(&'a Fjall);

impl KeyValue for Caller<'_> {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let guard = self.0.locks.lock(key);
        if self.0.keys.get(key)?.is_some() {
            return Ok(false);
        }
        self.0.keys.insert(key, record)?;
        drop(guard);
        self.0.wait()?;
        Ok(true)
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        self.0.keys.insert(key, record)?;
        self.0.wait()
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let record = self.0.keys.get(key)?;
        if let Some(record) = &record {
            read(record);
        }
        Ok(record.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let guards = self.0.locks.all();
        let mut batch = self.0.database.batch();
        let mut granted = 0;
        for key in keys {
            if self.0.keys.get(key)?.is_none() {
                batch.insert(&self.0.keys, *key, claim_record(key));
                granted += 1;
            }
        }
        batch.commit()?;
        drop(guards);
        self.0.wait()?;
        Ok(granted)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let mut batch = self.0.database.batch();
        for key in keys {
            batch.insert(&self.0.keys, *key, response(key));
        }
        batch.commit()?;
        self.0.wait()
    }
}
