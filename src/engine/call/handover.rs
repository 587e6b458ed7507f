//! Keys that are handed on to those who wait for them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::aftermath::{Aftermath, deliver};
use crate::engine::call::admission::Entry;
use crate::engine::call::granted::Granted;
use crate::engine::call::waiter::{Outcome, Waiter};
use crate::engine::engine::Engine;
use crate::engine::shards::EngineShard;
use crate::observe::tallies::Column;
use crate::state::grant::Grant;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::{SettledVerdict, claim_settled};
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};
use crate::value::time::Now;

impl Engine {
    /// Deals with the callers that waited for a key that was just settled by `record`, under its lock.
    pub(crate) fn settle_waiters(
        &self,
        shard: &mut EngineShard,
        mut ended: Running<Arc<Waiter>>,
        record: &Arc<Record>,
        locator: Locator,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let waiters = ended.rest.take_waiters();
        let policy = Arc::clone(&ended.policy);
        let (digest, column) = (ended.digest, ended.column);
        aftermath.end(ended);
        if record.head.kind == RecordKind::Released {
            self.hand_on(
                shard,
                &policy,
                (digest, column),
                waiters,
                record,
                Some(locator),
                now,
                aftermath,
            );
            return;
        }
        for waiter in waiters {
            let verdict = claim_settled(record, waiter.request.fingerprint.as_ref(), &policy);
            let outcome = match verdict {
                SettledVerdict::Outcome { state, .. } => {
                    Outcome::Settled(state, Arc::clone(record), locator)
                }
                SettledVerdict::InDoubt { .. } => Outcome::InDoubt {
                    record: Arc::clone(record),
                    locator: Some(locator),
                    holder_alive: self.doubted_guards.is_alive(record.head.token),
                },
                _ => Outcome::Again,
            };
            deliver(&waiter, outcome, aftermath);
        }
    }

    /// Gives a released key to the first of those who wait; the others go on waiting.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one hand-over under one lock"
    )]
    fn hand_on(
        &self,
        shard: &mut EngineShard,
        policy: &Arc<Policy>,
        (digest, column): (Digest, Column),
        waiters: VecDeque<Arc<Waiter>>,
        record: &Arc<Record>,
        locator: Option<Locator>,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let mut waiters = waiters
            .into_iter()
            .filter(|waiter| waiter.mailbox.is_waiting());
        let Some(first) = waiters.next() else { return };
        let rest: VecDeque<_> = waiters.collect();
        let granted = self.grant_released(
            shard,
            policy,
            (digest, column),
            &first,
            record,
            locator,
            now,
        );
        match granted {
            Ok(Some((at, granted))) => {
                deliver(&first, Outcome::Granted(granted), aftermath);
                self.requeue(shard, at, rest, aftermath);
            }
            // What stands in the way of the grant, each of them hears for itself.
            Ok(None) | Err(_) => {
                deliver(&first, Outcome::Again, aftermath);
                for waiter in rest {
                    deliver(&waiter, Outcome::Again, aftermath);
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one hand-over under one lock"
    )]
    fn grant_released(
        &self,
        shard: &mut EngineShard,
        policy: &Arc<Policy>,
        (digest, column): (Digest, Column),
        waiter: &Waiter,
        record: &Arc<Record>,
        locator: Option<Locator>,
        now: Now,
    ) -> Result<Option<(SlabRef, Granted)>> {
        let sent = waiter.request.fingerprint.as_ref();
        let SettledVerdict::Grant(basis) = claim_settled(record, sent, policy) else {
            return Ok(None);
        };
        self.admit(shard, digest, policy, Entry::Run)?;
        let grant = Grant {
            namespace: record.head.namespace,
            column,
            policy,
            key: Arc::clone(&record.key),
            token: self.tokens.next(&self.journal)?,
            request: waiter.request.clone(),
            basis,
            record: Some(Arc::clone(record)),
        };
        let at = shard.grant(digest, grant, now);
        let rests_on = locator.and_then(|locator| self.rests_on_under(policy, locator));
        let granted = self.finish_grant(shard, at, rests_on, true, now);
        Ok(Some((at, granted)))
    }

    /// Lets those who wait go on waiting for the new holder; who asked for something else decides
    /// again.
    pub(in crate::engine) fn requeue(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        rest: VecDeque<Arc<Waiter>>,
        aftermath: &mut Aftermath,
    ) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        for waiter in rest {
            let stored = running.rest.holder.fingerprint.as_ref();
            let comparison = compare(
                stored,
                waiter.request.fingerprint.as_ref(),
                running.policy.fingerprints,
            );
            if matches!(comparison, Comparison::Differs(_)) {
                deliver(&waiter, Outcome::Again, aftermath);
            } else {
                running.rest.to_mut().waiters.insert(waiter.place, waiter);
            }
        }
    }

    /// The key was removed: the callers that waited for it decide again.
    pub(crate) fn wake_all(&self, mut ended: Running<Arc<Waiter>>, aftermath: &mut Aftermath) {
        for waiter in ended.rest.take_waiters() {
            deliver(&waiter, Outcome::Again, aftermath);
        }
        aftermath.end(ended);
    }
}
