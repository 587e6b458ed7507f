//! Holds that an operator ends.

use std::sync::Arc;

use crate::backend::{KeyRef, LeaseEnd, Next, Row, RowState, Run};
use crate::engine::intervene::end_hold::{HoldEnd, in_doubt, kind_of_end, said_of_end};
use crate::engine::intervene::resolve::{Settlement, check_settlement};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::{not_held, refused};
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{DRAFTED, draft_of, record_of, run_again, running_of};
use crate::remote::seen::Look;
use crate::state::transition::{Refusal, Subject};
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::record::RecordKind;

/// How an operator ends a hold, with bytes that outlive the call.
#[derive(Clone, Debug)]
enum OwnedEnd {
    Release,
    Doubt,
    Fail(Arc<[u8]>),
}

impl OwnedEnd {
    fn end(&self) -> HoldEnd<'_> {
        match self {
            Self::Release => HoldEnd::Release,
            Self::Doubt => HoldEnd::Doubt,
            Self::Fail(error) => HoldEnd::Fail(error),
        }
    }
}

impl From<HoldEnd<'_>> for OwnedEnd {
    fn from(end: HoldEnd<'_>) -> Self {
        match end {
            HoldEnd::Release => Self::Release,
            HoldEnd::Doubt => Self::Doubt,
            HoldEnd::Fail(error) => Self::Fail(error.into()),
        }
    }
}

struct EndingHold {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    token: FencingToken,
    end: OwnedEnd,
    /// Who does it and why, as it is written.
    line: String,
}

impl Decision for EndingHold {
    type Answer = ();

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<()>> {
        let Some(row) = &look.row else {
            return Err(not_held());
        };
        match row.running() {
            Some(run) => self.end(key, row, run, look),
            None => self.refuse(key, row),
        }
    }

    fn carried(&self, _: &KeyRef, carried: Carried) -> Result<()> {
        let state = carried.row.map(|row| row.state);
        self.remote.count(&self.core, |counters| match state {
            // The superseded holder may go on beside the next run.
            Some(RowState::Released) => {
                counters.released += 1;
                counters.dropped_leases += 1;
            }
            Some(RowState::Failed) => counters.failed += 1,
            Some(RowState::InDoubt) => {
                counters.doubted += 1;
                counters.doubts += 1;
            }
            _ => {}
        });
        Ok(())
    }
}

impl EndingHold {
    fn end(&self, key: &KeyRef, row: &Row, run: &Run, look: &Look) -> Result<Step<()>> {
        let running = running_of(&self.core, key, row, run)?;
        let info = || self.remote.running_info(&self.core, &running, look.now);
        if row.token != self.token {
            return Err(refused(Refusal::Superseded, Some(info())));
        }
        let end = self.end.end();
        let kind =
            kind_of_end(&running, end, look.now).map_err(|error| error.with_current(info()))?;
        let subject = Subject {
            policy: &self.core.policy,
            ..Subject::of_running(&running)
        };
        let record = subject.record(kind, said_of_end(end, kind, &self.line), DRAFTED);
        // A doubt keeps the run: its holder may be alive, and may still cause the effect.
        let kept =
            (kind == RecordKind::InDoubt).then(|| run_again(run, LeaseEnd::At(run.lease_until_ms)));
        // A higher token, so that the calls of the holder are superseded.
        let draft = draft_of(&record, None, kept);
        Ok(Step::change(
            Next::Row(Box::new(draft)),
            self.remote.is_sync(&self.core.policy),
        ))
    }

    fn refuse(&self, key: &KeyRef, row: &Row) -> Result<Step<()>> {
        let info = self.remote.settled_info(&self.core, record_of(key, row)?);
        if row.token != self.token {
            return Err(refused(Refusal::Superseded, Some(info)));
        }
        if info.state != KeyState::InDoubt {
            return Err(refused(Refusal::AlreadySettled, Some(info)));
        }
        Err(in_doubt().with_current(info))
    }
}

impl Remote {
    /// Ends the hold on a key in progress, as an operator does.
    pub(crate) fn end_hold(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
        token: FencingToken,
        end: HoldEnd<'_>,
        line: String,
    ) -> Receipt<()> {
        let checked = self.check_open().and_then(|()| match end {
            HoldEnd::Fail(error) => check_settlement(&core.policy, Settlement::Failed(error)),
            HoldEnd::Release | HoldEnd::Doubt => Ok(()),
        });
        let end = OwnedEnd::from(end);
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            checked?;
            let open = Open {
                key,
                look: Look::assume(None),
                decision: EndingHold {
                    remote: Arc::clone(&remote),
                    core,
                    token,
                    end,
                    line,
                },
            };
            remote.decide(open).await
        })
    }
}
