//! Marking keys as done in one step.

use std::future::Future;
use std::sync::Arc;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::by::By;
use crate::engine::call::admission::Entry;
use crate::engine::call::answer::Read;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shards::Locked;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::begun::Begun;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::running::Running;
use crate::state::slot::Settled;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::record::{RecordKind, RecordRef};
use crate::value::time::Now;

impl From<Settled> for ClaimOutcome {
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Failed => Self::Failed,
            Settled::InDoubt => Self::InDoubt,
            _ => Self::Completed,
        }
    }
}

enum Inserted {
    Done(ClaimOutcome, Option<u64>),
    /// The record that lies here decides.
    Read(Locator),
    /// Nothing has been done: a change waits until this frame is on the medium.
    Congested(u64),
}

impl Engine {
    /// Completes a key that is not running and has no outcome, in one step, as far as that goes without
    /// a wait. Gives what a claim would have come to, "granted" where it did, acknowledged and counted.
    pub(crate) fn start_insert<'a>(
        &'a self,
        named: Named<'a>,
    ) -> Begun<Result<ClaimOutcome>, impl Future<Output = Result<ClaimOutcome>> + 'a> {
        let sync = self.is_sync(named.namespace);
        match self.insert_first(named) {
            Ok(Inserted::Done(outcome, frame)) if self.is_acknowledged(sync, frame) => {
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
            None => self.try_insert(named, None),
        }
    }

    /// As [`start_insert`](Self::start_insert), for many keys in one commit, each with a result of its own. An error is of the whole batch: nothing of it was done then.
    pub(crate) async fn insert_many(
        &self,
        namespace: &Arc<NamespaceCore>,
        keys: &[Box<[u8]>],
    ) -> Result<Vec<Result<ClaimOutcome>>> {
        let began_ns = self.clock_ns();
        self.check_change()?;
        let mut begun = Vec::with_capacity(keys.len());
        for key in keys {
            let named = self.named(namespace, key);
            begun.push(match self.insert_first(named) {
                Ok(inserted) => self.go_on_inserting(named, inserted).await,
                Err(error) => Err(error),
            });
        }
        let results = self.acknowledge_each(self.is_sync(namespace), begun).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.count_errors(namespace, 1, error.kind());
        }
        let outcomes: Vec<_> = results.iter().flatten().copied().collect();
        self.count_inserts(namespace, &outcomes, began_ns);
        Ok(results)
    }

    async fn go_on_inserting(
        &self,
        named: Named<'_>,
        mut inserted: Inserted,
    ) -> Result<(ClaimOutcome, Option<u64>)> {
        loop {
            match inserted {
                Inserted::Done(outcome, frame) => return Ok((outcome, frame)),
                Inserted::Congested(frame) => {
                    self.wait(frame).await?;
                    inserted = self.try_insert(named, None)?;
                }
                Inserted::Read(locator) => {
                    let read = self.fetch(locator).await?.map(|record| (locator, record));
                    inserted = self.try_insert(named, read.as_ref())?;
                }
            }
        }
    }

    fn try_insert(&self, named: Named<'_>, read: Option<&Read>) -> Result<Inserted> {
        let (shard, now) = self.lock(named.digest);
        let found = shard.find(named.digest, now.store_secs);
        let (subject, last) = match found {
            Found::Absent | Found::Forgotten(_) => (None, shard.last_record(named.digest)),
            Found::Settled(slot, Settled::Released, locator) => {
                let Some((_, record)) = read.filter(|(at, _)| *at == locator) else {
                    return Ok(Inserted::Read(locator));
                };
                check_same_key(&record.key, named.key)?;
                (
                    Some(Subject::of_record(record, &named.namespace.policy)),
                    Some(LastRecord {
                        locator,
                        expires_at: slot.expires_at(),
                    }),
                )
            }
            Found::Settled(_, settled, locator) => {
                let rests_on = self.rests_on(named.namespace, locator);
                return Ok(Inserted::Done(settled.into(), rests_on));
            }
            Found::Running(at) => {
                let running = shard.running_at(at);
                check_same_key(&running.key, named.key)?;
                if !running.is_lapsed(now) || running.guarantee() == Guarantee::AtMostOnce {
                    return Ok(Inserted::Done(met_running(running, now), None));
                }
                (None, running.rest.last_record)
            }
        };
        self.write_inserted(shard, named, subject, last, now)
    }

    fn write_inserted(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        subject: Option<Subject<'_>>,
        last: Option<LastRecord>,
        now: Now,
    ) -> Result<Inserted> {
        let policy = &named.namespace.policy;
        self.admit(&mut shard, named.digest, policy, Entry::Record)?;
        let token = self.tokens.next(&self.journal)?;
        let fresh = inserted(named, token, now);
        let record = match subject {
            Some(subject) => Subject { token, ..subject }.record(RecordKind::Completed, &[], now),
            None => fresh,
        };
        let made = (Transition::Inserted, By::Caller(&[]));
        let locator = self.append_transition(&record, made, policy, Prepared::default(), last, now);
        let guarantee = policy.guarantee;
        let ended = shard.apply(named.digest, &record.head, guarantee, locator);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.completed += 1);
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            let shared = Arc::new(record.to_record());
            self.settle_waiters(&mut shard, ended, &shared, locator, now, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        let frame = Some(locator.frame);
        Ok(Inserted::Done(ClaimOutcome::Granted, frame))
    }
}

/// What an insert of a running key comes to.
fn met_running<W: 'static>(running: &Running<W>, now: Now) -> ClaimOutcome {
    if running.is_in_doubt(now) {
        ClaimOutcome::InDoubt
    } else {
        ClaimOutcome::InProgress
    }
}

fn inserted<'a>(
    named: Named<'a>,
    token: crate::value::fencing_token::FencingToken,
    now: Now,
) -> RecordRef<'a> {
    let namespace: &'a NamespaceCore = named.namespace;
    let subject = Subject {
        namespace: namespace.id,
        key: named.key,
        token,
        attempt: 1,
        first_claimed_at: now.store_secs,
        fingerprint: None,
        metadata: &[],
        reason: &[],
        checkpoint: &[],
        retention: None,
        attached: false,
        policy: &namespace.policy,
    };
    subject.record(RecordKind::Completed, &[], now)
}
