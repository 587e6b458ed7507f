//! Many keys in one call: results in order, one commit.

use std::sync::Arc;

use crate::engine::call::answer::Answer;
use crate::engine::call::granted::Granted;
use crate::engine::call::repeats::repeats;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Read};
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shard_order::ShardOrder;
use crate::state::request::Request;
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::{Error, Result};
use crate::value::key_bytes::KeyBytes;
use crate::value::limits::Limits;
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

/// Items that are decided under one lock, or read together, at most.
pub(in crate::engine) const RUN_MAX: usize = 64;

/// A batch on its way. Dropped early, it takes its grants back.
struct Batch<'a> {
    engine: &'a Engine,
    namespace: &'a Arc<NamespaceCore>,
    items: &'a [BatchItem],
    /// The answers by item; `None` for an item that is not decided yet.
    answers: Vec<Option<ItemAnswer>>,
    /// Items whose answers rest on the log, and the frames.
    resting: Vec<(usize, u64)>,
    /// The lease of some grant begins when it is [handed out](is_on_its_way).
    on_their_way: bool,
}

/// Records that are read under the lock of a shard. The memory is used again for each lock.
#[derive(Default)]
struct Reads {
    records: Vec<(usize, Locator)>,
    payloads: Vec<Option<Arc<Vec<u8>>>>,
    /// Those that are not in memory, or changed their places, of all shards.
    left: Vec<(usize, Locator)>,
}

/// Whether a grant was written, or rests on the log, or is to be kept alive: what it asks for begins when it is
/// handed out.
#[inline]
fn is_on_its_way(granted: &Granted, item: &BatchItem) -> bool {
    granted.undelivered || item.request.keep_alive_ms > 0
}

impl<'a> Batch<'a> {
    fn new(engine: &'a Engine, namespace: &'a Arc<NamespaceCore>, items: &'a [BatchItem]) -> Self {
        let mut answers = Vec::new();
        answers.resize_with(items.len(), || None);
        Self {
            engine,
            namespace,
            items,
            answers,
            resting: Vec::new(),
            on_their_way: false,
        }
    }

    #[inline]
    fn named(&self, index: usize) -> Named<'a> {
        let item = &self.items[index];
        Named {
            namespace: self.namespace,
            digest: item.digest,
            key: &item.key,
        }
    }

    /// Notes the decision on an item. An error of one item keeps no other item out.
    #[inline]
    fn note(&mut self, index: usize, claimed: Result<(Answer, Option<u64>)>) {
        self.answers[index] = Some(match claimed {
            Ok((answer, frame)) => {
                if let Some(frame) = frame {
                    self.resting.push((index, frame));
                }
                if let Answer::Granted(granted) = &answer {
                    self.on_their_way |= is_on_its_way(granted, &self.items[index]);
                }
                ItemAnswer::Answer(answer)
            }
            Err(error) => ItemAnswer::Refused(error),
        });
    }

    /// Answers the items whose key an earlier item has. Returns whether there are any.
    fn note_repeats(&mut self) -> bool {
        let (mut any, items) = (false, self.items);
        let is_same = |first: usize, index: usize| {
            items[first].digest == items[index].digest && items[first].key == items[index].key
        };
        repeats(
            items.iter().map(|item| item.digest),
            is_same,
            |first, index| {
                any = true;
                self.answers[index] = Some(self.repeat(first, index));
            },
        );
        any
    }

    /// The items that have no answer yet, shard by shard.
    fn in_shard_order(&mut self) -> ShardOrder {
        let repeat = self.note_repeats();
        let digests = self.items.iter().map(|item| item.digest).enumerate();
        let undecided = digests.filter(|(index, _)| !repeat || self.answers[*index].is_none());
        ShardOrder::new(&self.engine.shards, undecided)
    }

    /// Lets the leases begin, after a wait for the log. Takes back those that were lost before they
    /// had begun, and gives the indexes of their items.
    fn start_leases(&mut self) -> Vec<usize> {
        let engine = self.engine;
        self.take_back_if(|granted, item| {
            let began = engine.start_lease(item.digest, granted.token, &item.request);
            // A lease that had begun with its decision, and has lapsed since, is handed out as it is.
            !began && (is_on_its_way(granted, item) || engine.is_closed())
        })
    }

    /// Takes grants back, and gives the indexes of their items, which have no answer then.
    fn take_back_if(&mut self, is_lost: impl Fn(&Granted, &BatchItem) -> bool) -> Vec<usize> {
        let mut lost = Vec::new();
        for (index, (answer, item)) in self.answers.iter_mut().zip(self.items).enumerate() {
            let Some(ItemAnswer::Answer(Answer::Granted(granted))) = answer else {
                continue;
            };
            if is_lost(granted, item) {
                let token = granted.token;
                *answer = None;
                self.engine.withdraw(item.digest, token);
                lost.push(index);
            }
        }
        lost
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

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let _ = self.take_back_if(|_, _| true);
    }
}

/// Collects the results of `prepare` for each item of a batch, within these limits.
pub(crate) fn gather<I, T>(
    limits: &Limits,
    items: impl IntoIterator<Item = I>,
    mut prepare: impl FnMut(usize, I) -> Result<T>,
) -> Result<Vec<T>> {
    let check = |items| limits.check_batch(items);
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

impl Engine {
    /// Collects the results of `prepare` for each item. A batch whose size hint is over the limit is refused
    /// at once, and any other after at most `limit` items.
    pub(crate) fn gather<I, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        prepare: impl FnMut(usize, I) -> Result<T>,
    ) -> Result<Vec<T>> {
        gather(&self.options.limits, items, prepare)
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
    ) -> Result<impl ExactSizeIterator<Item = ItemAnswer> + use<>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        self.make_room().finish().await?;
        let mut batch = Batch::new(self, namespace, items);
        self.decide_at_once(&mut batch, may_block);
        for (index, item) in items.iter().enumerate() {
            if batch.answers[index].is_none() {
                let claimed = self.claim_item(namespace, item).await;
                batch.note(index, claimed);
            }
        }
        self.hand_out_many(&mut batch).await;
        // They are the caller's from here on.
        let answers = std::mem::take(&mut batch.answers);
        self.count_batch(namespace, &answers, began_ns);
        Ok(answers
            .into_iter()
            .map(|answer| answer.expect("every item was answered")))
    }

    /// Decides what takes no wait, and no disk unless the call may block; the rest has no answer yet.
    fn decide_at_once(&self, batch: &mut Batch<'_>, may_block: bool) {
        let order = batch.in_shard_order();
        let mut reads = Reads::default();
        for (shard, run) in order.runs(RUN_MAX) {
            self.claim_run(batch, shard, run, &mut reads);
        }
        let mut left = reads.left;
        // A frame that lies on disk is read once.
        left.sort_unstable_by_key(|(_, locator)| *locator);
        for reads in left.chunks(RUN_MAX) {
            self.claim_read(batch, reads, may_block);
        }
    }

    /// Waits for what the answers of a batch rest on, all at once, and lets the leases of its grants
    /// begin. Where the log fails, or the store is closed, each item that this touches hears of it.
    async fn hand_out_many(&self, batch: &mut Batch<'_>) {
        loop {
            let newest = batch.resting.iter().map(|(_, frame)| *frame).max();
            if newest.is_none() && !batch.on_their_way {
                return;
            }
            let rested = self.rest(newest).await;
            if let Err(error) = rested.and_then(|()| self.check_alive()) {
                return self.refuse_many(batch, &error).await;
            }
            batch.resting.clear();
            let lost = batch.start_leases();
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
        for index in batch.take_back_if(|_, _| true) {
            let refused = Error::new(why.kind(), why.to_string());
            batch.answers[index] = Some(ItemAnswer::Refused(refused));
        }
        for (index, frame) in std::mem::take(&mut batch.resting) {
            if let Err(error) = self.rest(Some(frame)).await {
                batch.answers[index] = Some(ItemAnswer::Refused(error));
            }
        }
    }

    /// Decides under one lock what takes neither the disk nor a wait; the rest is left to read.
    fn claim_run(&self, batch: &mut Batch<'_>, shard: usize, run: &[usize], reads: &mut Reads) {
        let items = batch.items;
        let mut turn = self.turn_at(shard);
        turn.shard
            .touch(run.iter().map(|index| items[*index].digest));
        for &index in run {
            match turn.decide(batch.named(index), &items[index].request, None) {
                Ok(Look::Read(locator)) => reads.records.push((index, locator)),
                Ok(Look::Done(decided)) => batch.note(index, Ok(decided)),
                Err(error) => batch.note(index, Err(error)),
            }
        }
        if reads.records.is_empty() {
            return;
        }
        let locators = reads.records.iter().map(|(_, locator)| *locator);
        self.journal
            .payloads_in_memory(locators, &mut reads.payloads);
        let read = reads.records.drain(..).zip(reads.payloads.drain(..));
        for ((index, locator), payload) in read {
            let decided = match payload.map(|payload| self.journal.record_in(&payload, locator)) {
                Some(Ok(Some(record))) => {
                    let read = Read { locator, record };
                    turn.decide(batch.named(index), &items[index].request, Some(&read))
                }
                // One that cannot be read gets its error when it is decided by itself.
                _ => Ok(Look::Read(locator)),
            };
            match decided {
                Ok(Look::Read(locator)) => reads.left.push((index, locator)),
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
