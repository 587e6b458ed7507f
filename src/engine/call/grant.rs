//! Grants: the answers that make the caller the one who runs.

use std::sync::Arc;

use crate::engine::audit::by::By;
use crate::engine::call::admission::Entry;
use crate::engine::call::answer::{Answer, Tried};
use crate::engine::call::granted::Granted;
use crate::engine::call::waiter::Waiter;
use crate::engine::change::{Prepared, replaced};
use crate::engine::engine::{Engine, Turn};
use crate::engine::named::Named;
use crate::engine::shards::EngineShard;
use crate::journal::format::audit::entry::Draft;
use crate::state::grant::Grant;
use crate::state::last_record::LastRecord;
use crate::state::request::Request;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::{Basis, Subject};
use crate::value::audit::Transition;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};
use crate::value::time::{Now, millis};

impl Engine {
    pub(crate) fn grant(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        basis: Basis,
        record: Option<&Arc<Record>>,
        rests_on: Option<u64>,
    ) -> Result<Tried> {
        let policy = &named.namespace.policy;
        self.admit(&mut turn.shard, named.digest, policy, Entry::Run)?;
        if record.is_some_and(|record| record.head.kind == RecordKind::InProgress) {
            // Its holder died with the process that it ran in.
            let tallies = &mut turn.shard.tallies;
            tallies.count(named.namespace.column, |counters| counters.reclaimed += 1);
        }
        let grant = Grant {
            namespace: named.namespace.id,
            column: named.namespace.column,
            policy,
            key: named.key.into(),
            token: self.tokens.next(&self.journal)?,
            request: request.clone(),
            basis,
            record: record.cloned(),
        };
        let at = turn.shard.grant(named.digest, grant, turn.now);
        let granted = self.finish_grant(&mut turn.shard, at, rests_on, false, turn.now);
        let rests_on = granted.rests_on;
        Ok(Tried::Answer(Answer::Granted(granted), rests_on))
    }

    /// Journals a grant where the guarantee or the limit of attempts needs it. One that goes to a
    /// waiter is on its way until it is fetched, as is one that was written or rests on the log.
    pub(crate) fn finish_grant(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        rests_on: Option<u64>,
        to_waiter: bool,
        now: Now,
    ) -> Granted {
        let running = shard.running_at(at);
        let is_journaled = is_journaled(&running.policy);
        let waits = is_journaled && self.waits_for_claims(&running.policy);
        let column = running.column;
        let mut granted = Granted {
            key: Arc::clone(&running.key),
            token: running.holder.token,
            attempt: running.holder.attempt,
            checkpoint: running.rest.holder.checkpoint.clone(),
            reason: running.rest.reason.clone(),
            first_claimed_at: running.first_claimed_at,
            rests_on,
            undelivered: to_waiter,
        };
        let audit = self.audit_grant(running, now);
        granted.undelivered |= audit.is_some();
        if is_journaled {
            let locator = self.journal_running(shard, at, audit.as_ref(), now);
            granted.undelivered = true;
            if waits {
                granted.rests_on = Some(locator.frame);
            }
        } else {
            self.append_audit(audit, now);
        }
        granted.undelivered |= granted.rests_on.is_some();
        if granted.attempt > 1 {
            let tallies = &mut shard.tallies;
            tallies.count(column, |counters| counters.reruns += 1);
        }
        let running = shard.running_at_mut(at);
        running.holder.undelivered = granted.undelivered;
        let (lease_ms, mut deadline_ms) = (running.holder.lease_ms, running.holder.deadline_ms);
        if granted.rests_on.is_some() {
            // The lease begins when the grant is handed out; a commit that takes longer than this
            // poisons the store.
            let commit_ms = millis(self.options.write_deadline);
            let latest_ms = now.mono_ms.saturating_add(commit_ms);
            deadline_ms = latest_ms.saturating_add(lease_ms);
            shard.set_deadline(at, deadline_ms);
        }
        self.alarm.hint(deadline_ms);
        granted
    }

    /// Whether a claim that is journaled has to be on the medium before it is granted.
    fn waits_for_claims(&self, policy: &Policy) -> bool {
        let promises = policy.guarantee == Guarantee::AtMostOnce && !self.options.ephemeral;
        promises || self.is_sync_under(policy)
    }

    fn audit_grant(&self, running: &Running<Arc<Waiter>>, now: Now) -> Option<Draft> {
        let transition = if running.holder.attempt > 1 {
            Transition::Reclaimed
        } else {
            Transition::Claimed
        };
        self.audit_running(
            transition,
            By::Caller(&running.rest.holder.actor),
            running,
            now,
        )
    }

    /// Writes the claim itself, with the last checkpoint.
    pub(crate) fn journal_running(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        audit: Option<&Draft>,
        now: Now,
    ) -> Locator {
        let running = shard.running_at(at);
        let digest = running.digest;
        let record = Subject::of_running(running).record(
            RecordKind::InProgress,
            &running.rest.holder.checkpoint,
            now,
        );
        let guarantee = running.guarantee();
        let locator = self.journal.append_audited(
            &record,
            Vec::new(),
            replaced(running.rest.last_record),
            audit,
            now.mono_ms,
        );
        let head = record.head;
        shard.apply(digest, &head, guarantee, locator);
        locator
    }

    pub(crate) fn take_over_now(
        &self,
        turn: &mut Turn<'_>,
        at: SlabRef,
        request: &Request,
        basis: &Basis,
    ) -> Result<Tried> {
        let granted =
            self.take_over(&mut turn.shard, at, request.clone(), basis, false, turn.now)?;
        let watchers = turn.shard.running_at_mut(at).rest.take_watchers();
        turn.aftermath.wakes.extend(watchers);
        let rests_on = granted.rests_on;
        Ok(Tried::Answer(Answer::Granted(granted), rests_on))
    }

    /// The last attempt that is allowed has gone without an outcome: the key fails for good, and
    /// the claim is judged by that record.
    pub(crate) fn exhaust(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        subject: Subject<'_>,
        last: Option<LastRecord>,
    ) -> Result<Tried> {
        self.check_open()?;
        let said: &[u8] = if subject.reason.is_empty() {
            b"no outcome within the attempts allowed"
        } else {
            subject.reason
        };
        let now = turn.now;
        let record = subject.record(RecordKind::Failed, said, now);
        let policy = &named.namespace.policy;
        let made = (Transition::Failed, By::Engine);
        let prepared = Prepared {
            parts: Vec::new(),
            outcome: self.outcome_for(By::Engine, policy, record.body),
        };
        let locator = self.append_transition(&record, made, policy, prepared, last, now);
        let shared = Arc::new(record.to_record());
        let guarantee = policy.guarantee;
        let shard = &mut turn.shard;
        let ended = shard.apply(named.digest, &record.head, guarantee, locator);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.failed += 1);
        if let Some(ended) = ended {
            self.settle_waiters(shard, ended, &shared, locator, now, &mut turn.aftermath);
        }
        Ok(Tried::Read(locator))
    }

    /// Grants a lapsed key to someone else.
    pub(crate) fn take_over(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        request: Request,
        basis: &Basis,
        to_waiter: bool,
        now: Now,
    ) -> Result<Granted> {
        let running = shard.running_at(at);
        let (digest, policy, column) =
            (running.digest, Arc::clone(&running.policy), running.column);
        self.admit(shard, digest, &policy, Entry::TakeOver)?;
        let token = self.tokens.next(&self.journal)?;
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.reclaimed += 1);
        shard.regrant(at, token, request, basis, now);
        Ok(self.finish_grant(shard, at, None, to_waiter, now))
    }
}

/// Whether each claim is journaled: for what it promises, or so that no attempt goes uncounted.
pub(in crate::engine) fn is_journaled(policy: &Policy) -> bool {
    policy.guarantee == Guarantee::AtMostOnce || policy.max_attempts.is_some()
}
