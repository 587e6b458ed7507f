//! [`Turn`]: the lock of a shard, the moment of the lock, and the work that is left for after it.

use crate::engine::aftermath::Aftermath;
use crate::engine::engine::Engine;
use crate::engine::shards::{EngineRunning, Locked};
use crate::observe::counters::Counters;
use crate::observe::tallies::Column;
use crate::state::found::Found;
use crate::state::slab::SlabRef;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::time::Now;

/// The lock of a shard, the moment of the lock, and the work that is left for after it.
#[derive(Debug)]
pub(in crate::engine) struct Turn<'a> {
    pub(in crate::engine) engine: &'a Engine,
    // Fields are dropped in this order, so the aftermath finds the lock released.
    pub(in crate::engine) shard: Locked<'a>,
    pub(in crate::engine) now: Now,
    pub(in crate::engine) aftermath: Aftermath,
}

impl Engine {
    /// Takes a turn at the shard of a key.
    #[inline]
    pub(in crate::engine) fn turn(&self, digest: Digest) -> Turn<'_> {
        self.turn_at(self.shards.index(digest))
    }

    /// Takes a turn at the shard of this number. The moment is read under the lock. A moment from before it could
    /// precede a lapse whose waiters have been woken already, and a caller that got in line then would never
    /// be woken.
    #[inline]
    pub(in crate::engine) fn turn_at(&self, index: usize) -> Turn<'_> {
        let shard = self.shards.lock_at(index);
        Turn {
            engine: self,
            shard,
            now: self.now(),
            aftermath: Aftermath::default(),
        }
    }
}

impl Turn<'_> {
    #[inline]
    pub(in crate::engine) fn find(&self, digest: Digest) -> Found {
        self.shard.find(digest, self.now.store_secs)
    }

    /// The running key of this token.
    #[inline]
    pub(in crate::engine) fn held(&self, digest: Digest, token: FencingToken) -> Option<SlabRef> {
        match self.find(digest) {
            Found::Running(at) if self.running(at).holder.token == token => Some(at),
            _ => None,
        }
    }

    #[inline]
    pub(in crate::engine) fn running(&self, at: SlabRef) -> &EngineRunning {
        self.shard.running_at(at)
    }

    #[inline]
    pub(in crate::engine) fn running_mut(&mut self, at: SlabRef) -> &mut EngineRunning {
        self.shard.running_at_mut(at)
    }

    /// Counts something of a namespace.
    #[inline]
    pub(in crate::engine) fn count(&mut self, column: Column, add: impl FnOnce(&mut Counters)) {
        self.shard.tallies.count(column, add);
    }

    /// Releases the lock. The aftermath that it returns is carried out when it is dropped.
    pub(in crate::engine) fn release(self) -> Aftermath {
        drop(self.shard);
        self.aftermath
    }
}
