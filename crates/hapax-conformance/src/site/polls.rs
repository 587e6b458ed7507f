//! Futures, polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hapax::{Claim, ClaimOptions, Namespace, Pending, Result};

use crate::site::site::Site;
use crate::site::times::HOUR;
use crate::world::capability::Capability;

/// Of a claim that waits for longer than any test lasts.
pub(crate) fn patient() -> ClaimOptions {
    ClaimOptions::new().wait(HOUR)
}

/// Calls of one future, at most.
const CALLS_MAX: u32 = 8;

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl Site {
    /// Polls until nothing moves any more.
    fn poll_to_rest<F: Future>(&self, mut future: Pin<&mut F>) -> Poll<F::Output> {
        let answer = poll_once(future.as_mut());
        if answer.is_ready() || self.has(Capability::AnswersAtOnce) {
            return answer;
        }
        self.world.rest();
        poll_once(future)
    }

    pub(crate) fn poll<T>(&self, pending: &mut Pending<T>) -> Poll<T> {
        self.poll_to_rest(Pin::new(pending))
    }

    /// The result of a future that nothing has to happen for.
    #[track_caller]
    pub(crate) fn ready<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        // Work of several calls goes on by one of them each time that everything rests.
        let rests = if self.has(Capability::AnswersAtOnce) {
            1
        } else {
            CALLS_MAX
        };
        for _ in 0..rests {
            if let Poll::Ready(value) = self.poll_to_rest(future.as_mut()) {
                return value;
            }
        }
        panic!("the future is not ready")
    }

    /// A future that has to wait.
    #[track_caller]
    pub(crate) fn waiting<T>(&self, mut pending: Pending<T>) -> Pending<T> {
        let is_waiting = self.poll(&mut pending).is_pending();
        assert!(is_waiting, "the future has to wait");
        pending
    }

    /// A waiter in line for the key `key`.
    #[track_caller]
    pub(crate) fn queued(&self, work: &Namespace, options: ClaimOptions) -> Pending<Result<Claim>> {
        self.waiting(work.claim_async("key", options))
    }

    pub(crate) fn queue(&self, work: &Namespace, waiters: usize) -> Vec<Pending<Result<Claim>>> {
        (0..waiters).map(|_| self.queued(work, patient())).collect()
    }

    /// The answers that have come, and the waiters that go on waiting.
    pub(crate) fn sweep(
        &self,
        queue: Vec<Pending<Result<Claim>>>,
    ) -> (Vec<Claim>, Vec<Pending<Result<Claim>>>) {
        let (mut answers, mut rest) = (Vec::new(), Vec::new());
        for mut waiter in queue {
            match self.poll(&mut waiter) {
                Poll::Ready(answer) => answers.push(answer.unwrap()),
                Poll::Pending => rest.push(waiter),
            }
        }
        (answers, rest)
    }
}
