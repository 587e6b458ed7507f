//! [`Timers`]: what calls the running keys of a shard, and the callers in line.

use crate::state::holder::Awaits;
use crate::state::leases::{LeaseEnd, Leases};
use crate::state::running::{Armed, Running};
use crate::state::slab::{Slab, SlabRef};
use crate::wheel::{TimerKey, Wheel};

/// What a timer of a shard stands for.
#[derive(Debug)]
pub(crate) enum Timer<W> {
    /// A lease ends, or a lapsed key has been kept for long enough.
    Lease(SlabRef),
    /// A caller has waited for long enough.
    Wait(W),
}

/// What calls the running keys of a shard, and the callers in line, in milliseconds of the monotonic clock.
///
/// The end of a new lease is queued with those that are as long; everything else has a timer in a wheel.
#[derive(Debug)]
pub(super) struct Timers<W> {
    wheel: Wheel<Timer<W>>,
    leases: Leases,
}

impl<W: 'static> Timers<W> {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            wheel: Wheel::new(now_ms),
            leases: Leases::default(),
        }
    }

    /// Lets the lease of a new holder end when those end that are as long.
    #[inline]
    pub(super) fn queue(&mut self, running: &mut Slab<Running<W>>, at: SlabRef) {
        let Some(holder) = running.get(at).map(|entry| entry.holder) else {
            return;
        };
        let deadline_ms = holder.deadline_ms;
        let end = LeaseEnd { deadline_ms, at };
        let is_live = |end: &LeaseEnd| is_live(running, end);
        let is_queued = self.leases.push(holder.lease_ms, end, is_live);
        let Some(entry) = running.get_mut(at) else {
            return;
        };
        if is_queued {
            entry.timer = Armed::Queued;
        } else {
            self.arm(entry, at);
        }
    }

    /// Sets the timer of a running key to what it stands for now.
    pub(super) fn arm(&mut self, running: &mut Running<W>, at: SlabRef) {
        if let Armed::Timer(timer) = running.timer {
            self.wheel.cancel(timer);
        }
        let timer = self.wheel.insert(running.timer_ms(), Timer::Lease(at));
        running.timer = Armed::Timer(timer);
    }

    /// A key has ended, after which so many are running.
    #[inline]
    pub(super) fn leave(&mut self, armed: Armed, running: usize) {
        if let Armed::Timer(timer) = armed {
            self.wheel.cancel(timer);
        }
        if running == 0 {
            self.leases.clear();
        }
    }

    pub(super) fn arm_wait(&mut self, waiter: W, deadline_ms: u64) -> TimerKey {
        self.wheel.insert(deadline_ms, Timer::Wait(waiter))
    }

    pub(super) fn disarm(&mut self, timer: TimerKey) {
        self.wheel.cancel(timer);
    }

    pub(super) fn due(&mut self, running: &Slab<Running<W>>, now_ms: u64, due: &mut Vec<Timer<W>>) {
        self.wheel.advance(now_ms, &mut |_, timer| due.push(timer));
        let take = |end: LeaseEnd| due.push(Timer::Lease(end.at));
        self.leases
            .take_due(now_ms, |end| is_live(running, end), take);
    }

    pub(super) fn next_due_ms(&mut self, running: &Slab<Running<W>>) -> Option<u64> {
        let lease_ms = self.leases.next_ms(|end| is_live(running, end));
        let timer_ms = self.wheel.next_deadline();
        timer_ms.into_iter().chain(lease_ms).min()
    }

    /// The timer of a running key stands for one thing, and comes when that does.
    pub(super) fn validate_of(&self, at: SlabRef, entry: &Running<W>) {
        let deadline_ms = entry.timer_ms();
        let is_set = match entry.timer {
            Armed::No => panic!("a running key has a timer"),
            Armed::Queued => self.leases.contains(LeaseEnd { deadline_ms, at }),
            Armed::Timer(timer) => self.wheel.deadline(timer) == Some(deadline_ms),
        };
        assert!(
            is_set,
            "the timer of a running key is set to what it awaits"
        );
        assert!(
            entry.holder.awaits == Awaits::Lapse || entry.holder.awaits == entry.after_lapse(),
            "what a running key awaits follows from its guarantee"
        );
        assert!(
            entry.holder.awaits == Awaits::Lapse || entry.lease_end_ms() <= self.wheel.now(),
            "a lapse that was seen has come"
        );
    }

    pub(super) fn validate(&self) {
        self.wheel.validate();
        self.leases.validate();
    }
}

/// Whether the end of a lease is still that of the key that was granted then.
#[inline]
fn is_live<W: 'static>(running: &Slab<Running<W>>, end: &LeaseEnd) -> bool {
    running.get(end.at).is_some_and(|entry| {
        entry.timer == Armed::Queued && entry.holder.deadline_ms == end.deadline_ms
    })
}
