//! [`DurablePosition`]: the last frame that is on the medium, and the callers that wait for later ones.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::runtime::sync::{AtomicU64, Mutex, Ordering, Wakes};

/// The durable position and its waiters.
///
/// Invariant: the position only rises, and only the holder of the writer's lock raises it.
///
/// Invariant: a waiter whose frame is durable is woken. It registers first and checks the position
/// once more after that; the writer raises the position first and looks for waiters after that.
#[derive(Debug)]
pub(super) struct DurablePosition {
    /// This frame, and every frame before it, is on the medium.
    frame: AtomicU64,
    /// The highest frame that a caller has asked to be committed.
    wanted: AtomicU64,
    waiters: Mutex<CommitWaiters>,
}

#[derive(Debug, Default)]
struct CommitWaiters {
    last_ticket: u64,
    /// By the frame that they wait for, and their ticket.
    waiting: BTreeMap<(u64, u64), Waker>,
}

impl DurablePosition {
    pub(super) fn new(frame: u64) -> Self {
        Self {
            frame: AtomicU64::new(frame),
            wanted: AtomicU64::new(0),
            waiters: Mutex::default(),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        // Acquire pairs with the store in `raise`: a thread that sees the position sees the frames.
        self.frame.load(Ordering::Acquire)
    }

    /// As [`get`](Self::get), in one order with what the janitor notes before it.
    pub(super) fn get_in_order(&self) -> u64 {
        self.frame.load(Ordering::SeqCst)
    }

    /// Raises the position, in one order with the check that follows for a janitor that waits.
    pub(super) fn raise(&self, frame: u64) {
        self.frame.store(frame, Ordering::SeqCst);
    }

    /// Asks for a commit that includes this frame.
    pub(super) fn want(&self, frame: u64) {
        self.wanted.fetch_max(frame, Ordering::AcqRel);
    }

    /// Whether a caller has asked for a frame that is not durable yet.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > self.get()
    }

    /// Has a waker called once the frame is durable. `ticket` identifies the waiter from its first call
    /// on. Returns the waker that it replaces, to be dropped outside of every lock.
    pub(super) fn register(
        &self,
        frame: u64,
        ticket: &mut Option<u64>,
        waker: Waker,
    ) -> Option<Waker> {
        let mut waiters = self.waiters.lock();
        let ticket = *ticket.get_or_insert_with(|| {
            waiters.last_ticket += 1;
            waiters.last_ticket
        });
        waiters.waiting.insert((frame, ticket), waker)
    }

    /// Removes a waiter. Returns its waker, to be dropped outside of every lock.
    pub(super) fn withdraw(&self, frame: u64, ticket: u64) -> Option<Waker> {
        self.waiters.lock().waiting.remove(&(frame, ticket))
    }

    /// Takes the wakers of those that wait for this frame or an earlier one.
    pub(super) fn take_up_to(&self, frame: u64, wakes: &mut Wakes) {
        let woken = {
            let mut waiters = self.waiters.lock();
            let later = waiters.waiting.split_off(&(frame + 1, 0));
            std::mem::replace(&mut waiters.waiting, later)
        };
        wakes.extend(woken.into_values());
    }

    /// Takes all wakers.
    pub(super) fn take_all(&self, wakes: &mut Wakes) {
        let wakers = std::mem::take(&mut self.waiters.lock().waiting);
        wakes.extend(wakers.into_values());
    }
}
