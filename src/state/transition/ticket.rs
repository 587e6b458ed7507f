//! Whether a ticket becomes a lease again.

use crate::state::holder::Guard;
use crate::state::running::Running;
use crate::state::transition::settled::settled_state;
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};

/// Why a ticket does not become a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AttachRefusal {
    /// The key is not there.
    NotHeld,
    /// The key has its outcome.
    Settled,
    /// Its token is no longer current.
    Superseded,
    /// Its lease is held in this process.
    Held,
    /// It became a lease before, and how that ended is unknown.
    Used,
    /// Its holder has released the key, or died with its attempt: a claim goes on.
    Released,
}

/// Whether a ticket becomes a lease once: where its holder may have begun an effect that must not
/// run twice, or an attempt that counts.
pub(crate) fn attaches_once(policy: &Policy) -> bool {
    policy.guarantee == Guarantee::AtMostOnce || policy.max_attempts.is_some()
}

/// Judges a ticket of a running key.
pub(crate) fn attach_running<W: 'static>(
    running: &Running<W>,
    token: FencingToken,
) -> Result<(), AttachRefusal> {
    match running.holder.guard {
        _ if running.holder.token != token => Err(AttachRefusal::Superseded),
        Guard::Lease => Err(AttachRefusal::Held),
        Guard::Gone if attaches_once(&running.policy) => Err(AttachRefusal::Used),
        Guard::Ticket | Guard::Gone => Ok(()),
    }
}

/// Judges a ticket of a key that is not running, by its record.
pub(crate) fn attach_settled(
    record: &Record,
    token: FencingToken,
    policy: &Policy,
) -> Result<(), AttachRefusal> {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return Err(AttachRefusal::NotHeld);
    };
    match (state, record.head.kind) {
        // Whatever brought it about: the work is done, and here is what came of it.
        (KeyState::Completed | KeyState::Failed, _) => Err(AttachRefusal::Settled),
        _ if record.head.token != token => Err(AttachRefusal::Superseded),
        (_, RecordKind::InProgress) if !record.head.attached || !attaches_once(policy) => Ok(()),
        (KeyState::InDoubt, _) => Err(AttachRefusal::Used),
        _ => Err(AttachRefusal::Released),
    }
}
