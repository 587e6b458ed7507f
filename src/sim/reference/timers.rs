//! [`Timers`]: what waits for a moment of the clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::runtime::manual_clock::{ManualClock, Observer};
use crate::runtime::sync::{Mutex, wake};

/// What waits for a moment of the clock: wakers, woken in the order of their moments.
#[derive(Debug)]
pub(super) struct Timers {
    clock: ManualClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    set: BTreeMap<Alarm, Waker>,
    /// Alarms given so far.
    given: u64,
}

/// A moment, and which of those at this moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Alarm {
    due_ms: u64,
    number: u64,
}

/// Ends at a moment of the clock.
#[derive(Debug)]
pub(super) struct Sleep {
    timers: Arc<Timers>,
    alarm: Alarm,
}

impl Timers {
    /// Timers that `clock` drives.
    pub(super) fn new(clock: &ManualClock) -> Arc<Self> {
        let timers = Arc::new(Self {
            clock: clock.clone(),
            state: Mutex::default(),
        });
        let observer: Arc<dyn Observer> = Arc::<Self>::clone(&timers);
        clock.observe(Arc::downgrade(&observer));
        timers
    }

    /// A future that ends at this moment of the monotonic clock.
    pub(super) fn sleep_until(self: &Arc<Self>, due_ms: u64) -> Sleep {
        Sleep {
            timers: Arc::clone(self),
            alarm: self.state.lock().next_alarm(due_ms),
        }
    }

    /// Wakes at this moment, which lies ahead.
    pub(super) fn wake_at(&self, due_ms: u64, waker: Waker) {
        let mut state = self.state.lock();
        let alarm = state.next_alarm(due_ms);
        state.set.insert(alarm, waker);
    }

    fn pop_due(&self) -> Option<Waker> {
        let mut state = self.state.lock();
        // Read under the lock: a sleep that was polled before the clock moved is in the set by now.
        let now_ms = self.clock.mono_ms();
        let alarm = *state.set.keys().next()?;
        let is_due = alarm.due_ms <= now_ms;
        is_due.then(|| state.set.remove(&alarm)).flatten()
    }
}

impl State {
    fn next_alarm(&mut self, due_ms: u64) -> Alarm {
        self.given += 1;
        Alarm {
            due_ms,
            number: self.given,
        }
    }
}

impl Observer for Timers {
    fn clock_moved(&self) {
        while let Some(waker) = self.pop_due() {
            wake(waker);
        }
    }

    fn stop_ms(&self) -> Option<u64> {
        let state = self.state.lock();
        state.set.keys().next().map(|alarm| alarm.due_ms)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        let mut state = self.timers.state.lock();
        let is_due = self.alarm.due_ms <= self.timers.clock.mono_ms();
        let unused = if is_due {
            state.set.remove(&self.alarm)
        } else {
            state.set.insert(self.alarm, waker)
        };
        drop(state);
        drop(unused);
        if is_due {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let unused = self.timers.state.lock().set.remove(&self.alarm);
        drop(unused);
    }
}
