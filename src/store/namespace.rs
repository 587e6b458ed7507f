//! [`Namespace`]: keys under one policy, and the calls on them.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};

use crate::claim::calls::Calls;
use crate::claim::claim::{BatchClaim, Claim};
use crate::claim::doubt::Doubt;
use crate::claim::failure::IntoFailure;
use crate::claim::lease::Lease;
use crate::claim::local_calls::LocalCalls;
use crate::claim::options::{ClaimItem, ClaimOptions};
use crate::claim::pending::Pending;
use crate::claim::ran::{Ran, RunError};
use crate::claim::remote_calls::RemoteCalls;
use crate::claim::run::{Run, run, run_async};
use crate::claim::settling::Settling;
use crate::claim::stored_value::StoredValue;
use crate::claim::to_stored::ToStored;
use crate::observe::metrics::MetricSource;
use crate::remote::home::RemoteHome;
use crate::store::handle::{Homes, StoreHome};
use crate::value::error::Result;
use crate::value::fingerprint::{Fingerprint, FingerprintBuilder};
use crate::value::key_digest::KeyDigest;
use crate::value::key_info::KeyInfo;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;

/// Keys under one policy. The same key in two namespaces never meets. Cheap to clone.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Claim, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let day = Duration::from_secs(24 * 60 * 60);
/// let mail = store.namespace("welcome-mail", Policy::at_least_once().retention(day * 7))?;
/// assert!(matches!(mail.claim("user-7")?, Claim::Granted(_)));
/// assert!(mail.insert("user-8")?, "marked as done");
/// assert!(!mail.insert("user-8")?);
/// assert!(mail.forget("user-8")?, "it can run again");
/// assert_eq!(mail.get("user-8")?.map(|info| info.state()), None);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Namespace {
    calls: Calls,
}

impl Namespace {
    pub(crate) fn new(homes: Homes) -> Self {
        Self {
            calls: Calls::Local(LocalCalls::new(homes)),
        }
    }

    /// A namespace of a store over a backend.
    pub(crate) fn over(home: RemoteHome) -> Self {
        Self {
            calls: Calls::Remote(RemoteCalls::new(home)),
        }
    }

    /// The store that it is of.
    pub(crate) fn store(&self) -> StoreHome {
        match &self.calls {
            Calls::Local(calls) => StoreHome::Local(Arc::clone(calls.homes().store())),
            Calls::Remote(calls) => StoreHome::Remote(Arc::clone(&calls.home().inner)),
        }
    }

    pub(crate) fn id(&self) -> NamespaceId {
        self.calls.core().id
    }

    /// The homes of a namespace in this process, which tests look into.
    #[cfg(test)]
    pub(crate) fn homes(&self) -> &Homes {
        match &self.calls {
            Calls::Local(calls) => calls.homes(),
            Calls::Remote(_) => panic!("the namespace is of a store over a backend"),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.calls.core().name
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.calls.core().policy
    }

    /// Starts a fingerprint under a scheme, a number of your choice. Change it when you change the parts of
    /// your fingerprints, so that a deploy does not turn live retries into mismatches.
    pub fn fingerprint(&self, scheme: u32) -> FingerprintBuilder {
        FingerprintBuilder::new(self.calls.seeded().clone(), scheme)
    }

    /// The fingerprint of a request that is one run of bytes.
    ///
    /// # Errors
    /// None that depends on the bytes.
    pub fn fingerprint_of(&self, body: impl AsRef<[u8]>) -> Result<Fingerprint> {
        self.fingerprint(0).part("body", body).build()
    }

    /// The digest that stands for a key of this namespace in logs, traces and audits.
    #[must_use]
    pub fn key_digest(&self, key: impl AsRef<[u8]>) -> KeyDigest {
        self.calls.seeded().key_digest(self.id(), key.as_ref())
    }

    /// Shows the counters of `source` among the metrics of the store, under this namespace, for as long as the
    /// source lives.
    pub fn add_metrics<S: MetricSource + 'static>(&self, source: &Arc<S>) {
        let source: Weak<S> = Arc::downgrade(source);
        match &self.calls {
            Calls::Local(calls) => calls.homes().engine().add_source(calls.core(), source),
            Calls::Remote(calls) => calls.home().remote().add_source(calls.core(), source),
        }
    }

    /// Claims a key: asks to be the one that runs.
    ///
    /// # Errors
    /// Only when the store cannot answer, and then nothing has run and no attempt is counted:
    /// [`Invalid`](crate::ErrorKind::Invalid) or [`TooLarge`](crate::ErrorKind::TooLarge) for the key,
    /// [`AtCapacity`](crate::ErrorKind::AtCapacity),
    /// [`Poisoned`](crate::ErrorKind::Poisoned), [`Closed`](crate::ErrorKind::Closed),
    /// [`Damaged`](crate::ErrorKind::Damaged), [`Forked`](crate::ErrorKind::Forked).
    pub fn claim(&self, key: impl AsRef<[u8]>) -> Result<Claim> {
        self.claim_with(key, ClaimOptions::new())
    }

    /// Claims a key, with a fingerprint, a wait, metadata, or another lease or retention.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim), and [`Invalid`](crate::ErrorKind::Invalid) or
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for the options.
    pub fn claim_with(&self, key: impl AsRef<[u8]>, options: ClaimOptions) -> Result<Claim> {
        self.calls.claim(key.as_ref(), options)
    }

    /// As [`claim_with`](Self::claim_with), without blocking: the claim is made when the future is
    /// first polled, and taken back when the future is dropped before it has been answered.
    pub fn claim_async(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
    ) -> Pending<Result<Claim>> {
        self.calls.claim_async(key.as_ref(), options)
    }

    /// Claims many keys in one commit; answers come in the order of the items. It never waits for a key. The
    /// tokens of its grants are higher than every token granted before, but do not follow the order of the
    /// items.
    ///
    /// # Errors
    /// An error of the whole call means that nothing was claimed: as for [`claim_with`](Self::claim_with)
    /// when an item is at fault or the store cannot answer at all, [`TooLarge`](crate::ErrorKind::TooLarge)
    /// for too many items. From then on each item has its own answer; an item that cannot be answered is
    /// [`Refused`](BatchClaim::Refused).
    pub fn claim_many(
        &self,
        items: impl IntoIterator<Item = impl Into<ClaimItem>>,
    ) -> Result<Vec<BatchClaim>> {
        self.calls.claim_many(items)
    }

    /// As [`claim_many`](Self::claim_many), without blocking.
    pub fn claim_many_async(
        &self,
        items: impl IntoIterator<Item = impl Into<ClaimItem>>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        self.calls.claim_many_async(items)
    }

    /// Completes many leases in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::complete`].
    pub fn complete_many<R: ToStored>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<()>> {
        Settling::Complete.settle(self.name(), items)
    }

    /// Fails many leases for good in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::fail`].
    pub fn fail_many<R: ToStored>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<()>> {
        Settling::Fail.settle(self.name(), items)
    }

    /// Releases many leases in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::release`].
    pub fn release_many<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<()>> {
        Settling::Release.settle(self.name(), items)
    }

    /// As [`complete_many`](Self::complete_many); it takes effect at once, and the future only
    /// waits for the acknowledgements.
    pub fn complete_many_async<R: ToStored>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Pending<Vec<Result<()>>> {
        Settling::Complete.settle_async(self.name(), items)
    }

    /// As [`fail_many`](Self::fail_many); it takes effect at once, and the future only waits for the
    /// acknowledgements.
    pub fn fail_many_async<R: ToStored>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Pending<Vec<Result<()>>> {
        Settling::Fail.settle_async(self.name(), items)
    }

    /// As [`release_many`](Self::release_many); it takes effect at once, and the future only waits for the
    /// acknowledgements.
    pub fn release_many_async<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Pending<Vec<Result<()>>> {
        Settling::Release.settle_async(self.name(), items)
    }

    /// Runs `work` unless it ran before, and stores its result; the lease is kept alive while it
    /// runs, for at most [`RUN_CEILING`](crate::limits::RUN_CEILING).
    ///
    /// A result over the limit of the policy goes to this caller, and the key is recorded as completed
    /// without its bytes, also under [`Oversize::Refuse`](crate::Oversize::Refuse): the work has run, and
    /// must not run again because of its size.
    ///
    /// Work may end in any error that can be displayed: the key is then released under at-least-once, and in
    /// doubt under at-most-once. A [`Failure`](crate::Failure) can choose another end. A panic in `work` has
    /// the same effect as an error.
    ///
    /// # Errors
    /// [`RunError::Work`] when the work failed, once the store knows how; [`RunError::Failed`] when it
    /// failed for good before;
    /// [`RunError::Store`] as for [`claim`](Self::claim) and [`Lease::complete`], and of kind
    /// [`Decode`](crate::ErrorKind::Decode) for a stored result that is not a `T`, or was left out
    /// because it was over the limit of the policy: the work is not run again for that.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Ran, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let mail = store.namespace("mail", Policy::at_least_once())?;
    /// let send = || mail.run_once("user-7", |run| {
    ///     Ok::<_, std::io::Error>(format!("sent under {}", run.token()))
    /// });
    /// assert!(matches!(send(), Ok(Ran::Executed(_))));
    /// assert!(matches!(send(), Ok(Ran::Replayed(_))));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn run_once<T, F, W>(
        &self,
        key: impl AsRef<[u8]>,
        work: W,
    ) -> Result<Ran<T>, RunError<F::Error>>
    where
        T: StoredValue,
        F: IntoFailure,
        W: FnOnce(Run) -> Result<T, F>,
    {
        self.run_once_with(key, ClaimOptions::new(), work)
    }

    /// As [`run_once`](Self::run_once), with the options of the claim.
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_with<T, F, W>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> Result<Ran<T>, RunError<F::Error>>
    where
        T: StoredValue,
        F: IntoFailure,
        W: FnOnce(Run) -> Result<T, F>,
    {
        run(&self.calls, key.as_ref(), options, work)
    }

    /// As [`run_once_with`](Self::run_once_with), without blocking. Dropping the future while the work runs
    /// has the effect of dropping its [`Lease`].
    ///
    /// # Errors
    /// As for [`run_once`](Self::run_once).
    pub fn run_once_async<T, F, W, U>(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
        work: W,
    ) -> impl Future<Output = Result<Ran<T>, RunError<F::Error>>>
    where
        T: StoredValue,
        F: IntoFailure,
        W: FnOnce(Run) -> U,
        U: Future<Output = Result<T, F>>,
    {
        run_async(&self.calls, key.as_ref(), options, work)
    }

    /// Marks a key as done, as a set does. True if it was not done before.
    ///
    /// It marks the key *before* the work, or instead of it. If work can fail, claim the key.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn insert(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.calls.insert(key.as_ref())
    }

    /// As [`insert`](Self::insert), without blocking: the key is marked when the future is first polled,
    /// and stays marked when the future is dropped after that.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Namespace;
    ///
    /// /// True for the first delivery of an event.
    /// async fn is_new(seen: &Namespace, event: &str) -> hapax::Result<bool> {
    ///     seen.insert_async(event).await
    /// }
    /// ```
    pub fn insert_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<bool>> {
        self.calls.insert_async(key.as_ref())
    }

    /// As [`insert`](Self::insert), for many keys in one commit; results come in the order of the keys,
    /// and what keeps one key out keeps no other out. Keys are marked in the order of their hashes: which
    /// of them a limit keeps out is not defined.
    ///
    /// # Errors
    /// An error of the whole call means that nothing was marked: a key that is at fault, too many keys, a
    /// store that cannot answer at all. From then on each key has its own result, as for
    /// [`insert`](Self::insert): send only the keys with an error again.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Limits, Policy, Store};
    ///
    /// let store = Store::in_memory().limits(Limits::new().live_keys(2)).open()?;
    /// let seen = store.namespace("seen", Policy::at_least_once())?;
    /// let events = ["a", "b", "a", "c"];
    /// let (mut handle, mut later) = (Vec::new(), Vec::new());
    /// for (event, marked) in events.iter().zip(seen.insert_many(events)?) {
    ///     match marked {
    ///         Ok(true) => handle.push(event),
    ///         Ok(false) => {}
    ///         Err(_) => later.push(event),
    ///     }
    /// }
    /// // Two of the three keys fit.
    /// assert_eq!(handle.len(), 2);
    /// assert!(!later.is_empty());
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn insert_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<bool>>> {
        self.calls.insert_many(keys)
    }

    /// As [`insert_many`](Self::insert_many), without blocking. Keys that a dropped future has marked by
    /// then stay marked.
    pub fn insert_many_async<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        self.calls.insert_many_async(keys)
    }

    /// Whether a key was completed.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.calls.contains(key.as_ref())
    }

    /// As [`contains`](Self::contains), without blocking.
    pub fn contains_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<bool>> {
        self.calls.contains_async(key.as_ref())
    }

    /// The state of a key and what is stored of it; `None` if it is absent or expired.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<KeyInfo>> {
        self.calls.get(key.as_ref())
    }

    /// As [`get`](Self::get), without blocking.
    pub fn get_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<Option<KeyInfo>>> {
        self.calls.get_async(key.as_ref())
    }

    /// The doubt of one key; `None` if it is not in doubt.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn doubt_of(&self, key: impl AsRef<[u8]>) -> Result<Option<Doubt>> {
        self.calls.doubt_of(key.as_ref())
    }

    /// Removes a key, so that it can run again. False if it was absent.
    ///
    /// The removal is logical: the bytes stay in the log until their segment goes.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim), and [`InUse`](crate::ErrorKind::InUse) for a key in progress
    /// or in doubt: [`Operator::forget_forced`](crate::operator::Operator::forget_forced) removes it.
    pub fn forget(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.calls.forget(key.as_ref(), None, None)
    }

    /// As [`forget`](Self::forget); it takes effect at once, and the future only waits for the
    /// acknowledgement.
    pub fn forget_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<bool>> {
        self.calls.forget_async(key.as_ref())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name())
            .field("policy", self.policy())
            .finish_non_exhaustive()
    }
}
