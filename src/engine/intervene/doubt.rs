//! Doubts and how they are settled; forgetting.

use std::sync::Arc;

use crate::engine::audit::{By, Prepared};
use crate::engine::call::claim::{Named, Read, check_same_key};
use crate::engine::call::holder::refused;
use crate::engine::call::waiting::doubt_record;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shards::Locked;
use crate::engine::{Aftermath, Engine};
use crate::journal::Journal;
use crate::state::last_record::LastRecord;
use crate::state::shard::Found;
use crate::state::slot::{Place, Settled};
use crate::state::transition::{Refusal, Subject};
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::digest::Digest;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Oversize;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::Now;

/// A doubt, and whether its holder is alive in this process.
pub(crate) type FoundDoubt = (Arc<NamespaceCore>, Arc<Record>, bool);

const HOLDER_ALIVE: &str = "the holder of this key is alive in this process and may still cause the effect: stop it first, or \
                            force the resolution";

/// How a doubt is settled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settlement<'a> {
    Happened(&'a [u8]),
    Failed(&'a [u8]),
    NeverHappened,
}

impl Engine {
    /// Settles a doubt under its token. Gives the frame that the acknowledgement waits for.
    pub(crate) fn resolve(
        &self,
        named: Named<'_>,
        token: FencingToken,
        settlement: Settlement<'_>,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<u64> {
        self.check_change()?;
        let by = By::or_caller(by);
        let prepared = self.split_settlement(named, settlement, by)?;
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            match shard.find(named.digest, now.store_secs) {
                Found::Absent => return Err(crate::engine::call::holder::not_held()),
                Found::Forgotten(locator) => {
                    let rests_on = self.rests_on(named.namespace, locator);
                    return Err(crate::engine::call::holder::not_held().resting_on(rests_on));
                }
                Found::Running(at) => {
                    let running = shard.running_at(at);
                    self.check_doubt_running(named, running, token, settlement, force, now)?;
                    let record = Arc::new(doubt_record(running, now));
                    let last = running.rest.last_record;
                    return self
                        .settle_doubt(shard, named, &record, last, settlement, prepared, by, now);
                }
                Found::Settled(_, settled, locator) => {
                    if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                        check_same_key(&record.key, named.key)?;
                        if settled != Settled::InDoubt || record.head.token != token {
                            let state = crate::engine::call::claim::state_of(
                                record,
                                named.namespace.policy.guarantee,
                            );
                            let info = self.info(named.namespace, state, Arc::clone(record));
                            let rests_on = self.rests_on(named.namespace, locator);
                            return Err(
                                refused(Refusal::Superseded, Some(info)).resting_on(rests_on)
                            );
                        }
                        if !force && matches!(settlement, Settlement::NeverHappened) {
                            self.check_outlived(named, record)?;
                        }
                        let last = Some(LastRecord {
                            locator,
                            expires_at: record.head.expires_at,
                        });
                        let record = Arc::clone(record);
                        return self.settle_doubt(
                            shard, named, &record, last, settlement, prepared, by, now,
                        );
                    }
                    drop(shard);
                    read = self
                        .read(locator)?
                        .map(|record| (locator, Arc::new(record)));
                }
            }
        }
    }

    pub(in crate::engine) fn split_settlement(
        &self,
        named: Named<'_>,
        settlement: Settlement<'_>,
        by: By<'_>,
    ) -> Result<Prepared> {
        let policy = &named.namespace.policy;
        match settlement {
            Settlement::Happened(body) | Settlement::Failed(body) => {
                let fits = body.len() <= policy.max_response_bytes;
                if fits || policy.oversize == Oversize::OutcomeOnly {
                    return Ok(Prepared {
                        parts: if fits {
                            Journal::split(body)
                        } else {
                            Vec::new()
                        },
                        outcome: self.outcome_for(by, policy, body),
                    });
                }
                let remedy = "resolve with a shorter one or a reference, or raise max_response";
                Err(Error::too_large(
                    "the response or error",
                    body.len(),
                    policy.max_response_bytes,
                    remedy,
                ))
            }
            Settlement::NeverHappened => Ok(Prepared::default()),
        }
    }

    fn check_doubt_running<W: 'static>(
        &self,
        named: Named<'_>,
        running: &crate::state::running::Running<W>,
        token: FencingToken,
        settlement: Settlement<'_>,
        force: bool,
        now: Now,
    ) -> Result<()> {
        check_same_key(&running.key, named.key)?;
        if running.holder.token != token {
            return Err(refused(
                Refusal::Superseded,
                Some(self.running_info(named, running, now)),
            ));
        }
        let in_use = |text: &str| {
            Err(Error::new(ErrorKind::InUse, text)
                .with_current(self.running_info(named, running, now)))
        };
        if !running.is_in_doubt(now) {
            return in_use("the key is in progress, not in doubt: wait for its holder");
        }
        let reruns = matches!(settlement, Settlement::NeverHappened);
        if reruns && running.is_guarded() && !force {
            return in_use(HOLDER_ALIVE);
        }
        Ok(())
    }

    /// Refuses to let a key run again that an operator has put in doubt under a holder who is there.
    fn check_outlived(&self, named: Named<'_>, record: &Arc<Record>) -> Result<()> {
        if !self.outlived.is_alive(record.head.token) {
            return Ok(());
        }
        let info = self.info(named.namespace, KeyState::InDoubt, Arc::clone(record));
        Err(Error::new(ErrorKind::InUse, HOLDER_ALIVE).with_current(info))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one transition under one lock"
    )]
    fn settle_doubt(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        record: &Arc<Record>,
        last: Option<LastRecord>,
        settlement: Settlement<'_>,
        prepared: Prepared,
        by: By<'_>,
        now: Now,
    ) -> Result<u64> {
        self.check_open()?;
        let policy = &named.namespace.policy;
        let of_doubt = Subject::of_record(record, policy);
        // A higher token: the holder that brought the doubt about is superseded.
        let token = self.next_token()?;
        let attempt = match settlement {
            // What never happened is no attempt.
            Settlement::NeverHappened => of_doubt.attempt.saturating_sub(1),
            Settlement::Happened(_) | Settlement::Failed(_) => of_doubt.attempt,
        };
        let subject = Subject {
            token,
            attempt,
            ..of_doubt
        };
        let (transition, kind, said): (_, _, &[u8]) = match settlement {
            Settlement::Happened(response) => (
                Transition::ResolvedHappened,
                RecordKind::Completed,
                response,
            ),
            Settlement::Failed(error) => (Transition::ResolvedFailed, RecordKind::Failed, error),
            Settlement::NeverHappened => (
                Transition::ResolvedNeverHappened,
                RecordKind::Released,
                b"resolved: it never happened",
            ),
        };
        let written = subject.record(kind, said, now);
        let made = (transition, by);
        let locator = self.append_transition(&written, made, policy, prepared, last, now);
        let ended = shard.apply(named.digest, &written.head, policy.guarantee, locator);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.resolved += 1);
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            let shared = Arc::new(written.to_record());
            self.settle_waiters(&mut shard, ended, &shared, locator, now, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        Ok(locator.frame)
    }

    /// The doubt of a key, and whether its holder is alive in this process.
    pub(crate) async fn doubt_of(&self, named: Named<'_>) -> Result<Option<(Arc<Record>, bool)>> {
        self.check_alive()?;
        if let Some(running) = self.running_doubt_of(named)? {
            return Ok(Some(running));
        }
        let settled = self.get(named).await?;
        let doubt = settled.filter(|info| info.state == KeyState::InDoubt);
        Ok(doubt.map(|info| {
            let alive = self.outlived.is_alive(info.record.head.token);
            (info.record, alive)
        }))
    }

    fn running_doubt_of(&self, named: Named<'_>) -> Result<Option<(Arc<Record>, bool)>> {
        let (shard, now) = self.lock(named.digest);
        let Found::Running(at) = shard.find(named.digest, now.store_secs) else {
            return Ok(None);
        };
        let Some(running) = shard.get(at).filter(|running| running.is_in_doubt(now)) else {
            return Ok(None);
        };
        check_same_key(&running.key, named.key)?;
        let doubt = Arc::new(doubt_record(running, now));
        Ok(Some((doubt, running.is_guarded())))
    }

    /// Whether a namespace has keys in progress or in doubt, claims that a crash left among them.
    pub(crate) fn has_unsettled(&self, id: NamespaceId) -> Result<bool> {
        for shard in self.shards.all() {
            if shard.running().any(|running| running.namespace == id) {
                return Ok(true);
            }
        }
        // Under either guarantee: a holder may doubt under at-least-once too, and what a crash left
        // of a claim would come into doubt under at-most-once.
        for locator in self.settled_in(&[Settled::InDoubt, Settled::Released]) {
            let Some(record) = self.read(locator)? else {
                continue;
            };
            if record.head.namespace == id && record.head.kind != RecordKind::Released {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the records of keys in these states lie.
    fn settled_in(&self, states: &[Settled]) -> Vec<Locator> {
        let mut locators = Vec::new();
        for shard in self.shards.all() {
            locators.extend(shard.slots().filter_map(|slot| match slot.place() {
                Place::Settled(settled, locator) if states.contains(&settled) => Some(locator),
                _ => None,
            }));
        }
        locators
    }

    /// Removes a key. A running one, or one in doubt, only when forced with its token.
    ///
    /// Gives whether there was such a key, and the frame that the acknowledgement waits for: that of
    /// an earlier removal too, as nobody may be told of one that a power cut could undo.
    pub(crate) fn forget(
        &self,
        named: Named<'_>,
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<(bool, Option<u64>)> {
        self.check_change()?;
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            let last = match shard.find(named.digest, now.store_secs) {
                Found::Absent => return Ok((false, None)),
                Found::Forgotten(locator) => return Ok((false, Some(locator.frame))),
                Found::Running(at) => {
                    let running = shard.running_at(at);
                    check_same_key(&running.key, named.key)?;
                    if force != Some(running.holder.token) {
                        return Err(unforced(running.holder.token, force)
                            .with_current(self.running_info(named, running, now)));
                    }
                    running.rest.last_record
                }
                Found::Settled(slot, settled, locator) => {
                    if settled == Settled::InDoubt {
                        let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator)
                        else {
                            drop(shard);
                            read = self
                                .read(locator)?
                                .map(|record| (locator, Arc::new(record)));
                            continue;
                        };
                        check_same_key(&record.key, named.key)?;
                        if force != Some(record.head.token) {
                            let info =
                                self.info(named.namespace, KeyState::InDoubt, Arc::clone(record));
                            let rests_on = self.rests_on(named.namespace, locator);
                            return Err(unforced(record.head.token, force)
                                .with_current(info)
                                .resting_on(rests_on));
                        }
                    }
                    Some(LastRecord {
                        locator,
                        expires_at: slot.expires_at(),
                    })
                }
            };
            let frame = self.remove(shard, named, last, By::or_caller(by), now)?;
            return Ok((true, Some(frame)));
        }
    }

    fn remove(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        last: Option<LastRecord>,
        by: By<'_>,
        now: Now,
    ) -> Result<u64> {
        self.check_open()?;
        let token = self.next_token()?;
        let record = RecordRef::forgotten(named.namespace.id, named.key, token, now.store_secs);
        let policy = &named.namespace.policy;
        let made = (Transition::Forgotten, by);
        let locator = self.append_transition(&record, made, policy, Prepared::default(), last, now);
        let ended = shard.apply(
            named.digest,
            &record.head,
            named.namespace.policy.guarantee,
            locator,
        );
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.forgotten += 1);
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            self.wake_all(ended, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        Ok(locator.frame)
    }

    /// The name by which calls of this engine mean a key.
    pub(crate) fn named<'a>(&self, namespace: &'a Arc<NamespaceCore>, key: &'a [u8]) -> Named<'a> {
        let digest: Digest = self.digest(namespace, key);
        Named {
            namespace,
            digest,
            key,
        }
    }
}

fn unforced(current: FencingToken, forced: Option<FencingToken>) -> Error {
    match forced {
        None => Error::new(
            ErrorKind::InUse,
            "the key is in progress or in doubt: settle it first, or force this with its token",
        ),
        Some(forced) => Error::new(
            ErrorKind::Superseded,
            format!(
                "the key is held under token {current}, not {forced}: look at it again before forcing this"
            ),
        ),
    }
}
