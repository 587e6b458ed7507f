//! [`CommitWait`]: waits until a frame is on the medium.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::journal::journal::Journal;
use crate::value::error::Result;

/// Waits until a frame is on the medium. Dropping it only stops waiting.
#[derive(Debug)]
#[must_use = "nothing is acknowledged before it is awaited"]
pub(crate) struct CommitWait<'a> {
    journal: &'a Journal,
    frame: u64,
    ticket: Option<u64>,
}

impl Journal {
    /// Waits until a frame is on the medium.
    pub(crate) fn wait(&self, frame: u64) -> CommitWait<'_> {
        CommitWait {
            journal: self,
            frame,
            ticket: None,
        }
    }
}

impl CommitWait<'_> {
    fn settled(&self) -> Option<Result<()>> {
        // In this order, so that what a store committed just before it was closed is acknowledged.
        let failed = self.journal.check().err();
        if self.journal.durable() >= self.frame {
            return Some(Ok(()));
        }
        failed.map(Err)
    }
}

impl Future for CommitWait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(result) = self.settled() {
            return Poll::Ready(result);
        }
        let journal = self.journal;
        if journal.drive.is_inline() {
            journal.commit(journal.latest_ms(), true);
            if let Some(result) = self.settled() {
                return Poll::Ready(result);
            }
        }
        let frame = self.frame;
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        drop(journal.durable.register(frame, &mut self.ticket, waker));
        journal.durable.want(frame);
        journal.signal.raise();
        // Once more: the frame may have become durable before the waker was registered.
        match self.settled() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

impl Drop for CommitWait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // Foreign code: outside of the lock.
            drop(self.journal.durable.withdraw(self.frame, ticket));
        }
    }
}
