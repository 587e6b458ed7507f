//! [`DoubtScan`]: going through the keys in doubt.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::claim::doubt::Doubt;
use crate::engine::list::ranking::{Kind, Ranking};
use crate::store::handle::{Homes, StoreInner};
use crate::store::namespace::Namespace;
use crate::store::store::Store;
use crate::value::error::Result;
use crate::value::namespace_id::NamespaceId;
use crate::value::scan_position::ScanPosition;

/// An iterator over the keys in doubt, oldest first: see [`Store::doubts`](crate::Store::doubts).
///
/// Each record is read when its doubt is asked for, so the first few of many doubts cost no more than a few.
/// The scan leaves out doubts that are settled before their turn, and doubts that began after the scan.
/// Compaction goes on meanwhile.
///
/// It ends with the first error.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// let Claim::Granted(lease) = mail.claim("user-7")? else { panic!("it is new") };
/// lease.doubt("the provider timed out")?;
/// for doubt in store.doubts()? {
///     let doubt = doubt?;
///     println!("{}: {:?} since {:?}", doubt.namespace(), doubt.key(), doubt.since());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
pub struct DoubtScan {
    store: Arc<StoreInner>,
    ranking: Ranking,
    homes: HashMap<NamespaceId, Homes>,
}

impl DoubtScan {
    pub(crate) fn new(store: &Arc<StoreInner>, only: Option<NamespaceId>) -> Result<Self> {
        store.engine.check_alive()?;
        Ok(Self {
            store: Arc::clone(store),
            ranking: Ranking::new(Kind::InDoubt, only),
            homes: HashMap::new(),
        })
    }

    /// Leaves out every doubt up to this rank, to go on where another scan stopped.
    #[must_use]
    pub fn after(mut self, rank: ScanPosition) -> Self {
        self.ranking.skip(rank);
        self
    }

    /// The rank of the last doubt that was met, or the rank given to [`after`](Self::after).
    #[must_use]
    pub fn reached(&self) -> Option<ScanPosition> {
        self.ranking.reached()
    }
}

impl Store {
    /// The keys in doubt, of all namespaces, oldest first. Each record is read when its doubt is asked for,
    /// so the first few of very many come as fast as a few; `collect` gives all.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Claim, Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once())?;
    /// for number in 0..100 {
    ///     let Claim::Granted(lease) = mail.claim(format!("user-{number}"))? else { unreachable!() };
    ///     lease.doubt("the provider timed out")?;
    /// }
    /// let mut doubts = store.doubts()?;
    /// for doubt in doubts.by_ref().take(10) {
    ///     println!("{:?}", doubt?);
    /// }
    /// let reached = doubts.reached().expect("ten were met");
    /// assert_eq!(store.doubts()?.after(reached).count(), 90);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn doubts(&self) -> Result<DoubtScan> {
        DoubtScan::new(self.inner(), None)
    }
}

impl Namespace {
    /// The keys in doubt, oldest first: see [`Store::doubts`](crate::Store::doubts).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn doubts(&self) -> Result<DoubtScan> {
        DoubtScan::new(self.homes().store(), Some(self.homes().core().id))
    }
}

impl Iterator for DoubtScan {
    type Item = Result<Doubt>;

    fn next(&mut self) -> Option<Result<Doubt>> {
        let engine = &self.store.engine;
        let told = engine.next_told(&mut self.ranking, |ranked| engine.ranked_doubt(ranked))?;
        Some(told.map(|(core, record, alive)| {
            let homes = self.homes.entry(core.id);
            let homes = homes.or_insert_with(|| Homes::new(&self.store, &core));
            Doubt::of(homes, record, alive, false)
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
