//! Grants: the answers that make the caller the holder.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::admission::Admission;
use crate::engine::call::answer::{Answer, Tried};
use crate::engine::call::granted::Granted;
use crate::engine::change::{Change, claim_record};
use crate::engine::engine::Engine;
use crate::engine::look::Look;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::grant::Grant;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::state::transition::{Basis, Subject};
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::{Now, millis};

impl Turn<'_> {
    /// Makes the caller the holder of a key that is not running.
    #[inline]
    pub(in crate::engine) fn grant(
        &mut self,
        named: Named<'_>,
        request: &Request,
        basis: Basis,
        record: Option<&Arc<Record>>,
        rests_on: Option<u64>,
    ) -> Result<Tried> {
        let (namespace, policy) = (named.namespace, &named.namespace.policy);
        let token = self.admit_holder(named.digest, policy, Admission::Run)?;
        if record.is_some_and(|record| record.head.kind == RecordKind::InProgress) {
            // Its holder died with the process that it ran in.
            self.count(namespace.column, |counters| counters.reclaimed += 1);
        }
        let grant = Grant {
            namespace: namespace.id,
            column: namespace.column,
            policy,
            key: named.key.into(),
            token,
            request: request.clone(),
            basis,
            record: record.cloned(),
        };
        let at = self.shard.grant(named.digest, grant, self.now);
        Ok(answer(self.write_grant(at, rests_on, false)))
    }

    /// Makes the caller the holder of a lapsed key.
    pub(in crate::engine) fn take_over_now(
        &mut self,
        at: SlabRef,
        request: &Request,
        basis: &Basis,
    ) -> Result<Tried> {
        let granted = self.take_over(at, request, basis, false)?;
        let watchers = self.running_mut(at).rest.take_watchers();
        self.aftermath.wake(watchers);
        Ok(answer(granted))
    }

    /// Grants a lapsed key to another caller.
    pub(in crate::engine) fn take_over(
        &mut self,
        at: SlabRef,
        request: &Request,
        basis: &Basis,
        to_waiter: bool,
    ) -> Result<Granted> {
        let running = self.running(at);
        let (digest, column) = (running.digest, running.column);
        let policy = Arc::clone(&running.policy);
        let token = self.admit_holder(digest, &policy, Admission::TakeOver)?;
        self.count(column, |counters| counters.reclaimed += 1);
        self.shard
            .regrant(at, token, request.clone(), basis, self.now);
        Ok(self.write_grant(at, None, to_waiter))
    }

    /// Journals a grant where the guarantee or the limit of attempts needs it. One that goes to a
    /// waiter is on its way until it is fetched, as is one that was written or rests on the log.
    #[inline]
    pub(in crate::engine) fn write_grant(
        &mut self,
        at: SlabRef,
        rests_on: Option<u64>,
        to_waiter: bool,
    ) -> Granted {
        let (engine, now, running) = (self.engine, self.now, self.running(at));
        let mut granted = Granted::of(running);
        granted.rest_on(rests_on);
        granted.undelivered = to_waiter;
        let column = running.column;
        let by = Initiator::Caller(&running.rest.holder.actor);
        let transition = if granted.attempt > 1 {
            Transition::Reclaimed
        } else {
            Transition::Claimed
        };
        if is_journaled(&running.policy) {
            let waits = engine.waits_for_claims(&running.policy);
            let claim = claim_record(running, now);
            let appended = self.append(Change::of_running(running, &claim, transition, by));
            let locator = self.commit(appended);
            granted.undelivered = true;
            granted.rest_on(waits.then_some(locator.frame).or(rests_on));
        } else {
            let entry = engine.audit_running(transition, by, running, now);
            granted.undelivered |= engine.append_audit(entry, now).is_some();
        }
        granted.undelivered |= granted.rests_on().is_some();
        if granted.attempt > 1 {
            self.count(column, |counters| counters.reruns += 1);
        }
        self.begin_lease(at, &granted);
        granted
    }

    /// The lease of a grant begins now, or when what the grant rests on is on the medium.
    #[inline]
    fn begin_lease(&mut self, at: SlabRef, granted: &Granted) {
        let holder = &mut self.running_mut(at).holder;
        holder.undelivered = granted.undelivered;
        let (lease_ms, mut deadline_ms) = (holder.lease_ms, holder.deadline_ms);
        if granted.rests_on().is_some() {
            // The lease begins when the grant is handed out; a commit that takes longer than this
            // poisons the store.
            let commit_ms = millis(self.engine.options.write_deadline);
            let latest_ms = self.now.mono_ms.saturating_add(commit_ms);
            deadline_ms = latest_ms.saturating_add(lease_ms);
            self.shard.set_deadline(at, deadline_ms);
        }
        self.engine.alarm.hint(deadline_ms);
    }

    /// The last attempt that is allowed has gone without an outcome: the key fails for good, and
    /// the claim is judged by that record.
    pub(in crate::engine) fn exhaust_settled(
        &mut self,
        named: Named<'_>,
        record: &Record,
    ) -> Result<Tried> {
        self.engine.check_open()?;
        let failed = exhausted(
            Subject::of_record(record, &named.namespace.policy),
            self.now,
        );
        let appended = self.append(Change::of(
            named,
            &failed,
            Transition::Failed,
            Initiator::Engine,
        ));
        Ok(Look::Read(self.commit(appended)))
    }

    /// As [`exhaust_settled`](Self::exhaust_settled), of a key whose last lease has lapsed.
    pub(in crate::engine) fn exhaust_running(
        &mut self,
        named: Named<'_>,
        at: SlabRef,
    ) -> Result<Tried> {
        self.engine.check_open()?;
        let subject = Subject {
            policy: &named.namespace.policy,
            ..Subject::of_running(self.running(at))
        };
        let failed = exhausted(subject, self.now);
        let change = self.change_of(
            named,
            Some(at),
            &failed,
            Transition::Failed,
            Initiator::Engine,
        );
        let appended = self.append(change);
        Ok(Look::Read(self.commit(appended)))
    }
}

impl Engine {
    /// Whether a claim that is journaled has to be on the medium before it is granted.
    #[inline]
    pub(in crate::engine) fn waits_for_claims(&self, policy: &Policy) -> bool {
        self.promises_at_most_once(policy) || self.is_sync_under(policy)
    }

    /// Whether a run under this policy has to be known after a crash.
    #[inline]
    pub(in crate::engine) fn promises_at_most_once(&self, policy: &Policy) -> bool {
        policy.guarantee == Guarantee::AtMostOnce && !self.options.ephemeral
    }
}

#[inline]
fn answer(granted: Granted) -> Tried {
    let rests_on = granted.rests_on();
    Look::Done((Answer::Granted(granted), rests_on))
}

/// The failure of a key whose attempts have all gone without an outcome.
pub(crate) fn exhausted(subject: Subject<'_>, now: Now) -> RecordRef<'_> {
    let said = match subject.reason {
        [] => b"no outcome within the attempts allowed",
        reason => reason,
    };
    subject.record(RecordKind::Failed, said, now)
}

/// Whether each claim is journaled: to keep its promise, or to count every attempt.
#[inline]
pub(in crate::engine) fn is_journaled(policy: &Policy) -> bool {
    policy.guarantee == Guarantee::AtMostOnce || policy.max_attempts.is_some()
}
