//! [`HoldEnd`]: how an operator ends the hold on a key in progress: release, doubt or failure.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::change::{Change, Prepared};
use crate::engine::description::state_of;
use crate::engine::engine::Engine;
use crate::engine::intervene::resolve::Settlement;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::turn::Turn;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::{Refusal, Subject};
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

/// How an operator ends the hold on a key in progress, in its holder's place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HoldEnd<'a> {
    Release,
    Doubt,
    Fail(&'a [u8]),
}

impl HoldEnd<'_> {
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

/// The end of the hold of a token.
#[derive(Clone, Copy)]
struct Intervention<'a> {
    named: Named<'a>,
    token: FencingToken,
    end: HoldEnd<'a>,
    by: &'a Attribution,
    /// What the record says, unless callers are answered with it.
    line: &'a str,
}

/// What is written when a hold is ended. `line` names the operator and the reason.
pub(crate) fn said_of_end<'a>(end: HoldEnd<'a>, kind: RecordKind, line: &'a str) -> &'a [u8] {
    match end {
        HoldEnd::Fail(error) => error,
        // Callers get this as their answer, so it does not name the operator and the reason.
        HoldEnd::Release if kind == RecordKind::Failed => LAST_ATTEMPT,
        HoldEnd::Release | HoldEnd::Doubt => line.as_bytes(),
    }
}

/// What the key of a hold becomes that an operator ends.
pub(crate) fn kind_of_end<W: 'static>(
    running: &Running<W>,
    end: HoldEnd<'_>,
    now: Now,
) -> Result<RecordKind> {
    if running.is_in_doubt(now) {
        return Err(in_doubt());
    }
    match end {
        HoldEnd::Release if running.guarantee() == Guarantee::AtMostOnce => {
            let text = "the namespace promises at-most-once, and the effect of this key may have happened: put \
                        it in doubt with Operator::doubt, then resolve the doubt";
            Err(Error::new(ErrorKind::InUse, text))
        }
        HoldEnd::Release if running.is_exhausted() => Ok(RecordKind::Failed),
        HoldEnd::Release => Ok(RecordKind::Released),
        HoldEnd::Doubt => Ok(RecordKind::InDoubt),
        HoldEnd::Fail(_) => Ok(RecordKind::Failed),
    }
}

impl Engine {
    /// Ends the hold of `token` on a key in progress, under a higher token, so that the holder is superseded.
    /// Returns the frame that the acknowledgement waits for.
    pub(crate) fn end_hold(
        &self,
        named: Named<'_>,
        token: FencingToken,
        end: HoldEnd<'_>,
        by: &Attribution,
    ) -> Result<u64, Refused> {
        self.check_change()?;
        let mut prepared = match end {
            HoldEnd::Fail(error) => {
                self.prepare_settlement(named, Settlement::Failed(error), Initiator::Operator(by))?
            }
            HoldEnd::Release | HoldEnd::Doubt => Prepared::default(),
        };
        let intervention = Intervention {
            named,
            token,
            end,
            by,
            line: &by.line(),
        };
        self.look(named, |turn, read| {
            turn.end_hold(intervention, &mut prepared, read)
        })
    }
}

impl Turn<'_> {
    fn end_hold(
        &mut self,
        intervention: Intervention<'_>,
        prepared: &mut Prepared,
        read: Option<&Read>,
    ) -> Result<Look<u64>, Refused> {
        let named = intervention.named;
        match self.meet(named, read)? {
            Met::Absent => Err(not_held().into()),
            Met::Forgotten(removal) => Err(self.engine.refused_by(named, removal, not_held())),
            Met::Running(at) => {
                let kind = self.check_end(intervention, at)?;
                Ok(Look::Done(self.write_end(
                    intervention,
                    at,
                    kind,
                    prepared,
                )?))
            }
            Met::Settled(_, locator, None) => Ok(Look::Read(locator)),
            Met::Settled(_, locator, Some(record)) => {
                Err(self.refuse_end(intervention, locator, record))
            }
        }
    }

    /// The kind of record that the end leads to.
    fn check_end(&self, intervention: Intervention<'_>, at: SlabRef) -> Result<RecordKind> {
        let running = self.running(at);
        let named = intervention.named;
        let info = || self.engine.running_info(named, running, self.now);
        if running.holder.token != intervention.token {
            return Err(refused(Refusal::Superseded, Some(info())));
        }
        kind_of_end(running, intervention.end, self.now).map_err(|error| error.with_current(info()))
    }

    fn write_end(
        &mut self,
        intervention: Intervention<'_>,
        at: SlabRef,
        kind: RecordKind,
        prepared: &mut Prepared,
    ) -> Result<u64> {
        // A higher token, so that the calls of the holder are superseded.
        let token = self.admit_intervention()?;
        let running = self.running(at);
        if kind == RecordKind::InDoubt && running.is_guarded() {
            let guards = &self.engine.doubted_guards;
            guards.note(running.holder.token, token);
        }
        let subject = Subject {
            token,
            ..Subject::of_running(running)
        };
        let record = subject.record(
            kind,
            said_of_end(intervention.end, kind, intervention.line),
            self.now,
        );
        let transition = match kind {
            RecordKind::Failed => Transition::Failed,
            RecordKind::InDoubt => Transition::Doubted,
            _ => Transition::Released,
        };
        let by = Initiator::Operator(intervention.by);
        let appended = self.append(Change {
            prepared: std::mem::take(prepared),
            ends_hold: true,
            ..self.change_of(intervention.named, Some(at), &record, transition, by)
        });
        Ok(self.commit(appended).frame)
    }

    fn refuse_end(
        &self,
        intervention: Intervention<'_>,
        at: Locator,
        record: &Arc<Record>,
    ) -> Refused {
        let (engine, named) = (self.engine, intervention.named);
        let namespace = named.namespace;
        if record.head.token != intervention.token {
            return self.refuse_settled(named, at, record, Refusal::Superseded);
        }
        if state_of(record, namespace.policy.guarantee) != KeyState::InDoubt {
            return self.refuse_settled(named, at, record, Refusal::AlreadySettled);
        }
        let info = engine.info(namespace, KeyState::InDoubt, Arc::clone(record));
        engine.refused_by(named, at, in_doubt().with_current(info))
    }
}

pub(crate) fn in_doubt() -> Error {
    Error::new(
        ErrorKind::InUse,
        "the key is in doubt: settle it with Operator::resolve",
    )
}
