//! What a holder does to its key, under its token.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::change::{Change, Prepared};
use crate::engine::description::state_of;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::shards::EngineRunning;
use crate::engine::turn::Turn;
use crate::state::slab::SlabRef;
use crate::state::transition::{Accepted, Command, Refusal, Subject, act_running, act_settled};
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::limits::{CHECKPOINT_BYTES_MAX, check_checkpoint};
use crate::value::locator::Locator;
use crate::value::record::{Record, RecordKind};

const _: () = assert!(
    CHECKPOINT_BYTES_MAX <= crate::journal::format::codec::INLINE_BODY_MAX,
    "a checkpoint never needs parts, so claims and releases never do"
);

/// What a holder does to its key.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct HolderCommand<'a> {
    pub(in crate::engine) named: Named<'a>,
    pub(in crate::engine) token: FencingToken,
    pub(in crate::engine) command: Command<'a>,
}

impl Engine {
    /// Carries out what a holder does. Gives the frame that its acknowledgement waits for.
    #[inline]
    pub(crate) fn act(
        &self,
        named: Named<'_>,
        token: FencingToken,
        command: Command<'_>,
    ) -> Result<Option<u64>, Refused> {
        self.prefetch(named.digest);
        self.check_change()?;
        self.check_command(named, command)?;
        let mut prepared = self.prepare(named, command);
        let held_command = HolderCommand {
            named,
            token,
            command,
        };
        self.look(named, |turn, read| {
            turn.act(held_command, &mut prepared, read)
        })
    }

    /// What goes through all of a body, before the lock.
    #[inline]
    fn prepare(&self, named: Named<'_>, command: Command<'_>) -> Prepared {
        let policy = &named.namespace.policy;
        match command {
            Command::Complete(body) | Command::Fail(body) => {
                self.prepare_outcome(Initiator::Caller(&[]), policy, body)
            }
            _ => Prepared::default(),
        }
    }

    #[inline]
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
}

impl Turn<'_> {
    #[inline]
    fn act(
        &mut self,
        held_command: HolderCommand<'_>,
        prepared: &mut Prepared,
        read: Option<&Read>,
    ) -> Result<Look<Option<u64>>, Refused> {
        let locator = match self.meet(held_command.named, read)? {
            Met::Running(at) => {
                return self
                    .act_on_running(at, held_command, prepared)
                    .map(Look::Done);
            }
            Met::Settled(_, locator, None) => return Ok(Look::Read(locator)),
            Met::Settled(_, locator, Some(record)) => {
                let acted = self.act_on_settled(locator, record, held_command, prepared);
                return acted.map(Look::Done);
            }
            Met::Absent => None,
            Met::Forgotten(locator) => Some(locator),
        };
        self.count_refusal(held_command, Refusal::NotHeld);
        let rests_on =
            locator.and_then(|at| self.engine.rests_on(held_command.named.namespace, at));
        Err(Refused::resting_on(not_held(), rests_on))
    }

    #[inline]
    pub(in crate::engine) fn act_on_running(
        &mut self,
        at: SlabRef,
        held_command: HolderCommand<'_>,
        prepared: &mut Prepared,
    ) -> Result<Option<u64>, Refused> {
        let (running, command) = (self.running(at), held_command.command);
        let kind = match act_running(running, held_command.token, command, self.now) {
            Err(refusal) => {
                let info = self
                    .engine
                    .running_info(held_command.named, running, self.now);
                self.count_refusal(held_command, refusal);
                return Err(refused(refusal, Some(info)).into());
            }
            // Journaled before, and perhaps not on the medium yet.
            Ok(Accepted::Done) => {
                return Ok(running.rest.last_record.map(|last| last.locator.frame));
            }
            Ok(Accepted::Extend) => {
                self.extend(at, command);
                return Ok(None);
            }
            Ok(Accepted::Write(kind)) => kind,
        };
        self.engine.check_open()?;
        let mut record =
            Subject::of_running(running).record(kind, said(command, running), self.now);
        record.head.body_omitted |= matches!(command, Command::CompleteWithout);
        record.head.attached &= !matches!(command, Command::Record);
        let by = match command {
            Command::Abandon => Initiator::Engine,
            _ => Initiator::Caller(&running.rest.holder.actor),
        };
        let appended = self.append(Change {
            prepared: std::mem::take(prepared),
            ends_hold: true,
            ..Change::of_running(running, &record, transition(kind, command), by)
        });
        let locator = self.commit(appended);
        if let Command::Checkpoint(bytes) = command {
            self.running_mut(at).rest.to_mut().holder.checkpoint = bytes.into();
        }
        Ok(Some(locator.frame))
    }

    fn act_on_settled(
        &mut self,
        at: Locator,
        record: &Arc<Record>,
        held_command: HolderCommand<'_>,
        prepared: &mut Prepared,
    ) -> Result<Option<u64>, Refused> {
        let (named, command) = (held_command.named, held_command.command);
        let policy = &*named.namespace.policy;
        let kind = match act_settled(record, held_command.token, command, policy) {
            Err(refusal) => {
                self.count_refusal(held_command, refusal);
                return Err(self.refuse_settled(named, at, record, refusal));
            }
            // What was done before is acknowledged again when it is durable.
            Ok(Accepted::Done) => return Ok(Some(at.frame)),
            Ok(Accepted::Extend) => return Ok(None),
            Ok(Accepted::Write(kind)) => kind,
        };
        self.engine.check_open()?;
        let body = match command {
            Command::Complete(body) | Command::Fail(body) => body,
            _ => &[],
        };
        let mut written = Subject::of_record(record, policy).record(kind, body, self.now);
        written.head.body_omitted |= matches!(command, Command::CompleteWithout);
        let by = Initiator::Caller(&[]);
        let appended = self.append(Change {
            prepared: std::mem::take(prepared),
            ..Change::of(named, &written, transition(kind, command), by)
        });
        Ok(Some(self.commit(appended).frame))
    }

    /// Refuses by the record of a settled key, on which the refusal rests.
    pub(in crate::engine) fn refuse_settled(
        &self,
        named: Named<'_>,
        at: Locator,
        record: &Arc<Record>,
        refusal: Refusal,
    ) -> Refused {
        let namespace = named.namespace;
        let state = state_of(record, namespace.policy.guarantee);
        let info = self.engine.info(namespace, state, Arc::clone(record));
        let rests_on = self.engine.rests_on(namespace, at);
        Refused::resting_on(refused(refusal, Some(info)), rests_on)
    }

    fn extend(&mut self, at: SlabRef, command: Command<'_>) {
        let now_ms = self.now.mono_ms;
        let running = self.running_mut(at);
        if let Command::KeepAlive { for_ms } = command {
            running.rest.to_mut().holder.keep_alive_until_ms = now_ms.saturating_add(for_ms);
        }
        let renewed_ms = now_ms.saturating_add(running.holder.lease_ms);
        let (deadline_ms, column) = (running.holder.deadline_ms.max(renewed_ms), running.column);
        self.shard.set_deadline(at, deadline_ms);
        self.count(column, |counters| counters.renewed += 1);
    }

    /// Counts a call of a holder that was refused.
    fn count_refusal(&mut self, held_command: HolderCommand<'_>, refusal: Refusal) {
        let has_run = matches!(
            held_command.command,
            Command::Complete(_) | Command::CompleteWithout | Command::Fail(_)
        );
        self.count(
            held_command.named.namespace.column,
            |counters| match refusal {
                // A guard that goes away asks for nothing.
                _ if matches!(held_command.command, Command::Abandon) => {}
                Refusal::Superseded => {
                    counters.superseded += 1;
                    counters.superseded_completions += u64::from(has_run);
                }
                Refusal::NotHeld => counters.not_held += 1,
                Refusal::AlreadySettled | Refusal::InDoubt => {}
            },
        );
    }
}

#[inline]
fn said<'a>(command: Command<'a>, running: &'a EngineRunning) -> &'a [u8] {
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
#[inline]
fn transition(kind: RecordKind, command: Command<'_>) -> Transition {
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
