//! Keys that operators bring in, with what is known of them.

use std::sync::Arc;

use crate::backend::{KeyRef, Next};
use crate::engine::named::new_subject;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{DRAFTED, draft_of};
use crate::remote::seen::Look;
use crate::state::transition::Subject;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::insertion::Insertion;

struct BringingIn {
    core: Arc<NamespaceCore>,
    insertion: Insertion,
    durable: bool,
}

impl Decision for BringingIn {
    type Answer = bool;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<bool>> {
        if look.row.is_some() {
            return Ok(Step::Answer(false));
        }
        let insertion = &self.insertion;
        let subject = Subject {
            metadata: &insertion.metadata,
            checkpoint: &insertion.checkpoint,
            retention: insertion.retention,
            ..new_subject(&self.core, &key.key, FencingToken::FIRST, DRAFTED)
        };
        let record = subject.record(insertion.kind, &insertion.said, DRAFTED);
        Ok(Step::change(
            Next::Row(Box::new(draft_of(&record, None, None))),
            self.durable,
        ))
    }

    fn carried(&self, _: &KeyRef, _: Carried) -> Result<bool> {
        Ok(true)
    }
}

impl Remote {
    /// Brings different keys in that are not there, each with a result of its own.
    pub(crate) fn bring_in(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        items: Vec<(KeyRef, Insertion)>,
    ) -> Receipt<Vec<Result<bool>>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let durable = remote.is_sync(&core.policy);
            let opens = items.into_iter().map(|(key, insertion)| Open {
                key,
                look: Look::assume(None),
                decision: BringingIn {
                    core: Arc::clone(&core),
                    insertion,
                    durable,
                },
            });
            Ok(remote.decide_all(opens.collect()).await)
        })
    }
}
