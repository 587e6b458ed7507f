//! [`Shards`]: the locked parts of the key space.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::engine::call::waiter::Waiter;
use crate::runtime::prefetch::prefetch;
use crate::runtime::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, ShardScope};
use crate::state::running::{EndedRun, Running};
use crate::state::shard::Shard;
use crate::state::table::Location;
use crate::value::digest::Digest;

/// A shard of the engine, and a running key in it.
pub(crate) type EngineShard = Shard<Arc<Waiter>>;
pub(in crate::engine) type EngineRunning = Running<Arc<Waiter>>;
pub(in crate::engine) type EngineEnded = EndedRun<Arc<Waiter>>;

/// The locked parts of the key space, and counts over all of them.
#[derive(Debug)]
pub(crate) struct Shards {
    /// Each shard lies on cache lines of its own. Invariant: their number is a power of two.
    parts: Box<[CachePadded<ShardPart>]>,
    keys: CachePadded<AtomicUsize>,
    running: CachePadded<AtomicUsize>,
}

#[derive(Debug)]
struct ShardPart {
    shard: Mutex<EngineShard>,
    keys: Share,
    running: Share,
    /// Whether the next claim and the next settlement are timed. The flags lie on the cache line of the lock,
    /// which such a call takes anyway.
    claim_due: AtomicBool,
    settlement_due: AtomicBool,
    /// Where the slots were when a key came in or went last, and how many homes they had.
    slots: AtomicUsize,
    homes: AtomicUsize,
}

/// A shard's share of a count over all shards. It adds to the total only now and then, so that calls on
/// different shards do not write to one cache line.
///
/// Invariant: changed only under the lock of the shard.
#[derive(Debug, Default)]
struct Share {
    count: AtomicUsize,
    told: AtomicUsize,
}

/// The most by which a share differs from its part of the total.
const UNTOLD_MAX: usize = 32;

impl Share {
    #[inline]
    fn set(&self, count: usize, total: &AtomicUsize) {
        self.count.store(count, Ordering::Relaxed);
        let told = self.told.load(Ordering::Relaxed);
        if count.abs_diff(told) >= UNTOLD_MAX {
            // Wrapping: a decrease is an addition modulo the word.
            total.fetch_add(count.wrapping_sub(told), Ordering::Relaxed);
            self.told.store(count, Ordering::Relaxed);
        }
    }
}

/// A locked shard. The counts over all shards follow when it is released.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    shard: MutexGuard<'a, EngineShard>,
    _scope: ShardScope,
    of: &'a Shards,
    part: &'a ShardPart,
    keys: usize,
    running: usize,
}

impl Shards {
    /// Without `counts`, nothing is counted and no call is timed.
    pub(crate) fn new(count: usize, now_ms: u64, counts: bool) -> Self {
        let part = |_| {
            let mut shard = Shard::new(now_ms);
            if !counts {
                shard.tallies.turn_off();
            }
            CachePadded::new(ShardPart {
                shard: Mutex::new(shard),
                keys: Share::default(),
                running: Share::default(),
                claim_due: AtomicBool::new(counts),
                settlement_due: AtomicBool::new(counts),
                slots: AtomicUsize::new(0),
                homes: AtomicUsize::new(0),
            })
        };
        Self {
            parts: (0..count.next_power_of_two()).map(part).collect(),
            keys: CachePadded::default(),
            running: CachePadded::default(),
        }
    }

    /// Locks the shard of a key.
    #[inline]
    pub(crate) fn lock(&self, digest: Digest) -> Locked<'_> {
        self.lock_at(self.index(digest))
    }

    /// The number of a key's shard.
    #[inline]
    pub(crate) fn index(&self, digest: Digest) -> usize {
        let route = usize::try_from(digest.route).expect("32 bits fit");
        route & (self.parts.len() - 1)
    }

    #[inline]
    pub(crate) fn lock_at(&self, index: usize) -> Locked<'_> {
        let scope = ShardScope::enter();
        let part = &*self.parts[index];
        let shard = part.shard.lock();
        let (keys, running) = (shard.keys(), shard.running_keys());
        Locked {
            shard,
            _scope: scope,
            of: self,
            part,
            keys,
            running,
        }
    }

    /// Begins to bring the slot of a key near, before its shard is locked: the wait for memory is the longest of a
    /// call.
    #[inline]
    pub(crate) fn prefetch(&self, digest: Digest) {
        let part = &self.parts[self.index(digest)];
        let location = Location {
            slots: part.slots.load(Ordering::Relaxed),
            homes: part.homes.load(Ordering::Relaxed),
        };
        prefetch(location.address(digest));
    }

    /// Whether this claim is timed.
    #[inline]
    pub(crate) fn is_timed_claim(&self, digest: Digest) -> bool {
        take(&self.parts[self.index(digest)].claim_due)
    }

    /// Whether this settlement is timed.
    #[inline]
    pub(crate) fn is_timed_settlement(&self, digest: Digest) -> bool {
        take(&self.parts[self.index(digest)].settlement_due)
    }

    /// Lets the next claim and the next settlement of a shard be timed.
    pub(crate) fn time_next(&self, index: usize) {
        let part = &self.parts[index];
        part.claim_due.store(true, Ordering::Relaxed);
        part.settlement_due.store(true, Ordering::Relaxed);
    }

    /// Every shard in turn, one locked at a time.
    pub(crate) fn all(&self) -> impl Iterator<Item = Locked<'_>> {
        (0..self.parts.len()).map(|index| self.lock_at(index))
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether the store has this many keys. The caller holds the lock of shard `index`, which has `here` of
    /// them. Exact, except for calls that are under way on other shards.
    #[inline]
    pub(crate) fn has_keys(&self, limit: usize, index: usize, here: usize) -> bool {
        self.has(limit, (index, here), &self.keys, |part| &part.keys)
    }

    /// As [`has_keys`](Self::has_keys), for running keys.
    #[inline]
    pub(crate) fn has_running(&self, limit: usize, index: usize, here: usize) -> bool {
        self.has(limit, (index, here), &self.running, |part| &part.running)
    }

    /// As [`has_running`](Self::has_running), for a caller that holds no lock.
    #[inline]
    pub(crate) fn has_running_about(&self, limit: usize) -> bool {
        let here = self.parts[0].running.count.load(Ordering::Relaxed);
        self.has_running(limit, 0, here)
    }

    #[inline]
    fn has(
        &self,
        limit: usize,
        (index, here): (usize, usize),
        told: &AtomicUsize,
        share: impl Fn(&ShardPart) -> &Share,
    ) -> bool {
        // The share of the caller's own shard follows only when its lock is released.
        let before = share(&self.parts[index]).count.load(Ordering::Relaxed);
        let untold = self.parts.len() * UNTOLD_MAX + here.saturating_sub(before);
        let told = told.load(Ordering::Relaxed);
        // The total may be off in either direction, and below zero.
        let near = told.wrapping_add(untold) >= limit || told > usize::MAX / 2;
        near && (self.sum(share) + here).saturating_sub(before) >= limit
    }

    #[cold]
    fn sum(&self, share: impl Fn(&ShardPart) -> &Share) -> usize {
        let count = |part: &CachePadded<ShardPart>| share(part).count.load(Ordering::Relaxed);
        self.parts.iter().map(count).sum()
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
    #[inline]
    fn drop(&mut self) {
        let (keys, running) = (self.shard.keys(), self.shard.running_keys());
        if keys != self.keys {
            self.part.keys.set(keys, &self.of.keys);
            let Location { slots, homes } = self.shard.location();
            self.part.slots.store(slots, Ordering::Relaxed);
            self.part.homes.store(homes, Ordering::Relaxed);
        }
        if running != self.running {
            self.part.running.set(running, &self.of.running);
        }
    }
}

/// Lowers a flag. Two threads may both see it raised: then both are timed.
#[inline]
fn take(flag: &AtomicBool) -> bool {
    let raised = flag.load(Ordering::Relaxed);
    if raised {
        flag.store(false, Ordering::Relaxed);
    }
    raised
}
