//! Marking keys as done in one step.

use std::future::Future;
use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::admission::Admission;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::turn::Turn;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::begun::Begun;
use crate::state::slab::SlabRef;
use crate::state::slot::Settled;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::record::{Record, RecordKind};

/// What a claim would have come to, "granted" where the key was marked, and the frame that the answer waits for.
type Marked = (ClaimOutcome, Option<u64>);

enum Inserted {
    Looked(Look<Marked>),
    /// Nothing has been done: a change waits until this frame is on the medium.
    Congested(u64),
}

impl Engine {
    /// Completes a key that is not running and has no outcome, in one step, up to the first
    /// wait. Gives the outcome that a claim would have had, "granted" for a new key, acknowledged and counted.
    #[inline]
    pub(crate) fn start_insert<'a>(
        &'a self,
        named: Named<'a>,
    ) -> Begun<Result<ClaimOutcome>, impl Future<Output = Result<ClaimOutcome>> + 'a> {
        let sync = self.is_sync(named.namespace);
        match self.insert_first(named) {
            Ok(Inserted::Looked(Look::Done((outcome, frame))))
                if self.is_acknowledged(sync, frame) =>
            {
                self.count_claim(named, outcome);
                Begun::Ready(Ok(outcome))
            }
            Ok(inserted) => Begun::Waits(async move {
                let (outcome, frame) = self.go_on_inserting(named, inserted).await?;
                self.acknowledge(sync, frame).await?;
                self.count_claim(named, outcome);
                Ok(outcome)
            }),
            Err(error) => Begun::Ready(Err(error)),
        }
    }

    fn insert_first(&self, named: Named<'_>) -> Result<Inserted> {
        self.check_change()?;
        match self.congestion() {
            Some(frame) => Ok(Inserted::Congested(frame)),
            None => Ok(Inserted::Looked(
                self.turn(named.digest).insert(named, None)?,
            )),
        }
    }

    /// As [`start_insert`](Self::start_insert), for many keys in one commit, each with a result of its
    /// own. An error is of the whole batch: nothing of it was done then.
    pub(crate) async fn insert_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        keys: &[KeyBytes],
    ) -> Result<Vec<Result<ClaimOutcome>>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        let names: Vec<_> = keys.iter().map(|key| self.named(namespace, key)).collect();
        let order = self.shards.in_order(names.iter().map(|named| named.digest));
        let mut begun: Vec<Option<Result<Marked>>> = names.iter().map(|_| None).collect();
        for run in self.runs(&order, |index| names[index].digest) {
            self.insert_run(&names, run, &mut begun);
            for &index in run {
                if begun[index].is_none() {
                    let named = names[index];
                    let marked = match self.insert_first(named) {
                        Ok(inserted) => self.go_on_inserting(named, inserted).await,
                        Err(error) => Err(error),
                    };
                    begun[index] = Some(marked);
                }
            }
        }
        let begun = begun.into_iter().flatten().collect();
        let results = self.acknowledge_each(self.is_sync(namespace), begun).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.count_errors(namespace, 1, error.kind());
        }
        let outcomes: Vec<_> = results.iter().flatten().copied().collect();
        self.count_inserts(namespace, &outcomes, began_ns);
        Ok(results)
    }

    /// Inserts keys of one shard under one lock, as far as that goes without a wait or a read.
    fn insert_run(&self, names: &[Named<'_>], run: &[usize], begun: &mut [Option<Result<Marked>>]) {
        if self.congestion().is_some() {
            return;
        }
        let mut turn = self.turn(names[run[0]].digest);
        turn.shard
            .touch(run.iter().map(|index| names[*index].digest));
        for &index in run {
            begun[index] = match turn.insert(names[index], None) {
                Ok(Look::Done(marked)) => Some(Ok(marked)),
                Ok(Look::Read(_)) => None,
                Err(error) => Some(Err(error)),
            };
        }
    }

    async fn go_on_inserting(&self, named: Named<'_>, inserted: Inserted) -> Result<Marked> {
        match inserted {
            Inserted::Looked(Look::Done(marked)) => return Ok(marked),
            // The first look has read this key already.
            Inserted::Looked(Look::Read(_)) => {}
            Inserted::Congested(frame) => self.wait(frame).await?,
        }
        self.look_async(named, |turn, read| turn.insert(named, read))
            .await
    }
}

impl Turn<'_> {
    fn insert(&mut self, named: Named<'_>, read: Option<&Read>) -> Result<Look<Marked>> {
        match self.meet(named, read)? {
            Met::Absent | Met::Forgotten(_) => self.mark(named, None, None),
            Met::Settled(Settled::Released, locator, None) => Ok(Look::Read(locator)),
            Met::Settled(Settled::Released, _, Some(record)) => {
                self.mark(named, None, Some(record))
            }
            Met::Settled(settled, locator, _) => {
                let rests_on = self.engine.rests_on(named.namespace, locator);
                Ok(Look::Done((of_settled(settled), rests_on)))
            }
            Met::Running(at) => {
                let (running, now) = (self.running(at), self.now);
                if running.is_in_doubt(now) {
                    return Ok(Look::Done((ClaimOutcome::InDoubt, None)));
                }
                if !running.is_lapsed(now) || running.guarantee() == Guarantee::AtMostOnce {
                    return Ok(Look::Done((ClaimOutcome::InProgress, None)));
                }
                self.mark(named, Some(at), None)
            }
        }
    }

    /// Completes the key: it goes on from the record of an attempt, if there was one.
    fn mark(
        &mut self,
        named: Named<'_>,
        running: Option<SlabRef>,
        attempt: Option<&Record>,
    ) -> Result<Look<Marked>> {
        let policy = &named.namespace.policy;
        let token = self.admit_holder(named.digest, policy, Admission::Record)?;
        let subject = match attempt {
            Some(record) => Subject {
                token,
                ..Subject::of_record(record, policy)
            },
            None => named.new_subject(token, self.now),
        };
        let record = subject.record(RecordKind::Completed, &[], self.now);
        let (inserted, by) = (Transition::Inserted, Initiator::Caller(&[]));
        let appended = self.append(self.change_of(named, running, &record, inserted, by));
        let frame = self.commit(appended).frame;
        Ok(Look::Done((ClaimOutcome::Granted, Some(frame))))
    }
}

fn of_settled(settled: Settled) -> ClaimOutcome {
    match settled {
        Settled::Failed => ClaimOutcome::Failed,
        Settled::InDoubt => ClaimOutcome::InDoubt,
        _ => ClaimOutcome::Completed,
    }
}
