//! [`Granted`]: a grant that is on its way to its holder.

use crate::state::running::Running;
use crate::value::blob::Blob;
use crate::value::fencing_token::FencingToken;
use crate::value::key_bytes::KeyBytes;

/// A grant that is on its way to its holder.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) key: KeyBytes,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) checkpoint: Blob,
    pub(crate) reason: Blob,
    pub(crate) first_claimed_at: u32,
    /// The frame to wait for before it may be handed out.
    pub(crate) rests_on: Option<u64>,
    /// It is on its way: [`Engine::start_lease`] hands it out.
    pub(crate) undelivered: bool,
}

impl Granted {
    /// That of a running key, which rests on nothing and is delivered.
    #[inline]
    pub(in crate::engine) fn of<W: 'static>(running: &Running<W>) -> Self {
        Self {
            key: running.key.clone(),
            token: running.holder.token,
            attempt: running.holder.attempt,
            checkpoint: running.rest.holder.checkpoint.clone(),
            reason: running.rest.reason.clone(),
            first_claimed_at: running.first_claimed_at,
            rests_on: None,
            undelivered: false,
        }
    }
}
