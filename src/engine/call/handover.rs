//! Keys that are handed on to the callers that wait for them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::call::admission::Admission;
use crate::engine::call::granted::Granted;
use crate::engine::call::waiter::{WaitEnd, Waiter};
use crate::engine::shards::EngineEnded;
use crate::engine::turn::Turn;
use crate::observe::tallies::Column;
use crate::state::grant::Grant;
use crate::state::slab::SlabRef;
use crate::state::transition::{SettledVerdict, claim_settled};
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};

/// A key that was just settled, with the record that says how.
struct SettledKey<'a> {
    digest: Digest,
    column: Column,
    policy: Arc<Policy>,
    record: &'a Arc<Record>,
    locator: Locator,
}

impl Turn<'_> {
    /// Answers those who waited for a key that has ended with `record`, or hands it on to one of them.
    pub(in crate::engine) fn answer_waiters(
        &mut self,
        mut ended: EngineEnded,
        record: &Arc<Record>,
        locator: Locator,
    ) {
        let waiters = ended.rest.take_waiters();
        let key = SettledKey {
            digest: ended.digest,
            column: ended.column,
            policy: Arc::clone(&ended.policy),
            record,
            locator,
        };
        self.aftermath.end(ended);
        if record.head.kind == RecordKind::Released {
            return self.hand_on(&key, waiters);
        }
        for waiter in waiters {
            let end = self.end_of_wait(&key, &waiter);
            self.aftermath.deliver(&waiter, end);
        }
    }

    fn end_of_wait(&self, key: &SettledKey<'_>, waiter: &Waiter) -> WaitEnd {
        let (record, sent) = (key.record, waiter.request.fingerprint());
        match claim_settled(record, sent, &key.policy) {
            SettledVerdict::Outcome { state, .. } => {
                WaitEnd::Settled(state, Arc::clone(record), key.locator)
            }
            SettledVerdict::InDoubt { .. } => WaitEnd::InDoubt {
                record: Arc::clone(record),
                locator: Some(key.locator),
                holder_alive: self.engine.doubted_guards.is_alive(record.head.token),
            },
            _ => WaitEnd::Again,
        }
    }

    /// Gives a released key to the first waiting caller; the others go on waiting.
    fn hand_on(&mut self, key: &SettledKey<'_>, waiters: VecDeque<Arc<Waiter>>) {
        let mut waiters = waiters
            .into_iter()
            .filter(|waiter| waiter.mailbox.is_waiting());
        let Some(first) = waiters.next() else { return };
        let granted = self.grant_to_waiter(key, &first);
        self.give(&first, granted, waiters);
    }

    /// Gives the key to the first waiting caller if it was granted. If the grant was refused, every waiting
    /// caller decides again and gets its own error.
    pub(in crate::engine) fn give(
        &mut self,
        first: &Waiter,
        granted: Result<Option<(SlabRef, Granted)>>,
        others: impl Iterator<Item = Arc<Waiter>>,
    ) {
        if let Ok(Some((at, granted))) = granted {
            self.aftermath.deliver(first, WaitEnd::Granted(granted));
            self.requeue(at, others);
        } else {
            self.aftermath.deliver(first, WaitEnd::Again);
            self.aftermath.send_back(others);
        }
    }

    fn grant_to_waiter(
        &mut self,
        key: &SettledKey<'_>,
        waiter: &Waiter,
    ) -> Result<Option<(SlabRef, Granted)>> {
        let sent = waiter.request.fingerprint();
        let SettledVerdict::Grant(basis) = claim_settled(key.record, sent, &key.policy) else {
            return Ok(None);
        };
        let token = self.admit_holder(key.digest, &key.policy, Admission::Run)?;
        let grant = Grant {
            namespace: key.record.head.namespace,
            column: key.column,
            policy: &key.policy,
            key: key.record.key.clone(),
            token,
            request: waiter.request.clone(),
            basis,
            record: Some(Arc::clone(key.record)),
        };
        let at = self.shard.grant(key.digest, grant, self.now);
        let rests_on = self.engine.rests_on_under(&key.policy, key.locator);
        Ok(Some((at, self.write_grant(at, rests_on, true))))
    }

    /// Lets the callers wait for the new holder, except those with a different request: they decide again.
    fn requeue(&mut self, at: SlabRef, waiters: impl Iterator<Item = Arc<Waiter>>) {
        let running = self.shard.running_at_mut(at);
        for waiter in waiters {
            let stored = running.rest.holder.fingerprint.as_ref();
            let sent = waiter.request.fingerprint();
            match compare(stored, sent, running.policy.fingerprints) {
                Comparison::Differs(_) => self.aftermath.deliver(&waiter, WaitEnd::Again),
                Comparison::Same | Comparison::NotCompared => {
                    running.rest.to_mut().waiters.insert(waiter.place, waiter);
                }
            }
        }
    }

    /// The key has ended without an answer: the callers that waited for it decide again.
    #[inline]
    pub(in crate::engine) fn wake_waiters(&mut self, mut ended: EngineEnded) {
        if !ended.rest.waiters.is_empty() {
            self.aftermath.send_back(ended.rest.take_waiters());
        }
        self.aftermath.end(ended);
    }
}
