//! [`Mailbox`]: a place for one value, with one waiter.

use std::task::{Context, Poll, Waker};

use crate::runtime::sync::Mutex;

/// A place for one value that one waiter waits for.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    slot: Mutex<Slot<T>>,
}

#[derive(Debug)]
enum Slot<T> {
    Waiting(Option<Waker>),
    Full(T),
    /// The receiver has taken the value or has given up.
    Shut,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: Mutex::new(Slot::Waiting(None)),
        }
    }

    /// Puts the value in. Wake the waker after releasing every lock. The value comes back when its
    /// waiter is gone.
    pub(crate) fn deliver(&self, value: T) -> Result<Option<Waker>, T> {
        let mut slot = self.slot.lock();
        match &mut *slot {
            Slot::Waiting(waker) => {
                let waker = waker.take();
                *slot = Slot::Full(value);
                Ok(waker)
            }
            Slot::Full(_) | Slot::Shut => Err(value),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<T> {
        if let Some(value) = self.fetch() {
            return Poll::Ready(value);
        }
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        let mut slot = self.slot.lock();
        let before = std::mem::replace(&mut *slot, Slot::Shut);
        let (polled, unused) = match before {
            Slot::Full(value) => (Poll::Ready(value), Some(waker)),
            Slot::Waiting(before) => {
                *slot = Slot::Waiting(Some(waker));
                (Poll::Pending, before)
            }
            Slot::Shut => {
                *slot = Slot::Waiting(Some(waker));
                (Poll::Pending, None)
            }
        };
        drop(slot);
        drop(unused);
        polled
    }

    /// Takes the value, if it is there.
    fn fetch(&self) -> Option<T> {
        let mut slot = self.slot.lock();
        if !matches!(&*slot, Slot::Full(_)) {
            return None;
        }
        match std::mem::replace(&mut *slot, Slot::Shut) {
            Slot::Full(value) => Some(value),
            Slot::Waiting(_) | Slot::Shut => None,
        }
    }

    /// Gives up waiting: nothing can be delivered any more. Returns a value that was delivered, and the
    /// waker; drop the waker after every lock has been released.
    pub(crate) fn shut(&self) -> (Option<T>, Option<Waker>) {
        match std::mem::replace(&mut *self.slot.lock(), Slot::Shut) {
            Slot::Full(value) => (Some(value), None),
            Slot::Waiting(waker) => (None, waker),
            Slot::Shut => (None, None),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(&*self.slot.lock(), Slot::Waiting(_))
    }
}
