//! [`Wakes`]: wakers, woken outside of every lock.

use std::task::Waker;

use crate::runtime::sync::shard_scope::assert_outside_shards;

/// Runs foreign code and contains its panic, so that no other waiter misses a wake because of it.
pub(crate) fn contain(act: impl FnOnce()) {
    // A model has to see the panics of its threads.
    #[cfg(all(test, hapax_shuttle))]
    act();
    #[cfg(not(all(test, hapax_shuttle)))]
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)) {
        #[expect(
            clippy::mem_forget,
            reason = "dropping what was thrown may panic again"
        )]
        std::mem::forget(panic);
    }
}

/// Wakes, outside of every lock; a waker that panics is contained.
pub(crate) fn wake(waker: Waker) {
    contain(|| waker.wake());
}

/// Wakers gathered under a lock, to be woken after it has been released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    pub(crate) fn wake(self) {
        if !self.0.is_empty() {
            assert_outside_shards("waking");
        }
        self.0.into_iter().for_each(wake);
    }
}

impl Extend<Waker> for Wakes {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.0.extend(wakers);
    }
}

#[cfg(test)]
mod tests {
    use super::Wakes;
    use crate::runtime::sync::shard_scope::ShardScope;
    use std::task::Waker;

    #[test]
    #[should_panic(expected = "waking under the lock of a shard")]
    fn waking_under_a_shard_lock_is_caught() {
        let mut wakes = Wakes::default();
        wakes.add(Some(Waker::noop().clone()));
        let _scope = ShardScope::enter();
        wakes.wake();
    }
}
