//! `SQLite`, compiled in: one table without rowids, a write-ahead log, prepared statements.
//!
//! All callers share one connection behind a lock: it allows one writer at a time anyway, and its
//! own way of waiting for that is to sleep and try again.

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "sqlite",
    label: "SQLite",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "WAL, synchronous = NORMAL",
    sync: "WAL, synchronous = FULL",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

const INSERT: &str = "INSERT INTO keys (key, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const REPLACE: &str = "UPDATE keys SET record = ?2 WHERE key = ?1";
const READ: &str = "SELECT record FROM keys WHERE key = ?1";

struct Sqlite(Mutex<Connection>);

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let connection = Connection::open(place.dir.join("sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match place.durability {
        Durability::Interval => "NORMAL",
        Durability::Sync => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
    )?;
    Ok(Box::new(Sqlite(Mutex::new(connection))))
}

impl Engine for Sqlite {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        let connection = self.0.lock();
        connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?;
        Ok(())
    }
}

struct Caller<'a>(&'a Sqlite);

impl KeyValue for Caller<'_> {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let connection = self.0.0.lock();
        let inserted = connection.prepare_cached(INSERT)?.execute((key, record))?;
        Ok(inserted == 1)
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        let connection = self.0.0.lock();
        connection.prepare_cached(REPLACE)?.execute((key, record))?;
        Ok(())
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let connection = self.0.0.lock();
        let mut statement = connection.prepare_cached(READ)?;
        let found = statement
            .query_row([key], |row| {
                read(row.get_ref(0)?.as_blob()?);
                Ok(())
            })
            .optional()?;
        Ok(found.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut connection = self.0.0.lock();
        let transaction = connection.transaction()?;
        let mut granted = 0;
        let mut statement = transaction.prepare_cached(INSERT)?;
        for key in keys {
            granted += statement.execute((key, &claim_record(key)[..]))?;
        }
        drop(statement);
        transaction.commit()?;
        Ok(granted)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let mut connection = self.0.0.lock();
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(REPLACE)?;
        for key in keys {
            statement.execute((key, &response(key)[..]))?;
        }
        drop(statement);
        Ok(transaction.commit()?)
    }
}
