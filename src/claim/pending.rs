//! [`Pending`]: the future of the calls that wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::runtime::begun::Begun;

/// The future of a call that is under way. It is `Send` and `'static`, and needs no particular runtime.
///
/// Dropping it only stops waiting: the changes of the call stay. A claim that has not been answered yet is
/// taken back, and counts as no attempt.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, ClaimOptions, Namespace};
///
/// async fn send(mail: &Namespace, user: &str) -> hapax::Result<()> {
///     if let Claim::Granted(lease) = mail.claim_async(user, ClaimOptions::new()).await? {
///         // The work goes here.
///         lease.complete_async("sent").await?;
///     }
///     Ok(())
/// }
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Pending<T> {
    answer: Stage<T>,
}

enum Stage<T> {
    /// `None` once it was given.
    Ready(Option<T>),
    Future(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Pending<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            answer: Stage::Future(Box::pin(future)),
        }
    }
}

impl<T, F: Future<Output = T> + Send + 'static> From<Begun<T, F>> for Pending<T> {
    fn from(begun: Begun<T, F>) -> Self {
        match begun {
            Begun::Ready(value) => Self {
                answer: Stage::Ready(Some(value)),
            },
            Begun::Waits(rest) => Self::new(rest),
        }
    }
}

/// An answer that is ready is never pinned.
impl<T> Unpin for Pending<T> {}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.answer {
            Stage::Ready(value) => Poll::Ready(value.take().expect("it is polled to its end once")),
            Stage::Future(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
