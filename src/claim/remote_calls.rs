//! [`RemoteCalls`]: the calls on the keys of one namespace of a store over a backend.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use crate::backend::{KeyRef, unavailable};
use crate::claim::claim::{BatchClaim, Claim};
use crate::claim::decision::{of_all, of_claim, of_insertion, of_item, outcome};
use crate::claim::doubt::Doubt;
use crate::claim::options::{ClaimItem, ClaimOptions};
use crate::claim::pending::Pending;
use crate::engine::call::batch::gather;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::trace::{Decision, Operation, TraceSubject, decided};
use crate::remote::answer::RemoteAnswer;
use crate::remote::home::RemoteHome;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::state::request::Request;
use crate::value::attribution::Attribution;
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Hasher128;
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key::within_limit;
use crate::value::key_info::KeyInfo;
use crate::value::time::millis;

/// The calls on the keys of one namespace. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RemoteCalls {
    home: RemoteHome,
}

/// Claims of a call whose grants may come too late, one after the other.
const OVERDUE_MAX: u32 = 3;

/// The refusal of a grant that came too late, and was taken back.
fn overdue() -> Error {
    unavailable(
        "the lease of the grant had ended before it came: the server is slow, or has not heard of this process in time; \
         nothing was begun, try again",
    )
}

/// A claim that was checked, and is to be sent.
struct Prepared {
    key: KeyRef,
    request: Request,
    wait_until_ms: Option<u64>,
}

/// The items of a batch: different keys to be sent, and what each item rests on.
struct Batch {
    sent: Vec<(KeyRef, Request)>,
    places: Vec<Place>,
}

/// What an item of a batch is answered by.
#[derive(Clone, Copy)]
enum Place {
    /// The answer with this number.
    Sent,
    Repeat {
        index: usize,
        mismatch: bool,
    },
}

impl RemoteCalls {
    pub(crate) fn new(home: RemoteHome) -> Self {
        Self { home }
    }

    pub(crate) fn home(&self) -> &RemoteHome {
        &self.home
    }

    pub(crate) fn core(&self) -> &Arc<NamespaceCore> {
        &self.home.core
    }

    pub(crate) fn seeded(&self) -> &Hasher128 {
        &self.remote().seeded
    }

    fn remote(&self) -> &Arc<Remote> {
        self.home.remote()
    }

    pub(crate) fn claim(&self, key: &[u8], options: ClaimOptions) -> Result<Claim> {
        Operation::begin("claim", || self.subject(key))
            .run(|| block_on(self.claim_prepared(key, self.prepare(key, options))))
    }

    /// As [`claim`](Self::claim); the claim is sent when the future is first polled.
    pub(crate) fn claim_async(&self, key: &[u8], options: ClaimOptions) -> Pending<Result<Claim>> {
        let operation = Operation::begin("claim", || self.subject(key));
        let prepared = self.prepare(key, options);
        let (calls, key) = (self.clone(), within_limit(key).to_vec());
        Pending::new(operation.follow(async move { calls.claim_prepared(&key, prepared).await }))
    }

    async fn claim_prepared(&self, key: &[u8], prepared: Result<Prepared>) -> Result<Claim> {
        let unanswered = Unanswered::new(self, 1);
        let answered = match prepared {
            Ok(prepared) => self.claim_in_time(prepared).await,
            Err(refused) => Err(refused),
        };
        unanswered.end();
        decided("claim", || self.subject(key), || of_claim(&answered));
        self.count_failed(1, answered)
    }

    /// Claims a key; a grant whose lease has ended before its caller got it is taken back, and claimed again.
    async fn claim_in_time(&self, prepared: Prepared) -> Result<Claim> {
        let remote = self.remote();
        for _ in 0..OVERDUE_MAX {
            let (key, request) = (prepared.key.clone(), prepared.request.clone());
            let claim = remote.claim(self.core(), key, request, prepared.wait_until_ms);
            match claim.await? {
                RemoteAnswer::Granted(grant) => {
                    if let Some(hold) = grant.hand_out() {
                        return Ok(Claim::granted(&self.home, hold));
                    }
                    remote.check_open()?;
                }
                RemoteAnswer::Other(answer) => return Ok(Claim::told_by(&self.home, answer)),
            }
        }
        Err(overdue())
    }

    pub(crate) fn claim_many<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Vec<BatchClaim>> {
        let batch = self.prepare_many(items);
        let operation = Operation::begin_batch("claim_many", &self.core().name);
        operation.run(|| block_on(self.claim_batch(&operation, batch)))
    }

    /// As [`claim_many`](Self::claim_many); the claims are sent when the future is first polled.
    pub(crate) fn claim_many_async<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        let (calls, batch) = (self.clone(), self.prepare_many(items));
        let operation = Operation::begin_batch("claim_many", &self.core().name);
        let within = operation.clone();
        Pending::new(operation.follow(async move { calls.claim_batch(&within, batch).await }))
    }

    async fn claim_batch(
        &self,
        operation: &Operation,
        batch: Result<Batch>,
    ) -> Result<Vec<BatchClaim>> {
        let claims = batch.as_ref().map_or(1, |batch| batch.places.len());
        let unanswered = Unanswered::new(self, claims);
        let claimed = match batch {
            Ok(batch) => {
                let answered = self.remote().claim_all(self.core(), batch.sent).await;
                answered.map(|answers| self.dress(&batch.places, answers))
            }
            Err(refused) => Err(refused),
        };
        unanswered.end();
        let items = claimed.iter().flatten();
        operation.end(of_all(&claimed), || items.map(|item| of_item(item).outcome));
        self.count_failed(claims, claimed)
    }

    fn dress(&self, places: &[Place], answers: Vec<Result<RemoteAnswer>>) -> Vec<BatchClaim> {
        let mut answers = answers.into_iter();
        let dressed = places.iter().map(|place| match place {
            Place::Repeat { index, mismatch } => {
                self.remote().count_claim(self.core(), ClaimOutcome::Repeat);
                BatchClaim::RepeatOf {
                    index: *index,
                    mismatch: *mismatch,
                }
            }
            Place::Sent => match answers
                .next()
                .expect("each key that was sent has an answer")
            {
                Ok(RemoteAnswer::Granted(grant)) => match grant.hand_out() {
                    Some(hold) => BatchClaim::Claim(Claim::granted(&self.home, hold)),
                    None => BatchClaim::Refused(overdue()),
                },
                Ok(RemoteAnswer::Other(answer)) => {
                    BatchClaim::Claim(Claim::told_by(&self.home, answer))
                }
                Err(error) => {
                    self.remote().count_claim(self.core(), ClaimOutcome::Error);
                    BatchClaim::Refused(error)
                }
            },
        });
        dressed.collect()
    }

    pub(crate) fn insert(&self, key: &[u8]) -> Result<bool> {
        Operation::begin("insert", || self.subject(key)).run(|| block_on(self.insert_now(key)))
    }

    /// As [`insert`](Self::insert); the key is sent when the future is first polled.
    pub(crate) fn insert_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        let operation = Operation::begin("insert", || self.subject(key));
        let checked = self.check_key(key);
        let (calls, key) = (self.clone(), within_limit(key).to_vec());
        Pending::new(operation.follow(async move {
            checked?;
            calls.insert_now(&key).await
        }))
    }

    async fn insert_now(&self, key: &[u8]) -> Result<bool> {
        let unanswered = Unanswered::new(self, 1);
        let inserted = match self.check_key(key) {
            Ok(()) => {
                let keys = vec![Remote::key(self.core(), key)];
                let all = self.remote().insert_all(self.core(), keys).await;
                all.and_then(|mut all| all.pop().expect("one key has one result"))
            }
            Err(refused) => Err(refused),
        };
        unanswered.end();
        decided(
            "insert",
            || self.subject(key),
            || outcome(of_insertion(&inserted)),
        );
        Ok(self.count_failed(1, inserted)? == ClaimOutcome::Granted)
    }

    pub(crate) fn insert_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<bool>>> {
        let keys = self.own_keys(keys);
        let operation = Operation::begin_batch("insert_many", &self.core().name);
        operation.run(|| block_on(self.insert_batch(&operation, keys)))
    }

    /// As [`insert_many`](Self::insert_many); the keys are sent when the future is first polled.
    pub(crate) fn insert_many_async<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        let (calls, keys) = (self.clone(), self.own_keys(keys));
        let operation = Operation::begin_batch("insert_many", &self.core().name);
        let within = operation.clone();
        Pending::new(operation.follow(async move { calls.insert_batch(&within, keys).await }))
    }

    async fn insert_batch(
        &self,
        operation: &Operation,
        keys: Result<Vec<KeyRef>>,
    ) -> Result<Vec<Result<bool>>> {
        let inserts = keys.as_ref().map_or(1, Vec::len);
        let unanswered = Unanswered::new(self, inserts);
        let inserted = match keys {
            Ok(keys) => self.insert_different(keys).await,
            Err(refused) => Err(refused),
        };
        unanswered.end();
        let outcomes = || inserted.iter().flatten().map(of_insertion);
        operation.end(of_all(&inserted), outcomes);
        let inserted = self.count_failed(inserts, inserted)?;
        let is_new = |of: Result<ClaimOutcome>| Ok(of? == ClaimOutcome::Granted);
        Ok(inserted.into_iter().map(is_new).collect())
    }

    /// Sends each key once; a key that came before is done by then, unless it was refused.
    async fn insert_different(&self, keys: Vec<KeyRef>) -> Result<Vec<Result<ClaimOutcome>>> {
        let mut first = HashMap::new();
        let mut sent = Vec::new();
        let mut places = Vec::with_capacity(keys.len());
        for key in keys {
            let next = sent.len();
            let place = *first.entry(key.clone()).or_insert(next);
            if place == next {
                sent.push(key);
            }
            places.push((place, place == next));
        }
        let results = self.remote().insert_all(self.core(), sent).await?;
        let of_place = |(place, is_first): (usize, bool)| match &results[place] {
            Ok(ClaimOutcome::Granted) if !is_first => Ok(ClaimOutcome::Completed),
            Ok(outcome) => Ok(*outcome),
            Err(error) => Err(error.again()),
        };
        Ok(places.into_iter().map(of_place).collect())
    }

    pub(crate) fn contains_async(&self, key: &[u8]) -> Pending<Result<bool>> {
        self.ask(key, Remote::contains)
    }

    pub(crate) fn get_async(&self, key: &[u8]) -> Pending<Result<Option<KeyInfo>>> {
        let core = Arc::clone(self.core());
        self.ask(key, move |remote, key| remote.get(&core, key))
    }

    pub(crate) fn doubt_of(&self, key: &[u8]) -> Result<Option<Doubt>> {
        let core = Arc::clone(self.core());
        let found = block_on(self.ask(key, move |remote, key| remote.doubt_of(&core, key)))?;
        Ok(found.map(|(record, alive)| Doubt::of_remote(&self.home, record, alive, false)))
    }

    pub(crate) fn forget(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Pending<Result<bool>> {
        let core = Arc::clone(self.core());
        let (calls, subject) = (self.clone(), within_limit(key).to_vec());
        let actor = by.map(|by| by.actor().to_owned());
        // It is sent when this returns.
        let sent = self
            .check_key(key)
            .map(|()| self.remote().forget(&core, Remote::key(&core, key), force));
        Pending::new(async move {
            let forgotten = match sent {
                Ok(receipt) => receipt.await,
                Err(refused) => Err(refused),
            };
            let decision = || Decision {
                token: force,
                actor: actor.as_deref(),
                ..outcome(match &forgotten {
                    Ok(true) => "forgotten",
                    Ok(false) => "absent",
                    Err(error) => error.kind().name(),
                })
            };
            decided("forget", || calls.subject(&subject), decision);
            forgotten
        })
    }

    /// A question about a key, which is sent when this returns.
    fn ask<T: Send + 'static, R>(
        &self,
        key: &[u8],
        send: impl FnOnce(&Arc<Remote>, KeyRef) -> R,
    ) -> Pending<Result<T>>
    where
        R: Future<Output = Result<T>> + Send + 'static,
    {
        let open = self.remote().check_open();
        let sent = open
            .and_then(|()| self.check_key(key))
            .map(|()| send(self.remote(), Remote::key(self.core(), key)));
        let calls = self.clone();
        Pending::new(async move {
            let answer = sent?.await;
            drop(calls);
            answer
        })
    }

    fn subject(&self, key: &[u8]) -> TraceSubject {
        self.remote().subject(self.core(), within_limit(key))
    }

    /// Counts claims that have ended in an error; the others were counted when they were answered.
    fn count_failed<T>(&self, claims: usize, answered: Result<T>) -> Result<T> {
        if answered.is_err() {
            for _ in 0..claims {
                self.remote().count_claim(self.core(), ClaimOutcome::Error);
            }
        }
        answered
    }

    fn check_key(&self, key: &[u8]) -> Result<()> {
        self.remote().options.limits.check_key(key)
    }

    fn prepare(&self, key: &[u8], options: ClaimOptions) -> Result<Prepared> {
        self.remote().check_open()?;
        self.check_key(key)?;
        let wait = options.wait;
        let limits = &self.remote().options.limits;
        let request = options.into_request(&self.core().policy, limits)?;
        let now_ms = self.remote().backend.mono_ms();
        Ok(Prepared {
            key: Remote::key(self.core(), key),
            request,
            wait_until_ms: wait.map(|wait| now_ms.saturating_add(millis(wait))),
        })
    }

    fn own_keys<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<KeyRef>> {
        let limits = &self.remote().options.limits;
        gather(limits, keys, |_, key| {
            self.check_key(key.as_ref())?;
            Ok(Remote::key(self.core(), key.as_ref()))
        })
    }

    fn prepare_many<I: Into<ClaimItem>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Batch> {
        let limits = &self.remote().options.limits;
        let items = gather(limits, items, |index, item| {
            let item: ClaimItem = item.into();
            let prepared = self.prepare(&item.key, item.options).map_err(|error| {
                Error::new(error.kind(), format!("item {index} of the batch: {error}"))
            })?;
            Ok((prepared.key, prepared.request))
        })?;
        Ok(self.without_repeats(items))
    }

    fn without_repeats(&self, items: Vec<(KeyRef, Request)>) -> Batch {
        let mut first: HashMap<KeyRef, (usize, usize)> = HashMap::new();
        let mut sent: Vec<(KeyRef, Request)> = Vec::new();
        let mut places = Vec::with_capacity(items.len());
        for (index, (key, request)) in items.into_iter().enumerate() {
            if let Some((index, at)) = first.get(&key) {
                let (before, again) = (sent[*at].1.fingerprint(), request.fingerprint());
                let compared = compare(before, again, self.core().policy.fingerprints);
                places.push(Place::Repeat {
                    index: *index,
                    mismatch: matches!(compared, Comparison::Differs(_)),
                });
                continue;
            }
            first.insert(key.clone(), (index, sent.len()));
            sent.push((key, request));
            places.push(Place::Sent);
        }
        Batch { sent, places }
    }
}

/// Claims of a future that have not been answered. Dropped, they count as given up.
struct Unanswered {
    calls: RemoteCalls,
    claims: usize,
}

impl Unanswered {
    fn new(calls: &RemoteCalls, claims: usize) -> Self {
        Self {
            calls: calls.clone(),
            claims,
        }
    }

    /// They have been answered, or have ended in an error.
    fn end(mut self) {
        self.claims = 0;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let home = &self.calls.home;
        for _ in 0..self.claims {
            home.remote()
                .count_claim(&home.core, ClaimOutcome::Abandoned);
        }
    }
}
