//! [`InProgressScan`]: going through the keys in progress.

use std::fmt;
use std::sync::Arc;

use crate::engine::list::ranking::{Kind, Ranking};
use crate::remote::home::RemoteInner;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::scan::by_age::ByAge;
use crate::store::handle::{StoreHome, StoreInner};
use crate::store::namespace::Namespace;
use crate::store::store::Store;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
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
    source: Source,
    only: Option<NamespaceId>,
}

enum Source {
    Local(Arc<StoreInner>, Ranking),
    Remote(Arc<RemoteInner>, ByAge<KeyInfo>),
}

impl InProgressScan {
    pub(crate) fn new(store: &StoreHome, only: Option<NamespaceId>) -> Result<Self> {
        let source = match store {
            StoreHome::Local(store) => {
                store.engine.check_alive()?;
                Source::Local(Arc::clone(store), Ranking::new(Kind::InProgress, only))
            }
            StoreHome::Remote(store) => {
                store.remote.check_open()?;
                Source::Remote(Arc::clone(store), ByAge::new())
            }
        };
        Ok(Self { source, only })
    }

    /// Leaves out every key up to this rank, to go on where another scan stopped.
    #[must_use]
    pub fn after(mut self, rank: ScanPosition) -> Self {
        match &mut self.source {
            Source::Local(_, ranking) => ranking.skip(rank),
            Source::Remote(_, list) => list.skip(rank),
        }
        self
    }

    /// The rank of the last key that was met, or the rank given to [`after`](Self::after).
    #[must_use]
    pub fn reached(&self) -> Option<ScanPosition> {
        match &self.source {
            Source::Local(_, ranking) => ranking.reached(),
            Source::Remote(_, list) => list.reached(),
        }
    }
}

impl Store {
    /// Goes through the keys in progress, the longest-running first, and copies one at a time.
    /// [`doubts`](Self::doubts) has the keys in doubt.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(self.home(), None)
    }
}

impl Namespace {
    /// Goes through the keys in progress: see [`Store::running`](crate::Store::running).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(&self.store(), Some(self.id()))
    }
}

impl Iterator for InProgressScan {
    type Item = Result<KeyInfo>;

    fn next(&mut self) -> Option<Result<KeyInfo>> {
        match &mut self.source {
            Source::Local(store, ranking) => {
                let engine = &store.engine;
                engine.next_told(ranking, |ranked| engine.ranked_running(ranked))
            }
            Source::Remote(store, list) => list.next(
                || block_on(store.remote.running(self.only)),
                |listed| {
                    let core = block_on(store.remote.existing(listed.namespace()))?;
                    let key = Remote::key(&core, listed.key());
                    let info = block_on(store.remote.get(&core, key))?;
                    Ok(info.filter(|info| {
                        (info.state(), info.token()) == (KeyState::InProgress, listed.token())
                    }))
                },
            ),
        }
    }
}

impl fmt::Debug for InProgressScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProgressScan")
            .field("reached", &self.reached())
            .finish_non_exhaustive()
    }
}
