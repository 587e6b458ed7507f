//! hapax, through its public API.

use std::time::Duration;

use hapax::{BatchClaim, Claim, Lease, LogKind, Namespace, Policy, Store};

use crate::engine::keys::{KEY_BYTES, Key, PAIR_BYTES, RESPONSE_BYTES, is_response, response};
use crate::engine::{self, Engine, Entry, Kind, Place, Role, Session, present};
use crate::outcome::Outcome;

/// As it comes.
pub(super) const AT_LEAST_ONCE: Entry = Entry {
    name: "hapax",
    label: "hapax",
    role: Role::Hapax,
    kind: Kind::Embedded,
    waits_per_pair: 1,
    pair_bytes: (KEY_BYTES + RESPONSE_BYTES) as u64,
    interval: "Interval(1 s); at-least-once, so a claim is kept in memory only",
    sync: "Sync; at-least-once, so a pair waits once, for the completion",
    only: &[],
    callers: 1,
    missing: present,
    open: |place| open(place, LogKind::Sled, Policy::at_least_once()),
    serve: None,
};

/// With two durable records a pair, as its peers.
pub(super) const AT_MOST_ONCE: Entry = Entry {
    name: "hapax-amo",
    label: "hapax, at most once",
    role: Role::Variant,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "not measured: its claims are durable at every level",
    sync: "Sync; at-most-once, so a pair waits for the claim and for the completion",
    only: &["sync-1", "sync-8", "sync-64", "sync-batch"],
    open: |place| open(place, LogKind::Sled, Policy::at_most_once()),
    ..AT_LEAST_ONCE
};

/// On plain files.
pub(super) const FILES: Entry = Entry {
    name: "hapax-files",
    label: "hapax, plain files",
    role: Role::Variant,
    open: |place| open(place, LogKind::Files, Policy::at_least_once()),
    ..AT_LEAST_ONCE
};

struct Hapax {
    store: Store,
    jobs: Namespace,
}

fn open(place: &Place, log: LogKind, policy: Policy) -> Outcome<Box<dyn Engine>> {
    let durability = match place.durability {
        engine::Durability::Interval => hapax::Durability::Interval(Duration::from_secs(1)),
        engine::Durability::Sync => hapax::Durability::Sync,
    };
    let store = Store::builder(place.dir.join("store"))
        .durability(durability)
        .log_kind(log)
        .open()?;
    let jobs = store.namespace("jobs", policy)?;
    Ok(Box::new(Hapax { store, jobs }))
}

impl Engine for Hapax {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller {
            jobs: self.jobs.clone(),
            leases: Vec::new(),
        }))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.store.sync()?)
    }

    fn record_bytes(&self) -> Option<u64> {
        let metrics = self.store.metrics();
        Some(metrics.total("hapax_journal_appended_bytes_total", &[]))
    }

    fn remark(&self) -> Option<String> {
        let stats = self.store.stats();
        let keys = stats.keys().max(1);
        Some(format!(
            "{} B of tables a key, {} KiB of frames in memory, {} segments, {} syncs",
            stats.table_bytes() / keys,
            stats.window_bytes() / 1024,
            stats.segments(),
            self.store.metrics().total("hapax_syncs_total", &[]),
        ))
    }
}

struct Caller {
    jobs: Namespace,
    leases: Vec<Lease>,
}

impl Session for Caller {
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize> {
        let before = self.leases.len();
        for key in keys {
            if let Claim::Granted(lease) = self.jobs.claim(key)? {
                self.leases.push(lease);
            }
        }
        Ok(self.leases.len() - before)
    }

    fn settle(&mut self) -> Outcome<()> {
        let settled = self.leases.drain(..).map(|lease| {
            let response = lease
                .key()
                .try_into()
                .map(response)
                .unwrap_or([0; RESPONSE_BYTES]);
            (lease, response)
        });
        for result in self.jobs.complete_many(settled) {
            result?;
        }
        Ok(())
    }

    fn insert(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut new = 0;
        for key in keys {
            new += usize::from(self.jobs.insert(key)?);
        }
        Ok(new)
    }

    fn pairs(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for key in keys {
            if let Claim::Granted(lease) = self.jobs.claim(key)? {
                lease.complete(response(key))?;
                granted += 1;
            }
        }
        Ok(granted)
    }

    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let before = self.leases.len();
        for answer in self.jobs.claim_many(keys)? {
            match answer {
                BatchClaim::Claim(Claim::Granted(lease)) => self.leases.push(lease),
                BatchClaim::Refused(error) => return Err(error.into()),
                BatchClaim::Claim(_) | BatchClaim::RepeatOf { .. } => {}
            }
        }
        Ok(self.leases.len() - before)
    }

    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let inserted: hapax::Result<Vec<bool>> = self.jobs.insert_many(keys)?.into_iter().collect();
        Ok(inserted?.into_iter().filter(|new| *new).count())
    }

    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let granted = self.claim_batch(keys)?;
        self.settle()?;
        Ok(granted)
    }

    fn replay(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut answered = 0;
        for key in keys {
            if let Claim::Completed(answer) = self.jobs.claim(key)? {
                answered += usize::from(is_response(key, answer.response()));
            }
        }
        Ok(answered)
    }
}
