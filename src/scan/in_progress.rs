//! [`InProgressScan`]: going through the keys in progress.

use std::fmt;
use std::sync::Arc;

use crate::engine::list::ranking::{Kind, Ranking};
use crate::store::handle::StoreInner;
use crate::store::namespace::Namespace;
use crate::store::store::Store;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::namespace_id::NamespaceId;
use crate::value::scan_position::ScanPosition;

/// An iterator over the keys in progress, the longest-running first: see
/// [`Store::running`](crate::Store::running).
///
/// It reads no log, and copies a key when it is asked for. The scan leaves out keys that are settled, handed
/// on or in doubt before their turn, and keys that were claimed after the scan began.
///
/// It ends with the first error.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
/// let oldest = store.running()?.next().expect("one is in progress")?;
/// assert_eq!((oldest.key(), oldest.token()), (&b"report"[..], lease.token()));
/// # Ok::<(), hapax::Error>(())
/// ```
pub struct InProgressScan {
    store: Arc<StoreInner>,
    ranking: Ranking,
}

impl InProgressScan {
    pub(crate) fn new(store: &Arc<StoreInner>, only: Option<NamespaceId>) -> Result<Self> {
        store.engine.check_alive()?;
        Ok(Self {
            store: Arc::clone(store),
            ranking: Ranking::new(Kind::InProgress, only),
        })
    }

    /// Leaves out every key up to this rank, to go on where another scan stopped.
    #[must_use]
    pub fn after(mut self, rank: ScanPosition) -> Self {
        self.ranking.skip(rank);
        self
    }

    /// The rank of the last key that was met, or the rank given to [`after`](Self::after).
    #[must_use]
    pub fn reached(&self) -> Option<ScanPosition> {
        self.ranking.reached()
    }
}

impl Store {
    /// Goes through the keys in progress, the longest-running first, and copies one at a time.
    /// [`doubts`](Self::doubts) has the keys in doubt.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(self.inner(), None)
    }
}

impl Namespace {
    /// Goes through the keys in progress: see [`Store::running`](crate::Store::running).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(self.homes().store(), Some(self.homes().core().id))
    }
}

impl Iterator for InProgressScan {
    type Item = Result<KeyInfo>;

    fn next(&mut self) -> Option<Result<KeyInfo>> {
        let engine = &self.store.engine;
        engine.next_told(&mut self.ranking, |ranked| engine.ranked_running(ranked))
    }
}

impl fmt::Debug for InProgressScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProgressScan")
            .field("reached", &self.reached())
            .finish_non_exhaustive()
    }
}
