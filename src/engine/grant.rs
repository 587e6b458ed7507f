//! Grants: the answers that make the caller the one who runs.

use std::sync::Arc;

use super::admission::Entry;
use super::audit::{By, Prepared};
use super::claim::{Answer, Granted, Named, Tried, held, replaced};
use super::shards::EngineShard;
use super::waiting::Waiter;
use super::{Engine, Turn};
use crate::audit::Transition;
use crate::clock::{Now, millis};
use crate::error::Result;
use crate::journal::audit::Draft;
use crate::key::{Digest, FencingToken};
use crate::options::Guarantee;
use crate::record::{Locator, Record, RecordKind};
use crate::state::running::{LastRecord, Request, Running};
use crate::state::shard::Grant;
use crate::state::slab::SlabRef;
use crate::state::transition::{Basis, Subject, Verdict};

impl Engine {
    pub(crate) fn grant(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        verdict: Verdict,
        record: Option<&Arc<Record>>,
        rests_on: Option<u64>,
    ) -> Result<Tried> {
        let Verdict::Grant(basis) = verdict else {
            unreachable!("only grants come here")
        };
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
        let granted = self
            .finish_grant(&mut turn.shard, at, rests_on, turn.now)
            .expect("the key was just granted");
        let rests_on = granted.rests_on;
        Ok(Tried::Answer(Answer::Granted(granted), rests_on))
    }

    /// Journals a grant where the guarantee or the limit of attempts needs it.
    pub(crate) fn finish_grant(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        rests_on: Option<u64>,
        now: Now,
    ) -> Option<Granted> {
        let running = shard.get(at)?;
        let durable_first = running.guarantee() == Guarantee::AtMostOnce;
        let counted = running.policy.max_attempts.is_some() && running.attempt > 1;
        let column = running.column;
        let mut granted = Granted {
            key: Arc::clone(&running.key),
            token: running.token,
            attempt: running.attempt,
            checkpoint: running.rest.checkpoint.clone(),
            reason: running.rest.reason.clone(),
            first_claimed_at: running.first_claimed_at,
            rests_on,
        };
        let audit = self.audit_grant(running, now);
        if durable_first || counted {
            let locator = self.journal_running(shard, at, audit.as_ref(), now)?;
            if durable_first && !self.options.ephemeral {
                granted.rests_on = Some(locator.frame);
            }
        } else {
            self.append_audit(audit, now);
        }
        if granted.attempt > 1 {
            let tallies = &mut shard.tallies;
            tallies.count(column, |counters| counters.reruns += 1);
        }
        if granted.rests_on.is_some() {
            // The lease begins when the grant is handed out; a commit that takes longer than this
            // poisons the store.
            let lease_ms = shard.get(at)?.lease_ms;
            let commit_ms = millis(self.options.write_deadline);
            let latest_ms = now.mono_ms.saturating_add(commit_ms);
            shard.set_deadline(at, latest_ms.saturating_add(lease_ms));
        }
        let deadline_ms = shard.get(at)?.deadline_ms;
        self.hint_timer(deadline_ms);
        Some(granted)
    }

    fn audit_grant(&self, running: &Running<Arc<Waiter>>, now: Now) -> Option<Draft> {
        let transition = if running.attempt > 1 {
            Transition::Reclaimed
        } else {
            Transition::Claimed
        };
        self.audit_running(transition, By::Caller(&running.rest.actor), running, now)
    }

    /// Lets the lease of a grant begin that had to wait for the log; false if it was lost meanwhile.
    pub(crate) fn start_lease(&self, digest: Digest, token: FencingToken) -> bool {
        let (mut shard, now) = self.lock(digest);
        let at = held(&shard, digest, token, now.store_secs);
        let running = at.and_then(|at| Some((at, shard.get(at)?)));
        let Some((at, running)) = running.filter(|(_, running)| !running.is_lapsed(now)) else {
            return false;
        };
        let deadline_ms = now.mono_ms.saturating_add(running.lease_ms);
        shard.set_deadline(at, deadline_ms);
        drop(shard);
        self.hint_timer(deadline_ms);
        true
    }

    /// Writes the claim itself, with the last checkpoint.
    pub(crate) fn journal_running(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        audit: Option<&Draft>,
        now: Now,
    ) -> Option<Locator> {
        let running = shard.get(at)?;
        let digest = running.digest;
        let record = Subject::of_running(running).record(
            RecordKind::InProgress,
            &running.rest.checkpoint,
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
        Some(locator)
    }

    pub(crate) fn take_over_now(
        &self,
        turn: &mut Turn<'_>,
        at: SlabRef,
        request: &Request,
        basis: &Basis,
    ) -> Result<Tried> {
        let granted = self
            .take_over(&mut turn.shard, at, request.clone(), basis, turn.now)?
            .expect("the key is running");
        if let Some(running) = turn.shard.get_mut(at) {
            turn.aftermath.wakes.extend(running.rest.take_watchers());
        }
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
