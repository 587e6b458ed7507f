//! [`Waiter`]: a caller that waits for a key, and how keys are handed on.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::audit::By;
use crate::engine::call::admission::Entry;
use crate::engine::call::claim::Granted;
use crate::engine::shards::EngineShard;
use crate::engine::{Aftermath, Engine};
use crate::observe::tallies::Column;
#[cfg(feature = "tracing")]
use crate::observe::trace::Lapse;
use crate::runtime::sync::Mailbox;
use crate::state::holder::Awaits;
use crate::state::request::Request;
use crate::state::running::Running;
use crate::state::shard::Grant;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, Subject, claim_running, claim_settled,
};
use crate::value::audit::Transition;
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
#[cfg(feature = "tracing")]
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::Now;

/// A caller that waits for a key.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Later ones have higher places. It keeps its place when the key is handed on.
    pub(crate) place: u64,
    pub(crate) request: Request,
    /// Shut only under the lock of the shard, so whoever holds that lock knows who still waits.
    pub(crate) mailbox: Mailbox<Outcome>,
}

/// How a wait ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    Granted(Granted),
    /// The stored outcome, and the record's place.
    Settled(KeyState, Arc<Record>, Locator),
    InDoubt {
        record: Arc<Record>,
        /// Where the record lies; none where a lapse alone makes the doubt.
        locator: Option<Locator>,
        /// The holder's guard is there, and may still settle the key.
        holder_alive: bool,
    },
    /// The deadline has come.
    TimedOut,
    /// The key is another one now: decide again.
    Again,
}

impl Engine {
    /// Deals with whoever waited for a key that was just settled by `record`, under its lock.
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
                    holder_alive: self.outlived.is_alive(record.head.token),
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
            token: self.next_token()?,
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
    fn requeue(
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

    /// The key was removed: whoever waited for it decides again.
    pub(crate) fn wake_all(&self, mut ended: Running<Arc<Waiter>>, aftermath: &mut Aftermath) {
        for waiter in ended.rest.take_waiters() {
            deliver(&waiter, Outcome::Again, aftermath);
        }
        aftermath.end(ended);
    }

    /// The timer of a running key has fired.
    pub(crate) fn lapse(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        running.timer = None;
        if !running.is_lapsed(now) {
            // Renewed by the store, or early by a rounding.
            shard.arm(at);
            return;
        }
        if self.is_overdue(running, now) {
            self.take_back(shard, at, now, aftermath);
            return;
        }
        match running.holder.awaits {
            Awaits::Lapse => self.end_lease(shard, at, now, aftermath),
            Awaits::Forgetting if running.timer_ms() <= now.mono_ms => {
                self.expire_lapsed(shard, at, aftermath);
            }
            Awaits::Forgetting | Awaits::Resolution => shard.arm(at),
        }
    }

    /// The lease of a running key has ended: all that have to hear of it do.
    fn end_lease(&self, shard: &mut EngineShard, at: SlabRef, now: Now, aftermath: &mut Aftermath) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        running.holder.awaits = running.after_lapse();
        aftermath.wakes.extend(running.rest.take_watchers());
        if !self.journal.is_poisoned() {
            let lapsed = Transition::Lapsed;
            self.append_audit(self.audit_running(lapsed, By::Engine, running, now), now);
        }
        let (guarantee, column) = (running.guarantee(), running.column);
        #[cfg(feature = "tracing")]
        aftermath.lapses.push(lapse_of(running));
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| {
            counters.lapsed += 1;
            counters.doubts += u64::from(guarantee == Guarantee::AtMostOnce);
        });
        shard.arm(at);
        match guarantee {
            Guarantee::AtMostOnce => self.doubt_waiters(shard, at, now, aftermath),
            Guarantee::AtLeastOnce => self.hand_on_lapsed(shard, at, now, aftermath),
        }
    }

    fn doubt_waiters(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        if running.rest.waiters.is_empty() {
            return;
        }
        let record = Arc::new(doubt_record(running, now));
        let holder_alive = running.is_guarded();
        for waiter in running.rest.take_waiters() {
            let outcome = Outcome::InDoubt {
                record: Arc::clone(&record),
                locator: None,
                holder_alive,
            };
            deliver(&waiter, outcome, aftermath);
        }
    }

    fn hand_on_lapsed(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let Some(running) = shard.get_mut(at) else {
            return;
        };
        let mut waiters: VecDeque<_> = running
            .rest
            .take_waiters()
            .into_iter()
            .filter(|waiter| waiter.mailbox.is_waiting())
            .collect();
        let Some(first) = waiters.pop_front() else {
            return;
        };
        let verdict = claim_running(running, first.request.fingerprint.as_ref(), now);
        let granted = match verdict {
            RunningVerdict::TakeOver(basis) => {
                let request = first.request.clone();
                self.take_over(shard, at, request, &basis, true, now).ok()
            }
            // The first to decide again settles it; the others hear of that.
            _ => None,
        };
        if let Some(granted) = granted {
            deliver(&first, Outcome::Granted(granted), aftermath);
            self.requeue(shard, at, waiters, aftermath);
        } else {
            deliver(&first, Outcome::Again, aftermath);
            for waiter in waiters {
                deliver(&waiter, Outcome::Again, aftermath);
            }
        }
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
        let token = self.next_token()?;
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.reclaimed += 1);
        shard.regrant(at, token, request, basis, now);
        Ok(self.finish_grant(shard, at, None, to_waiter, now))
    }

    /// A lapsed key that nobody wanted for long enough is what it was before.
    fn expire_lapsed(&self, shard: &mut EngineShard, at: SlabRef, aftermath: &mut Aftermath) {
        if let Some(ended) = shard.restore(at) {
            self.wake_all(ended, aftermath);
        }
    }
}

#[cfg(feature = "tracing")]
fn lapse_of<W: 'static>(running: &Running<W>) -> (NamespaceId, Arc<[u8]>, Lapse) {
    let state = match running.guarantee() {
        Guarantee::AtMostOnce => KeyState::InDoubt,
        Guarantee::AtLeastOnce => KeyState::InProgress,
    };
    let lapse = Lapse {
        token: running.holder.token,
        attempt: running.holder.attempt,
        state,
    };
    (running.namespace, Arc::clone(&running.key), lapse)
}

/// What a lapsed at-most-once key looks like to those who ask.
pub(crate) fn doubt_record<W: 'static>(running: &Running<W>, now: Now) -> Record {
    let reason = b"the lease lapsed without an outcome";
    let record = Subject::of_running(running).record(RecordKind::InDoubt, reason, now);
    since_claim(running, record)
}

/// What is told of a key that someone runs, or ran until the lease lapsed.
pub(crate) fn told_of<W: 'static>(running: &Running<W>, now: Now) -> (KeyState, Record) {
    if running.is_in_doubt(now) {
        return (KeyState::InDoubt, doubt_record(running, now));
    }
    let checkpoint = &running.rest.holder.checkpoint;
    let record = Subject::of_running(running).record(RecordKind::InProgress, checkpoint, now);
    (KeyState::InProgress, since_claim(running, record))
}

/// As a record that is told: its last transition is the claim.
fn since_claim<W: 'static>(running: &Running<W>, mut record: RecordRef<'_>) -> Record {
    record.head.recorded_at = running.holder.claimed_at;
    record.to_record()
}

pub(crate) fn deliver(waiter: &Waiter, outcome: Outcome, aftermath: &mut Aftermath) {
    if let Ok(waker) = waiter.mailbox.deliver(outcome) {
        aftermath.wakes.add(waker);
    }
}
