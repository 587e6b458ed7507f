//! Admission: what a call has to pass before it grants a key or makes one, whichever call it is.

use crate::engine::engine::Engine;
use crate::engine::refusals::at_capacity;
use crate::engine::shards::EngineShard;
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::policy::Policy;

/// What a call is about to do with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// A claim, or a waiter, is to run it.
    Run,
    /// As `Run`, in the place of a holder whose lease has lapsed.
    TakeOver,
    /// A holder comes back to it with a ticket.
    Resume,
    /// It is recorded as done.
    Record,
    /// An operator records what is known of it, which starts nothing.
    Import,
}

impl Entry {
    /// What a salvage may have lost of it could run again.
    fn asks_for_salvage(self) -> bool {
        self != Self::Import
    }

    fn adds_a_running_key(self) -> bool {
        matches!(self, Self::Run | Self::Resume)
    }

    /// A holder that comes back has an outcome to give, for which there is room.
    fn needs_free_disk(self) -> bool {
        self != Self::Resume
    }
}

impl Engine {
    /// Refuses to grant or to make a key where the store is closed, read-only, poisoned or salvaged,
    /// or at a limit. Called under the lock of the key's shard, right before the change, by whatever
    /// leads to a grant or to a new key. What holders do is no business of it.
    pub(crate) fn admit(
        &self,
        shard: &mut EngineShard,
        digest: Digest,
        policy: &Policy,
        entry: Entry,
    ) -> Result<()> {
        self.check_open()?;
        if entry.asks_for_salvage() {
            self.check_salvaged(policy)?;
        }
        let index = self.shards.index(digest);
        self.check_live_keys(shard, index, digest)?;
        if entry.adds_a_running_key() {
            self.check_running_keys(shard, index)?;
        }
        if entry.needs_free_disk() {
            self.check_disk(index, shard.running_keys())?;
        }
        Ok(())
    }

    /// Refuses a key that is not counted yet.
    fn check_live_keys(&self, shard: &mut EngineShard, index: usize, digest: Digest) -> Result<()> {
        let limit = self.options.limits.live_keys;
        let full = self.shards.has_keys(limit, index, shard.keys()) && !shard.has_slot(digest);
        // At the limit, keys of this shard that have expired make room first.
        if full && shard.sweep(self.journal.durable()) == 0 {
            return Err(at_capacity(format!(
                "the store remembers {limit} keys, which is the limit: wait for some to expire, or raise live_keys"
            )));
        }
        Ok(())
    }

    fn check_running_keys(&self, shard: &EngineShard, index: usize) -> Result<()> {
        let limit = self.options.limits.running_keys;
        if self.shards.has_running(limit, index, shard.running_keys()) {
            return Err(at_capacity(format!(
                "{limit} keys are running, which is the limit: complete some, or raise running_keys"
            )));
        }
        Ok(())
    }
}
