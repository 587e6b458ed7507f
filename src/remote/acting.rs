//! What a holder does to its key, under its token.

use std::sync::Arc;

use crate::backend::{DraftRun, HolderGuard, KeyRef, LeaseEnd, Next, Row, RowState, Run};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::{not_held, refused};
use crate::remote::decision::{Carried, Decision, Open, Proposal, Step};
use crate::remote::hold::Hold;
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{DRAFTED, draft_again, draft_of, record_of, run_again, running_of};
use crate::remote::seen::Look;
use crate::state::transition::{Accepted, Command, Subject, act_running, act_settled};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::limits::check_checkpoint;
use crate::value::record::RecordKind;

/// A [`Command`] that outlives the call.
#[derive(Clone, Debug)]
pub(crate) struct OwnedCommand {
    verb: Verb,
    said: Arc<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Complete,
    CompleteWithout,
    Fail,
    Release,
    Doubt,
    Checkpoint,
    Renew,
    KeepAlive(u64),
    Abandon,
    Record,
}

impl From<Command<'_>> for OwnedCommand {
    fn from(command: Command<'_>) -> Self {
        let (verb, said): (_, &[u8]) = match command {
            Command::Complete(said) => (Verb::Complete, said),
            Command::CompleteWithout => (Verb::CompleteWithout, &[]),
            Command::Fail(said) => (Verb::Fail, said),
            Command::Release(said) => (Verb::Release, said),
            Command::Doubt(said) => (Verb::Doubt, said),
            Command::Checkpoint(said) => (Verb::Checkpoint, said),
            Command::Renew => (Verb::Renew, &[]),
            Command::KeepAlive { for_ms } => (Verb::KeepAlive(for_ms), &[]),
            Command::Abandon => (Verb::Abandon, &[]),
            Command::Record => (Verb::Record, &[]),
        };
        Self {
            verb,
            said: said.into(),
        }
    }
}

impl OwnedCommand {
    fn command(&self) -> Command<'_> {
        let said = &*self.said;
        match self.verb {
            Verb::Complete => Command::Complete(said),
            Verb::CompleteWithout => Command::CompleteWithout,
            Verb::Fail => Command::Fail(said),
            Verb::Release => Command::Release(said),
            Verb::Doubt => Command::Doubt(said),
            Verb::Checkpoint => Command::Checkpoint(said),
            Verb::Renew => Command::Renew,
            Verb::KeepAlive(for_ms) => Command::KeepAlive { for_ms },
            Verb::Abandon => Command::Abandon,
            Verb::Record => Command::Record,
        }
    }

    /// Whether it needs a lease that has not lapsed, where a lapse is a doubt.
    fn needs_lease(&self) -> bool {
        matches!(
            self.verb,
            Verb::Renew | Verb::KeepAlive(_) | Verb::Checkpoint
        )
    }

    /// What is written of a running key.
    fn said<'a>(&'a self, checkpoint: &'a [u8]) -> &'a [u8] {
        match self.verb {
            Verb::Complete | Verb::Fail | Verb::Release | Verb::Doubt | Verb::Checkpoint => {
                &self.said
            }
            Verb::CompleteWithout => &[],
            Verb::Abandon => b"the lease was dropped without an outcome",
            Verb::Record | Verb::Renew | Verb::KeepAlive(_) => checkpoint,
        }
    }
}

/// A command of the holder of a token.
struct Acting {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    token: FencingToken,
    command: OwnedCommand,
}

/// What a holder's command came to.
struct Acted {
    /// The row as it is now, where it was changed.
    row: Option<Row>,
    sent_ms: u64,
    nothing_changed: bool,
}

impl Decision for Acting {
    type Answer = Acted;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<Acted>> {
        let Some(row) = &look.row else {
            return Err(not_held());
        };
        match row.running() {
            Some(run) => self.act_on_running(key, row, run, look),
            None => self.act_on_settled(key, row),
        }
    }

    fn carried(&self, _: &KeyRef, carried: Carried) -> Result<Acted> {
        self.remote
            .count(&self.core, |counters| match self.command.verb {
                Verb::Complete | Verb::CompleteWithout => counters.completed += 1,
                Verb::Fail => counters.failed += 1,
                Verb::Release => counters.released += 1,
                Verb::Doubt => counters.doubted += 1,
                Verb::Checkpoint => counters.checkpoints += 1,
                Verb::Renew | Verb::KeepAlive(_) => counters.renewed += 1,
                Verb::Abandon => counters.dropped_leases += 1,
                Verb::Record => {}
            });
        Ok(Acted {
            row: carried.row,
            sent_ms: carried.sent_ms,
            nothing_changed: false,
        })
    }
}

impl Acting {
    fn act_on_running(
        &self,
        key: &KeyRef,
        row: &Row,
        run: &Run,
        look: &Look,
    ) -> Result<Step<Acted>> {
        let running = running_of(&self.core, key, row, run)?;
        let command = self.command.command();
        let kind = match act_running(&running, self.token, command, look.now) {
            Err(refusal) => {
                let info = self.remote.running_info(&self.core, &running, look.now);
                return Err(refused(refusal, Some(info)));
            }
            Ok(Accepted::Done) => return Ok(Step::Answer(nothing_to_do())),
            Ok(Accepted::Extend) => return Ok(self.propose(extended(row, run, self.command.verb))),
            Ok(Accepted::Write(kind)) => kind,
        };
        let subject = Subject {
            policy: &self.core.policy,
            ..Subject::of_running(&running)
        };
        let checkpoint = &running.rest.holder.checkpoint;
        let mut record = subject.record(kind, self.command.said(checkpoint), DRAFTED);
        record.head.body_omitted |= matches!(self.command.verb, Verb::CompleteWithout);
        record.head.attached &= !matches!(self.command.verb, Verb::Record);
        let run = (kind == RecordKind::InProgress).then(|| self.goes_on(run));
        Ok(self.propose(Next::Row(Box::new(draft_of(
            &record,
            Some(self.token),
            run,
        )))))
    }

    /// The run of a key that stays in progress. A ticket outlives the process of its holder.
    fn goes_on(&self, run: &Run) -> DraftRun {
        let again = run_again(run, LeaseEnd::At(run.lease_until_ms));
        match self.command.verb {
            Verb::Record => DraftRun {
                guard: HolderGuard::Ticket,
                ..again
            },
            _ => again,
        }
    }

    fn act_on_settled(&self, key: &KeyRef, row: &Row) -> Result<Step<Acted>> {
        let record = record_of(key, row)?;
        let policy = &self.core.policy;
        let kind = match act_settled(&record, self.token, self.command.command(), policy) {
            Err(refusal) => {
                let info = self.remote.settled_info(&self.core, record);
                return Err(refused(refusal, Some(info)));
            }
            Ok(Accepted::Done | Accepted::Extend) => return Ok(Step::Answer(nothing_to_do())),
            Ok(Accepted::Write(kind)) => kind,
        };
        let body: &[u8] = match self.command.verb {
            Verb::Complete | Verb::Fail => &self.command.said,
            _ => &[],
        };
        let mut written = Subject::of_record(&record, policy).record(kind, body, DRAFTED);
        written.head.body_omitted |= matches!(self.command.verb, Verb::CompleteWithout);
        Ok(self.propose(Next::Row(Box::new(draft_of(
            &written,
            Some(self.token),
            None,
        )))))
    }

    fn propose(&self, next: Next) -> Step<Acted> {
        let policy = &self.core.policy;
        let is_promise = policy.guarantee == Guarantee::AtMostOnce;
        Step::Change(Box::new(Proposal {
            next,
            only_leased: is_promise && self.command.needs_lease(),
            durable: self.remote.is_sync(policy),
        }))
    }
}

fn nothing_to_do() -> Acted {
    Acted {
        row: None,
        sent_ms: 0,
        nothing_changed: true,
    }
}

/// The row under a lease that lasts longer. The lease that was kept alive before is not cut by a renewal.
fn extended(row: &Row, run: &Run, verb: Verb) -> Next {
    let ends = match verb {
        Verb::KeepAlive(for_ms) => LeaseEnd::AfterMs(run.lease_ms.max(for_ms)),
        _ => LeaseEnd::AfterMsOrAt(run.lease_ms, run.lease_until_ms),
    };
    let mut draft = draft_again(row);
    draft.run = Some(run_again(run, ends));
    draft.expires = match row.expires_at {
        None => crate::backend::Ends::Never,
        // What was left behind the end of the lease stays left behind it.
        Some(expires_at) => {
            let lease_ends_at = u32::try_from(run.lease_until_ms / 1000).unwrap_or(u32::MAX);
            crate::backend::Ends::AfterLease(expires_at.saturating_sub(lease_ends_at))
        }
    };
    Next::Row(Box::new(draft))
}

impl Remote {
    /// Carries out what a holder does. It is sent when this returns.
    pub(crate) fn act(self: &Arc<Self>, hold: &Arc<Hold>, command: Command<'_>) -> Receipt<()> {
        if let Err(refused) = self.check_command(hold, command) {
            return Receipt::refused(refused);
        }
        let command = OwnedCommand::from(command);
        let (remote, hold) = (Arc::clone(self), Arc::clone(hold));
        self.send(async move { remote.act_now(&hold, command).await })
    }

    async fn act_now(self: &Arc<Self>, hold: &Arc<Hold>, command: OwnedCommand) -> Result<()> {
        let verb = command.verb;
        let kept_ms = match verb {
            Verb::KeepAlive(for_ms) => Some(for_ms),
            _ => None,
        };
        let open = Open {
            key: hold.key.clone(),
            look: Look::assume(hold.with_state(|state| state.row.clone())),
            decision: Acting {
                remote: Arc::clone(self),
                core: Arc::clone(&hold.core),
                token: hold.granted.token,
                command,
            },
        };
        match self.decide(open).await {
            Ok(acted) => {
                if !acted.nothing_changed {
                    hold.with_state(|state| state.follow(acted.row, acted.sent_ms, kept_ms));
                }
                if hold.with_state(|state| state.ended) {
                    hold.end();
                }
                Ok(())
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Superseded | ErrorKind::NotHeld) {
                    hold.end();
                }
                self.count_refusal(hold, verb, error.kind());
                Err(error)
            }
        }
    }

    /// Counts a call of a holder that was refused. A guard that goes away asks for nothing.
    fn count_refusal(&self, hold: &Hold, verb: Verb, kind: ErrorKind) {
        if matches!(verb, Verb::Abandon) {
            return;
        }
        let has_run = matches!(verb, Verb::Complete | Verb::CompleteWithout | Verb::Fail);
        self.count(&hold.core, |counters| match kind {
            ErrorKind::Superseded => {
                counters.superseded += 1;
                counters.superseded_completions += u64::from(has_run);
            }
            ErrorKind::NotHeld => counters.not_held += 1,
            _ => {}
        });
    }

    /// Refuses what no holder may say, before anything is sent.
    pub(crate) fn check_command(&self, hold: &Hold, command: Command<'_>) -> Result<()> {
        self.check_open()?;
        match command {
            Command::Complete(body) | Command::Fail(body) => {
                let remedy = "complete with a shorter one or a reference, raise max_response, or choose Oversize::OutcomeOnly";
                hold.core.policy.check_outcome(body, remedy)
            }
            Command::Release(reason) | Command::Doubt(reason) => {
                self.options.limits.check_reason(reason)
            }
            Command::Checkpoint(bytes) => check_checkpoint(
                bytes,
                "keep large intermediate results elsewhere and store a reference",
            ),
            _ => Ok(()),
        }
    }

    /// The guard of a lease goes away without an outcome. Nothing waits for it.
    pub(crate) fn abandon(self: &Arc<Self>, hold: &Arc<Hold>) {
        let (remote, hold) = (Arc::clone(self), Arc::clone(hold));
        drop(self.send(async move {
            let command = OwnedCommand::from(Command::Abandon);
            let abandoned = remote.act_now(&hold, command).await;
            hold.end();
            if abandoned.is_err() {
                remote.leave_doubt(&hold).await?;
            }
            Ok(())
        }));
    }

    /// The guard of a key is gone that an operator has put in doubt: nothing causes the effect any more.
    async fn leave_doubt(&self, hold: &Hold) -> Result<()> {
        let open = Open {
            key: hold.key.clone(),
            look: Look::assume(None),
            decision: LeavingDoubt {
                run: hold.with_state(|state| state.row.as_ref().and_then(|row| row.run.clone())),
            },
        };
        self.decide(open).await
    }

    /// A lease that lies in an error is dropped: it runs out, and is not kept alive any more.
    pub(crate) fn let_run_out(self: &Arc<Self>, hold: &Arc<Hold>) {
        let (remote, hold) = (Arc::clone(self), Arc::clone(hold));
        let sent = self.send(async move {
            let open = Open {
                key: hold.key.clone(),
                look: Look::assume(hold.with_state(|state| state.row.clone())),
                decision: LettingRunOut {
                    token: hold.granted.token,
                    estimate: remote.server_estimate_ms(),
                },
            };
            remote.decide(open).await?;
            remote.leave_doubt(&hold).await
        });
        drop(sent);
    }
}

/// Takes the run out of a doubt, whose holder has gone.
struct LeavingDoubt {
    run: Option<Run>,
}

impl Decision for LeavingDoubt {
    type Answer = ();

    fn decide(&self, _: &KeyRef, look: &Look) -> Result<Step<()>> {
        let doubt = look
            .row
            .as_ref()
            .filter(|row| row.state == RowState::InDoubt);
        let is_its = |run: &Run| {
            let own = self.run.as_ref();
            own.is_some_and(|own| {
                (own.process, own.claimed_at, own.lease_until_ms)
                    == (run.process, run.claimed_at, run.lease_until_ms)
            })
        };
        let Some(row) = doubt.filter(|row| row.run.as_ref().is_some_and(is_its)) else {
            return Ok(Step::Answer(()));
        };
        let mut draft = draft_again(row);
        draft.run = None;
        Ok(Step::change(Next::Row(Box::new(draft)), false))
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<()> {
        Ok(())
    }
}

/// Ends the keeping alive of a lease that its holder has given up.
struct LettingRunOut {
    token: FencingToken,
    estimate: u64,
}

impl Decision for LettingRunOut {
    type Answer = ();

    fn decide(&self, _: &KeyRef, look: &Look) -> Result<Step<()>> {
        let held = look.row.as_ref().filter(|row| row.token == self.token);
        let Some((row, run)) = held.and_then(|row| Some((row, row.run.as_ref()?))) else {
            return Ok(Step::Answer(()));
        };
        if row.state != RowState::InProgress || run.guard == HolderGuard::Gone {
            return Ok(Step::Answer(()));
        }
        let latest_ms = self.estimate.saturating_add(run.lease_ms);
        let mut draft = draft_again(row);
        draft.run = Some(DraftRun {
            guard: HolderGuard::Gone,
            ..run_again(run, LeaseEnd::At(run.lease_until_ms.min(latest_ms)))
        });
        Ok(Step::change(Next::Row(Box::new(draft)), false))
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<()> {
        Ok(())
    }
}

/// Takes a grant back, of which nothing has begun.
struct Withdrawing {
    token: FencingToken,
    before: Option<Row>,
}

impl Decision for Withdrawing {
    type Answer = bool;

    fn decide(&self, _: &KeyRef, look: &Look) -> Result<Step<bool>> {
        let held = look.row.as_ref().filter(|row| row.token == self.token);
        if held.is_none_or(|row| row.state != RowState::InProgress) {
            return Ok(Step::Answer(false));
        }
        let next = match &self.before {
            Some(before) => Next::Row(Box::new(draft_again(before))),
            None => Next::Absent,
        };
        Ok(Step::change(next, true))
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<bool> {
        Ok(true)
    }
}

impl Remote {
    /// Takes a grant back: the key is what it was before, and no attempt is counted. Nothing waits for it.
    pub(crate) fn withdraw(self: &Arc<Self>, hold: &Arc<Hold>) {
        hold.end();
        let (remote, hold) = (Arc::clone(self), Arc::clone(hold));
        drop(self.send(async move { remote.withdraw_now(&hold).await }));
    }

    pub(super) async fn withdraw_now(&self, hold: &Hold) -> Result<()> {
        let (row, before) = hold.with_state(|state| (state.row.clone(), state.before.clone()));
        let open = Open {
            key: hold.key.clone(),
            look: Look::assume(row),
            decision: Withdrawing {
                token: hold.granted.token,
                before,
            },
        };
        if self.decide(open).await? {
            self.count(&hold.core, |counters| counters.withdrawn += 1);
        }
        Ok(())
    }

    /// Takes a grant in that is on its way. If its lease ends before its caller gets it, it is taken back then.
    pub(super) fn send_on_its_way(self: &Arc<Self>, hold: &Arc<Hold>) {
        if !self.holds.add(hold) {
            return;
        }
        let (backend, remote) = (Arc::clone(&self.backend), Arc::downgrade(self));
        self.backend.spawn(Box::pin(async move {
            loop {
                let Some(remote) = remote.upgrade() else {
                    return;
                };
                let now_ms = backend.mono_ms();
                let Some((over, next_ms)) = remote.holds.overdue(now_ms) else {
                    return;
                };
                for hold in over {
                    hold.end();
                    // Where the backend does not answer, the lease ends by itself.
                    let _ = remote.withdraw_now(&hold).await;
                }
                drop(remote);
                backend.sleep(next_ms.saturating_sub(now_ms).max(1)).await;
            }
        }));
    }

    /// Has a grant taken back that was sent under a nonce, and of which no answer came.
    pub(super) fn take_back_later(&self, key: &KeyRef, nonce: u128, before: Option<&Row>) {
        let change = crate::backend::Change {
            key: key.clone(),
            nonce: self.nonces.draw(),
            expect: crate::backend::Expect::Row(nonce),
            only_leased: false,
            durable: true,
            next: before.map_or(Next::Absent, |row| Next::Row(Box::new(draft_again(row)))),
        };
        let backend = Arc::clone(&self.backend);
        // It is tried once more, when the connection is back: else the lease runs out.
        let again_ms = self.options.beat_ms;
        self.backend.spawn(Box::pin(async move {
            if backend.submit(vec![change.clone()]).await.is_err() {
                backend.sleep(again_ms).await;
                let _: Result<_, Error> = backend.submit(vec![change]).await;
            }
        }));
    }
}
