//! [`Ranking`]: keys in trouble by age, one by one, however many there are.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::vec;

use crate::engine::Engine;
use crate::engine::call::waiting::{doubt_record, told_of};
use crate::engine::intervene::doubt::FoundDoubt;
use crate::state::ranked::Ranked;
use crate::state::shard::Found;
use crate::state::slot::{Place, Settled};
use crate::value::error::{ErrorKind, Result};
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::Record;
use crate::value::scan_position::ScanPosition;

/// Which keys a ranking has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    InDoubt,
    InProgress,
}

/// Keys by rank, without their bytes: some at a time, found by going through all shards.
#[derive(Debug)]
pub(crate) struct Ranking {
    kind: Kind,
    only: Option<NamespaceId>,
    after: Option<ScanPosition>,
    /// The last one when this began: what came later is not met, so whoever acts on what is met
    /// comes to an end.
    until: Option<ScanPosition>,
    batch: vec::IntoIter<Ranked>,
    batch_keys: usize,
    ended: bool,
}

/// Keys of the first batch: as many as a page has. Each further one has so many times more, so that
/// going through all of them takes few passes.
const BATCH_KEYS: usize = 1024;
const BATCH_GROWTH: usize = 8;

impl Ranking {
    pub(crate) fn new(kind: Kind, only: Option<NamespaceId>) -> Self {
        Self {
            kind,
            only,
            after: None,
            until: None,
            batch: Vec::new().into_iter(),
            batch_keys: BATCH_KEYS,
            ended: false,
        }
    }

    /// Leaves out what stands up to here.
    pub(crate) fn skip(&mut self, after: ScanPosition) {
        self.after = self.after.max(Some(after));
        // What was found before this was said is found again, as far as it is still wanted.
        self.batch = Vec::new().into_iter();
        self.ended = false;
    }

    /// The rank of the last key that was met.
    pub(crate) fn reached(&self) -> Option<ScanPosition> {
        self.after
    }

    fn end(&mut self) {
        self.batch = Vec::new().into_iter();
        self.ended = true;
    }

    fn wants(&self, ranked: &Ranked) -> bool {
        self.only.is_none_or(|only| only == ranked.namespace)
            && self.after.is_none_or(|after| after < ranked.rank)
            && self.until.is_none_or(|until| ranked.rank <= until)
    }
}

/// The least of what it is offered, so many of them.
struct Least {
    keys: usize,
    heap: BinaryHeap<Ranked>,
}

impl Least {
    fn offer(&mut self, ranked: Ranked) {
        if self.heap.len() < self.keys {
            self.heap.push(ranked);
        } else if let Some(mut greatest) = self.heap.peek_mut() {
            if ranked < *greatest {
                *greatest = ranked;
            }
        }
    }
}

impl Engine {
    /// The next key of a ranking that is still what it was ranked for, as `tell` has it. An error is
    /// the last.
    pub(crate) fn next_told<T>(
        &self,
        ranking: &mut Ranking,
        tell: impl Fn(&Ranked) -> Result<Option<T>>,
    ) -> Option<Result<T>> {
        let mut step = || {
            self.check_alive()?;
            while let Some(ranked) = self.next_ranked(ranking) {
                if let Some(told) = tell(&ranked)? {
                    return Ok(Some(told));
                }
            }
            Ok(None)
        };
        let told = step();
        if told.is_err() {
            ranking.end();
        }
        told.transpose()
    }

    fn next_ranked(&self, ranking: &mut Ranking) -> Option<Ranked> {
        if ranking.batch.len() == 0 && !ranking.ended {
            self.rank_more(ranking);
        }
        let ranked = ranking.batch.next()?;
        ranking.after = Some(ranked.rank);
        Some(ranked)
    }

    /// Holds one shard at a time, and no more than a batch.
    fn rank_more(&self, ranking: &mut Ranking) {
        let mut least = Least {
            keys: ranking.batch_keys,
            heap: BinaryHeap::new(),
        };
        let mut greatest = None;
        let mut offer = |ranked: Ranked| {
            if ranking.wants(&ranked) {
                greatest = greatest.max(Some(ranked.rank));
                least.offer(ranked);
            }
        };
        for shard in self.shards.all() {
            let now = self.now();
            match ranking.kind {
                Kind::InDoubt => shard.in_doubt(now).for_each(&mut offer),
                Kind::InProgress => shard.in_progress(now).for_each(&mut offer),
            }
        }
        ranking.until = ranking.until.or(greatest);
        ranking.ended = least.heap.len() < ranking.batch_keys;
        ranking.batch = least.heap.into_sorted_vec().into_iter();
        ranking.batch_keys = ranking.batch_keys.saturating_mul(BATCH_GROWTH);
    }

    /// The doubt that was ranked; `None` when it was settled meanwhile.
    ///
    /// A record that compaction carries off before it is read is looked up again, so nobody has to
    /// keep compaction waiting.
    pub(crate) fn ranked_doubt(&self, ranked: &Ranked) -> Result<Option<FoundDoubt>> {
        let token = ranked.rank.token();
        loop {
            let locator = {
                let (shard, now) = self.lock(ranked.digest);
                match shard.find(ranked.digest, now.store_secs) {
                    Found::Running(at) => {
                        let running = shard.get(at).filter(|running| running.is_in_doubt(now));
                        let Some(running) = running.filter(|running| running.holder.token == token)
                        else {
                            return Ok(None);
                        };
                        let record = doubt_record(running, now);
                        let alive = running.is_guarded();
                        drop(shard);
                        return self.found(record, alive);
                    }
                    Found::Settled(_, Settled::InDoubt, locator) => locator,
                    _ => return Ok(None),
                }
            };
            let Some(record) = self.read(locator)? else {
                continue;
            };
            if record.head.token != token {
                return Ok(None);
            }
            let namespace = self.namespace_by_id(record.head.namespace)?;
            if !self.may_be_told(&namespace, locator)? {
                return Ok(None);
            }
            let alive = self.outlived.is_alive(token);
            return Ok(Some((namespace, Arc::new(record), alive)));
        }
    }

    /// Every key is in the one list that agrees with what a claim of it is answered; panics where one
    /// is not, or where a list has it under another token than its newest record.
    pub(in crate::engine) fn validate_lists(&self) {
        let mut recorded = Vec::new();
        let mut doubts = 0;
        for shard in self.shards.all() {
            let now = self.now();
            let listed: Vec<_> = shard.in_doubt(now).collect();
            for ranked in &listed {
                match shard.find(ranked.digest, now.store_secs) {
                    Found::Running(at) => assert!(
                        shard
                            .get(at)
                            .is_some_and(|running| running.is_in_doubt(now)),
                        "a key that is listed as a doubt is claimed as one"
                    ),
                    Found::Settled(_, Settled::InDoubt, locator) => {
                        recorded.push((*ranked, locator));
                    }
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
            assert_eq!(
                listed.len(),
                met,
                "every doubt that a claim meets is listed, once"
            );
            let held = shard.in_progress(now).count();
            assert_eq!(
                held + lapsed,
                shard.running_keys(),
                "every running key is in one list"
            );
            doubts += met;
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
                // What the medium refuses to read says nothing about the lists.
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

    fn found(&self, record: Record, alive: bool) -> Result<Option<FoundDoubt>> {
        let namespace = self.namespace_by_id(record.head.namespace)?;
        Ok(Some((namespace, Arc::new(record), alive)))
    }

    /// The key in progress that was ranked; `None` when it is something else by now.
    pub(crate) fn ranked_running(&self, ranked: &Ranked) -> Result<Option<KeyInfo>> {
        let record = {
            let (shard, now) = self.lock(ranked.digest);
            let Found::Running(at) = shard.find(ranked.digest, now.store_secs) else {
                return Ok(None);
            };
            let running = shard.get(at).filter(|running| !running.is_in_doubt(now));
            let Some(running) =
                running.filter(|running| running.holder.token == ranked.rank.token())
            else {
                return Ok(None);
            };
            told_of(running, now).1
        };
        let namespace = self.namespace_by_id(record.head.namespace)?;
        let info = self.info(&namespace, KeyState::InProgress, Arc::new(record));
        Ok(Some(info))
    }
}
