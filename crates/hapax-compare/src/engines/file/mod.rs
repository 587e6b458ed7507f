//! The limit: a hash table of 24-byte slots and a plain append-only file, and nothing else.
//!
//! No expiry, no leases, no tokens, no compaction, no frames: what is left is what deduplication
//! cannot do without. Keys are hashed as hapax does it, with a keyed 128-bit SipHash-2-4.

mod log;
mod table;

use crate::engine::keys::{
    KEY_BYTES, Key, PAIR_BYTES, RESPONSE_BYTES, claim_record, is_response, response,
};
use crate::engine::{Durability, Engine, Entry, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;
use log::{Log, Record};
use table::{Probe, Table};

/// With the records that its peers write.
pub(super) const TWO_RECORDS: Entry = Entry {
    name: "file",
    label: "table + file",
    role: Role::Limit,
    kind: Kind::Embedded,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "64 KiB writes, never synced",
    sync: "fdatasync, one for all callers that wait; a pair waits for the claim and for the completion",
    only: &[],
    callers: 1,
    missing: present,
    open: |place| Ok(Box::new(FileTable::open(place, true)?)),
    serve: None,
};

/// Writes the records that hapax writes at least once: no record for a claim.
pub(super) const ONE_RECORD: Entry = Entry {
    name: "file-1",
    label: "table + file, one record a pair",
    waits_per_pair: 1,
    pair_bytes: (KEY_BYTES + RESPONSE_BYTES) as u64,
    interval: "64 KiB writes, never synced; a claim is kept in memory only",
    sync: "fdatasync, one for all callers that wait; a pair waits once, for the completion",
    only: &[
        "claim",
        "pair",
        "pair-2",
        "sync-batch",
        "sync-1",
        "sync-8",
        "sync-64",
    ],
    open: |place| Ok(Box::new(FileTable::open(place, false)?)),
    ..TWO_RECORDS
};

struct FileTable {
    table: Table,
    log: Log,
    /// Whether a claim has its own record.
    logs_claims: bool,
    waits: bool,
}

impl FileTable {
    fn open(place: &Place, logs_claims: bool) -> Outcome<Self> {
        let table = Table::new();
        let path = place.dir.join("log");
        let log = Log::open(&path, |records, hint| table.recover(records, hint))?;
        Ok(Self {
            table,
            log,
            logs_claims,
            waits: place.durability == Durability::Sync,
        })
    }

    fn wait(&self) -> Outcome<()> {
        if self.waits { self.log.sync() } else { Ok(()) }
    }
}

impl Engine for FileTable {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller {
            files: self,
            probes: Vec::new(),
        }))
    }

    fn sync(&self) -> Outcome<()> {
        self.log.sync()
    }
}

struct Caller<'a> {
    files: &'a FileTable,
    probes: Vec<Probe>,
}

impl Caller<'_> {
    /// Whether the key is new; its record, if it has one, is appended and not waited for.
    fn claim_one(&self, key: &Key) -> Outcome<bool> {
        let digest = self.files.table.digest(key);
        if !self.files.table.claim(digest) {
            return Ok(false);
        }
        if self.files.logs_claims {
            self.files
                .log
                .append(&Record::claim(key, &claim_record(key)))?;
        }
        Ok(true)
    }

    fn complete_one(&self, key: &Key) -> Outcome<()> {
        let digest = self.files.table.digest(key);
        let offset = self
            .files
            .log
            .append(&Record::completion(key, &response(key)))?;
        self.files.table.complete(digest, offset);
        Ok(())
    }

    /// Claims all keys in the table, those of one shard under one lock; which ones are new.
    fn claim_all(&mut self, keys: &[Key]) -> usize {
        self.probes.clear();
        let table = &self.files.table;
        let probes = keys.iter().enumerate();
        self.probes
            .extend(probes.map(|(index, key)| Probe::new(table.digest(key), index)));
        table.claim_all(&mut self.probes)
    }
}

impl Session for Caller<'_> {
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for key in keys {
            if self.claim_one(key)? {
                if self.files.logs_claims {
                    self.files.wait()?;
                }
                granted += 1;
            }
        }
        Ok(granted)
    }

    fn settle(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn insert(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim(keys)
    }

    fn pairs(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for key in keys {
            if self.claim_one(key)? {
                if self.files.logs_claims {
                    self.files.wait()?;
                }
                self.complete_one(key)?;
                self.files.wait()?;
                granted += 1;
            }
        }
        Ok(granted)
    }

    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let granted = self.claim_all(keys);
        if self.files.logs_claims {
            for probe in self.probes.iter().filter(|probe| probe.is_new()) {
                let key = &keys[probe.index()];
                self.files
                    .log
                    .append(&Record::claim(key, &claim_record(key)))?;
            }
            self.files.wait()?;
        }
        Ok(granted)
    }

    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim_batch(keys)
    }

    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let granted = self.claim_batch(keys)?;
        for key in keys {
            self.complete_one(key)?;
        }
        self.files.wait()?;
        Ok(granted)
    }

    fn replay(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut answered = 0;
        let mut bytes = [0; RESPONSE_BYTES];
        for key in keys {
            let digest = self.files.table.digest(key);
            if let Some(offset) = self.files.table.completed(digest) {
                self.files.log.read_response(offset, &mut bytes)?;
                answered += usize::from(is_response(key, &bytes));
            }
        }
        Ok(answered)
    }
}
