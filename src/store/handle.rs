//! The state that the handles of a store share: [`StoreInner`], and the [`Homes`] of its namespaces.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::value::digest::Digest;

/// The state that the handles of a store share; dropping the last handle closes the store.
#[derive(Debug)]
pub(crate) struct StoreInner {
    pub(crate) engine: Arc<Engine>,
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        // A caller that wants to know about a failure calls `close`.
        let _ = self.engine.close();
    }
}

/// The part of a namespace that a lease keeps alive. Each home has a count of its own, so that threads with
/// leases of different keys do not write to one cache line.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) store: Arc<StoreInner>,
    pub(crate) core: Arc<NamespaceCore>,
}

/// Homes of one namespace. Invariant: a power of two.
const HOMES: u32 = 16;

/// The homes of one namespace, among which its keys are spread. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Homes(Arc<[Arc<CachePadded<Home>>]>);

impl Homes {
    pub(crate) fn new(store: &Arc<StoreInner>, core: &Arc<NamespaceCore>) -> Self {
        let home = |_| {
            Arc::new(CachePadded::new(Home {
                store: Arc::clone(store),
                core: Arc::clone(core),
            }))
        };
        Self((0..HOMES).map(home).collect())
    }

    #[inline]
    pub(crate) fn store(&self) -> &Arc<StoreInner> {
        &self.0[0].store
    }

    #[inline]
    pub(crate) fn engine(&self) -> &Engine {
        &self.store().engine
    }

    #[inline]
    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        &self.0[0].core
    }

    /// The home of a key.
    #[inline]
    pub(crate) fn of_key(&self, digest: Digest) -> &Arc<CachePadded<Home>> {
        let home = usize::try_from(digest.route % HOMES).expect("it is less than 16");
        &self.0[home]
    }
}
