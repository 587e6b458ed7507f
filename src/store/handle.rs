//! The state that the handles of a store share: [`StoreInner`], the [`Homes`] of its namespaces, and [`StoreHome`].

use std::sync::Arc;
#[cfg(feature = "prometheus-client")]
use std::sync::Weak;

use crossbeam_utils::CachePadded;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::metrics::Metrics;
use crate::remote::home::RemoteInner;
use crate::value::digest::Digest;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::limits::Limits;

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

/// Where a store lies: in this process, or in a backend.
#[derive(Clone, Debug)]
pub(crate) enum StoreHome {
    Local(Arc<StoreInner>),
    Remote(Arc<RemoteInner>),
}

/// As [`StoreHome`], without keeping the store open.
#[cfg(feature = "prometheus-client")]
#[derive(Clone, Debug)]
pub(crate) enum WeakHome {
    Local(Weak<StoreInner>),
    Remote(Weak<RemoteInner>),
}

#[cfg(feature = "prometheus-client")]
impl WeakHome {
    pub(crate) fn upgrade(&self) -> Option<StoreHome> {
        match self {
            Self::Local(inner) => inner.upgrade().map(StoreHome::Local),
            Self::Remote(inner) => inner.upgrade().map(StoreHome::Remote),
        }
    }
}

impl StoreHome {
    #[cfg(feature = "prometheus-client")]
    pub(crate) fn downgrade(&self) -> WeakHome {
        match self {
            Self::Local(inner) => WeakHome::Local(Arc::downgrade(inner)),
            Self::Remote(inner) => WeakHome::Remote(Arc::downgrade(inner)),
        }
    }

    /// The store of this process. `what` only such a store has.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) for a store over a backend.
    pub(crate) fn local(&self, what: &str) -> Result<&Arc<StoreInner>> {
        match self {
            Self::Local(inner) => Ok(inner),
            Self::Remote(inner) => {
                let backend = inner.remote.backend.name();
                let text = format!(
                    "a store over {backend} has no {what}: use what {backend} has for that (docs/backends.md)"
                );
                Err(Error::new(ErrorKind::Unsupported, text))
            }
        }
    }

    /// The limits of sizes and batches.
    pub(crate) fn limits(&self) -> &Limits {
        match self {
            Self::Local(inner) => &inner.engine.options.limits,
            Self::Remote(inner) => &inner.remote.options.limits,
        }
    }

    /// Everything that the store counts and measures.
    pub(crate) fn metrics(&self) -> Metrics {
        match self {
            Self::Local(inner) => inner.engine.metrics(),
            Self::Remote(inner) => inner.remote.metrics(),
        }
    }

    /// A monotonic clock in milliseconds, for spans between two calls.
    pub(crate) fn mono_ms(&self) -> u64 {
        match self {
            Self::Local(inner) => inner.engine.now().mono_ms,
            Self::Remote(inner) => inner.remote.backend.mono_ms(),
        }
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
