//! [`CommitWait`]: waits until a frame is on the medium.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::journal::Journal;
use crate::runtime::sync::Ordering;
use crate::value::error::Result;

/// Waits until a frame is on the medium. Dropping it only stops waiting.
#[derive(Debug)]
#[must_use = "nothing is acknowledged before it is awaited"]
pub(crate) struct CommitWait<'a> {
    journal: &'a Journal,
    frame: u64,
    ticket: Option<u64>,
}

impl<'a> CommitWait<'a> {
    pub(super) fn new(journal: &'a Journal, frame: u64) -> Self {
        Self {
            journal,
            frame,
            ticket: None,
        }
    }

    fn settled(&self) -> Option<Result<()>> {
        // In this order: what a store committed last, before it was closed, is acknowledged.
        let failed = self.journal.check().err();
        if self.journal.durable() >= self.frame {
            return Some(Ok(()));
        }
        failed.map(Err)
    }

    fn register(&mut self, waker: &Waker) {
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = waker.clone();
        let mut waiters = self.journal.waiters.lock();
        let ticket = *self.ticket.get_or_insert_with(|| {
            waiters.next += 1;
            waiters.next
        });
        let before = waiters.waiting.insert((self.frame, ticket), waker);
        drop(waiters);
        drop(before);
    }
}

impl Future for CommitWait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(result) = self.settled() {
            return Poll::Ready(result);
        }
        if self.journal.drive.is_inline() {
            self.journal.commit(self.journal.latest_ms(), true);
            if let Some(result) = self.settled() {
                return Poll::Ready(result);
            }
        }
        self.register(context.waker());
        self.journal.wanted.fetch_max(self.frame, Ordering::AcqRel);
        self.journal.signal.raise();
        // Once more: the frame may have become durable before the waker was in its place.
        match self.settled() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

impl Drop for CommitWait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut waiters = self.journal.waiters.lock();
            let waker = waiters.waiting.remove(&(self.frame, ticket));
            // Foreign code: outside of the lock.
            drop(waiters);
            drop(waker);
        }
    }
}
