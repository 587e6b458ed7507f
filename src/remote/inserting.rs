//! Keys that are marked as done in one step.

use std::sync::Arc;

use crate::backend::{KeyRef, Next, Row, RowState};
use crate::engine::named::new_subject;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{DRAFTED, draft_of, record_of, running_of};
use crate::remote::seen::Look;
use crate::state::transition::Subject;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::record::RecordKind;

/// Marks a key as done: gives the outcome that a claim would have had.
struct Inserting {
    core: Arc<NamespaceCore>,
    durable: bool,
}

impl Decision for Inserting {
    type Answer = ClaimOutcome;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<ClaimOutcome>> {
        let Some(row) = &look.row else {
            return Ok(self.mark(new_subject(
                &self.core,
                &key.key,
                FencingToken::FIRST,
                DRAFTED,
            )));
        };
        match row.state {
            RowState::Completed => Ok(Step::Answer(ClaimOutcome::Completed)),
            RowState::Failed => Ok(Step::Answer(ClaimOutcome::Failed)),
            RowState::InDoubt => Ok(Step::Answer(ClaimOutcome::InDoubt)),
            RowState::Released => {
                let record = record_of(key, row)?;
                Ok(self.mark(Subject::of_record(&record, &self.core.policy)))
            }
            RowState::InProgress => self.judge_running(key, row, look),
        }
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<ClaimOutcome> {
        Ok(ClaimOutcome::Granted)
    }
}

impl Inserting {
    fn judge_running(&self, key: &KeyRef, row: &Row, look: &Look) -> Result<Step<ClaimOutcome>> {
        let Some(run) = &row.run else {
            return Ok(Step::Answer(ClaimOutcome::InProgress));
        };
        let running = running_of(&self.core, key, row, run)?;
        if running.is_in_doubt(look.now) {
            return Ok(Step::Answer(ClaimOutcome::InDoubt));
        }
        if !running.is_lapsed(look.now) || running.guarantee() == Guarantee::AtMostOnce {
            return Ok(Step::Answer(ClaimOutcome::InProgress));
        }
        Ok(self.mark(new_subject(
            &self.core,
            &key.key,
            FencingToken::FIRST,
            DRAFTED,
        )))
    }

    fn mark(&self, subject: Subject<'_>) -> Step<ClaimOutcome> {
        let record = subject.record(RecordKind::Completed, &[], DRAFTED);
        Step::change(
            Next::Row(Box::new(draft_of(&record, None, None))),
            self.durable,
        )
    }
}

impl Remote {
    /// Marks different keys as done, each with a result of its own.
    pub(crate) fn insert_all(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        keys: Vec<KeyRef>,
    ) -> Receipt<Vec<Result<ClaimOutcome>>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let durable = remote.is_sync(&core.policy);
            let opens = keys.into_iter().map(|key| Open {
                key,
                look: Look::assume(None),
                decision: Inserting {
                    core: Arc::clone(&core),
                    durable,
                },
            });
            let outcomes = remote.decide_all(opens.collect()).await;
            for outcome in outcomes.iter().flatten() {
                remote.count_claim(&core, *outcome);
            }
            Ok(outcomes)
        })
    }
}
