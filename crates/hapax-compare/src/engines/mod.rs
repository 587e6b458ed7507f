//! The engines, each in its own file. To add one, add a file and a line in `ENTRIES`.

use crate::engine::Entry;

mod file;
mod fjall;
mod group_commit;
mod hapax;
mod idempotent;
mod key_locks;
mod lmdb;
mod postgres;
mod redb;
mod redis;
mod rocksdb;
mod sled;
mod sqlite;

/// All of them, in the order of the table.
pub static ENTRIES: &[Entry] = &[
    hapax::AT_LEAST_ONCE,
    hapax::FILES,
    hapax::AT_MOST_ONCE,
    file::TWO_RECORDS,
    file::ONE_RECORD,
    fjall::ENTRY,
    rocksdb::ENTRY,
    sled::ENTRY,
    lmdb::ENTRY,
    redb::ENTRY,
    sqlite::ENTRY,
    idempotent::ENTRY,
    redis::ENTRY,
    postgres::ENTRY,
];

/// The engine of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}
