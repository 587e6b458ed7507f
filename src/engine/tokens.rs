//! [`Tokens`]: fencing tokens, each higher than every one before it, and the epochs that they are drawn in.

use crossbeam_utils::CachePadded;

use crate::journal::Journal;
use crate::runtime::sync::{AtomicU32, AtomicU64, Ordering};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::{EPOCH_END, FencingToken};

/// Epochs that a restore or a salvage jumps over, so that no token of the original is granted again.
pub(crate) const EPOCH_JUMP: u32 = 1 << 16;

/// The tokens of a run.
#[derive(Debug)]
pub(in crate::engine) struct Tokens {
    /// The next token as a number; a counter that runs out carries into the epoch.
    next: CachePadded<AtomicU64>,
    /// The last epoch that is on the medium.
    durable_epoch: AtomicU32,
}

impl Tokens {
    /// Those of a run whose epoch is on the medium.
    pub(in crate::engine) fn new(epoch: u32, first_counter: u64) -> Self {
        let first = FencingToken::new(epoch, first_counter);
        Self {
            next: CachePadded::new(AtomicU64::new(first.as_u64())),
            durable_epoch: AtomicU32::new(epoch),
        }
    }

    /// The next token, higher than every one before it. Its epoch is on the medium.
    #[inline]
    pub(in crate::engine) fn next(&self, journal: &Journal) -> Result<FencingToken> {
        let token = FencingToken::from_u64(self.next.fetch_add(1, Ordering::Relaxed));
        let token = token.ok_or_else(no_epoch_left)?;
        // Acquire pairs with the release below: an epoch that is seen here is on the medium.
        if token.epoch() > self.durable_epoch.load(Ordering::Acquire) {
            self.take_epoch(token.epoch(), journal)?;
        }
        Ok(token)
    }

    /// Makes an epoch durable that a counter has run into: once in 2^32 tokens.
    fn take_epoch(&self, epoch: u32, journal: &Journal) -> Result<()> {
        if epoch >= EPOCH_END {
            return Err(no_epoch_left());
        }
        journal.raise_epoch(epoch)?;
        self.durable_epoch.fetch_max(epoch, Ordering::Release);
        Ok(())
    }
}

/// The epoch `by` after this one.
pub(crate) fn next_epoch(epoch: u32, by: u32) -> Result<u32> {
    match epoch.checked_add(by) {
        Some(next) if next < EPOCH_END => Ok(next),
        _ => Err(no_epoch_left()),
    }
}

fn no_epoch_left() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the store has taken 2^31 epochs, and no fencing token is left: bring its keys into a new store with an export and an import",
    )
}
