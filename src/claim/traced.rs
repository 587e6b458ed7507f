//! Claims from their call to their end: each is counted once, however it ends, and told to whoever
//! traces the store.

use std::time::Duration;

use crate::claim::claim::{BatchClaim, Claim, ClaimOptions};
use crate::claim::lease::LeaseError;
use crate::claim::pending::Pending;
use crate::engine::call::batch::BatchItem;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::trace::{Batch, Decision, Operation, Subject, decided};
use crate::runtime::sync::block_on;
use crate::state::request::Request;
use crate::store::namespace::{Namespace, Started, acknowledged};
use crate::value::attribution::Attribution;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::key::KEY_BYTES_MAX;

/// Claims of a future that have not been answered. Dropped, they count as given up.
struct Unanswered {
    space: Namespace,
    claims: usize,
}

impl Unanswered {
    fn new(space: &Namespace, claims: usize) -> Self {
        Self {
            space: space.clone(),
            claims,
        }
    }

    /// They have been answered, which the engine has counted, or have ended in this error.
    fn end<T>(&mut self, answered: Result<T>) -> Result<T> {
        let claims = std::mem::take(&mut self.claims);
        self.space.count_failed(claims, answered)
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let engine = &self.space.store().engine;
        engine.count_unanswered(self.space.core(), self.claims, ClaimOutcome::Abandoned);
    }
}

/// As much of a key as any key may have: one that is longer is refused, and costs no more.
pub(crate) fn within_limit(key: &[u8]) -> &[u8] {
    key.get(..KEY_BYTES_MAX).unwrap_or(key)
}

impl Namespace {
    /// Counts claims that have ended in an error; the others the engine has counted.
    fn count_failed<T>(&self, claims: usize, answered: Result<T>) -> Result<T> {
        if let Err(error) = &answered {
            let engine = &self.store().engine;
            engine.count_errors(self.core(), claims, error.kind());
        }
        answered
    }

    pub(crate) fn subject(&self, key: &[u8]) -> Subject {
        self.store().engine.subject(self.core(), within_limit(key))
    }

    pub(crate) fn claim_in_span(&self, key: &[u8], options: ClaimOptions) -> Result<Claim> {
        Operation::begin("claim", || self.subject(key)).run(|| {
            let wait = options.wait;
            let engine = &self.store().engine;
            let claimed = self.prepare(key, options).and_then(|request| {
                let named = engine.named(self.core(), key);
                let answer = engine.claim_blocking(named, &request, wait)?;
                Ok(self.answer(named.digest, answer))
            });
            decided("claim", || self.subject(key), || of_claim(&claimed));
            self.count_failed(1, claimed)
        })
    }

    pub(crate) fn begin_claim(&self, key: &[u8], options: ClaimOptions) -> Pending<Result<Claim>> {
        let operation = Operation::begin("claim", || self.subject(key));
        let wait = options.wait;
        let prepared = self.prepare(key, options);
        let key = Box::<[u8]>::from(within_limit(key));
        let mut call = Unanswered::new(self, 1);
        Pending::new(operation.follow(async move {
            let claimed = match prepared {
                Ok(request) => call.space.claim_prepared(&key, &request, wait).await,
                Err(refused) => Err(refused),
            };
            decided("claim", || call.space.subject(&key), || of_claim(&claimed));
            call.end(claimed)
        }))
    }

    async fn claim_prepared(
        &self,
        key: &[u8],
        request: &Request,
        wait: Option<Duration>,
    ) -> Result<Claim> {
        let engine = &self.store().engine;
        let named = engine.named(self.core(), key);
        let answer = engine.claim(named, request, wait).await?;
        Ok(self.answer(named.digest, answer))
    }

    pub(crate) fn claim_many_in_span(
        &self,
        items: Result<Vec<BatchItem>>,
    ) -> Result<Vec<BatchClaim>> {
        let claims = items.as_ref().map_or(1, Vec::len);
        let batch = Batch::begin("claim_many", self.name());
        batch.run(|| {
            let (keys, claimed) = match items {
                Ok(items) => {
                    let keys = self.keys_to_show(&items);
                    (keys, block_on(self.claim_prepared_many(items, true)))
                }
                Err(refused) => (Vec::new(), Err(refused)),
            };
            self.tell_batch(&batch, &keys, &claimed);
            self.count_failed(claims, claimed)
        })
    }

    pub(crate) fn begin_claim_many(
        &self,
        items: Result<Vec<BatchItem>>,
    ) -> Pending<Result<Vec<BatchClaim>>> {
        let mut call = Unanswered::new(self, items.as_ref().map_or(1, Vec::len));
        let batch = Batch::begin("claim_many", self.name());
        let within = batch.clone();
        Pending::new(batch.follow(async move {
            let (keys, claimed) = match items {
                Ok(items) => {
                    let keys = call.space.keys_to_show(&items);
                    (keys, call.space.claim_prepared_many(items, false).await)
                }
                Err(refused) => (Vec::new(), Err(refused)),
            };
            call.space.tell_batch(&within, &keys, &claimed);
            call.end(claimed)
        }))
    }

    /// The keys of a batch, where somebody wants to see what comes of them.
    fn keys_to_show(&self, items: &[BatchItem]) -> Vec<Subject> {
        if !Operation::is_wanted() {
            return Vec::new();
        }
        items.iter().map(|item| self.subject(&item.key)).collect()
    }

    fn tell_batch(&self, batch: &Batch, keys: &[Subject], claimed: &Result<Vec<BatchClaim>>) {
        let items = claimed.iter().flatten();
        for (key, claimed) in keys.iter().zip(items.clone()) {
            decided("claim_many", || key.clone(), || of_item(claimed));
        }
        batch.end(of_all(claimed), || items.map(|item| of_item(item).outcome));
    }

    pub(crate) fn insert_in_span(&self, key: &[u8]) -> Result<bool> {
        Operation::begin("insert", || self.subject(key)).run(|| {
            let engine = &self.store().engine;
            let inserted = self
                .check_key(key)
                .and_then(|()| engine.insert_blocking(engine.named(self.core(), key)));
            let decision = || outcome(of_insertion(&inserted));
            decided("insert", || self.subject(key), decision);
            let inserted = self.count_failed(1, inserted)?;
            Ok(inserted == ClaimOutcome::Granted)
        })
    }

    pub(crate) fn begin_insert_many(
        &self,
        keys: Result<Vec<Box<[u8]>>>,
    ) -> Pending<Result<Vec<Result<bool>>>> {
        let mut call = Unanswered::new(self, keys.as_ref().map_or(1, Vec::len));
        let batch = Batch::begin("insert_many", self.name());
        let within = batch.clone();
        Pending::new(batch.follow(async move {
            let inserted = match keys {
                Ok(keys) => {
                    let space = &call.space;
                    let inserted = space.store().engine.insert_many(space.core(), &keys).await;
                    for (key, of) in keys.iter().zip(inserted.iter().flatten()) {
                        let decision = || outcome(of_insertion(of));
                        decided("insert_many", || space.subject(key), decision);
                    }
                    inserted
                }
                Err(refused) => Err(refused),
            };
            let names = || inserted.iter().flatten().map(of_insertion);
            within.end(of_all(&inserted), names);
            let is_new = |of: Result<ClaimOutcome>| Ok(of? == ClaimOutcome::Granted);
            let inserted = call.end(inserted)?;
            Ok(inserted.into_iter().map(is_new).collect())
        }))
    }

    pub(crate) fn tell_forgotten(
        &self,
        key: &[u8],
        force: Option<FencingToken>,
        by: Option<&Attribution>,
        forgotten: &Result<(bool, Option<u64>)>,
    ) {
        let decision = || Decision {
            token: force,
            actor: by.map(Attribution::actor),
            ..outcome(match forgotten {
                Ok((true, _)) => "forgotten",
                Ok((false, _)) => "absent",
                Err(error) => error.kind().name(),
            })
        };
        decided("forget", || self.subject(key), decision);
    }

    /// Settles many leases within a span.
    pub(crate) fn settle_many(
        &self,
        operation: &'static str,
        started: impl Iterator<Item = Started>,
    ) -> Vec<Result<(), LeaseError>> {
        let batch = Batch::begin(operation, self.name());
        batch.run(|| {
            let results = block_on(acknowledged(started.collect()));
            batch.end("ok", || results.iter().map(of_settled));
            results
        })
    }

    /// As [`settle_many`](Self::settle_many); what is left is to wait for the acknowledgements.
    pub(crate) fn begin_settle_many(
        &self,
        operation: &'static str,
        started: impl Iterator<Item = Started>,
    ) -> Pending<Vec<Result<(), LeaseError>>> {
        let batch = Batch::begin(operation, self.name());
        let started = batch.run(|| started.collect());
        let within = batch.clone();
        Pending::new(batch.follow(async move {
            let results = acknowledged(started).await;
            within.end("ok", || results.iter().map(of_settled));
            results
        }))
    }
}

fn of_insertion(inserted: &Result<ClaimOutcome>) -> &'static str {
    match inserted {
        Ok(of) => of.name(),
        Err(error) => error.kind().name(),
    }
}

fn of_settled(result: &Result<(), LeaseError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(refused) => refused.error().kind().name(),
    }
}

/// How a batch ended: each item has its own end beside it.
fn of_all<T>(answered: &Result<T>) -> &'static str {
    answered
        .as_ref()
        .map_or_else(|error| error.kind().name(), |_| "ok")
}

fn of_item(claimed: &BatchClaim) -> Decision<'_> {
    match claimed {
        BatchClaim::Claim(claim) => of_answer(claim),
        BatchClaim::RepeatOf { .. } => outcome(ClaimOutcome::Repeat.name()),
        BatchClaim::Refused(error) => outcome(error.kind().name()),
    }
}

fn outcome(outcome: &'static str) -> Decision<'static> {
    Decision {
        outcome,
        ..Decision::default()
    }
}

fn of_claim(claimed: &Result<Claim>) -> Decision<'_> {
    match claimed {
        Ok(claim) => of_answer(claim),
        Err(error) => outcome(error.kind().name()),
    }
}

fn of_answer(claim: &Claim) -> Decision<'_> {
    let (of, token, attempt, first_request) = match claim {
        Claim::Granted(lease) => {
            let token = Some(lease.token());
            (ClaimOutcome::Granted, token, lease.attempt(), &[][..])
        }
        Claim::InProgress(busy) => (
            ClaimOutcome::InProgress,
            None,
            busy.attempt(),
            busy.metadata(),
        ),
        Claim::Completed(answer) => (
            ClaimOutcome::Completed,
            Some(answer.token()),
            answer.attempts(),
            answer.metadata(),
        ),
        Claim::Failed(answer) => (
            ClaimOutcome::Failed,
            Some(answer.token()),
            answer.attempts(),
            answer.metadata(),
        ),
        Claim::InDoubt(doubt) => (
            ClaimOutcome::InDoubt,
            Some(doubt.token()),
            doubt.attempt(),
            doubt.metadata(),
        ),
        Claim::Mismatch(_) => return outcome(ClaimOutcome::Mismatch.name()),
    };
    Decision {
        token,
        attempt: Some(attempt),
        first_request,
        ..outcome(of.name())
    }
}
