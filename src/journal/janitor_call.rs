//! [`JanitorCall`]: what the journal tells the janitor, and the signal that wakes it.

use crate::runtime::sync::{AtomicBool, AtomicU64, Ordering, Signal};

/// News for the janitor.
#[derive(Debug)]
pub(crate) struct JanitorCall {
    pub(crate) signal: Signal,
    /// The janitor goes on once this frame is durable; `u64::MAX` while it waits for none.
    waits_for: AtomicU64,
    /// The newest segment that takes frames, or has taken some; 0 before the first of this run.
    activated: AtomicU64,
    /// The writer has given the reserve of the disk back, to have room for what holders wrote.
    reserve_is_gone: AtomicBool,
}

impl Default for JanitorCall {
    fn default() -> Self {
        Self {
            signal: Signal::default(),
            waits_for: AtomicU64::new(u64::MAX),
            activated: AtomicU64::new(0),
            reserve_is_gone: AtomicBool::new(false),
        }
    }
}

impl JanitorCall {
    /// Wakes the janitor.
    pub(crate) fn raise(&self) {
        self.signal.raise();
    }

    /// Notes that the janitor waits for a frame, before the janitor looks at the position once more.
    pub(super) fn wait_for(&self, frame: u64) {
        self.waits_for.store(frame, Ordering::SeqCst);
    }

    /// Wakes the janitor if it waits for this frame or an earlier one. Called after the position was
    /// raised, in one order with [`wait_for`](Self::wait_for), so that one of the two sees the other.
    pub(super) fn tell_durable(&self, frame: u64) {
        if self.waits_for.load(Ordering::SeqCst) <= frame {
            self.waits_for.store(u64::MAX, Ordering::SeqCst);
            self.raise();
        }
    }

    /// Tells the janitor that a segment takes frames now.
    pub(super) fn tell_activated(&self, segment: u64) {
        self.activated.store(segment, Ordering::Release);
        self.raise();
    }

    pub(super) fn activated(&self) -> u64 {
        self.activated.load(Ordering::Acquire)
    }

    pub(super) fn tell_reserve_gone(&self) {
        self.reserve_is_gone.store(true, Ordering::Release);
    }

    /// Whether the reserve was given back since the last call.
    pub(super) fn take_reserve_gone(&self) -> bool {
        self.reserve_is_gone.swap(false, Ordering::AcqRel)
    }
}
