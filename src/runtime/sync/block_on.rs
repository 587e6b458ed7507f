//! [`block_on`]: a future that is driven to its end on the thread of the caller.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::runtime::sync::duty::{self, Duty};
use crate::runtime::sync::shard_scope::assert_outside_shards;
#[cfg(feature = "sim")]
use crate::runtime::sync::simulated;
use crate::runtime::sync::{AtomicBool, Ordering, Thread, current, park};

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert_outside_shards("waiting");
    #[cfg(feature = "sim")]
    let _blocking = simulated::Blocking::enter();
    let mut future = pin!(future);
    // Most operations have nothing to wait for: the first poll needs no thread handle.
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return output;
    }
    #[cfg(feature = "sim")]
    simulated::assert_can_park();
    let unpark = Arc::new(Unpark {
        thread: current(),
        duty: duty::of_this_thread(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // Acquire pairs with the release in `wake`: the poll sees everything that the waker saw.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            match &unpark.duty {
                None => park(),
                // This thread itself may have to do the work that is waited for.
                Some(duty) => duty.round(),
            }
        }
    }
}

struct Unpark {
    thread: Thread,
    /// The duty of the thread, if it is one of a store's own.
    duty: Option<Arc<dyn Duty>>,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        match &self.duty {
            None => self.thread.unpark(),
            Some(duty) => duty.nudge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::block_on;
    use crate::runtime::sync::shard_scope::ShardScope;

    #[test]
    #[should_panic(expected = "waiting under the lock of a shard")]
    fn waiting_under_a_shard_lock_is_caught() {
        let _scope = ShardScope::enter();
        block_on(async {});
    }
}
