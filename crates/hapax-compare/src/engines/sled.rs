//! sled 0.34.7, one record per key: the design that hapax does not have.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use sled::{Batch, Config, Db};

use super::group_commit::GroupCommit;
use super::key_locks::KeyLocks;
use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session, present};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "sled",
    label: "sled, one record a key",
    role: Role::Peer,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "its flusher, every second",
    sync: "flush and fdatasync (its flush alone does not reach the medium), one for all callers that wait",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

/// How long a lock is waited for.
const LOCKED_MAX: Duration = Duration::from_secs(5);

struct Sled {
    db: Db,
    /// To sync what `flush` has only written.
    file: File,
    locks: KeyLocks,
    commit: GroupCommit,
    waits: bool,
}

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let path = place.dir.join("sled");
    let waits = place.durability == Durability::Sync;
    Ok(Box::new(Sled {
        db: open_db(&path, waits)?,
        file: File::open(path.join("db"))?,
        locks: KeyLocks::new(),
        commit: GroupCommit::default(),
        waits,
    }))
}

/// A sled that was dropped holds its lock for a moment longer, so this one is asked for again.
fn open_db(path: &Path, waits: bool) -> Outcome<Db> {
    let flusher = if waits { None } else { Some(1000) };
    let watch = Stopwatch::start();
    loop {
        match Config::new().path(path).flush_every_ms(flusher).open() {
            Err(sled::Error::Io(error))
                if error.kind() == ErrorKind::WouldBlock && watch.elapsed() < LOCKED_MAX =>
            {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            opened => return Ok(opened?),
        }
    }
}

impl Sled {
    fn wait(&self) -> Outcome<()> {
        if self.waits { self.sync() } else { Ok(()) }
    }
}

impl Engine for Sled {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        self.commit.wait(|| {
            self.db.flush()?;
            Ok(self.file.sync_data()?)
        })
    }
}

struct Caller<'a>(&'a Sled);

impl KeyValue for Caller<'_> {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let swapped = self
            .0
            .db
            .compare_and_swap(key, None::<&[u8]>, Some(record))?;
        if swapped.is_ok() {
            self.0.wait()?;
        }
        Ok(swapped.is_ok())
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        self.0.db.insert(key, record)?;
        self.0.wait()
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let record = self.0.db.get(key)?;
        if let Some(record) = &record {
            read(record);
        }
        Ok(record.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let guards = self.0.locks.all();
        let mut batch = Batch::default();
        let mut granted = 0;
        for key in keys {
            if !self.0.db.contains_key(key)? {
                batch.insert(key, &claim_record(key));
                granted += 1;
            }
        }
        self.0.db.apply_batch(batch)?;
        drop(guards);
        self.0.wait()?;
        Ok(granted)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let mut batch = Batch::default();
        for key in keys {
            batch.insert(key, response(key).to_vec());
        }
        self.0.db.apply_batch(batch)?;
        self.0.wait()
    }
}
