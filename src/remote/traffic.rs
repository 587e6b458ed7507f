//! [`Traffic`]: the calls that are under way, and when there are none.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::runtime::sync::{Mutex, wake};

/// The calls that are under way.
#[derive(Debug)]
pub(super) struct Traffic(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    calls: u64,
    watchers: Vec<Waker>,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Counted {
            calls: 0,
            watchers: Vec::new(),
        }))
    }

    /// A call is under way until the passage is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Passage {
        self.0.lock().calls += 1;
        Passage(Arc::clone(self))
    }

    /// Ends when no call is under way.
    pub(super) async fn idle(&self) {
        poll_fn(|context| {
            let waker = context.waker().clone();
            let mut counted = self.0.lock();
            if counted.calls == 0 {
                return Poll::Ready(());
            }
            counted.watchers.push(waker);
            Poll::Pending
        })
        .await;
    }
}

/// A call that is under way.
pub(super) struct Passage(Arc<Traffic>);

impl Drop for Passage {
    fn drop(&mut self) {
        let mut counted = self.0.0.lock();
        counted.calls -= 1;
        let watchers = match counted.calls {
            0 => std::mem::take(&mut counted.watchers),
            _ => Vec::new(),
        };
        drop(counted);
        watchers.into_iter().for_each(wake);
    }
}
