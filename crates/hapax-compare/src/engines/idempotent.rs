//! The registry's `idempotent` crate, with the store that it keeps in memory.
//!
//! That store is one task with one map; callers talk to it through a channel. It is run on the
//! caller's own thread, which spares it a wake-up of another thread with each call.

use std::time::Duration;

use bytes::Bytes;
use idempotent::entry::{ExistingEntry, Processing};
use idempotent::fingerprint::{DefaultFingerprintStrategy, FingerprintStrategy};
use idempotent::store::memory::MemoryStore;
use idempotent::store::{IdempotencyStore, InsertResult};
use idempotent::{CachedResponse, Fingerprint, IdempotencyEntry, IdempotencyKey, Metadata};
use tokio::runtime::Runtime;

use crate::engine::keys::{Key, PAIR_BYTES, is_response, response};
use crate::engine::{Engine, Entry, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "idempotent",
    label: "idempotent 0.3.0, in memory",
    role: Role::Peer,
    kind: Kind::Memory,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "in memory: nothing survives the process",
    sync: "cannot",
    only: &[],
    callers: 1,
    missing: present,
    open,
    serve: None,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Idempotent {
    runtime: Runtime,
    store: MemoryStore,
    fingerprint: Fingerprint,
}

fn open(_: &Place) -> Outcome<Box<dyn Engine>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let store = runtime.block_on(async { MemoryStore::new(1024, DAY) });
    Ok(Box::new(Idempotent {
        runtime,
        store,
        fingerprint: DefaultFingerprintStrategy.compute("/", &[]),
    }))
}

impl Idempotent {
    async fn claim(&self, key: &Key) -> Outcome<Option<IdempotencyEntry<Processing>>> {
        let entry = IdempotencyEntry::new(self.fingerprint, DAY);
        let claimed = self.store.try_insert(&name(key)?, entry.clone()).await?;
        Ok(matches!(claimed, InsertResult::Claimed { .. }).then_some(entry))
    }

    async fn complete(&self, key: &Key, entry: IdempotencyEntry<Processing>) -> Outcome<()> {
        let token = entry.fencing_token();
        let completed = entry.complete(CachedResponse {
            status_code: 200,
            metadata: Metadata::default(),
            body: Bytes::copy_from_slice(&response(key)),
        });
        self.store.complete(&name(key)?, completed, token).await?;
        Ok(())
    }
}

/// Its keys are strings: a key is the 32 characters of a UUID without hyphens.
fn name(key: &Key) -> Outcome<IdempotencyKey> {
    Ok(IdempotencyKey::new(format!(
        "{:032x}",
        u128::from_be_bytes(*key)
    ))?)
}

impl Engine for Idempotent {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller(self)))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(())
    }
}

struct Caller<'a>(&'a Idempotent);

impl Session for Caller<'_> {
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.0.runtime.block_on(async {
            let mut granted = 0;
            for key in keys {
                granted += usize::from(self.0.claim(key).await?.is_some());
            }
            Ok(granted)
        })
    }

    fn settle(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn insert(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim(keys)
    }

    fn pairs(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.0.runtime.block_on(async {
            let mut granted = 0;
            for key in keys {
                if let Some(entry) = self.0.claim(key).await? {
                    self.0.complete(key, entry).await?;
                    granted += 1;
                }
            }
            Ok(granted)
        })
    }

    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim(keys)
    }

    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim(keys)
    }

    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.pairs(keys)
    }

    fn replay(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.0.runtime.block_on(async {
            let mut answered = 0;
            for key in keys {
                let entry = IdempotencyEntry::new(self.0.fingerprint, DAY);
                let known = self.0.store.try_insert(&name(key)?, entry).await?;
                if let InsertResult::Exists(ExistingEntry::Completed(entry)) = known {
                    answered += usize::from(is_response(key, &entry.response().body));
                }
            }
            Ok(answered)
        })
    }
}
