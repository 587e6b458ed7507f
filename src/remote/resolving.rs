//! Doubts that are settled.

use std::sync::Arc;

use crate::backend::{KeyRef, Next, Row, RowState, Run};
use crate::engine::intervene::resolve::{Settlement, check_settlement, holder_alive, not_in_doubt};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::{not_held, refused};
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{DRAFTED, draft_of, is_holder_alive, record_of, running_of};
use crate::remote::seen::Look;
use crate::state::transition::{Refusal, Subject};
use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;

/// How a doubt is settled, with bytes that outlive the call.
#[derive(Clone, Debug)]
enum OwnedSettlement {
    Happened(Arc<[u8]>),
    Failed(Arc<[u8]>),
    NeverHappened,
}

impl From<Settlement<'_>> for OwnedSettlement {
    fn from(settlement: Settlement<'_>) -> Self {
        match settlement {
            Settlement::Happened(response) => Self::Happened(response.into()),
            Settlement::Failed(error) => Self::Failed(error.into()),
            Settlement::NeverHappened => Self::NeverHappened,
        }
    }
}

impl OwnedSettlement {
    fn settlement(&self) -> Settlement<'_> {
        match self {
            Self::Happened(response) => Settlement::Happened(response),
            Self::Failed(error) => Settlement::Failed(error),
            Self::NeverHappened => Settlement::NeverHappened,
        }
    }
}

struct Resolving {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    token: FencingToken,
    settlement: OwnedSettlement,
    force: bool,
}

impl Decision for Resolving {
    type Answer = ();

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<()>> {
        let Some(row) = &look.row else {
            return Err(not_held());
        };
        match row.running() {
            Some(run) => self.settle_lapsed(key, row, run, look),
            None => self.settle_recorded(key, row, look),
        }
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<()> {
        self.remote
            .count(&self.core, |counters| counters.resolved += 1);
        Ok(())
    }
}

impl Resolving {
    fn settle_lapsed(&self, key: &KeyRef, row: &Row, run: &Run, look: &Look) -> Result<Step<()>> {
        let running = running_of(&self.core, key, row, run)?;
        let told = |error: Error| {
            let info = self.remote.running_info(&self.core, &running, look.now);
            Err(error.with_current(info))
        };
        if row.token != self.token {
            let info = self.remote.running_info(&self.core, &running, look.now);
            return Err(refused(Refusal::Superseded, Some(info)));
        }
        if !running.is_in_doubt(look.now) {
            return told(not_in_doubt());
        }
        if self.asks_for_holder() && is_holder_alive(run, look.now) {
            return told(holder_alive());
        }
        Ok(self.settle(Subject {
            policy: &self.core.policy,
            ..Subject::of_running(&running)
        }))
    }

    fn settle_recorded(&self, key: &KeyRef, row: &Row, look: &Look) -> Result<Step<()>> {
        let record = record_of(key, row)?;
        if row.state != RowState::InDoubt || row.token != self.token {
            let info = self.remote.settled_info(&self.core, record);
            return Err(refused(Refusal::Superseded, Some(info)));
        }
        let alive = row
            .run
            .as_ref()
            .is_some_and(|run| is_holder_alive(run, look.now));
        if self.asks_for_holder() && alive {
            let info = self.remote.settled_info(&self.core, record);
            return Err(holder_alive().with_current(info));
        }
        Ok(self.settle(Subject::of_record(&record, &self.core.policy)))
    }

    /// Whether the key is to run again: then its holder must be gone.
    fn asks_for_holder(&self) -> bool {
        !self.force && matches!(self.settlement, OwnedSettlement::NeverHappened)
    }

    fn settle(&self, subject: Subject<'_>) -> Step<()> {
        let token = subject.token;
        let record = self.settlement.settlement().record(subject, token, DRAFTED);
        let draft = draft_of(&record, None, None);
        Step::change(
            Next::Row(Box::new(draft)),
            self.remote.is_sync(&self.core.policy),
        )
    }
}

impl Remote {
    /// Settles a doubt under its token. It is sent when this returns.
    pub(crate) fn resolve(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
        token: FencingToken,
        settlement: Settlement<'_>,
        force: bool,
    ) -> Receipt<()> {
        let checked = self
            .check_open()
            .and_then(|()| check_settlement(&core.policy, settlement));
        let settlement = OwnedSettlement::from(settlement);
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            checked?;
            let open = Open {
                key,
                look: Look::assume(None),
                decision: Resolving {
                    remote: Arc::clone(&remote),
                    core,
                    token,
                    settlement,
                    force,
                },
            };
            remote.decide(open).await
        })
    }
}
