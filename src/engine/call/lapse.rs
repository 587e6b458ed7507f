//! Leases that end without an outcome.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::waiter::WaitEnd;
use crate::engine::description::doubt_record;
use crate::engine::turn::Turn;
use crate::state::holder::Awaits;
use crate::state::running::Armed;
use crate::state::slab::SlabRef;
use crate::state::transition::{RunningVerdict, claim_running};
use crate::value::audit::Transition;
use crate::value::guarantee::Guarantee;

impl Turn<'_> {
    /// The timer of a running key has fired.
    pub(in crate::engine) fn lapse(&mut self, at: SlabRef) {
        let now = self.now;
        let Some(running) = self.shard.get_mut(at) else {
            return;
        };
        running.timer = Armed::No;
        if !running.is_lapsed(now) {
            // Renewed by the store, or early by a rounding.
            return self.shard.arm(at);
        }
        let (awaits, timer_ms) = (running.holder.awaits, running.timer_ms());
        if self.is_overdue(at) {
            return self.take_back(at);
        }
        match awaits {
            Awaits::Lapse => self.end_lease(at),
            Awaits::Forgetting if timer_ms <= now.mono_ms => self.expire_lapsed(at),
            Awaits::Forgetting | Awaits::Resolution => self.shard.arm(at),
        }
    }

    /// Ends the lease of a running key, and tells every party that depends on it.
    fn end_lease(&mut self, at: SlabRef) {
        let (engine, now) = (self.engine, self.now);
        let running = self.shard.running_at_mut(at);
        running.holder.awaits = running.after_lapse();
        self.aftermath.wake(running.rest.take_watchers());
        if !engine.journal.is_poisoned() {
            let entry = engine.audit_running(Transition::Lapsed, Initiator::Engine, running, now);
            engine.append_audit(entry, now);
        }
        let (guarantee, column) = (running.guarantee(), running.column);
        self.aftermath.note_lapse(running);
        self.count(column, |counters| {
            counters.lapsed += 1;
            counters.doubts += u64::from(guarantee == Guarantee::AtMostOnce);
        });
        self.shard.arm(at);
        match guarantee {
            Guarantee::AtMostOnce => self.doubt_waiters(at),
            Guarantee::AtLeastOnce => self.hand_on_lapsed(at),
        }
    }

    fn doubt_waiters(&mut self, at: SlabRef) {
        let running = self.shard.running_at_mut(at);
        if running.rest.waiters.is_empty() {
            return;
        }
        let record = Arc::new(doubt_record(running, self.now));
        let holder_alive = running.is_guarded();
        for waiter in running.rest.take_waiters() {
            let doubt = WaitEnd::InDoubt {
                record: Arc::clone(&record),
                locator: None,
                holder_alive,
            };
            self.aftermath.deliver(&waiter, doubt);
        }
    }

    /// Gives a lapsed key to the first waiting caller; the others go on waiting.
    fn hand_on_lapsed(&mut self, at: SlabRef) {
        let now = self.now;
        let running = self.running_mut(at);
        let waiters = running.rest.take_waiters().into_iter();
        let mut waiters = waiters.filter(|waiter| waiter.mailbox.is_waiting());
        let Some(first) = waiters.next() else { return };
        let granted = match claim_running(running, first.request.fingerprint(), now) {
            RunningVerdict::TakeOver(basis) => self
                .take_over(at, &first.request, &basis, true)
                .map(|granted| Some((at, granted))),
            // The first to decide again settles it; the others hear of that.
            _ => Ok(None),
        };
        self.give(&first, granted, waiters);
    }

    /// A lapsed key that no caller claimed for long enough is what it was before the grant, once no record could let the
    /// holder before in again.
    fn expire_lapsed(&mut self, at: SlabRef) {
        let now = self.now;
        if self.running_mut(at).keep_superseding(now) {
            return self.shard.arm(at);
        }
        if let Some(ended) = self.shard.restore(at) {
            self.wake_waiters(ended);
        }
    }
}
