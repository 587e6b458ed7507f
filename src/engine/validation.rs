//! Every invariant that the engine keeps, recounted.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::shards::EngineShard;
use crate::engine::sizes::to_u64;
use crate::engine::upkeep::pin::Pin;
use crate::state::found::Found;
use crate::state::ranked::Ranked;
use crate::state::slot::{Place, Settled};
use crate::value::error::ErrorKind;
use crate::value::locator::Locator;
use crate::value::time::Now;

impl Engine {
    /// Recounts every invariant that the engine keeps, and panics if one does not hold.
    ///
    /// For tests and fuzzers, while nothing else uses the store.
    pub(crate) fn validate(self: &Arc<Self>) {
        // No caller makes compaction run: it would move records between one count and the next.
        let _pin = Pin::hold(self);
        let mut live = Vec::new();
        let last_used = self.journal.last_used();
        for shard in self.shards.all() {
            shard.validate(last_used);
            live.extend(
                shard
                    .live_records()
                    .map(|last| (last.locator.frame, last.expires_at)),
            );
        }
        self.journal
            .with_tail(|tail| tail.census.validate(live.into_iter()));
        self.validate_lists();
        self.validate_waits();
    }

    fn validate_waits(&self) {
        let shards = self.shards.all();
        let ended: u64 = shards.map(|shard| shard.tallies.sum().waits()).sum();
        assert!(
            !self.options.counts || self.line.joined() == ended + to_u64(self.line.waiters()),
            "every wait is under way, or has ended in one way"
        );
    }

    /// Checks that every key is in the one list that fits the answer of a claim, under the token of its
    /// newest record. Panics otherwise.
    pub(in crate::engine) fn validate_lists(&self) {
        let mut recorded = Vec::new();
        let mut doubts = 0;
        for shard in self.shards.all() {
            doubts += validate_shard(&shard, self.now(), &mut recorded);
        }
        self.validate_doubts(&recorded, doubts);
    }

    fn validate_doubts(&self, recorded: &[(Ranked, Locator)], doubts: usize) {
        assert!(
            self.count_in_doubt() >= doubts,
            "the gauge counts every doubt"
        );
        if self
            .check_alive()
            .and_then(|()| self.journal.check())
            .is_err()
        {
            return;
        }
        for (ranked, locator) in recorded {
            let record = match self.read(*locator) {
                // A record that the medium does not give back says nothing about the lists.
                Err(error) if error.kind() == ErrorKind::Io => continue,
                read => read.expect("what the log has is not damaged"),
            };
            let head = record.expect("a live record is there").head;
            assert_eq!(
                (ranked.rank.token(), ranked.namespace),
                (head.token, head.namespace),
                "a doubt is listed under the token of its newest record"
            );
        }
    }
}

/// Adds the doubts of a shard that have a record, with its place; returns the number of all doubts.
fn validate_shard(shard: &EngineShard, now: Now, recorded: &mut Vec<(Ranked, Locator)>) -> usize {
    let listed: Vec<_> = shard.in_doubt(now).collect();
    for ranked in &listed {
        match shard.find(ranked.digest, now.store_secs) {
            Found::Running(at) => assert!(
                shard
                    .get(at)
                    .is_some_and(|running| running.is_in_doubt(now)),
                "a key that is listed as a doubt is claimed as one"
            ),
            Found::Settled(_, Settled::InDoubt, locator) => recorded.push((*ranked, locator)),
            other => panic!("a doubt is listed that a claim does not meet: {other:?}"),
        }
    }
    let lapsed = shard.running().filter(|running| running.is_in_doubt(now));
    let lapsed = lapsed.count();
    let settled = shard.slots().filter(|slot| {
        let in_doubt = matches!(slot.place(), Place::Settled(Settled::InDoubt, _));
        in_doubt && !slot.is_expired(now.store_secs)
    });
    let met = lapsed + settled.count();
    let every = "every doubt that a claim meets is listed, once";
    assert_eq!(listed.len(), met, "{every}");
    let held = shard.in_progress(now).count();
    let running = shard.running_keys();
    assert_eq!(held + lapsed, running, "every running key is in one list");
    met
}
