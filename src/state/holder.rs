//! [`Holder`]: who runs a key, and what a grant to another holder replaces.

use std::time::Duration;

use crate::state::request::Request;
use crate::value::blob::Blob;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::time::Now;

/// The party that will give a running key its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    /// A lease in this process.
    Lease,
    /// The caller that attaches its ticket.
    Ticket,
    /// No guard any more: its holder was refused and went away, and the lease runs out.
    Gone,
}

/// What the timer of a running key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaits {
    /// The lease ends.
    Lapse,
    /// The lease has ended, and all that had to hear of it have: the key is forgotten when it has been
    /// kept for long enough.
    Forgetting,
    /// The same of a key that is in doubt, which no time settles.
    Resolution,
}

/// Who runs a key, and by when: all that a grant to another holder replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) token: FencingToken,
    pub(crate) lease_ms: u64,
    /// When the lease ends, on the monotonic clock.
    pub(crate) deadline_ms: u64,
    /// When this run was granted, on the monotonic clock.
    pub(crate) granted_ms: u64,
    pub(crate) attempt: u32,
    pub(crate) claimed_at: u32,
    pub(crate) guard: Guard,
    /// Invariant: the timer of the key is set to what follows from this.
    pub(crate) awaits: Awaits,
    /// The newest record was written under this token.
    pub(crate) journaled: bool,
    /// The lease came of a ticket, and no ticket was made of it since.
    pub(crate) attached: bool,
    /// The grant is on its way, and the caller may yet be told something else: nothing
    /// can have run. Lowered under the lock of the shard when it is handed out.
    pub(crate) undelivered: bool,
}

impl Holder {
    /// The holder that a grant makes now.
    #[inline]
    pub(super) fn new(token: FencingToken, attempt: u32, lease_ms: u64, now: Now) -> Self {
        Self {
            token,
            lease_ms,
            deadline_ms: now.mono_ms.saturating_add(lease_ms),
            granted_ms: now.mono_ms,
            attempt,
            claimed_at: now.store_secs,
            guard: Guard::Lease,
            awaits: Awaits::Lapse,
            journaled: false,
            attached: false,
            undelivered: false,
        }
    }
}

/// What only some holders have.
#[derive(Clone, Debug)]
pub(crate) struct HolderRest {
    /// The stored one where the request is the same, else what the holder sent.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The metadata of the holder.
    pub(crate) metadata: Blob,
    /// Who the holder is, for the audit log.
    pub(crate) actor: Blob,
    /// The metadata of the first claim of this request: what is written and answered.
    pub(crate) first_metadata: Blob,
    /// How long the outcome is remembered, where the claim says so itself.
    pub(crate) retention: Option<Duration>,
    pub(crate) checkpoint: Blob,
    /// Until then the store itself renews the lease.
    pub(crate) keep_alive_until_ms: u64,
}

impl HolderRest {
    pub(super) const EMPTY: Self = Self {
        fingerprint: None,
        metadata: Blob::EMPTY,
        actor: Blob::EMPTY,
        first_metadata: Blob::EMPTY,
        retention: None,
        checkpoint: Blob::EMPTY,
        keep_alive_until_ms: 0,
    };

    /// What a request says by itself.
    #[inline]
    pub(super) fn new(request: Request) -> Self {
        let parts = request.parts.map(|parts| *parts).unwrap_or_default();
        Self {
            fingerprint: parts.fingerprint,
            first_metadata: parts.metadata.clone(),
            metadata: parts.metadata,
            actor: parts.actor,
            retention: parts.retention,
            ..Self::EMPTY
        }
    }

    /// The same, where the request has run before: its fingerprint, first metadata and checkpoint stay.
    pub(super) fn go_on(
        self,
        fingerprint: Option<Fingerprint>,
        first_metadata: Blob,
        checkpoint: Blob,
    ) -> Self {
        Self {
            fingerprint: fingerprint.or(self.fingerprint),
            first_metadata,
            checkpoint,
            ..self
        }
    }
}

/// The holder that a grant took over from after a lapse. Its late outcome counts again once the grant is
/// withdrawn.
#[derive(Clone, Debug)]
pub(crate) struct Lapsed {
    pub(super) holder: Holder,
    pub(super) rest: HolderRest,
}
