//! Epochs: each run takes one, and a copy of a store jumps far ahead.

use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::EPOCH_END;

/// Epochs that a restore or a salvage jumps over, so that no token of the original is granted again.
pub(crate) const EPOCH_JUMP: u32 = 1 << 16;

/// The epoch `by` after this one.
pub(crate) fn next_epoch(epoch: u32, by: u32) -> Result<u32> {
    match epoch.checked_add(by) {
        Some(next) if next < EPOCH_END => Ok(next),
        _ => Err(no_epoch_left()),
    }
}

pub(in crate::engine) fn no_epoch_left() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the store has taken 2^31 epochs, and no fencing token is left: bring its keys into a new store, by an export and an import",
    )
}
