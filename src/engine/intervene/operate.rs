//! What operators do to a running key.

use std::sync::Arc;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::by::By;
use crate::engine::call::answer::Read;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::intervene::resolve::Settlement;
use crate::engine::named::{Named, check_same_key};
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::shards::Locked;
use crate::engine::told::state_of;
use crate::state::found::Found;
use crate::state::slab::SlabRef;
use crate::state::transition::{Refusal, Subject};
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

/// What is done to a key in progress in its holder's place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<'a> {
    Release,
    Doubt,
    Fail(&'a [u8]),
}

impl Operation<'_> {
    /// Its name in traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Doubt => "doubt",
            Self::Fail(_) => "fail",
        }
    }
}

/// The error of a key that an operator releases after the last attempt that its policy allows.
const LAST_ATTEMPT: &[u8] = b"an operator ended the last attempt that the policy allows";

impl Engine {
    /// Ends the hold of `token` on a key in progress, under a higher token, so that the holder is
    /// superseded. Gives the frame that the acknowledgement waits for.
    pub(crate) fn operate(
        &self,
        named: Named<'_>,
        token: FencingToken,
        operation: Operation<'_>,
        by: &Attribution,
    ) -> Result<u64, Refused> {
        self.check_change()?;
        let operator = By::Operator(by);
        let prepared = match operation {
            Operation::Fail(error) => {
                self.split_settlement(named, Settlement::Failed(error), operator)?
            }
            Operation::Release | Operation::Doubt => Prepared::default(),
        };
        let said = by.line();
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            let locator = match shard.find(named.digest, now.store_secs) {
                Found::Absent => return Err(not_held().into()),
                Found::Forgotten(locator) => {
                    let rests_on = self.rests_on(named.namespace, locator);
                    return Err(Refused::resting_on(not_held(), rests_on));
                }
                Found::Running(at) => {
                    let kind = self.check_operation(&shard, at, named, token, operation, now)?;
                    let said = match operation {
                        Operation::Fail(error) => error,
                        // It is what callers are answered: who intervened and why is not for them.
                        Operation::Release if kind == RecordKind::Failed => LAST_ATTEMPT,
                        Operation::Release | Operation::Doubt => said.as_bytes(),
                    };
                    let ended =
                        self.end_hold(shard, at, named, kind, said, prepared, operator, now);
                    return Ok(ended?);
                }
                Found::Settled(_, _, locator) => locator,
            };
            if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                check_same_key(&record.key, named.key)?;
                let error = self.refuse_settled(named, record, token);
                let rests_on = self.rests_on(named.namespace, locator);
                return Err(Refused::resting_on(error, rests_on));
            }
            drop(shard);
            read = self
                .read(locator)?
                .map(|record| (locator, Arc::new(record)));
        }
    }

    /// The kind of record that the operation leads to.
    fn check_operation(
        &self,
        shard: &Locked<'_>,
        at: SlabRef,
        named: Named<'_>,
        token: FencingToken,
        operation: Operation<'_>,
        now: Now,
    ) -> Result<RecordKind> {
        let running = shard.running_at(at);
        check_same_key(&running.key, named.key)?;
        let info = || self.running_info(named, running, now);
        if running.holder.token != token {
            return Err(refused(Refusal::Superseded, Some(info())));
        }
        if running.is_in_doubt(now) {
            return Err(in_doubt().with_current(info()));
        }
        match operation {
            Operation::Release if running.guarantee() == Guarantee::AtMostOnce => {
                let text = "the namespace promises at-most-once, and nobody knows whether the effect of this key has \
                            happened: put it in doubt with Operator::doubt, then resolve the doubt";
                Err(Error::new(ErrorKind::InUse, text).with_current(info()))
            }
            Operation::Release if running.is_exhausted() => Ok(RecordKind::Failed),
            Operation::Release => Ok(RecordKind::Released),
            Operation::Doubt => Ok(RecordKind::InDoubt),
            Operation::Fail(_) => Ok(RecordKind::Failed),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one transition under one lock"
    )]
    fn end_hold(
        &self,
        mut shard: Locked<'_>,
        at: SlabRef,
        named: Named<'_>,
        kind: RecordKind,
        said: &[u8],
        prepared: Prepared,
        by: By<'_>,
        now: Now,
    ) -> Result<u64> {
        self.check_open()?;
        let running = shard.running_at(at);
        let last = running.rest.last_record;
        let held_ms = now.mono_ms.saturating_sub(running.holder.granted_ms);
        let guard = running.is_guarded().then_some(running.holder.token);
        // A higher token, so that the holder hears that it was superseded.
        let subject = Subject {
            token: self.tokens.next(&self.journal)?,
            ..Subject::of_running(running)
        };
        let written = subject.record(kind, said, now);
        let shared = Arc::new(written.to_record());
        let head = written.head;
        let policy = &named.namespace.policy;
        let transition = match kind {
            RecordKind::Failed => Transition::Failed,
            RecordKind::InDoubt => Transition::Doubted,
            _ => Transition::Released,
        };
        let made = (transition, by);
        let locator = self.append_transition(&written, made, policy, prepared, last, now);
        if let (RecordKind::InDoubt, Some(holder)) = (kind, guard) {
            self.doubted_guards.note(holder, head.token);
        }
        let guarantee = policy.guarantee;
        let ended = shard.apply(named.digest, &head, guarantee, locator);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| {
            counters.settle(kind, false);
            // Its holder may go on beside the next run.
            counters.dropped_leases += u64::from(kind == RecordKind::Released);
            counters.holds.observe(held_ms);
        });
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            self.settle_waiters(&mut shard, ended, &shared, locator, now, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        Ok(locator.frame)
    }

    fn refuse_settled(&self, named: Named<'_>, record: &Arc<Record>, token: FencingToken) -> Error {
        let state = state_of(record, named.namespace.policy.guarantee);
        let info = self.info(named.namespace, state, Arc::clone(record));
        if record.head.token != token {
            return refused(Refusal::Superseded, Some(info));
        }
        if state == KeyState::InDoubt {
            return in_doubt().with_current(info);
        }
        refused(Refusal::AlreadySettled, Some(info))
    }
}

fn in_doubt() -> Error {
    Error::new(
        ErrorKind::InUse,
        "the key is in doubt: settle it with Operator::resolve",
    )
}
