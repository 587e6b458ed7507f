//! What every engine must be able to do, so that one row measures all of them in the same way.

pub mod keys;

use std::path::{Path, PathBuf};

use self::keys::{Key, claim_record, is_response, response};
use crate::host::server::Server;
use crate::outcome::Outcome;

/// What a row asks of a write before its call returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Nothing: it reaches the system soon and the medium within about a second, if at all.
    Interval,
    /// It is on the medium.
    Sync,
}

/// Where an engine keeps its data.
#[derive(Clone, Debug)]
pub struct Place {
    /// The engine's own directory; empty, unless a store is opened again.
    pub dir: PathBuf,
    /// The socket and the process of its server, if it has one.
    pub server: Option<(PathBuf, u32)>,
    /// What the row asks for.
    pub durability: Durability,
}

/// An open store.
pub trait Engine: Send + Sync {
    /// What one thread works with.
    ///
    /// # Errors
    /// When no further connection is free.
    fn session(&self) -> Outcome<Box<dyn Session + '_>>;

    /// Returns when everything that was done is on the medium.
    ///
    /// # Errors
    /// Every error of the engine.
    fn sync(&self) -> Outcome<()>;

    /// Bytes of its own records, if it counts them; otherwise the bytes that it was handed.
    fn record_bytes(&self) -> Option<u64> {
        None
    }

    /// A word about the store as it is now, for the notes below the table.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// What one thread works with. Each call returns how many keys were granted or answered.
pub trait Session {
    /// Claims each key with a separate call. Grants stay with the session.
    ///
    /// # Errors
    /// Every error of the engine.
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Gives every grant that the session holds its outcome, as cheaply as it can.
    ///
    /// # Errors
    /// Every error of the engine.
    fn settle(&mut self) -> Outcome<()>;

    /// Marks each key as seen, with a separate call.
    ///
    /// # Errors
    /// Every error of the engine.
    fn insert(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Claims each key and completes it at once.
    ///
    /// # Errors
    /// Every error of the engine.
    fn pairs(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Claims all keys in one commit. Grants stay with the session.
    ///
    /// # Errors
    /// Every error of the engine.
    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Marks all keys as seen, in one commit.
    ///
    /// # Errors
    /// Every error of the engine.
    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Claims all keys in one commit, then completes them in one.
    ///
    /// # Errors
    /// Every error of the engine.
    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Claims settled keys with a separate call each, and reads the stored responses.
    ///
    /// # Errors
    /// Every error of the engine.
    fn replay(&mut self, keys: &[Key]) -> Outcome<usize>;
}

/// A peer that knows keys and values, but not claims: a claim inserts a record if the key has no
/// record, a completion replaces it.
pub trait KeyValue {
    /// Inserts the record if the key is not there.
    ///
    /// # Errors
    /// Every error of the engine.
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool>;

    /// Replaces the record.
    ///
    /// # Errors
    /// Every error of the engine.
    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()>;

    /// Hands the record to `read`; returns false when the key has no record.
    ///
    /// # Errors
    /// Every error of the engine.
    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool>;

    /// Inserts a claim record for each key that is not there, in one commit.
    ///
    /// # Errors
    /// Every error of the engine.
    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize>;

    /// Replaces the record of each key by its response, in one commit.
    ///
    /// # Errors
    /// Every error of the engine.
    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()>;
}

impl<K: KeyValue> Session for K {
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for key in keys {
            granted += usize::from(self.insert_new(key, &claim_record(key))?);
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
            if self.insert_new(key, &claim_record(key))? {
                self.replace(key, &response(key))?;
                granted += 1;
            }
        }
        Ok(granted)
    }

    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.insert_all(keys)
    }

    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.insert_all(keys)
    }

    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let granted = self.insert_all(keys)?;
        self.replace_all(keys)?;
        Ok(granted)
    }

    fn replay(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut answered = 0;
        for key in keys {
            self.read(key, &mut |record| {
                answered += usize::from(is_response(key, record));
            })?;
        }
        Ok(answered)
    }
}

/// What an engine is to this comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The one that all ratios are taken to.
    Hapax,
    /// hapax again, with other promises or another log.
    Variant,
    /// As fast as it can be made.
    Limit,
    /// What people use today.
    Peer,
}

/// Where an engine runs, which decides what can be measured of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In this process, with files.
    Embedded,
    /// In this process, and nothing survives.
    Memory,
    /// In its own process, behind a socket.
    Server,
}

/// One engine of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As on the command line and in the files.
    pub name: &'static str,
    /// As in the table.
    pub label: &'static str,
    /// What it is to this comparison.
    pub role: Role,
    /// Where it runs.
    pub kind: Kind,
    /// Synced records that a pair of claim and completion waits for, where the row asks for that.
    pub waits_per_pair: u32,
    /// Bytes of key and value that it is handed for a pair.
    pub pair_bytes: u64,
    /// What it does when a row asks for nothing.
    pub interval: &'static str,
    /// What it does when a row asks for the medium.
    pub sync: &'static str,
    /// The only rows that it takes part in, if not all.
    pub only: &'static [&'static str],
    /// Callers that it takes to show its best, where no caller waits for the medium.
    pub callers: usize,
    /// Why it cannot take part, on this machine or in this build.
    pub missing: fn() -> Option<String>,
    /// Opens it.
    pub open: fn(&Place) -> Outcome<Box<dyn Engine>>,
    /// Starts its server in a directory.
    pub serve: Option<fn(&Path, Durability) -> Outcome<Server>>,
}

/// Nothing is missing: it is compiled in.
#[must_use]
pub fn present() -> Option<String> {
    None
}
