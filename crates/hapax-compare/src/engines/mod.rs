//! The engines, each in a file of its own. A further one is a file, and a line in `ENTRIES`.

use crate::engine::Entry;
use crate::keys::{CLAIM_BYTES, KEY_BYTES, RESPONSE_BYTES};

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

/// Bytes of key and value that a peer is handed for a pair.
const PAIR_BYTES: u64 = (2 * KEY_BYTES + CLAIM_BYTES + RESPONSE_BYTES) as u64;

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
