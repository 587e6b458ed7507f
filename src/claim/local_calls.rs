//! [`LocalCalls`]: the calls on the keys of one namespace of a store in this process. Each is checked, carried out,
//! counted once however it ends, and traced.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::claim::claim::{BatchClaim, Claim};
use crate::claim::decision::{of_all, of_claim, of_forgotten, of_insertion, of_item, outcome};
use crate::claim::doubt::Doubt;
use crate::claim::options::{ClaimItem, ClaimOptions};
use crate::claim::pending::Pending;
use crate::engine::call::answer::Answer;
use crate::engine::call::batch::BatchItem;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::Refused;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::trace::{Operation, TraceSubject, decided};
use crate::runtime::begun::Begun;
use crate::runtime::sync::block_on;
use crate::state::request::Request;
use crate::store::handle::Homes;
use crate::value::attribution::Attribution;
use crate::value::digest::Hasher128;
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key::within_limit;
use crate::value::key_bytes::KeyBytes;
use crate::value::key_info::KeyInfo;

/// The calls on the keys of one namespace. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct LocalCalls {
    homes: Homes,
}

impl LocalCalls {
    pub(crate) fn new(homes: Homes) -> Self {
        Self { homes }
    }

    #[inline]
    pub(crate) fn homes(&self) -> &Homes {
        &self.homes
    }

    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        self.homes.core()
    }

    pub(crate) fn seeded(&self) -> &Hasher128 {
        &self.homes.engine().seeded
    }

    #[inline]
    pub(crate) fn claim(&self, key: &[u8], options: ClaimOptions) -> Result<Claim> {
        Operation::begin("claim", || self.subject(key)).run(|| {
            let wait = options.wait;
            let answered = self.prepare(key, options).and_then(|request| {
                let named = self.named(key);
                let answer = self.start_claim(named, &request, wait, true).wait()?;
                Ok(Claim::of(&self.homes, named.digest, answer))
            });
            self.claimed(key, answered)
        })
    }

    /// As [`claim`](Self::claim); the claim is made when the future is first polled.
    pub(crate) fn claim_async(&self, key: &[u8], options: ClaimOptions) -> Pending<Result<Claim>> {
        let operation = Operation::begin("claim", || self.subject(key));
        let wait = options.wait;
        let prepared = self.prepare(key, options);
        let key = KeyBytes::from(within_limit(key));
        let unanswered = Unanswered::new(self, 1);
        Pending::new(operation.follow(async move {
            let calls = unanswered.calls();
            let answered = match prepared {
                Ok(request) => {
                    let named = calls.named(&key);
                    let claim = calls.start_claim(named, &request, wait, false);
                    let answer = claim.finish().await;
                    answer.map(|answer| Claim::of(&calls.homes, named.digest, answer))
                }
                Err(refused) => Err(refused),
            };
            unanswered.end(|calls| calls.claimed(&key, answered))
        }))
    }

    #[inline]
    fn start_claim<'a>(
        &'a self,
        named: Named<'a>,
        request: &'a Request,
        wait: Option<Duration>,
        may_block: bool,
    ) -> Begun<Result<Answer>, impl Future<Output = Result<Answer>> + 'a> {
        let engine = self.homes.engine();
        let wait_until_ms = engine.wait_until_ms(wait);
        engine.start_claim(named, request, wait_until_ms, may_block)
    }

    /// Traces and counts the answer to a claim; the engine has counted everything but errors.
    #[inline]
    fn claimed(&self, key: &[u8], claimed: Result<Claim>) -> Result<Claim> {
        decided("claim", || self.subject(key), || of_claim(&claimed));
        self.count_failed(1, claimed)
    }

    pub(crate) fn claim_many<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Vec<BatchClaim>> {
        let items = self.prepare_many(items);
        let batch = Operation::begin_batch("claim_many", self.name());
        batch.run(|| block_on(self.claim_prepared(&batch, items, true)))
    }

    /// As [`claim_many`](Self::claim_many); the claims are made when the future is first polled.
    pub(crate) fn claim_many_async<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        let items = self.prepare_many(items);
        let unanswered = Unanswered::new(self, items.as_ref().map_or(1, Vec::len));
        let batch = Operation::begin_batch("claim_many", self.name());
        let within = batch.clone();
        Pending::new(batch.follow(async move {
            let calls = unanswered.calls();
            let claimed = calls.claim_prepared(&within, items, false).await;
            unanswered.end(|_| claimed)
        }))
    }

    async fn claim_prepared(
        &self,
        batch: &Operation,
        items: Result<Vec<BatchItem>>,
        may_block: bool,
    ) -> Result<Vec<BatchClaim>> {
        let claims = items.as_ref().map_or(1, Vec::len);
        let (keys, claimed) = match items {
            Ok(items) => {
                let keys = self.keys_to_show(&items);
                let engine = self.homes.engine();
                let answers = engine.claim_many(self.homes.core(), &items, may_block);
                let claimed = answers.await.map(|answers| {
                    let answered = answers.zip(&items);
                    answered
                        .map(|(answer, item)| BatchClaim::of(&self.homes, item.digest, answer))
                        .collect::<Vec<_>>()
                });
                (keys, claimed)
            }
            Err(refused) => (Vec::new(), Err(refused)),
        };
        let items = claimed.iter().flatten();
        for (key, claimed) in keys.iter().zip(items.clone()) {
            decided("claim_many", || key.clone(), || of_item(claimed));
        }
        let outcomes = || items.map(|item| of_item(item).outcome);
        batch.end(of_all(&claimed), outcomes);
        self.count_failed(claims, claimed)
    }

    /// The keys of a batch, if traces show them.
    fn keys_to_show(&self, items: &[BatchItem]) -> Vec<TraceSubject> {
        if !Operation::is_wanted() {
            return Vec::new();
        }
        items.iter().map(|item| self.subject(&item.key)).collect()
    }

    #[inline]
    pub(crate) fn insert(&self, key: &[u8]) -> Result<bool> {
        Operation::begin("insert", || self.subject(key)).run(|| {
            let insert = |()| self.homes.engine().start_insert(self.named(key)).wait();
            self.inserted(key, self.check_key(key).and_then(insert))
        })
    }

    /// As [`insert`](Self::insert); the key is marked when the future is first polled.
    pub(crate) fn insert_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        let operation = Operation::begin("insert", || self.subject(key));
        let checked = self.check_key(key);
        let key = KeyBytes::from(within_limit(key));
        let unanswered = Unanswered::new(self, 1);
        Pending::new(operation.follow(async move {
            let calls = unanswered.calls();
            let inserted = match checked {
                Ok(()) => {
                    let insert = calls.homes.engine().start_insert(calls.named(&key));
                    insert.finish().await
                }
                Err(refused) => Err(refused),
            };
            unanswered.end(|calls| calls.inserted(&key, inserted))
        }))
    }

    /// Traces and counts the result of an insert; the engine has counted everything but errors.
    #[inline]
    fn inserted(&self, key: &[u8], inserted: Result<ClaimOutcome>) -> Result<bool> {
        let decision = || outcome(of_insertion(&inserted));
        decided("insert", || self.subject(key), decision);
        let inserted = self.count_failed(1, inserted)?;
        Ok(inserted == ClaimOutcome::Granted)
    }

    pub(crate) fn insert_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<bool>>> {
        // The items stay as they are, and their keys are borrowed.
        let keys = self.homes.engine().gather(keys, |_, key| Ok(key));
        let batch = Operation::begin_batch("insert_many", self.name());
        batch.run(|| block_on(self.insert_all(&batch, keys)))
    }

    /// As [`insert_many`](Self::insert_many); keys are marked when the future is first polled.
    pub(crate) fn insert_many_async<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        let engine = self.homes.engine();
        let keys = engine.gather(keys, |_, key| self.own_key(key.as_ref()));
        let unanswered = Unanswered::new(self, keys.as_ref().map_or(1, Vec::len));
        let batch = Operation::begin_batch("insert_many", self.name());
        let within = batch.clone();
        Pending::new(batch.follow(async move {
            let calls = unanswered.calls();
            let inserted = calls.insert_all(&within, keys).await;
            unanswered.end(|_| inserted)
        }))
    }

    async fn insert_all<K: AsRef<[u8]>>(
        &self,
        batch: &Operation,
        keys: Result<Vec<K>>,
    ) -> Result<Vec<Result<bool>>> {
        let (keys, refused) = match keys {
            Ok(keys) => (keys, None),
            Err(refused) => (Vec::new(), Some(refused)),
        };
        let names = match refused {
            None => self.names(&keys),
            Some(refused) => Err(refused),
        };
        let inserts = names.as_ref().map_or(1, Vec::len);
        let inserted = match names {
            Ok(names) => {
                let engine = self.homes.engine();
                let inserted = engine.insert_many(self.homes.core(), &names).await;
                for (named, of) in names.iter().zip(inserted.iter().flatten()) {
                    let decision = || outcome(of_insertion(of));
                    decided("insert_many", || self.subject(named.key), decision);
                }
                inserted
            }
            Err(refused) => Err(refused),
        };
        let outcomes = || inserted.iter().flatten().map(of_insertion);
        batch.end(of_all(&inserted), outcomes);
        let is_new = |of: Result<ClaimOutcome>| Ok(of? == ClaimOutcome::Granted);
        let inserted = self.count_failed(inserts, inserted)?;
        Ok(inserted.into_iter().map(is_new).collect())
    }

    fn names<'a, K: AsRef<[u8]>>(&'a self, keys: &'a [K]) -> Result<Vec<Named<'a>>> {
        let mut names = Vec::with_capacity(keys.len());
        for key in keys {
            let key = key.as_ref();
            self.check_key(key)?;
            names.push(self.named_in_batch(key));
        }
        Ok(names)
    }

    pub(crate) async fn contains(&self, key: &[u8]) -> Result<bool> {
        self.check_key(key)?;
        self.homes.engine().contains(self.named(key)).await
    }

    pub(crate) async fn get(&self, key: &[u8]) -> Result<Option<KeyInfo>> {
        self.check_key(key)?;
        self.homes.engine().get(self.named(key)).await
    }

    pub(crate) async fn doubt_of(&self, key: &[u8]) -> Result<Option<Doubt>> {
        self.check_key(key)?;
        let found = self.homes.engine().doubt_of(self.named(key)).await?;
        Ok(found.map(|(record, alive)| Doubt::of(&self.homes, record, alive, false)))
    }

    pub(crate) fn forget(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<bool> {
        let engine = self.homes.engine();
        block_on(engine.acknowledged(self.homes.core(), self.remove(key, force, by)))
    }

    /// As [`forget`](Self::forget); it takes effect at once.
    pub(crate) fn forget_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        let removed = self.remove(key, None, None);
        let homes = self.homes.clone();
        Pending::new(async move { homes.engine().acknowledged(homes.core(), removed).await })
    }

    /// Removes a key; what is left is to wait for the acknowledgement.
    fn remove(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<(bool, Option<u64>), Refused> {
        self.check_key(key)?;
        let forgotten = self.homes.engine().forget(self.named(key), force, by);
        let decision = || of_forgotten(&forgotten, force, by);
        decided("forget", || self.subject(key), decision);
        forgotten
    }

    fn name(&self) -> &str {
        &self.homes.core().name
    }

    /// Names a key that is looked at next: its slot is on its way when the call comes to it.
    #[inline]
    fn named<'a>(&'a self, key: &'a [u8]) -> Named<'a> {
        let named = self.named_in_batch(key);
        self.homes.engine().prefetch(named.digest);
        named
    }

    /// Names one of many keys, whose slots are touched shard by shard later.
    #[inline]
    fn named_in_batch<'a>(&'a self, key: &'a [u8]) -> Named<'a> {
        self.homes.engine().named(self.homes.core(), key)
    }

    fn subject(&self, key: &[u8]) -> TraceSubject {
        self.homes
            .engine()
            .subject(self.homes.core(), within_limit(key))
    }

    /// Counts claims that have ended in an error; the others the engine has counted.
    #[inline]
    fn count_failed<T>(&self, claims: usize, answered: Result<T>) -> Result<T> {
        if let Err(error) = &answered {
            let engine = self.homes.engine();
            engine.count_errors(self.homes.core(), claims, error.kind());
        }
        answered
    }

    #[inline]
    fn check_key(&self, key: &[u8]) -> Result<()> {
        self.homes.engine().options.limits.check_key(key)
    }

    /// A key for a future to own.
    pub(crate) fn own_key(&self, key: &[u8]) -> Result<KeyBytes> {
        self.check_key(key)?;
        Ok(key.into())
    }

    #[inline]
    fn prepare(&self, key: &[u8], options: ClaimOptions) -> Result<Request> {
        self.check_key(key)?;
        let limits = &self.homes.engine().options.limits;
        options.into_request(&self.homes.core().policy, limits)
    }

    fn prepare_many<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Vec<BatchItem>> {
        self.homes.engine().gather(items, |index, item| {
            let item: ClaimItem = item.into();
            let prepared = self.prepare(&item.key, item.options);
            let request = prepared.map_err(|error| {
                Error::new(error.kind(), format!("item {index} of the batch: {error}"))
            })?;
            Ok(BatchItem {
                digest: self.named_in_batch(&item.key).digest,
                key: item.key,
                request,
            })
        })
    }
}

/// Claims of a future that have not been answered. Dropped, they count as given up.
struct Unanswered {
    calls: LocalCalls,
    claims: usize,
}

impl Unanswered {
    fn new(calls: &LocalCalls, claims: usize) -> Self {
        Self {
            calls: calls.clone(),
            claims,
        }
    }

    fn calls(&self) -> &LocalCalls {
        &self.calls
    }

    /// They have been answered, or have ended in an error: `count` counts which.
    fn end<T>(mut self, count: impl FnOnce(&LocalCalls) -> T) -> T {
        self.claims = 0;
        count(&self.calls)
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let homes = &self.calls.homes;
        let abandoned = ClaimOutcome::Abandoned;
        homes
            .engine()
            .count_unanswered(homes.core(), self.claims, abandoned);
    }
}
