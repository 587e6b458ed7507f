//! [`Store`]: one directory, open in one process.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::claim::pending::Pending;
#[cfg(any(test, feature = "sim"))]
use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::observe::stats::Stats;
use crate::remote::home::{RemoteHome, RemoteInner};
use crate::remote::remote::Remote;
use crate::runtime::begun::Begun;
use crate::runtime::sync::block_on;
use crate::store::handle::{Homes, StoreHome, StoreInner};
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
    home: StoreHome,
}

impl Store {
    pub(crate) fn of(inner: Arc<StoreInner>) -> Self {
        Self {
            home: StoreHome::Local(inner),
        }
    }

    /// A store over a backend.
    pub(crate) fn over_remote(remote: Arc<Remote>) -> Self {
        Self {
            home: StoreHome::Remote(Arc::new(RemoteInner { remote })),
        }
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
        Ok(match &self.home {
            StoreHome::Local(inner) => of_core(inner, &inner.engine.namespace(name, policy)?),
            StoreHome::Remote(inner) => {
                of_remote(inner, block_on(inner.remote.namespace(name, policy))?)
            }
        })
    }

    /// A namespace that was made before, under the policy that is stored.
    ///
    /// # Errors
    /// [`NoNamespace`](crate::ErrorKind::NoNamespace) if no namespace has this name,
    /// [`Invalid`](crate::ErrorKind::Invalid) or [`TooLarge`](crate::ErrorKind::TooLarge) if none can have it, and
    /// [`Closed`](crate::ErrorKind::Closed).
    pub fn open_namespace(&self, name: &str) -> Result<Namespace> {
        Ok(match &self.home {
            StoreHome::Local(inner) => of_core(inner, &inner.engine.existing(name)?),
            StoreHome::Remote(inner) => of_remote(inner, block_on(inner.remote.existing(name))?),
        })
    }

    /// Gives a namespace another guarantee.
    ///
    /// # Errors
    /// As for [`namespace`](Self::namespace), and [`InUse`](crate::ErrorKind::InUse) while one of its
    /// keys is in progress or in doubt.
    pub fn change_guarantee(&self, name: &str, policy: Policy) -> Result<Namespace> {
        let inner = self.home.local("change of a guarantee")?;
        let core = inner.engine.change_guarantee(name, policy)?;
        Ok(of_core(inner, &core))
    }

    /// The names of the namespaces, in the order in which they were made.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        match &self.home {
            StoreHome::Local(inner) => {
                let namespaces = inner.engine.namespaces.lock();
                let entries = namespaces.manifest.namespaces.iter();
                entries.map(|entry| entry.name.clone()).collect()
            }
            StoreHome::Remote(inner) => inner.remote.names(),
        }
    }

    /// What the store holds, and what opening it found. [`metrics`](Self::metrics) counts what it does.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.home {
            StoreHome::Local(inner) => inner.engine.stats(),
            StoreHome::Remote(inner) => inner.remote.stats(),
        }
    }

    /// Everything that the store counts and measures, at this moment, for Prometheus or another
    /// recorder.
    ///
    /// Takes the lock of each shard in turn, so call it every few seconds, not for each request.
    /// [The guide](crate::guide::metrics) says what each number means.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.home.metrics()
    }

    /// Whether the store serves, and what troubles it. Cheap, and waits for nothing.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.home {
            StoreHome::Local(inner) => inner.engine.health(),
            StoreHome::Remote(inner) => inner.remote.health(),
        }
    }

    /// The kind of log that the store lies in; `None` for one in memory.
    #[must_use]
    pub fn log_kind(&self) -> Option<LogKind> {
        match &self.home {
            StoreHome::Local(inner) => inner.engine.journal.log().kind(),
            StoreHome::Remote(_) => None,
        }
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
        let inner = match &self.home {
            StoreHome::Local(inner) => Arc::clone(inner),
            // What was acknowledged is as durable as its namespace says already.
            StoreHome::Remote(inner) => return Begun::Ready(inner.remote.check_open()),
        };
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
        if let StoreHome::Local(inner) = &self.home {
            inner.engine.validate();
        }
    }

    pub(crate) fn home(&self) -> &StoreHome {
        &self.home
    }

    /// The engine of a store in this process, which tests and simulations look into.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        let inner = self.home.local("engine");
        &inner.expect("the store was opened in this process").engine
    }

    /// Closes the store: every lease ends, everything is made durable, and the directory is free.
    ///
    /// Other handles get [`Closed`](crate::ErrorKind::Closed) from then on. Keys in progress end as their
    /// guarantee says for a crash.
    ///
    /// # Errors
    /// If not everything could be made durable, or the store was closed before.
    pub fn close(&self) -> Result<()> {
        match &self.home {
            StoreHome::Local(inner) => inner.engine.close(),
            StoreHome::Remote(inner) => inner.remote.close(),
        }
    }
}

fn of_core(inner: &Arc<StoreInner>, core: &Arc<NamespaceCore>) -> Namespace {
    Namespace::new(Homes::new(inner, core))
}

fn of_remote(inner: &Arc<RemoteInner>, core: Arc<NamespaceCore>) -> Namespace {
    Namespace::over(RemoteHome {
        inner: Arc::clone(inner),
        core,
    })
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("namespaces", &self.namespaces())
            .finish_non_exhaustive()
    }
}
