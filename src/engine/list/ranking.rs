//! [`Ranking`]: keys in trouble by age, one by one, however many there are.

use std::collections::BinaryHeap;
use std::vec;

use crate::engine::engine::Engine;
use crate::state::ranked::Ranked;
use crate::value::error::Result;
use crate::value::namespace_id::NamespaceId;
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
    /// The last rank when the list began. Later keys are not listed, so a caller that acts on each key comes
    /// to an end.
    until: Option<ScanPosition>,
    batch: vec::IntoIter<Ranked>,
    batch_keys: usize,
    ended: bool,
}

/// The size of the first batch: a page. Each further batch is this many times larger, so that all keys take
/// few passes.
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

    /// Leaves out the keys up to this rank.
    pub(crate) fn skip(&mut self, after: ScanPosition) {
        self.after = self.after.max(Some(after));
        // The keys that were found before this call are found again, except those up to `after`.
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

/// The least items among those that it is offered, up to a number.
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
    /// The next ranked key that `tell` still finds in its state. An error is the last item.
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
}
