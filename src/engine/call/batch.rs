//! Many keys in one call: results in order, one commit.

use std::sync::Arc;

use crate::engine::call::answer::Answer;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Read};
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::sizes::to_u64;
use crate::state::request::Request;
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_bytes::KeyBytes;
use crate::value::locator::Locator;

/// A claim within a batch.
#[derive(Debug)]
pub(crate) struct BatchItem {
    pub(crate) digest: Digest,
    pub(crate) key: KeyBytes,
    pub(crate) request: Request,
}

/// The answer to an item of a batch.
#[derive(Debug)]
pub(crate) enum ItemAnswer {
    Answer(Answer),
    RepeatOf { index: usize, mismatch: bool },
    Refused(Error),
}

/// A grant that no caller has got yet.
#[derive(Clone, Copy)]
struct BatchGrant {
    /// The index of the item.
    item: usize,
    token: FencingToken,
    /// It was written, or rests on the log, or is to be kept alive: what it asks for begins when it is
    /// handed out.
    on_its_way: bool,
}

/// The grants of a batch that has not been answered. Dropped early, they are taken back.
struct UndeliveredBatch<'a> {
    engine: &'a Engine,
    granted: Vec<BatchGrant>,
    items: &'a [BatchItem],
}

impl UndeliveredBatch<'_> {
    fn note(&mut self, item: usize, answer: &Answer) {
        if let Answer::Granted(granted) = answer {
            self.granted.push(BatchGrant {
                item,
                token: granted.token,
                on_its_way: granted.undelivered || self.items[item].request.keep_alive_ms > 0,
            });
        }
    }

    fn are_on_their_way(&self) -> bool {
        self.granted.iter().any(|grant| grant.on_its_way)
    }

    /// Lets the leases begin, after a wait for the log. Takes back those that were lost before they
    /// had begun, and gives the indexes of their items.
    fn start_leases(&mut self) -> Vec<usize> {
        let granted = std::mem::take(&mut self.granted);
        let (good, lost): (Vec<_>, Vec<_>) = granted.into_iter().partition(|grant| {
            let item = &self.items[grant.item];
            let began = self
                .engine
                .start_lease(item.digest, grant.token, &item.request);
            // A lease that had begun with its decision, and has lapsed since, is handed out as it is.
            began || !(grant.on_its_way || self.engine.is_closed())
        });
        self.granted = good;
        self.withdraw(lost)
    }

    /// Takes back every grant, and gives the indexes of their items.
    fn take_back(&mut self) -> Vec<usize> {
        let granted = std::mem::take(&mut self.granted);
        self.withdraw(granted)
    }

    fn withdraw(&self, grants: Vec<BatchGrant>) -> Vec<usize> {
        let withdraw = |grant: BatchGrant| {
            let digest = self.items[grant.item].digest;
            self.engine.withdraw(digest, grant.token);
            grant.item
        };
        grants.into_iter().map(withdraw).collect()
    }
}

impl Drop for UndeliveredBatch<'_> {
    fn drop(&mut self) {
        let _ = self.take_back();
    }
}

/// Items that are decided under one lock, or read together, at most.
const RUN_MAX: usize = 64;

/// A batch on its way.
struct Batch<'a> {
    namespace: &'a Arc<NamespaceCore>,
    items: &'a [BatchItem],
    /// The answers by item; `None` for an item that is not decided yet.
    answers: Vec<Option<ItemAnswer>>,
    /// Items whose answers rest on the log, and the frames.
    resting: Vec<(usize, u64)>,
    /// The first item of the key that is dealt with; its repeats stand right behind it.
    first: Option<usize>,
    undelivered: UndeliveredBatch<'a>,
}

impl<'a> Batch<'a> {
    fn named(&self, index: usize) -> Named<'a> {
        let item = &self.items[index];
        Named {
            namespace: self.namespace,
            digest: item.digest,
            key: &item.key,
        }
    }

    /// Notes the decision on an item. An error of one item keeps no other item out.
    fn note(&mut self, index: usize, claimed: Result<(Answer, Option<u64>)>) {
        let answer = match claimed {
            Ok((answer, frame)) => {
                self.resting.extend(frame.map(|frame| (index, frame)));
                self.undelivered.note(index, &answer);
                ItemAnswer::Answer(answer)
            }
            Err(error) => ItemAnswer::Refused(error),
        };
        self.answers[index] = Some(answer);
    }

    fn repeat(&self, first: usize, index: usize) -> ItemAnswer {
        let print = |at: usize| self.items[at].request.fingerprint();
        let policy = self.namespace.policy.fingerprints;
        let comparison = compare(print(first), print(index), policy);
        ItemAnswer::RepeatOf {
            index: first,
            mismatch: matches!(comparison, Comparison::Differs(_)),
        }
    }
}

impl Engine {
    /// Collects the results of `prepare` for each item. A batch whose size hint is over the limit is refused
    /// at once, and any other after at most `limit` items.
    pub(crate) fn gather<I, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        mut prepare: impl FnMut(usize, I) -> Result<T>,
    ) -> Result<Vec<T>> {
        let check = |items| self.options.limits.check_batch(items);
        let items = items.into_iter();
        let at_least = items.size_hint().0;
        check(at_least)?;
        let mut gathered = Vec::with_capacity(at_least);
        for (index, item) in items.enumerate() {
            check(index + 1)?;
            gathered.push(prepare(index, item)?);
        }
        Ok(gathered)
    }

    /// Claims many keys, without waiting for any of them, and without blocking unless it may: shard by shard, so that each lock is taken
    /// once for a few keys, and their slots and records are waited for together.
    ///
    /// An error is of the whole batch: nothing of it was done then. Once an item has been looked
    /// at, each has an answer of its own.
    pub(crate) async fn claim_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        items: &[BatchItem],
        may_block: bool,
    ) -> Result<Vec<ItemAnswer>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        self.make_room().finish().await?;
        let mut batch = Batch {
            namespace,
            items,
            answers: std::iter::repeat_with(|| None).take(items.len()).collect(),
            resting: Vec::new(),
            first: None,
            undelivered: UndeliveredBatch {
                engine: self,
                granted: Vec::new(),
                items,
            },
        };
        let order = self.in_batch_order(items);
        let mut unread = Vec::new();
        for run in self.runs(&order, |index| items[index].digest) {
            self.claim_run(&mut batch, run, &mut unread);
        }
        // A frame that lies on disk is read once.
        unread.sort_unstable_by_key(|(_, locator)| *locator);
        for reads in unread.chunks(RUN_MAX) {
            self.claim_read(&mut batch, reads, may_block);
        }
        for (index, item) in items.iter().enumerate() {
            if batch.answers[index].is_none() {
                let claimed = self.claim_item(namespace, item).await;
                batch.note(index, claimed);
            }
        }
        self.hand_out_many(&mut batch).await;
        batch.undelivered.granted.clear();
        self.count_batch(namespace, &batch.answers, began_ns);
        let answer = |answer: Option<ItemAnswer>| answer.expect("every item was answered");
        Ok(batch.answers.drain(..).map(answer).collect())
    }

    /// Waits for what the answers of a batch rest on, all at once, and lets the leases of its grants
    /// begin. Where the log fails, or the store is closed, each item that this touches hears of it.
    async fn hand_out_many(&self, batch: &mut Batch<'_>) {
        loop {
            let newest = batch.resting.iter().map(|(_, frame)| *frame).max();
            if newest.is_none() && !batch.undelivered.are_on_their_way() {
                return;
            }
            let rested = self.rest(newest).await;
            if let Err(error) = rested.and_then(|()| self.check_alive()) {
                return self.refuse_many(batch, &error).await;
            }
            batch.resting.clear();
            let lost = batch.undelivered.start_leases();
            if lost.is_empty() {
                return;
            }
            for index in lost {
                let claimed = self.claim_item(batch.namespace, &batch.items[index]).await;
                batch.note(index, claimed);
            }
        }
    }

    /// Takes every grant back. Each answer whose frame is not on the medium becomes the error of that.
    async fn refuse_many(&self, batch: &mut Batch<'_>, why: &Error) {
        for index in batch.undelivered.take_back() {
            let refused = Error::new(why.kind(), why.to_string());
            batch.answers[index] = Some(ItemAnswer::Refused(refused));
        }
        for (index, frame) in std::mem::take(&mut batch.resting) {
            if let Err(error) = self.rest(Some(frame)).await {
                batch.answers[index] = Some(ItemAnswer::Refused(error));
            }
        }
    }

    /// The indexes of items, shard by shard; those of one key stand together, the first one first.
    fn in_batch_order(&self, items: &[BatchItem]) -> Vec<usize> {
        let mut order = self.shards.in_order(items.iter().map(|item| item.digest));
        let shard_of = |index: usize| self.shards.index(items[index].digest);
        let mut sorted = Vec::new();
        for shard in order.chunk_by_mut(|a, b| shard_of(*a) == shard_of(*b)) {
            // Digest and index as one number, so that sorting touches no item.
            sorted.extend(shard.iter().map(|index| {
                let [a, b, c] = items[*index].digest.words.map(u128::from);
                a << 96 | b << 64 | c << 32 | u128::from(to_u64(*index))
            }));
            sorted.sort_unstable();
            for (at, number) in shard.iter_mut().zip(sorted.drain(..)) {
                *at = usize::try_from(number & 0xffff_ffff).expect("it was an index");
            }
        }
        order
    }

    /// What is dealt with under one lock: items of one shard, and not too many.
    pub(in crate::engine) fn runs<'b>(
        &self,
        order: &'b [usize],
        digest_of: impl Fn(usize) -> Digest,
    ) -> impl Iterator<Item = &'b [usize]> {
        let shard_of = move |index: usize| self.shards.index(digest_of(index));
        order
            .chunk_by(move |a, b| shard_of(*a) == shard_of(*b))
            .flat_map(|run| run.chunks(RUN_MAX))
    }

    /// Decides under one lock what takes neither the disk nor a wait; the rest goes to `unread`.
    fn claim_run(&self, batch: &mut Batch<'_>, run: &[usize], unread: &mut Vec<(usize, Locator)>) {
        let items = batch.items;
        let mut turn = self.turn(items[run[0]].digest);
        let digests = run.iter().map(|index| items[*index].digest);
        turn.shard.touch(digests);
        let mut reads = Vec::new();
        for &index in run {
            let item = &items[index];
            let first = batch.first.filter(|first| items[*first].key == item.key);
            if let Some(first) = first {
                batch.answers[index] = Some(batch.repeat(first, index));
                continue;
            }
            batch.first = Some(index);
            match turn.decide(batch.named(index), &item.request, None) {
                Ok(Look::Read(locator)) => reads.push((index, locator)),
                Ok(Look::Done(decided)) => batch.note(index, Ok(decided)),
                Err(error) => batch.note(index, Err(error)),
            }
        }
        let payloads = self
            .journal
            .payloads_in_memory(reads.iter().map(|(_, locator)| *locator));
        for ((index, locator), payload) in reads.into_iter().zip(payloads) {
            let decided = match payload.map(|payload| self.journal.record_in(&payload, locator)) {
                Some(Ok(Some(record))) => {
                    let read = Read { locator, record };
                    turn.decide(batch.named(index), &items[index].request, Some(&read))
                }
                // One that cannot be read gets its error when it is decided by itself.
                _ => Ok(Look::Read(locator)),
            };
            match decided {
                Ok(Look::Read(locator)) => unread.push((index, locator)),
                Ok(Look::Done(decided)) => batch.note(index, Ok(decided)),
                Err(error) => batch.note(index, Err(error)),
            }
        }
    }

    /// Decides by records that are read together. Items whose records lie on disk, if this call may not
    /// block, or have moved meanwhile, are left to be decided one by one.
    fn claim_read(&self, batch: &mut Batch<'_>, reads: &[(usize, Locator)], may_block: bool) {
        let locators: Vec<_> = reads.iter().map(|(_, locator)| *locator).collect();
        // If the records cannot be read together, each item gets its own error later.
        let Ok(records) = self.journal.read_many_in_memory(&locators) else {
            return;
        };
        for ((index, locator), record) in reads.iter().zip(records) {
            let record = match record {
                None if may_block => self.read(*locator).ok().flatten(),
                record => record,
            };
            let Some(record) = record else { continue };
            let read = Read {
                locator: *locator,
                record: Arc::new(record),
            };
            let (named, request) = (batch.named(*index), &batch.items[*index].request);
            match self.turn(named.digest).decide(named, request, Some(&read)) {
                Ok(Look::Done(decided)) => batch.note(*index, Ok(decided)),
                Ok(_) => {}
                Err(error) => batch.note(*index, Err(error)),
            }
        }
    }

    async fn claim_item(
        &self,
        namespace: &Arc<NamespaceCore>,
        item: &BatchItem,
    ) -> Result<(Answer, Option<u64>)> {
        let named = Named {
            namespace,
            digest: item.digest,
            key: &item.key,
        };
        self.look_async(named, |turn, read| turn.decide(named, &item.request, read))
            .await
    }
}
