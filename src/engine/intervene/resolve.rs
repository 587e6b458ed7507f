//! Doubts, and how they are settled.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::change::{Change, Prepared};
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::turn::Turn;
use crate::state::slab::SlabRef;
use crate::state::slot::Settled;
use crate::state::transition::{Refusal, Subject};
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::Now;

/// The refusal to let a key run again whose holder may still cause the effect.
pub(crate) fn holder_alive() -> Error {
    let text = "the holder of this key is alive in this process and may still cause the effect: stop it first, or \
                force the resolution";
    Error::new(ErrorKind::InUse, text)
}

/// The refusal to settle a key whose holder is expected to do that.
pub(crate) fn not_in_doubt() -> Error {
    let text = "the key is in progress, not in doubt: wait for its holder";
    Error::new(ErrorKind::InUse, text)
}

/// Refuses an outcome that is over the limit of the policy.
pub(crate) fn check_settlement(policy: &Policy, settlement: Settlement<'_>) -> Result<()> {
    match settlement {
        Settlement::Happened(body) | Settlement::Failed(body) => {
            let remedy = "resolve with a shorter one or a reference, or raise max_response";
            policy.check_outcome(body, remedy)
        }
        Settlement::NeverHappened => Ok(()),
    }
}

/// How a doubt is settled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settlement<'a> {
    Happened(&'a [u8]),
    Failed(&'a [u8]),
    NeverHappened,
}

impl<'a> Settlement<'a> {
    fn transition(self) -> Transition {
        match self {
            Self::Happened(_) => Transition::ResolvedHappened,
            Self::Failed(_) => Transition::ResolvedFailed,
            Self::NeverHappened => Transition::ResolvedNeverHappened,
        }
    }

    /// The record that settles the doubt of `subject`, under a higher token: the holder that caused the doubt
    /// is superseded.
    pub(crate) fn record(
        self,
        subject: Subject<'a>,
        token: FencingToken,
        now: Now,
    ) -> RecordRef<'a> {
        let attempt = match self {
            // What never happened is no attempt.
            Self::NeverHappened => subject.attempt.saturating_sub(1),
            Self::Happened(_) | Self::Failed(_) => subject.attempt,
        };
        let (kind, said): (_, &[u8]) = match self {
            Self::Happened(response) => (RecordKind::Completed, response),
            Self::Failed(error) => (RecordKind::Failed, error),
            Self::NeverHappened => (RecordKind::Released, b"resolved: it never happened"),
        };
        let subject = Subject {
            token,
            attempt,
            ..subject
        };
        subject.record(kind, said, now)
    }
}

/// A resolution of a doubt under its token.
#[derive(Clone, Copy)]
struct Resolving<'a> {
    named: Named<'a>,
    token: FencingToken,
    settlement: Settlement<'a>,
    force: bool,
    by: Initiator<'a>,
}

/// Where the doubt is that a resolution settles.
enum DoubtPlace<'a> {
    Running(SlabRef),
    Recorded(&'a Record),
}

impl Resolving<'_> {
    /// Whether the key is to run again: then its holder must be gone.
    fn asks_for_holder(&self) -> bool {
        !self.force && matches!(self.settlement, Settlement::NeverHappened)
    }
}

impl Engine {
    /// Settles a doubt under its token. Returns the frame that the acknowledgement waits for.
    pub(crate) fn resolve(
        &self,
        named: Named<'_>,
        token: FencingToken,
        settlement: Settlement<'_>,
        force: bool,
        by: Option<&Attribution>,
    ) -> Result<u64, Refused> {
        self.check_change()?;
        let by = Initiator::or_caller(by);
        let mut prepared = self.prepare_settlement(named, settlement, by)?;
        let resolution = Resolving {
            named,
            token,
            settlement,
            force,
            by,
        };
        self.look(named, |turn, read| {
            turn.resolve(resolution, &mut prepared, read)
        })
    }

    pub(in crate::engine) fn prepare_settlement(
        &self,
        named: Named<'_>,
        settlement: Settlement<'_>,
        by: Initiator<'_>,
    ) -> Result<Prepared> {
        let policy = &named.namespace.policy;
        check_settlement(policy, settlement)?;
        Ok(match settlement {
            Settlement::Happened(body) | Settlement::Failed(body) => {
                self.prepare_outcome(by, policy, body)
            }
            Settlement::NeverHappened => Prepared::default(),
        })
    }
}

impl Turn<'_> {
    fn resolve(
        &mut self,
        resolution: Resolving<'_>,
        prepared: &mut Prepared,
        read: Option<&Read>,
    ) -> Result<Look<u64>, Refused> {
        let named = resolution.named;
        match self.meet(named, read)? {
            Met::Absent => Err(not_held().into()),
            Met::Forgotten(removal) => Err(self.engine.refused_by(named, removal, not_held())),
            Met::Running(at) => {
                self.check_doubt_running(resolution, at)?;
                let doubt = DoubtPlace::Running(at);
                Ok(Look::Done(self.settle_doubt(resolution, doubt, prepared)?))
            }
            Met::Settled(_, locator, None) => Ok(Look::Read(locator)),
            Met::Settled(settled, locator, Some(record)) => {
                if settled != Settled::InDoubt || record.head.token != resolution.token {
                    return Err(self.refuse_settled(named, locator, record, Refusal::Superseded));
                }
                if resolution.asks_for_holder() {
                    self.check_doubted_guard(named, record)?;
                }
                let doubt = DoubtPlace::Recorded(record);
                Ok(Look::Done(self.settle_doubt(resolution, doubt, prepared)?))
            }
        }
    }

    fn check_doubt_running(&self, resolution: Resolving<'_>, at: SlabRef) -> Result<()> {
        let running = self.running(at);
        let info = || {
            self.engine
                .running_info(resolution.named, running, self.now)
        };
        if running.holder.token != resolution.token {
            return Err(refused(Refusal::Superseded, Some(info())));
        }
        if !running.is_in_doubt(self.now) {
            return Err(not_in_doubt().with_current(info()));
        }
        if resolution.asks_for_holder() && running.is_guarded() {
            return Err(holder_alive().with_current(info()));
        }
        Ok(())
    }

    /// Refuses to let a key run again while the holder from whom an operator took it is alive.
    fn check_doubted_guard(&self, named: Named<'_>, record: &Arc<Record>) -> Result<()> {
        if !self.engine.doubted_guards.is_alive(record.head.token) {
            return Ok(());
        }
        let record = Arc::clone(record);
        let info = self.engine.info(named.namespace, KeyState::InDoubt, record);
        Err(holder_alive().with_current(info))
    }

    fn settle_doubt(
        &mut self,
        resolution: Resolving<'_>,
        doubt: DoubtPlace<'_>,
        prepared: &mut Prepared,
    ) -> Result<u64> {
        let token = self.admit_intervention()?;
        let (named, settlement) = (resolution.named, resolution.settlement);
        let policy = &named.namespace.policy;
        let (running, subject) = match doubt {
            DoubtPlace::Running(at) => {
                let subject = Subject::of_running(self.running(at));
                (Some(at), Subject { policy, ..subject })
            }
            DoubtPlace::Recorded(doubt) => (None, Subject::of_record(doubt, policy)),
        };
        let record = settlement.record(subject, token, self.now);
        let appended = self.append(Change {
            prepared: std::mem::take(prepared),
            ..self.change_of(
                named,
                running,
                &record,
                settlement.transition(),
                resolution.by,
            )
        });
        Ok(self.commit(appended).frame)
    }
}
