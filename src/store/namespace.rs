//! [`Namespace`]: keys under one policy, and everything that is done with them.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::claim::claim::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Completed, Doubt, Failed, InProgress, Mismatch,
};
use crate::claim::lease::{Held, Lease, LeaseError};
use crate::claim::pending::Pending;
use crate::engine::call::batch::{BatchItem, ItemAnswer};
use crate::engine::call::claim::{Answer, Granted};
use crate::engine::namespaces::NamespaceCore;
use crate::observe::metrics::MetricSource;
use crate::runtime::sync::block_on;
use crate::scan::doubts::DoubtScan;
use crate::scan::in_progress::InProgressScan;
use crate::scan::scan::{KeyFilter, Scan};
use crate::state::request::Request;
use crate::state::transition::Command;
use crate::store::store::StoreInner;
use crate::value::attribution::Attribution;
use crate::value::digest::Digest;
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, FingerprintBuilder};
use crate::value::key::check_key;
use crate::value::key_digest::KeyDigest;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::policy::Policy;
use crate::value::record::Record;
use crate::value::time::millis;

/// Keys under one policy. The same key in two namespaces never meets. Cheap to clone.
#[derive(Clone)]
pub struct Namespace {
    homes: Arc<[Arc<CachePadded<Home>>]>,
}

/// What a lease holds on to. Each has a count of its own, so that threads which take leases of
/// different keys do not write to one cache line.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) store: Arc<StoreInner>,
    pub(crate) core: Arc<NamespaceCore>,
}

/// Homes of one namespace. Invariant: a power of two.
const HOMES: u32 = 16;

impl Namespace {
    pub(crate) fn new(store: &Arc<StoreInner>, core: &Arc<NamespaceCore>) -> Self {
        let home = |_| {
            Arc::new(CachePadded::new(Home {
                store: Arc::clone(store),
                core: Arc::clone(core),
            }))
        };
        Self {
            homes: (0..HOMES).map(home).collect(),
        }
    }

    pub(crate) fn store(&self) -> &Arc<StoreInner> {
        &self.homes[0].store
    }

    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        &self.homes[0].core
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core().name
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.core().policy
    }

    /// Starts a fingerprint under a scheme: a number of your choice that changes when what you
    /// put into fingerprints changes, so that a deploy does not turn live retries into mismatches.
    pub fn fingerprint(&self, scheme: u32) -> FingerprintBuilder {
        FingerprintBuilder::new(self.store().engine.seeded.clone(), scheme)
    }

    /// The fingerprint of a request that is one run of bytes.
    ///
    /// # Errors
    /// None that depends on the bytes.
    pub fn fingerprint_of(&self, body: impl AsRef<[u8]>) -> Result<Fingerprint> {
        self.fingerprint(0).part("body", body).build()
    }

    /// What stands for a key of this namespace in logs, traces and audits.
    #[must_use]
    pub fn key_digest(&self, key: impl AsRef<[u8]>) -> KeyDigest {
        let engine = &self.store().engine;
        engine.seeded.key_digest(self.core().id, key.as_ref())
    }

    /// Shows the counters of `source` among the metrics of the store, under this namespace, for as long as the
    /// source lives.
    pub fn add_metrics<S: MetricSource + 'static>(&self, source: &Arc<S>) {
        let source: Weak<S> = Arc::downgrade(source);
        self.store().engine.add_source(self.core(), source);
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
        self.claim_in_span(key.as_ref(), options)
    }

    /// As [`claim_with`](Self::claim_with), without blocking: the claim is made when the future is
    /// first polled, and taken back when the future is dropped before it has been answered.
    pub fn claim_async(
        &self,
        key: impl AsRef<[u8]>,
        options: ClaimOptions,
    ) -> Pending<Result<Claim>> {
        self.begin_claim(key.as_ref(), options)
    }

    /// Claims many keys in one commit; answers come in the order of the items. It never waits for
    /// a key. The tokens of its grants are higher than every one granted before, but among each other
    /// they do not follow the order of the items.
    ///
    /// # Errors
    /// An error of the whole call means that nothing was claimed: as for
    /// [`claim_with`](Self::claim_with) when an item is at fault or the store cannot answer at all,
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for too many items. From then on each item has an answer
    /// of its own, and one that cannot be answered is [`Refused`](BatchClaim::Refused).
    pub fn claim_many(
        &self,
        items: impl IntoIterator<Item = impl Into<ClaimItem>>,
    ) -> Result<Vec<BatchClaim>> {
        self.claim_many_in_span(self.prepare_many(items))
    }

    /// As [`claim_many`](Self::claim_many), without blocking.
    pub fn claim_many_async(
        &self,
        items: impl IntoIterator<Item = impl Into<ClaimItem>>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        self.begin_claim_many(self.prepare_many(items))
    }

    pub(crate) async fn claim_prepared_many(
        &self,
        items: Vec<BatchItem>,
        may_block: bool,
    ) -> Result<Vec<BatchClaim>> {
        let answers = self
            .store()
            .engine
            .claim_many(self.core(), &items, may_block)
            .await?;
        let answered = |(item, answer): (BatchItem, ItemAnswer)| match answer {
            ItemAnswer::Answer(answer) => BatchClaim::Claim(self.answer(item.digest, answer)),
            ItemAnswer::RepeatOf { index, mismatch } => BatchClaim::RepeatOf { index, mismatch },
            ItemAnswer::Refused(error) => BatchClaim::Refused(error),
        };
        Ok(items.into_iter().zip(answers).map(answered).collect())
    }

    /// Completes many leases in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::complete`].
    pub fn complete_many<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<(), LeaseError>> {
        let started = items
            .into_iter()
            .map(|(lease, response)| lease.start(Command::Complete(response.as_ref())));
        self.settle_many("complete_many", started)
    }

    /// Fails many leases for good in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::fail`].
    pub fn fail_many<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<(), LeaseError>> {
        let started = items
            .into_iter()
            .map(|(lease, error)| lease.start(Command::Fail(error.as_ref())));
        self.settle_many("fail_many", started)
    }

    /// Releases many leases in one commit; results come in the order of the items.
    ///
    /// # Errors
    /// Each item has its own result, as for [`Lease::release`].
    pub fn release_many<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Vec<Result<(), LeaseError>> {
        let started = items
            .into_iter()
            .map(|(lease, reason)| lease.start(Command::Release(reason.as_ref())));
        self.settle_many("release_many", started)
    }

    /// As [`complete_many`](Self::complete_many); it takes effect at once, and the future only
    /// waits for the acknowledgements.
    pub fn complete_many_async<R: AsRef<[u8]>>(
        &self,
        items: impl IntoIterator<Item = (Lease, R)>,
    ) -> Pending<Vec<Result<(), LeaseError>>> {
        let started = items
            .into_iter()
            .map(|(lease, response)| lease.start(Command::Complete(response.as_ref())));
        self.begin_settle_many("complete_many", started)
    }

    /// Marks a key as done, as a set would. True when it was not done before.
    ///
    /// It marks *before* the work, or instead of it: where work can fail, claim the key.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn insert(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.insert_in_span(key.as_ref())
    }

    /// As [`insert`](Self::insert), for many keys in one commit; results come in the order of the keys,
    /// and what keeps one key out keeps no other out.
    ///
    /// # Errors
    /// An error of the whole call means that nothing was marked: a key that is at fault, too many
    /// keys, a store that cannot answer at all. From then on each key has its own result, as for
    /// [`insert`](Self::insert): send those again that have an error, and only those.
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
    /// assert_eq!((handle, later), (vec![&"a", &"b"], vec![&"c"]));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    pub fn insert_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<bool>>> {
        block_on(self.insert_many_async(keys))
    }

    /// As [`insert_many`](Self::insert_many), without blocking. Keys that a dropped future has marked by
    /// then stay marked.
    pub fn insert_many_async<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        let engine = &self.store().engine;
        let keys = engine.gather(keys, |_, key| self.key(key.as_ref()));
        self.begin_insert_many(keys)
    }

    /// Whether a key was completed.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let key = key.as_ref();
        self.check_key(key)?;
        let engine = &self.store().engine;
        block_on(engine.contains(engine.named(self.core(), key)))
    }

    /// As [`contains`](Self::contains), without blocking.
    pub fn contains_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<bool>> {
        let key = self.key(key.as_ref());
        let this = self.clone();
        Pending::new(async move {
            let key = key?;
            let engine = &this.store().engine;
            engine.contains(engine.named(this.core(), &key)).await
        })
    }

    /// What a key is; `None` when it is absent or expired.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<KeyInfo>> {
        let key = key.as_ref();
        self.check_key(key)?;
        let engine = &self.store().engine;
        block_on(engine.get(engine.named(self.core(), key)))
    }

    /// As [`get`](Self::get), without blocking.
    pub fn get_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<Option<KeyInfo>>> {
        let key = self.key(key.as_ref());
        let this = self.clone();
        Pending::new(async move {
            let key = key?;
            let engine = &this.store().engine;
            engine.get(engine.named(this.core(), &key)).await
        })
    }

    /// Goes through the keys of the namespace that pass a filter, oldest record first, then the
    /// ones in progress.
    ///
    /// A key that does not change meanwhile is met exactly once; one that does may be met in
    /// either state. Compaction waits while the scan is alive.
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn scan(&self, filter: KeyFilter) -> Result<Scan> {
        Scan::new(Arc::clone(self.store()), Some(self.core().id), filter)
    }

    /// The keys in doubt, oldest first.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn in_doubt(&self) -> Result<Vec<Doubt>> {
        self.doubts()?.collect()
    }

    /// As [`in_doubt`](Self::in_doubt), one by one: see [`Store::doubts`](crate::Store::doubts).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn doubts(&self) -> Result<DoubtScan> {
        DoubtScan::new(self.store(), Some(self.core().id))
    }

    /// Goes through the keys that somebody runs: see [`Store::running`](crate::Store::running).
    ///
    /// # Errors
    /// When the store is closed. Each item has its own result.
    pub fn running(&self) -> Result<InProgressScan> {
        InProgressScan::new(self.store(), Some(self.core().id))
    }

    /// The doubt of one key; `None` when it is not in doubt.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn doubt_of(&self, key: impl AsRef<[u8]>) -> Result<Option<Doubt>> {
        let key = key.as_ref();
        self.check_key(key)?;
        let engine = &self.store().engine;
        let found = block_on(engine.doubt_of(engine.named(self.core(), key)))?;
        Ok(found.map(|(record, alive)| self.doubt(record, alive, false)))
    }

    /// Removes a key, so that it can run again. False when it was not there.
    ///
    /// The removal is logical: the bytes stay in the log until their segment goes.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim), and [`InUse`](crate::ErrorKind::InUse) for a key in progress
    /// or in doubt.
    pub fn forget(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.forget_by(key.as_ref(), None, None)
    }

    /// As [`forget`](Self::forget), also for the key in progress or in doubt under this token.
    ///
    /// # Errors
    /// As for [`forget`](Self::forget), and [`Superseded`](crate::ErrorKind::Superseded) when the
    /// token is not current.
    pub fn forget_forced(&self, key: impl AsRef<[u8]>, token: FencingToken) -> Result<bool> {
        self.forget_by(key.as_ref(), Some(token), None)
    }

    /// As [`forget`](Self::forget); it takes effect at once, and the future only waits for the
    /// acknowledgement.
    pub fn forget_async(&self, key: impl AsRef<[u8]>) -> Pending<Result<bool>> {
        let forgotten = self.key(key.as_ref()).and_then(|key| {
            let engine = &self.store().engine;
            let forgotten = engine.forget(engine.named(self.core(), &key), None, None);
            self.tell_forgotten(&key, None, None, &forgotten);
            forgotten
        });
        let this = self.clone();
        Pending::new(async move {
            let engine = &this.store().engine;
            let (there, frame) = match forgotten {
                Ok(forgotten) => forgotten,
                Err(error) => return Err(engine.refuse(error).await),
            };
            engine
                .acknowledge(engine.is_sync(this.core()), frame)
                .await?;
            Ok(there)
        })
    }

    pub(crate) fn forget_by(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<bool> {
        self.check_key(key)?;
        let engine = &self.store().engine;
        let forgotten = engine.forget(engine.named(self.core(), key), force, by);
        self.tell_forgotten(key, force, by, &forgotten);
        let (there, frame) = forgotten.map_err(|error| block_on(engine.refuse(error)))?;
        block_on(engine.acknowledge(engine.is_sync(self.core()), frame))?;
        Ok(there)
    }

    pub(crate) fn check_key(&self, key: &[u8]) -> Result<()> {
        check_key(key, self.store().engine.options.limits.key_bytes)
    }

    fn key(&self, key: &[u8]) -> Result<Box<[u8]>> {
        self.check_key(key)?;
        Ok(key.into())
    }

    pub(crate) fn prepare(&self, key: &[u8], options: ClaimOptions) -> Result<Request> {
        self.check_key(key)?;
        options.check(
            &self.core().policy,
            self.store().engine.options.limits.metadata_bytes,
        )?;
        Ok(Request {
            fingerprint: options.fingerprint,
            metadata: options.metadata.into(),
            actor: options.actor.into_bytes().into(),
            lease_ms: millis(options.lease.unwrap_or(self.core().policy.lease)),
            retention: options.retention,
            keep_alive_ms: options.keep_alive.map_or(0, millis),
        })
    }

    fn prepare_many(
        &self,
        items: impl IntoIterator<Item = impl Into<ClaimItem>>,
    ) -> Result<Vec<BatchItem>> {
        self.store().engine.gather(items, |index, item| {
            let item: ClaimItem = item.into();
            let prepared = self.prepare(&item.key, item.options);
            let request = prepared.map_err(|error| {
                Error::new(error.kind(), format!("item {index} of the batch: {error}"))
            })?;
            let digest = self.store().engine.digest(self.core(), &item.key);
            Ok(BatchItem {
                digest,
                key: item.key,
                request,
            })
        })
    }

    pub(crate) fn lease(&self, digest: Digest, granted: Granted) -> Lease {
        Lease::new(self.held(digest, granted))
    }

    fn held(&self, digest: Digest, granted: Granted) -> Held {
        let home = usize::try_from(digest.route % HOMES).expect("it is less than 16");
        Held {
            home: Arc::clone(&self.homes[home]),
            digest,
            granted,
        }
    }

    pub(crate) fn answer(&self, digest: Digest, answer: Answer) -> Claim {
        match answer {
            Answer::Granted(granted) => Claim::Granted(self.lease(digest, granted)),
            Answer::InProgress {
                lease_left_ms,
                attempt,
                metadata,
                compared,
            } => {
                let lease_left = Duration::from_millis(lease_left_ms);
                Claim::InProgress(InProgress {
                    lease_left,
                    attempt,
                    metadata,
                    compared,
                })
            }
            Answer::Settled {
                state: KeyState::Failed,
                record,
                compared,
            } => Claim::Failed(Failed { record, compared }),
            Answer::Settled {
                record, compared, ..
            } => Claim::Completed(Completed { record, compared }),
            Answer::InDoubt {
                record,
                holder_alive,
                compared,
            } => Claim::InDoubt(self.doubt(record, holder_alive, compared)),
            Answer::Mismatch { labels, state } => Claim::Mismatch(Mismatch { labels, state }),
        }
    }

    pub(crate) fn doubt(&self, record: Arc<Record>, holder_alive: bool, compared: bool) -> Doubt {
        let record = record.into_doubt();
        let granted = Granted {
            key: Arc::clone(&record.key),
            token: record.head.token,
            attempt: record.head.attempt,
            checkpoint: record.body.clone(),
            reason: record.reason.clone(),
            first_claimed_at: record.head.first_claimed_at,
            rests_on: None,
            undelivered: false,
        };
        let digest = self.store().engine.digest(self.core(), &record.key);
        let held = self.held(digest, granted);
        Doubt {
            held,
            record,
            holder_alive,
            compared,
        }
    }
}

/// A lease whose command has been carried out, and the frame that its acknowledgement waits for.
pub(crate) type Started = Result<(Lease, Option<u64>), LeaseError>;

/// Waits for many acknowledgements: the first wait covers all that share its commit.
pub(crate) async fn acknowledged(started: Vec<Started>) -> Vec<Result<(), LeaseError>> {
    let mut results = Vec::with_capacity(started.len());
    for started in started {
        results.push(match started {
            Ok((lease, frame)) => {
                let held = lease.held();
                let sync = held.engine().is_sync(held.namespace());
                if held.engine().is_acknowledged(sync, frame) {
                    Ok(())
                } else {
                    let acknowledged = held.engine().acknowledge(sync, frame).await;
                    acknowledged.map_err(|error| LeaseError::new(error, lease))
                }
            }
            Err(refused) => Err(refused.rested().await),
        });
    }
    results
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.core().name)
            .field("policy", &self.core().policy)
            .finish_non_exhaustive()
    }
}
