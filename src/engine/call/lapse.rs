//! Leases that end without an outcome.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::aftermath::{Aftermath, deliver};
use crate::engine::audit::by::By;
use crate::engine::call::waiter::Outcome;
use crate::engine::engine::Engine;
use crate::engine::shards::EngineShard;
use crate::engine::told::doubt_record;
use crate::state::holder::Awaits;
use crate::state::slab::SlabRef;
use crate::state::transition::{RunningVerdict, claim_running};
use crate::value::audit::Transition;
use crate::value::guarantee::Guarantee;
use crate::value::time::Now;

impl Engine {
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
        aftermath.note_lapse(running);
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

    /// A lapsed key that no caller wanted for long enough is what it was before.
    fn expire_lapsed(&self, shard: &mut EngineShard, at: SlabRef, aftermath: &mut Aftermath) {
        if let Some(ended) = shard.restore(at) {
            self.wake_all(ended, aftermath);
        }
    }
}
