//! [`Pending`]: the future of the calls that wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A call that is under way. `Send`, `'static`, and of no particular runtime.
///
/// Dropping it only stops waiting: what the call has done stays done. A claim that has not been
/// answered yet is taken back, and counts as no attempt.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Pending<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Pending<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            future: Box::pin(future),
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.future.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
