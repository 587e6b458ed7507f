//! [`Time`]: the present for the keys of a store, on the monotonic clock and in store time.

use crate::runtime::clock::Clock;
use crate::runtime::store_time::StoreTime;
use crate::runtime::sync::{AtomicU32, Mutex, Ordering};
use crate::value::time::Now;

/// The clock, and the store time that follows it.
#[derive(Debug)]
pub(in crate::engine) struct Time {
    pub(in crate::engine) clock: Clock,
    store: Mutex<StoreTime>,
    store_secs: AtomicU32,
}

impl Time {
    pub(in crate::engine) fn new(clock: Clock, store: StoreTime) -> Self {
        Self {
            clock,
            store_secs: AtomicU32::new(store.store_secs()),
            store: Mutex::new(store),
        }
    }

    #[inline]
    pub(in crate::engine) fn now(&self) -> Now {
        Now {
            mono_ms: self.clock.mono_ms(),
            store_secs: self.store_secs(),
        }
    }

    #[inline]
    pub(in crate::engine) fn mono_ms(&self) -> u64 {
        self.clock.mono_ms()
    }

    #[inline]
    pub(in crate::engine) fn store_secs(&self) -> u32 {
        self.store_secs.load(Ordering::Relaxed)
    }

    /// Lets store time follow the clock, passes it to `tell` in milliseconds, and returns it in seconds.
    pub(in crate::engine) fn follow(&self, mono_ms: u64, tell: impl FnOnce(u64)) -> u32 {
        let mut store = self.store.lock();
        store.follow(mono_ms, self.clock.wall_ms());
        tell(store.store_ms());
        let store_secs = store.store_secs();
        drop(store);
        self.store_secs.fetch_max(store_secs, Ordering::Relaxed);
        store_secs
    }
}
