//! Keys that are removed.

use std::sync::Arc;

use crate::backend::{KeyRef, Next, Row, RowState};
use crate::engine::intervene::forget::unforced;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::seen::Look;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;

/// Removes a key: a running one, or one in doubt, only when forced with its token.
struct Forgetting {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    force: Option<FencingToken>,
}

impl Decision for Forgetting {
    type Answer = bool;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<bool>> {
        let Some(row) = &look.row else {
            return Ok(Step::Answer(false));
        };
        let is_held = matches!(row.state, RowState::InProgress | RowState::InDoubt);
        if is_held && self.force != Some(row.token) {
            return Err(self.refuse(key, row, look)?);
        }
        Ok(Step::change(
            Next::Absent,
            self.remote.is_sync(&self.core.policy),
        ))
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<bool> {
        self.remote
            .count(&self.core, |counters| counters.forgotten += 1);
        Ok(true)
    }
}

impl Forgetting {
    fn refuse(&self, key: &KeyRef, row: &Row, look: &Look) -> Result<crate::value::error::Error> {
        let info = self.remote.info_of(&self.core, key, row, look.now)?;
        Ok(unforced(row.token, self.force).with_current(info))
    }
}

impl Remote {
    pub(crate) fn forget(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
        force: Option<FencingToken>,
    ) -> Receipt<bool> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let open = Open {
                key,
                look: Look::assume(None),
                decision: Forgetting {
                    remote: Arc::clone(&remote),
                    core,
                    force,
                },
            };
            remote.decide(open).await
        })
    }
}
