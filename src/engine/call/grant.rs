//! Grants: the answers that make the caller the one who runs.

use std::sync::Arc;

use crate::engine::audit::{By, Prepared};
use crate::engine::call::admission::Entry;
use crate::engine::call::claim::{Answer, Granted, Named, Tried, held, replaced};
use crate::engine::call::queued::Undelivered;
use crate::engine::call::waiting::Waiter;
use crate::engine::shards::EngineShard;
use crate::engine::{Engine, Turn};
use crate::journal::format::audit::entry::Draft;
use crate::state::last_record::LastRecord;
use crate::state::request::Request;
use crate::state::running::Running;
use crate::state::shard::Grant;
use crate::state::slab::SlabRef;
use crate::state::transition::{Basis, Subject};
use crate::value::audit::Transition;
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
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
            token: self.next_token()?,
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
        self.hint_timer(deadline_ms);
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

    /// Hands out a grant that was on its way, and lets its lease begin; false if it was lost
    /// meanwhile, or the store was closed: `close` takes back what it finds on its way.
    pub(crate) fn start_lease(
        &self,
        digest: Digest,
        token: FencingToken,
        request: &Request,
    ) -> bool {
        let (mut shard, now) = self.lock(digest);
        if self.is_closed() {
            return false;
        }
        let at = held(&shard, digest, token, now.store_secs);
        let running = at.and_then(|at| Some((at, shard.get(at)?)));
        let Some((at, running)) = running.filter(|(_, running)| !running.is_lapsed(now)) else {
            return false;
        };
        let lease_ms = running.holder.lease_ms;
        shard.set_deadline(at, now.mono_ms.saturating_add(lease_ms));
        let end_ms = hand_out(&mut shard, at, request, now);
        drop(shard);
        self.hint_timer(end_ms.unwrap_or(u64::MAX));
        true
    }

    /// Waits for what the answer rests on, and counts it. A grant that is not delivered is taken
    /// back; `None` when it was lost while it waited.
    pub(crate) async fn hand_out(
        &self,
        named: Named<'_>,
        request: &Request,
        answer: Answer,
        rests_on: Option<u64>,
    ) -> Result<Option<Answer>> {
        let token = match &answer {
            Answer::Granted(granted) => Some(granted.token).filter(|_| granted.undelivered),
            _ => None,
        };
        let mut undelivered = Undelivered {
            engine: self,
            digest: named.digest,
            token,
        };
        self.rest(rests_on).await?;
        if let Some(token) = token {
            self.check_alive()?;
            if !self.start_lease(named.digest, token, request) {
                return Ok(None);
            }
        }
        undelivered.token = None;
        self.count_claim(named, answer.outcome());
        Ok(Some(answer))
    }

    /// Hands a grant out that has nothing to wait for.
    pub(crate) fn hand_out_now(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        answer: &Answer,
    ) {
        let Answer::Granted(granted) = answer else {
            return;
        };
        if !granted.undelivered && request.keep_alive_ms == 0 {
            return;
        }
        let (shard, now) = (&mut turn.shard, turn.now);
        if let Some(at) = held(shard, named.digest, granted.token, now.store_secs) {
            let end_ms = hand_out(shard, at, request, now);
            self.hint_timer(end_ms.unwrap_or(u64::MAX));
        }
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
}

/// Whether each claim is journaled: for what it promises, or so that no attempt goes uncounted.
pub(in crate::engine) fn is_journaled(policy: &Policy) -> bool {
    policy.guarantee == Guarantee::AtMostOnce || policy.max_attempts.is_some()
}

/// Marks a grant as handed out, and keeps its lease alive where the claim asked for that. Gives when
/// the lease ends.
pub(in crate::engine) fn hand_out(
    shard: &mut EngineShard,
    at: SlabRef,
    request: &Request,
    now: Now,
) -> Option<u64> {
    let running = shard.get_mut(at)?;
    running.holder.undelivered = false;
    if request.keep_alive_ms == 0 {
        return Some(running.lease_end_ms());
    }
    let until_ms = now.mono_ms.saturating_add(request.keep_alive_ms);
    running.rest.to_mut().holder.keep_alive_until_ms = until_ms;
    let end_ms = running.lease_end_ms();
    shard.arm(at);
    Some(end_ms)
}
