//! [`first_of`]: two futures, until one of them ends.

use std::future::poll_fn;
use std::task::Poll;

use crate::backend::Task;

/// Ends with the first of two futures.
pub(super) async fn first_of(mut one: Task, mut other: Task) {
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(context),
    })
    .await;
}
