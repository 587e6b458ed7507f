//! Catches panics in code of the service.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

pub(crate) struct Panicked;

/// Runs a call to its end, or to its panic.
pub(crate) async fn caught<F: Future>(call: impl FnOnce() -> F) -> Result<F::Output, Panicked> {
    let begun = catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)?;
    let mut begun = pin!(begun);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| begun.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
