//! Doubts, and how they are settled.

use std::sync::Arc;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::by::By;
use crate::engine::call::answer::Read;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::shards::Locked;
use crate::engine::told::doubt_record;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::slot::Settled;
use crate::state::transition::{Refusal, Subject};
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

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
    ) -> Result<u64, Refused> {
        self.check_change()?;
        let by = By::or_caller(by);
        let prepared = self.split_settlement(named, settlement, by)?;
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            match shard.find(named.digest, now.store_secs) {
                Found::Absent => return Err(not_held().into()),
                Found::Forgotten(locator) => {
                    let rests_on = self.rests_on(named.namespace, locator);
                    return Err(Refused::resting_on(not_held(), rests_on));
                }
                Found::Running(at) => {
                    let running = shard.running_at(at);
                    self.check_doubt_running(named, running, token, settlement, force, now)?;
                    let record = Arc::new(doubt_record(running, now));
                    let last = running.rest.last_record;
                    return Ok(self.settle_doubt(
                        shard, named, &record, last, settlement, prepared, by, now,
                    )?);
                }
                Found::Settled(_, settled, locator) => {
                    if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                        check_same_key(&record.key, named.key)?;
                        if settled != Settled::InDoubt || record.head.token != token {
                            let state = crate::engine::told::state_of(
                                record,
                                named.namespace.policy.guarantee,
                            );
                            let info = self.info(named.namespace, state, Arc::clone(record));
                            let rests_on = self.rests_on(named.namespace, locator);
                            let error = refused(Refusal::Superseded, Some(info));
                            return Err(Refused::resting_on(error, rests_on));
                        }
                        if !force && matches!(settlement, Settlement::NeverHappened) {
                            self.check_outlived(named, record)?;
                        }
                        let last = Some(LastRecord {
                            locator,
                            expires_at: record.head.expires_at,
                        });
                        let record = Arc::clone(record);
                        return Ok(self.settle_doubt(
                            shard, named, &record, last, settlement, prepared, by, now,
                        )?);
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
                let remedy = "resolve with a shorter one or a reference, or raise max_response";
                policy.check_outcome(body, remedy)?;
                Ok(self.prepare_outcome(by, policy, body))
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
        if !self.doubted_guards.is_alive(record.head.token) {
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
        let token = self.tokens.next(&self.journal)?;
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
}
