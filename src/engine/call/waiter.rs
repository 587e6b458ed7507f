//! [`Waiter`]: a caller that waits for a key, and how its wait ends.

use std::sync::Arc;

use crate::engine::call::granted::Granted;
use crate::runtime::sync::Mailbox;
use crate::state::request::Request;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::record::Record;

/// A caller that waits for a key.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Later ones have higher places. A caller keeps its place when the key is handed on, and when it decides
    /// again: else each grant that is taken back would put it behind all who came since.
    pub(crate) place: u64,
    pub(crate) request: Request,
    /// Shut only under the lock of the shard, so the holder of that lock knows who still waits.
    pub(crate) mailbox: Mailbox<WaitEnd>,
}

/// How a wait ends.
#[derive(Debug)]
pub(crate) enum WaitEnd {
    Granted(Granted),
    /// The stored outcome, and the record's place.
    Settled(KeyState, Arc<Record>, Locator),
    InDoubt {
        record: Arc<Record>,
        /// The place of the record; `None` for a doubt that only a lapse makes.
        locator: Option<Locator>,
        /// The holder's guard is there, and may still settle the key.
        holder_alive: bool,
    },
    /// The deadline has come.
    TimedOut,
    /// The key has changed: decide again.
    Again,
}
