//! What a holder does to its key, under its token.

use std::sync::Arc;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::by::By;
use crate::engine::call::answer::Read;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::shards::Locked;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::{Accepted, Command, Refusal, Subject, act_running, act_settled};
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::limits::{CHECKPOINT_BYTES_MAX, check_checkpoint};
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

const _: () = assert!(
    CHECKPOINT_BYTES_MAX <= crate::journal::format::codec::INLINE_BODY_MAX,
    "a checkpoint never needs parts, so claims and releases never do"
);

impl Engine {
    /// Carries out what a holder does. Gives the frame that its acknowledgement waits for.
    pub(crate) fn act(
        &self,
        named: Named<'_>,
        token: FencingToken,
        command: Command<'_>,
    ) -> Result<Option<u64>, Refused> {
        self.check_change()?;
        self.check_command(named, command)?;
        let prepared = self.prepare(named, command);
        let mut read: Option<Read> = None;
        loop {
            let (mut shard, now) = self.lock(named.digest);
            let locator = match shard.find(named.digest, now.store_secs) {
                Found::Running(at) => {
                    return self.act_on_running(shard, at, named, token, command, prepared, now);
                }
                Found::Absent => {
                    count_refusal(&mut shard, named, Refusal::NotHeld, command);
                    return Err(not_held().into());
                }
                Found::Forgotten(locator) => {
                    count_refusal(&mut shard, named, Refusal::NotHeld, command);
                    let rests_on = self.rests_on(named.namespace, locator);
                    return Err(Refused::resting_on(not_held(), rests_on));
                }
                Found::Settled(_, _, locator) => locator,
            };
            if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                return self
                    .act_on_settled(shard, named, token, command, record, locator, prepared, now);
            }
            drop(shard);
            read = self
                .read(locator)?
                .map(|record| (locator, Arc::new(record)));
        }
    }

    /// What goes through all of a body, before the lock.
    fn prepare(&self, named: Named<'_>, command: Command<'_>) -> Prepared {
        let policy = &named.namespace.policy;
        match command {
            Command::Complete(body) | Command::Fail(body) => {
                self.prepare_outcome(By::Caller(&[]), policy, body)
            }
            _ => Prepared::default(),
        }
    }

    fn check_command(&self, named: Named<'_>, command: Command<'_>) -> Result<()> {
        let limits = &self.options.limits;
        match command {
            Command::Complete(body) | Command::Fail(body) => {
                let remedy = "complete with a shorter one or a reference, raise max_response, or choose Oversize::OutcomeOnly";
                named.namespace.policy.check_outcome(body, remedy)?;
            }
            Command::Release(reason) | Command::Doubt(reason) => limits.check_reason(reason)?,
            Command::Checkpoint(bytes) => {
                let remedy = "keep large intermediate results elsewhere and store a reference";
                check_checkpoint(bytes, remedy)?;
            }
            _ => {}
        }
        self.check_command_room(command)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one transition under one lock"
    )]
    pub(in crate::engine) fn act_on_running(
        &self,
        mut shard: Locked<'_>,
        at: SlabRef,
        named: Named<'_>,
        token: FencingToken,
        command: Command<'_>,
        prepared: Prepared,
        now: Now,
    ) -> Result<Option<u64>, Refused> {
        let running = shard.running_at(at);
        check_same_key(&running.key, named.key)?;
        let kind = match act_running(running, token, command, now) {
            Err(refusal) => {
                let info = self.running_info(named, running, now);
                count_refusal(&mut shard, named, refusal, command);
                return Err(refused(refusal, Some(info)).into());
            }
            // Journaled before, and perhaps not on the medium yet.
            Ok(Accepted::Done) => {
                return Ok(running.rest.last_record.map(|last| last.locator.frame));
            }
            Ok(Accepted::Extend) => {
                Self::extend(&mut shard, at, command, now);
                drop(shard);
                return Ok(None);
            }
            Ok(Accepted::Write(kind)) => kind,
        };
        self.check_open()?;
        let subject = Subject::of_running(running);
        let mut record = subject.record(kind, said(command, running), now);
        record.head.body_omitted |= matches!(command, Command::CompleteWithout);
        record.head.attached &= !matches!(command, Command::Record);
        let last = running.rest.last_record;
        let was_in_doubt = running.is_in_doubt(now);
        let shared = (!running.rest.waiters.is_empty()).then(|| Arc::new(record.to_record()));
        let by = match command {
            Command::Abandon => By::Engine,
            _ => By::Caller(&running.rest.holder.actor),
        };
        let made = (deed(kind, command), by);
        let locator = self.append_transition(&record, made, &running.policy, prepared, last, now);
        let head = record.head;
        if let (Command::Checkpoint(bytes), Some(running)) = (command, shard.get_mut(at)) {
            running.rest.to_mut().holder.checkpoint = bytes.into();
        }
        let ended = shard.apply(
            named.digest,
            &head,
            named.namespace.policy.guarantee,
            locator,
        );
        let held_ms = ended
            .as_ref()
            .map(|ended| now.mono_ms.saturating_sub(ended.holder.granted_ms));
        count(&mut shard, named, kind, command, was_in_doubt, held_ms);
        let mut aftermath = Aftermath::default();
        match (ended, shared) {
            (Some(ended), Some(record)) => {
                self.settle_waiters(&mut shard, ended, &record, locator, now, &mut aftermath);
            }
            (Some(ended), None) => aftermath.end(ended),
            (None, _) => {}
        }
        drop(shard);
        aftermath.carry_out();
        Ok(Some(locator.frame))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one transition under one lock"
    )]
    fn act_on_settled(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        token: FencingToken,
        command: Command<'_>,
        record: &Arc<Record>,
        at: crate::value::locator::Locator,
        prepared: Prepared,
        now: Now,
    ) -> Result<Option<u64>, Refused> {
        check_same_key(&record.key, named.key)?;
        let policy = &named.namespace.policy;
        let kind = match act_settled(record, token, command, policy) {
            Err(refusal) => {
                count_refusal(&mut shard, named, refusal, command);
                let state = crate::engine::told::state_of(record, policy.guarantee);
                let info = self.info(named.namespace, state, Arc::clone(record));
                let rests_on = self.rests_on(named.namespace, at);
                return Err(Refused::resting_on(refused(refusal, Some(info)), rests_on));
            }
            // What was done before is acknowledged again when it is durable.
            Ok(Accepted::Done) => return Ok(Some(at.frame)),
            Ok(Accepted::Extend) => return Ok(None),
            Ok(Accepted::Write(kind)) => kind,
        };
        self.check_open()?;
        let body = match command {
            Command::Complete(body) | Command::Fail(body) => body,
            _ => &[],
        };
        let mut written = Subject::of_record(record, policy).record(kind, body, now);
        written.head.body_omitted |= matches!(command, Command::CompleteWithout);
        let last = LastRecord {
            locator: at,
            expires_at: record.head.expires_at,
        };
        let made = (deed(kind, command), By::Caller(&[]));
        let locator = self.append_transition(&written, made, policy, prepared, Some(last), now);
        shard.apply(named.digest, &written.head, policy.guarantee, locator);
        let was_in_doubt = record.head.kind == RecordKind::InDoubt;
        count(&mut shard, named, kind, command, was_in_doubt, None);
        Ok(Some(locator.frame))
    }

    fn extend(shard: &mut Locked<'_>, at: SlabRef, command: Command<'_>, now: Now) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        let deadline_ms = now.mono_ms.saturating_add(running.holder.lease_ms);
        if let Command::KeepAlive { for_ms } = command {
            running.rest.to_mut().holder.keep_alive_until_ms = now.mono_ms.saturating_add(for_ms);
        }
        let (deadline_ms, column) = (running.holder.deadline_ms.max(deadline_ms), running.column);
        shard.set_deadline(at, deadline_ms);
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.renewed += 1);
    }
}

fn said<'a, W: 'static>(command: Command<'a>, running: &'a Running<W>) -> &'a [u8] {
    match command {
        Command::Complete(said)
        | Command::Fail(said)
        | Command::Release(said)
        | Command::Doubt(said)
        | Command::Checkpoint(said) => said,
        Command::CompleteWithout => &[],
        Command::Abandon => b"the lease was dropped without an outcome",
        Command::Record | Command::Renew | Command::KeepAlive { .. } => {
            &running.rest.holder.checkpoint
        }
    }
}

/// What a record of this kind, after this command, is in the audit log.
fn deed(kind: RecordKind, command: Command<'_>) -> Transition {
    match kind {
        RecordKind::Completed => Transition::Completed,
        RecordKind::Failed => Transition::Failed,
        RecordKind::InDoubt => Transition::Doubted,
        RecordKind::Released => Transition::Released,
        RecordKind::Forgotten => Transition::Forgotten,
        RecordKind::InProgress if matches!(command, Command::Checkpoint(_)) => {
            Transition::Checkpointed
        }
        RecordKind::InProgress => Transition::Detached,
    }
}

/// Counts a transition; `held_ms` is how long the key was held, where that has ended.
fn count(
    shard: &mut Locked<'_>,
    named: Named<'_>,
    kind: RecordKind,
    command: Command<'_>,
    was_in_doubt: bool,
    held_ms: Option<u64>,
) {
    let tallies = &mut shard.tallies;
    tallies.count(named.namespace.column, |counters| {
        counters.settle(kind, was_in_doubt);
        let goes_on = kind == RecordKind::InProgress;
        let checkpointed = goes_on && matches!(command, Command::Checkpoint(_));
        counters.checkpoints += u64::from(checkpointed);
        let may_run_again = kind == RecordKind::Released;
        let dropped = may_run_again && matches!(command, Command::Abandon);
        counters.dropped_leases += u64::from(dropped);
        if let Some(held_ms) = held_ms {
            counters.holds.observe(held_ms);
        }
    });
}

/// Counts a call of a holder that was refused.
fn count_refusal(shard: &mut Locked<'_>, named: Named<'_>, refusal: Refusal, command: Command<'_>) {
    let has_run = matches!(
        command,
        Command::Complete(_) | Command::CompleteWithout | Command::Fail(_)
    );
    let tallies = &mut shard.tallies;
    tallies.count(named.namespace.column, |counters| match refusal {
        // A guard that goes away asks for nothing.
        _ if matches!(command, Command::Abandon) => {}
        Refusal::Superseded => {
            counters.superseded += 1;
            counters.superseded_completions += u64::from(has_run);
        }
        Refusal::NotHeld => counters.not_held += 1,
        Refusal::AlreadySettled | Refusal::InDoubt => {}
    });
}
