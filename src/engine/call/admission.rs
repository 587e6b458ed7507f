//! Admission: what a call has to pass before it grants a key or makes one, whichever call it is.

use crate::engine::refusals::at_capacity;
use crate::engine::turn::Turn;
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::policy::Policy;

/// What a call is about to do with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// A claim, or a waiter, is to run it.
    Run,
    /// As `Run`, in the place of a holder whose lease has lapsed.
    TakeOver,
    /// A holder comes back with a ticket to a key that runs.
    Attach,
    /// A holder comes back to it with a ticket.
    Resume,
    /// It is recorded as done.
    Record,
    /// An operator records what is known of it, which starts nothing.
    Import,
}

impl Admission {
    /// Whether the entry could run again what a salvage has lost.
    #[inline]
    fn asks_for_salvage(self) -> bool {
        self != Self::Import
    }

    /// Whether the key runs already: then no limit refuses it.
    #[inline]
    fn is_running_already(self) -> bool {
        self == Self::Attach
    }

    #[inline]
    fn adds_a_running_key(self) -> bool {
        matches!(self, Self::Run | Self::Resume)
    }

    /// A holder that comes back has an outcome to give, for which room was kept.
    #[inline]
    fn needs_free_disk(self) -> bool {
        self != Self::Resume
    }
}

impl Turn<'_> {
    /// Refuses to grant or to make a key if the store is closed, read-only, poisoned or salvaged, or at a
    /// limit. Every call that grants or makes a key asks this right before the change; commands of holders do
    /// not.
    #[inline]
    pub(in crate::engine) fn admit(
        &mut self,
        digest: Digest,
        policy: &Policy,
        entry: Admission,
    ) -> Result<()> {
        let engine = self.engine;
        engine.check_open()?;
        if entry.asks_for_salvage() {
            engine.check_salvaged(policy)?;
        }
        if entry.is_running_already() {
            return Ok(());
        }
        let index = engine.shards.index(digest);
        self.check_live_keys(index, digest)?;
        if entry.adds_a_running_key() {
            self.check_running_keys(index)?;
        }
        if entry.needs_free_disk() {
            engine.check_disk(index, self.shard.running_keys())?;
        }
        Ok(())
    }

    /// The token of a new holder, or of a new key.
    #[inline]
    pub(in crate::engine) fn admit_holder(
        &mut self,
        digest: Digest,
        policy: &Policy,
        entry: Admission,
    ) -> Result<FencingToken> {
        self.admit(digest, policy, entry)?;
        self.engine.tokens.next(&self.engine.journal)
    }

    /// The token of a change by an operator or a resolution, which supersedes the holder. It runs nothing, so
    /// no limit refuses it.
    pub(in crate::engine) fn admit_intervention(&self) -> Result<FencingToken> {
        self.engine.check_open()?;
        self.engine.tokens.next(&self.engine.journal)
    }

    /// Refuses a key that is not counted yet.
    #[inline]
    fn check_live_keys(&mut self, index: usize, digest: Digest) -> Result<()> {
        let (engine, shard) = (self.engine, &mut self.shard);
        let limit = engine.options.limits.live_keys;
        let full = engine.shards.has_keys(limit, index, shard.keys()) && !shard.has_slot(digest);
        // At the limit, keys of this shard that have expired make room first.
        if full && shard.sweep(engine.journal.durable()) == 0 {
            return Err(at_capacity(format!(
                "the store remembers {limit} keys, which is the limit: wait for some to expire, or raise live_keys"
            )));
        }
        Ok(())
    }

    #[inline]
    fn check_running_keys(&self, index: usize) -> Result<()> {
        let (engine, here) = (self.engine, self.shard.running_keys());
        let limit = engine.options.limits.running_keys;
        if engine.shards.has_running(limit, index, here) {
            return Err(at_capacity(format!(
                "{limit} keys are running, which is the limit: complete some, or raise running_keys"
            )));
        }
        Ok(())
    }
}
