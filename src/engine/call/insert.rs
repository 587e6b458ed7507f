//! Marking keys as done in one step.

use std::future::Future;
use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::admission::Admission;
use crate::engine::call::batch::RUN_MAX;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shard_order::ShardOrder;
use crate::engine::turn::Turn;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::begun::Begun;
use crate::state::slab::SlabRef;
use crate::state::slot::Settled;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
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

    /// As [`start_insert`](Self::start_insert), for many keys of a namespace in one commit, each with a result of
    /// its own. An error is of the whole batch: nothing of it was done then.
    pub(crate) async fn insert_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        names: &[Named<'_>],
    ) -> Result<Vec<Result<ClaimOutcome>>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        let digests = names.iter().map(|named| named.digest);
        let order = ShardOrder::new(&self.shards, digests.enumerate());
        let mut begun = Vec::new();
        begun.resize_with(names.len(), || None);
        for (shard, run) in order.runs(RUN_MAX) {
            if self.insert_run(shard, names, run, &mut begun) {
                continue;
            }
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
        let outcome = |result: &Result<ClaimOutcome>| match result {
            Ok(outcome) => Some(*outcome),
            Err(error) => {
                self.count_errors(namespace, 1, error.kind());
                None
            }
        };
        self.count_inserts(namespace, results.iter().filter_map(outcome), began_ns);
        Ok(results)
    }

    /// Inserts keys of one shard under one lock, as far as that goes without a wait or a read. Returns whether
    /// that is all of them.
    fn insert_run(
        &self,
        shard: usize,
        names: &[Named<'_>],
        run: &[usize],
        begun: &mut [Option<Result<Marked>>],
    ) -> bool {
        if self.congestion().is_some() {
            return false;
        }
        let mut turn = self.turn_at(shard);
        turn.shard
            .touch(run.iter().map(|index| names[*index].digest));
        let mut all = true;
        for &index in run {
            begun[index] = match turn.insert(names[index], None) {
                Ok(Look::Done(marked)) => Some(Ok(marked)),
                Ok(Look::Read(_)) => {
                    all = false;
                    None
                }
                Err(error) => Some(Err(error)),
            };
        }
        all
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
