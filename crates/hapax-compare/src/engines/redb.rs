//! redb: a copy-on-write B-tree. Every claim and completion is a transaction.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "redb",
    label: "redb",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "Durability::None: weaker than the others, for a write stays in this process until a durable one follows",
    sync: "Durability::Immediate",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

const KEYS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("keys");

struct Redb {
    database: Database,
    durability: redb::Durability,
}

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let database = Database::create(place.dir.join("redb"))?;
    let made = database.begin_write()?;
    made.open_table(KEYS)?;
    made.commit()?;
    let durability = match place.durability {
        Durability::Interval => redb::Durability::None,
        Durability::Sync => redb::Durability::Immediate,
    };
    Ok(Box::new(Redb {
        database,
        durability,
    }))
}

impl Engine for Redb {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.database.begin_write()?.commit()?)
    }
}

struct Caller<'a>(&'a Redb);

impl Caller<'_> {
    fn write(&self) -> Outcome<WriteTransaction> {
        let mut transaction = self.0.database.begin_write()?;
        transaction.set_durability(self.0.durability)?;
        Ok(transaction)
    }
}

impl KeyValue for Caller<'_> {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let transaction = self.write()?;
        let mut table = transaction.open_table(KEYS)?;
        if table.get(key)?.is_some() {
            return Ok(false);
        }
        table.insert(key, record)?;
        drop(table);
        transaction.commit()?;
        Ok(true)
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        let transaction = self.write()?;
        transaction.open_table(KEYS)?.insert(key, record)?;
        Ok(transaction.commit()?)
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let table = self.0.database.begin_read()?.open_table(KEYS)?;
        let record = table.get(key)?;
        if let Some(record) = &record {
            read(record.value());
        }
        Ok(record.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let transaction = self.write()?;
        let mut table = transaction.open_table(KEYS)?;
        let mut granted = 0;
        for key in keys {
            if table.get(key)?.is_none() {
                table.insert(key, &claim_record(key)[..])?;
                granted += 1;
            }
        }
        drop(table);
        transaction.commit()?;
        Ok(granted)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let transaction = self.write()?;
        let mut table = transaction.open_table(KEYS)?;
        for key in keys {
            table.insert(key, &response(key)[..])?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }
}
