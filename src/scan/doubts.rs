//! [`DoubtScan`]: going through the keys in doubt.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::claim::claim::Doubt;
use crate::engine::call::by_age::{Kind, Ranking};
use crate::store::namespace::Namespace;
use crate::store::store::StoreInner;
use crate::value::error::Result;
use crate::value::namespace_id::NamespaceId;
use crate::value::scan_position::ScanPosition;

/// An iterator over the keys in doubt, oldest first: see [`Store::doubts`](crate::Store::doubts).
///
/// Each record is read when its doubt is asked for, so the first few of many cost as much as a few.
/// A doubt that is settled before its turn is left out; one that came about after the scan began is
/// not met. Compaction goes on meanwhile.
///
/// It ends with the first error.
pub struct DoubtScan {
    store: Arc<StoreInner>,
    ranking: Ranking,
    spaces: HashMap<NamespaceId, Namespace>,
}

impl DoubtScan {
    pub(crate) fn new(store: &Arc<StoreInner>, only: Option<NamespaceId>) -> Result<Self> {
        store.engine.check_alive()?;
        Ok(Self {
            store: Arc::clone(store),
            ranking: Ranking::new(Kind::InDoubt, only),
            spaces: HashMap::new(),
        })
    }

    /// Leaves out every doubt up to this rank: it goes on where another scan stopped.
    #[must_use]
    pub fn after(mut self, rank: ScanPosition) -> Self {
        self.ranking.skip(rank);
        self
    }

    /// The rank of the last doubt that was met, or what [`after`](Self::after) said.
    #[must_use]
    pub fn reached(&self) -> Option<ScanPosition> {
        self.ranking.reached()
    }
}

impl Iterator for DoubtScan {
    type Item = Result<Doubt>;

    fn next(&mut self) -> Option<Result<Doubt>> {
        let engine = &self.store.engine;
        let told = engine.next_told(&mut self.ranking, |ranked| engine.ranked_doubt(ranked))?;
        Some(told.map(|(core, record, alive)| {
            let space = self.spaces.entry(core.id);
            let space = space.or_insert_with(|| Namespace::new(&self.store, &core));
            space.doubt(record, alive, false)
        }))
    }
}

impl fmt::Debug for DoubtScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoubtScan")
            .field("reached", &self.reached())
            .finish_non_exhaustive()
    }
}
