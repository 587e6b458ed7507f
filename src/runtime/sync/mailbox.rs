//! [`Mailbox`]: a place for one value, with one waiter.

use std::task::{Context, Poll, Waker};

use crate::runtime::sync::Mutex;

/// A place for one value that one waiter waits for.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    slot: Mutex<Post<T>>,
}

#[derive(Debug)]
enum Post<T> {
    Waiting(Option<Waker>),
    Full(T),
    /// The receiver has taken the value or has given up.
    Shut,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: Mutex::new(Post::Waiting(None)),
        }
    }

    /// Puts the value in. Wake the waker after releasing every lock. The value comes back when its
    /// waiter is gone.
    pub(crate) fn deliver(&self, value: T) -> Result<Option<Waker>, T> {
        let mut slot = self.slot.lock();
        match &mut *slot {
            Post::Waiting(waker) => {
                let waker = waker.take();
                *slot = Post::Full(value);
                Ok(waker)
            }
            Post::Full(_) | Post::Shut => Err(value),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<T> {
        if let Some(value) = self.fetch() {
            return Poll::Ready(value);
        }
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        let mut slot = self.slot.lock();
        let before = std::mem::replace(&mut *slot, Post::Shut);
        let (polled, unused) = match before {
            Post::Full(value) => (Poll::Ready(value), Some(waker)),
            Post::Waiting(before) => {
                *slot = Post::Waiting(Some(waker));
                (Poll::Pending, before)
            }
            Post::Shut => {
                *slot = Post::Waiting(Some(waker));
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
        if !matches!(&*slot, Post::Full(_)) {
            return None;
        }
        match std::mem::replace(&mut *slot, Post::Shut) {
            Post::Full(value) => Some(value),
            Post::Waiting(_) | Post::Shut => None,
        }
    }

    /// Gives up waiting: nothing can be delivered any more. Returns a value that was delivered, and the
    /// waker; drop the waker after every lock has been released.
    pub(crate) fn shut(&self) -> (Option<T>, Option<Waker>) {
        match std::mem::replace(&mut *self.slot.lock(), Post::Shut) {
            Post::Full(value) => (Some(value), None),
            Post::Waiting(waker) => (None, waker),
            Post::Shut => (None, None),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(&*self.slot.lock(), Post::Waiting(_))
    }
}
