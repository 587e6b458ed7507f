//! What a change of a key is made of before the lock of its shard is taken.

use crate::journal::tail::Replaced;
use crate::state::last_record::LastRecord;

/// What an outcome comes to before the lock of its shard is taken.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// The parts of a body that is larger than a frame.
    pub(crate) parts: Vec<Vec<u8>>,
    /// The digest of the body, where it goes into an audit entry.
    pub(crate) outcome: Option<u128>,
}

pub(crate) fn replaced(last: Option<LastRecord>) -> Option<Replaced> {
    last.map(|last| Replaced {
        locator: last.locator,
        expires_at: last.expires_at,
    })
}
