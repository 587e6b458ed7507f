//! [`DoubtScan`]: going through the keys in doubt.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::claim::doubt::Doubt;
use crate::engine::list::ranking::{Kind, Ranking};
use crate::remote::home::{RemoteHome, RemoteInner};
use crate::remote::list::ListedDoubt;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::scan::by_age::ByAge;
use crate::store::handle::{Homes, StoreHome, StoreInner};
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
    source: Source,
    only: Option<NamespaceId>,
}

enum Source {
    Local {
        store: Arc<StoreInner>,
        ranking: Ranking,
        homes: HashMap<NamespaceId, Homes>,
    },
    Remote(Arc<RemoteInner>, ByAge<ListedDoubt>),
}

impl DoubtScan {
    pub(crate) fn new(store: &StoreHome, only: Option<NamespaceId>) -> Result<Self> {
        let source = match store {
            StoreHome::Local(store) => {
                store.engine.check_alive()?;
                Source::Local {
                    store: Arc::clone(store),
                    ranking: Ranking::new(Kind::InDoubt, only),
                    homes: HashMap::new(),
                }
            }
            StoreHome::Remote(store) => {
                store.remote.check_open()?;
                Source::Remote(Arc::clone(store), ByAge::new())
            }
        };
        Ok(Self { source, only })
    }

    /// Leaves out every doubt up to this rank, to go on where another scan stopped.
    #[must_use]
    pub fn after(mut self, rank: ScanPosition) -> Self {
        match &mut self.source {
            Source::Local { ranking, .. } => ranking.skip(rank),
            Source::Remote(_, list) => list.skip(rank),
        }
        self
    }

    /// The rank of the last doubt that was met, or the rank given to [`after`](Self::after).
    #[must_use]
    pub fn reached(&self) -> Option<ScanPosition> {
        match &self.source {
            Source::Local { ranking, .. } => ranking.reached(),
            Source::Remote(_, list) => list.reached(),
        }
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
        DoubtScan::new(self.home(), None)
    }
}

impl Namespace {
    /// The keys in doubt, oldest first: see [`Store::doubts`](crate::Store::doubts).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn doubts(&self) -> Result<DoubtScan> {
        DoubtScan::new(&self.store(), Some(self.id()))
    }
}

impl Iterator for DoubtScan {
    type Item = Result<Doubt>;

    fn next(&mut self) -> Option<Result<Doubt>> {
        match &mut self.source {
            Source::Local {
                store,
                ranking,
                homes,
            } => {
                let engine = &store.engine;
                let told = engine.next_told(ranking, |ranked| engine.ranked_doubt(ranked))?;
                Some(told.map(|(core, record, alive)| {
                    let homes = homes.entry(core.id);
                    let homes = homes.or_insert_with(|| Homes::new(store, &core));
                    Doubt::of(homes, record, alive, false)
                }))
            }
            Source::Remote(store, list) => {
                let remote = &store.remote;
                let told = list.next(
                    || block_on(remote.doubts(self.only)),
                    |(core, (listed, _))| {
                        let key = Remote::key(&core, &listed.key);
                        let doubt = block_on(remote.doubt_of(&core, key))?;
                        let same = doubt.filter(|(doubt, _)| doubt.head.token == listed.head.token);
                        Ok(same.map(|doubt| (core, doubt)))
                    },
                )?;
                Some(told.map(|(core, (record, alive))| {
                    let home = RemoteHome {
                        inner: Arc::clone(store),
                        core,
                    };
                    Doubt::of_remote(&home, record, alive, false)
                }))
            }
        }
    }
}

impl fmt::Debug for DoubtScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoubtScan")
            .field("reached", &self.reached())
            .finish_non_exhaustive()
    }
}
