//! [`Shards`]: the locked parts of the key space.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::waiting::Waiter;
use crate::key::Digest;
use crate::state::shard::Shard;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, ShardScope};

/// A shard of the engine.
pub(crate) type EngineShard = Shard<Arc<Waiter>>;

/// The locked parts of the key space, and exact counts over all of them.
#[derive(Debug)]
pub(crate) struct Shards {
    /// Each on cache lines of its own. Invariant: a power of two of them.
    shards: Box<[CachePadded<Mutex<EngineShard>>]>,
    keys: AtomicUsize,
    running: AtomicUsize,
}

/// A locked shard. The counts over all shards follow when it is released.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    shard: MutexGuard<'a, EngineShard>,
    _scope: ShardScope,
    of: &'a Shards,
    keys: usize,
    running: usize,
}

impl Shards {
    pub(crate) fn new(count: usize, now_ms: u64) -> Self {
        let shards = (0..count.next_power_of_two())
            .map(|_| CachePadded::new(Mutex::new(Shard::new(now_ms))))
            .collect();
        Self {
            shards,
            keys: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        }
    }

    /// Locks the shard of a key.
    pub(crate) fn lock(&self, digest: Digest) -> Locked<'_> {
        let route = usize::try_from(digest.route).expect("32 bits fit");
        self.lock_at(route & (self.shards.len() - 1))
    }

    pub(crate) fn lock_at(&self, index: usize) -> Locked<'_> {
        let scope = ShardScope::enter();
        let shard = self.shards[index].lock();
        let (keys, running) = (shard.keys(), shard.running_keys());
        Locked {
            shard,
            _scope: scope,
            of: self,
            keys,
            running,
        }
    }

    /// Every shard in turn, one locked at a time.
    pub(crate) fn all(&self) -> impl Iterator<Item = Locked<'_>> {
        (0..self.shards.len()).map(|index| self.lock_at(index))
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

impl Deref for Locked<'_> {
    type Target = EngineShard;

    fn deref(&self) -> &EngineShard {
        &self.shard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut EngineShard {
        &mut self.shard
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Wrapping: a decrease is an addition modulo the word, and the sum is exact.
        let (keys, running) = (self.shard.keys(), self.shard.running_keys());
        if keys != self.keys {
            self.of
                .keys
                .fetch_add(keys.wrapping_sub(self.keys), Ordering::Relaxed);
        }
        if running != self.running {
            self.of
                .running
                .fetch_add(running.wrapping_sub(self.running), Ordering::Relaxed);
        }
    }
}
