//! Many keys in one call: results in order, one commit.

use std::collections::HashMap;
use std::sync::Arc;

use super::Engine;
use super::claim::{Answer, Named, Read, Tried};
use super::namespaces::NamespaceCore;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{Comparison, compare};
use crate::key::{Digest, FencingToken};
use crate::state::running::Request;

/// A claim within a batch.
#[derive(Debug)]
pub(crate) struct BatchItem {
    pub(crate) digest: Digest,
    pub(crate) key: Vec<u8>,
    pub(crate) request: Request,
}

/// The answer to an item of a batch.
#[derive(Debug)]
pub(crate) enum ItemAnswer {
    Answer(Answer),
    RepeatOf { index: usize, mismatch: bool },
    Refused(Error),
}

/// A grant on its way.
#[derive(Clone, Copy)]
struct Grant {
    /// The index of the item.
    item: usize,
    token: FencingToken,
    /// Its lease has not begun, because it rests on the log.
    waits: bool,
}

/// The grants of a batch that has not been acknowledged. Dropped early, they are taken back.
struct Undelivered<'a> {
    engine: &'a Engine,
    granted: Vec<Grant>,
    items: &'a [BatchItem],
}

impl Undelivered<'_> {
    fn digest(&self, index: usize) -> Digest {
        self.items[index].digest
    }

    fn note(&mut self, item: usize, answer: &Answer, rests_on: Option<u64>) {
        if let Answer::Granted(granted) = answer {
            self.granted.push(Grant {
                item,
                token: granted.token,
                waits: rests_on.is_some(),
            });
        }
    }

    /// Lets the leases begin, after a wait for the log. Takes back those that were lost before they
    /// had begun, and gives the indexes of their items.
    fn start_leases(&mut self) -> Vec<usize> {
        let granted = std::mem::take(&mut self.granted);
        // A lease that had begun with its decision, and has lapsed since, is handed out as it is.
        let (good, lost): (Vec<_>, Vec<_>) = granted.into_iter().partition(|grant| {
            let digest = self.digest(grant.item);
            self.engine.start_lease(digest, grant.token) || !grant.waits
        });
        self.granted = good;
        let withdraw = |grant: Grant| {
            self.engine.withdraw(self.digest(grant.item), grant.token);
            grant.item
        };
        lost.into_iter().map(withdraw).collect()
    }
}

impl Drop for Undelivered<'_> {
    fn drop(&mut self) {
        for grant in std::mem::take(&mut self.granted) {
            self.engine.withdraw(self.digest(grant.item), grant.token);
        }
    }
}

impl Engine {
    /// Gathers what `prepare` makes of each item. Nothing is made of a batch that says of itself
    /// that it is too large, and no more than the limit of one that does not.
    pub(crate) fn gather<I, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        mut prepare: impl FnMut(usize, I) -> Result<T>,
    ) -> Result<Vec<T>> {
        let limit = self.options.limits.batch_items;
        let check = |items: usize| {
            if items > limit {
                return Err(Error::too_large(
                    "the batch (items)",
                    items,
                    limit,
                    "split it",
                ));
            }
            Ok(())
        };
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

    /// Claims many keys, without waiting for any of them.
    pub(crate) async fn claim_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        items: &[BatchItem],
    ) -> Result<Vec<ItemAnswer>> {
        self.check_alive()?;
        self.make_room().await?;
        let mut undelivered = Undelivered {
            engine: self,
            granted: Vec::new(),
            items,
        };
        let mut first_of: HashMap<&[u8], usize> = HashMap::with_capacity(items.len());
        let mut answers = Vec::with_capacity(items.len());
        let mut rests_on = 0;
        for (index, item) in items.iter().enumerate() {
            if let Some(first) = first_of.get(&*item.key) {
                answers.push(self.repeat(namespace, items, *first, index));
                continue;
            }
            first_of.insert(&item.key, index);
            match self.claim_item(namespace, item).await {
                Ok((answer, frame)) => {
                    rests_on = rests_on.max(frame.unwrap_or(0));
                    undelivered.note(index, &answer, frame);
                    answers.push(ItemAnswer::Answer(answer));
                }
                // What was granted stays granted, and the rest is told.
                Err(error)
                    if matches!(error.kind(), ErrorKind::AtCapacity | ErrorKind::Salvaged) =>
                {
                    answers.push(ItemAnswer::Refused(error));
                }
                Err(error) => return Err(error),
            }
        }
        while rests_on > 0 {
            self.rest(Some(std::mem::take(&mut rests_on))).await?;
            self.check_alive()?;
            for index in undelivered.start_leases() {
                let (answer, frame) = self.claim_item(namespace, &items[index]).await?;
                rests_on = rests_on.max(frame.unwrap_or(0));
                undelivered.note(index, &answer, frame);
                answers[index] = ItemAnswer::Answer(answer);
            }
        }
        undelivered.granted.clear();
        Ok(answers)
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
        let mut read: Option<Read> = None;
        loop {
            match self.try_claim(named, &item.request, read.as_ref(), None)? {
                Tried::Answer(answer, rests_on) => return Ok((answer, rests_on)),
                Tried::Read(locator) => {
                    read = self.fetch(locator).await?.map(|record| (locator, record));
                }
                Tried::Wait(..) => unreachable!("a claim without a deadline does not wait"),
            }
        }
    }

    fn repeat(
        &self,
        namespace: &NamespaceCore,
        items: &[BatchItem],
        first: usize,
        index: usize,
    ) -> ItemAnswer {
        let print = |at: usize| items[at].request.fingerprint.as_ref();
        let comparison = compare(print(first), print(index), namespace.policy.fingerprints);
        self.shards
            .lock(items[index].digest)
            .counters
            .answered_repeat += 1;
        ItemAnswer::RepeatOf {
            index: first,
            mismatch: matches!(comparison, Comparison::Differs(_)),
        }
    }
}
