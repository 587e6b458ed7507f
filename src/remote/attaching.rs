//! Tickets that become leases again.

use std::sync::Arc;

use crate::backend::{Begins, DraftRun, HolderGuard, KeyRef, LeaseEnd, Next, Row, Run};
use crate::engine::call::granted::Granted;
use crate::engine::call::ticket::unattached;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::not_held;
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::hold::{Hold, HoldState};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{draft_again, is_holder_alive, record_of, run_again, running_of};
use crate::remote::seen::Look;
use crate::state::transition::{attach_running, attach_settled, attaches_once};
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::time::{Now, millis};

struct Attaching {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    token: FencingToken,
}

impl Decision for Attaching {
    type Answer = Arc<Hold>;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<Arc<Hold>>> {
        let Some(row) = &look.row else {
            return Err(not_held());
        };
        match row.running() {
            Some(run) if is_kept_for(run, look.now) => {
                let running = running_of(&self.core, key, row, run)?;
                if let Err(refusal) = attach_running(&running, self.token) {
                    let info = self.remote.running_info(&self.core, &running, look.now);
                    return Err(unattached(refusal, info));
                }
                // A lease that ran out with its process begins anew: no other holder took the key over.
                let has_died = run.alive_until_ms <= look.now.mono_ms;
                let ends = match has_died && running.is_lapsed(look.now) {
                    true => LeaseEnd::AfterMs(run.lease_ms),
                    false => LeaseEnd::At(run.lease_until_ms),
                };
                Ok(self.attached(row, run_again(run, ends)))
            }
            // The process of its holder has gone: what counts is the record that it left.
            _ => self.attach_to_record(key, row),
        }
    }

    fn carried(&self, key: &KeyRef, carried: Carried) -> Result<Arc<Hold>> {
        let row = carried.row.ok_or_else(not_held)?;
        let granted = Granted::of_record(&record_of(key, &row)?);
        let run = row.run.as_ref().ok_or_else(not_held)?;
        // A lease that runs since before the ticket was made ends sooner than a whole one from now.
        let left_ms = run
            .lease_until_ms
            .saturating_sub(self.remote.server_estimate_ms());
        let state = HoldState {
            until_ms: carried.sent_ms.saturating_add(left_ms),
            row: Some(row),
            before: None,
            sent_ms: carried.sent_ms,
            known_ms: self.remote.backend.mono_ms(),
            ended: false,
            watchers: Vec::new(),
        };
        let hold = Hold::new(&self.core, key, granted, state);
        self.remote.holds.add_delivered(&hold);
        Ok(hold)
    }
}

impl Attaching {
    fn attach_to_record(&self, key: &KeyRef, row: &Row) -> Result<Step<Arc<Hold>>> {
        let policy = &self.core.policy;
        let record = record_of(key, row)?;
        if let Err(refusal) = attach_settled(&record, self.token, policy) {
            let info = self.remote.settled_info(&self.core, record);
            return Err(unattached(refusal, info));
        }
        let lease_ms = millis(policy.lease);
        let metadata = row
            .run
            .as_ref()
            .map_or_else(Arc::default, |run| Arc::clone(&run.metadata));
        let run = DraftRun {
            process: 0,
            guard: HolderGuard::Lease,
            lease_ms,
            lease_ends: LeaseEnd::AfterMs(lease_ms),
            claimed_at: Begins::Now,
            metadata,
        };
        Ok(self.attached(row, run))
    }

    /// The row under a guard in this process, which says that the ticket was used where it must not be used twice.
    fn attached(&self, row: &Row, run: DraftRun) -> Step<Arc<Hold>> {
        let policy = &self.core.policy;
        let mut draft = draft_again(row);
        draft.attached = attaches_once(policy);
        draft.run = Some(DraftRun {
            process: self.remote.process,
            guard: HolderGuard::Lease,
            ..run
        });
        Step::change(Next::Row(Box::new(draft)), true)
    }
}

/// Whether a run still has the guard that its row names: a ticket, or a lease of a process that lives.
fn is_kept_for(run: &Run, now: Now) -> bool {
    run.guard != HolderGuard::Lease || is_holder_alive(run, now)
}

impl Remote {
    /// Makes a ticket a lease again.
    pub(crate) fn attach(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
        token: FencingToken,
    ) -> Receipt<Arc<Hold>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let open = Open {
                key,
                look: Look::assume(None),
                decision: Attaching {
                    remote: Arc::clone(&remote),
                    core,
                    token,
                },
            };
            remote.decide(open).await
        })
    }
}
