//! Fencing tokens: the next one is higher than every one before it, and its epoch is on the medium.

use crate::engine::engine::Engine;
use crate::engine::epochs::no_epoch_left;
use crate::runtime::sync::Ordering;
use crate::value::error::Result;
use crate::value::fencing_token::{EPOCH_END, FencingToken};

impl Engine {
    /// The next token, higher than every one before it.
    pub(crate) fn next_token(&self) -> Result<FencingToken> {
        let token = FencingToken::from_u64(self.next_token.fetch_add(1, Ordering::Relaxed));
        let token = token.ok_or_else(no_epoch_left)?;
        // Acquire pairs with the release below: an epoch that is seen here is on the medium.
        if token.epoch() > self.durable_epoch.load(Ordering::Acquire) {
            self.take_epoch(token.epoch())?;
        }
        Ok(token)
    }

    /// Makes an epoch durable that a counter has run into: once in 2^32 tokens.
    fn take_epoch(&self, epoch: u32) -> Result<()> {
        if epoch >= EPOCH_END {
            return Err(no_epoch_left());
        }
        self.journal.raise_epoch(epoch)?;
        self.durable_epoch.fetch_max(epoch, Ordering::Release);
        Ok(())
    }
}
