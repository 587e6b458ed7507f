//! Locks by key, for stores that cannot insert only if absent.

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

use crate::engine::keys::Key;

/// A power of two.
const LOCKS: usize = 256;

pub(super) struct KeyLocks(Box<[CachePadded<Mutex<()>>]>);

impl KeyLocks {
    pub(super) fn new() -> Self {
        let locks = (0..LOCKS).map(|_| CachePadded::new(Mutex::new(())));
        Self(locks.collect())
    }

    pub(super) fn lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        self.0[usize::from(key[0]) % LOCKS].lock()
    }

    /// All of them, for a batch.
    pub(super) fn all(&self) -> Vec<MutexGuard<'_, ()>> {
        self.0.iter().map(|lock| lock.lock()).collect()
    }
}
