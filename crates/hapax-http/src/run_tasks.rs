//! [`RunTasks`]: the tasks of handlers, which may outlive their connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

/// The task of a handler, from before its call until its answer is stored and sent.
pub type RunTask = Pin<Box<dyn Future<Output = ()> + Send>>;

type Wrap = Arc<dyn Fn(RunTask) -> RunTask + Send + Sync>;

/// The tasks of the running handlers; clones share them.
#[derive(Clone, Default)]
pub(crate) struct RunTasks {
    pub(crate) wrap: Option<Wrap>,
    tracker: TaskTracker,
}

impl RunTasks {
    /// Starts the task of a handler.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.wrap {
            Some(wrap) => self.tracker.spawn(in_span(wrap(Box::pin(task)))),
            None => self.tracker.spawn(in_span(task)),
        };
    }

    pub(crate) fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Ends when no handler runs.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let tracker = self.tracker.clone();
        async move {
            // Closing the tracker refuses no task: handlers that start meanwhile run, and are waited for.
            tracker.close();
            tracker.wait().await;
        }
    }
}

/// Puts a task into the current span, so that its spans belong to the same trace.
#[cfg(feature = "tracing")]
fn in_span(task: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send {
    use tracing::instrument::{Instrument, WithSubscriber};
    task.in_current_span().with_current_subscriber()
}

#[cfg(not(feature = "tracing"))]
fn in_span(task: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send {
    task
}
