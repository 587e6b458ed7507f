//! [`Store`]: one directory, open in one process.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::claim::pending::Pending;
use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::observe::stats::Stats;
use crate::runtime::begun::Begun;
use crate::store::handle::{Homes, StoreInner};
use crate::store::namespace::Namespace;
use crate::value::error::Result;
use crate::value::log_kind::LogKind;
use crate::value::policy::Policy;

/// One directory, open in one process. Cheap to clone; dropping the last handle closes it.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::open(&path)?;
/// let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
/// match mail.claim("user-7")? {
///     Claim::Granted(lease) => lease.complete("sent")?,
///     other => println!("not now: {other:?}"),
/// }
/// store.close()?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

impl Store {
    pub(crate) fn of(inner: Arc<StoreInner>) -> Self {
        Self { inner }
    }

    /// The namespace of this name, made with this policy if it is new.
    ///
    /// The store keeps the policy. A policy that differs from the stored one, but not in the guarantee,
    /// replaces it if no handle of the namespace is alive; records keep the retention that they were written
    /// with.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a policy that contradicts itself,
    /// [`AtCapacity`](crate::ErrorKind::AtCapacity) for more than 4096 namespaces,
    /// [`PolicyConflict`](crate::ErrorKind::PolicyConflict) while it is in use with another policy, or
    /// was made with another guarantee.
    pub fn namespace(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let core = self.engine().namespace(name, policy)?;
        Ok(self.of_core(&core))
    }

    /// A namespace that was made before, under the policy that is stored.
    ///
    /// # Errors
    /// [`NoNamespace`](crate::ErrorKind::NoNamespace) if no namespace has this name,
    /// [`Invalid`](crate::ErrorKind::Invalid) or [`TooLarge`](crate::ErrorKind::TooLarge) if none can have it, and
    /// [`Closed`](crate::ErrorKind::Closed).
    pub fn open_namespace(&self, name: &str) -> Result<Namespace> {
        let core = self.engine().existing(name)?;
        Ok(self.of_core(&core))
    }

    /// Gives a namespace another guarantee.
    ///
    /// # Errors
    /// As for [`namespace`](Self::namespace), and [`InUse`](crate::ErrorKind::InUse) while one of its
    /// keys is in progress or in doubt.
    pub fn change_guarantee(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let core = self.engine().change_guarantee(name, policy)?;
        Ok(self.of_core(&core))
    }

    /// The names of the namespaces, in the order in which they were made.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        let namespaces = self.engine().namespaces.lock();
        namespaces
            .manifest
            .namespaces
            .iter()
            .map(|entry| entry.name.clone())
            .collect()
    }

    /// What the store holds, and what opening it found. [`metrics`](Self::metrics) counts what it does.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine().stats()
    }

    /// Everything that the store counts and measures, at this moment, for Prometheus or another
    /// recorder.
    ///
    /// Takes the lock of each shard in turn, so call it every few seconds, not for each request.
    /// [The guide](crate::guide::metrics) says what each number means.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.engine().metrics()
    }

    /// Whether the store serves, and what troubles it. Cheap, and waits for nothing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.engine().health()
    }

    /// The kind of log that the store lies in; `None` for one in memory.
    #[must_use]
    pub fn log_kind(&self) -> Option<LogKind> {
        self.engine().journal.log().kind()
    }

    /// Waits until every earlier change is on the medium.
    ///
    /// # Errors
    /// [`Poisoned`](crate::ErrorKind::Poisoned), [`Closed`](crate::ErrorKind::Closed).
    pub fn sync(&self) -> Result<()> {
        self.begin_sync().wait()
    }

    /// As [`sync`](Self::sync), without blocking.
    pub fn sync_async(&self) -> Pending<Result<()>> {
        self.begin_sync().into()
    }

    /// What was done before the call is waited for, whenever a future of it is polled.
    fn begin_sync(&self) -> Begun<Result<()>, impl Future<Output = Result<()>> + use<>> {
        let inner = Arc::clone(&self.inner);
        if let Err(error) = inner.engine.check_alive() {
            return Begun::Ready(Err(error));
        }
        let last = inner.engine.journal.last_used();
        Begun::Waits(async move {
            inner.engine.check_alive()?;
            inner.engine.rest(Some(last)).await
        })
    }

    /// Recounts every invariant of the state in memory, and panics if one does not hold. For tests and
    /// fuzzers, while nothing else uses the store.
    #[doc(hidden)]
    pub fn validate(&self) {
        self.engine().validate();
    }

    fn of_core(&self, core: &Arc<NamespaceCore>) -> Namespace {
        Namespace::new(Homes::new(&self.inner, core))
    }

    pub(crate) fn inner(&self) -> &Arc<StoreInner> {
        &self.inner
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.inner.engine
    }

    /// Closes the store: every lease ends, everything is made durable, and the directory is free.
    ///
    /// Other handles get [`Closed`](crate::ErrorKind::Closed) from then on. Keys in progress end as their
    /// guarantee says for a crash.
    ///
    /// # Errors
    /// If not everything could be made durable, or the store was closed before.
    pub fn close(&self) -> Result<()> {
        self.inner.engine.close()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("namespaces", &self.namespaces())
            .finish_non_exhaustive()
    }
}
