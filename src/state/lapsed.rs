//! [`Lapsed`]: the holder that a grant took over from after a lapse.

use std::time::Duration;

use crate::state::running::{Awaits, Guard, Request, Running};
use crate::state::transition::Basis;
use crate::value::blob::Blob;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::time::Now;

/// The holder that a grant took over from after a lapse: all of a running key that the grant
/// replaced. Its late outcome counts again once the grant is withdrawn.
#[derive(Clone, Debug)]
pub(crate) struct Lapsed {
    token: FencingToken,
    attempt: u32,
    claimed_at: u32,
    granted_ms: u64,
    lease_ms: u64,
    deadline_ms: u64,
    keep_alive_until_ms: u64,
    guard: Guard,
    awaits: Awaits,
    journaled: bool,
    attached: bool,
    fingerprint: Option<Fingerprint>,
    metadata: Blob,
    actor: Blob,
    first_metadata: Blob,
    retention: Option<Duration>,
    checkpoint: Blob,
}

impl Lapsed {
    fn of<W: 'static>(running: &Running<W>) -> Self {
        let rest = &running.rest;
        Self {
            token: running.token,
            attempt: running.attempt,
            claimed_at: running.claimed_at,
            granted_ms: running.granted_ms,
            lease_ms: running.lease_ms,
            deadline_ms: running.deadline_ms,
            keep_alive_until_ms: rest.keep_alive_until_ms,
            guard: running.guard,
            awaits: running.awaits,
            journaled: running.journaled,
            attached: running.attached,
            fingerprint: rest.fingerprint.clone(),
            metadata: rest.metadata.clone(),
            actor: rest.actor.clone(),
            first_metadata: rest.first_metadata.clone(),
            retention: rest.retention,
            checkpoint: rest.checkpoint.clone(),
        }
    }
}

impl<W: 'static> Running<W> {
    /// Makes someone else the holder of a lapsed key, under a higher token.
    pub(super) fn take_over(
        &mut self,
        token: FencingToken,
        request: Request,
        basis: &Basis,
        now: Now,
    ) {
        let lapsed = Box::new(Lapsed::of(self));
        self.token = token;
        self.attempt = basis.attempt;
        self.claimed_at = now.store_secs;
        self.granted_ms = now.mono_ms;
        self.lease_ms = request.lease_ms;
        self.deadline_ms = now.mono_ms.saturating_add(request.lease_ms);
        self.guard = Guard::Lease;
        self.awaits = Awaits::Lapse;
        self.journaled = false;
        self.attached = false;
        self.undelivered = false;
        let rest = self.rest.to_mut();
        if basis.same_request {
            rest.fingerprint = rest.fingerprint.take().or(request.fingerprint);
        } else {
            rest.fingerprint = request.fingerprint;
            rest.checkpoint = Blob::EMPTY;
            rest.first_metadata = request.metadata.clone();
        }
        rest.metadata = request.metadata;
        rest.actor = request.actor;
        rest.retention = request.retention;
        rest.keep_alive_until_ms = 0;
        rest.lapsed = Some(lapsed);
    }

    /// Makes the holder current again that the last grant took over from. False where there is none.
    pub(super) fn give_back(&mut self) -> bool {
        let lapsed = self.rest.get_mut().and_then(|rest| rest.lapsed.take());
        let Some(lapsed) = lapsed else { return false };
        self.token = lapsed.token;
        self.attempt = lapsed.attempt;
        self.claimed_at = lapsed.claimed_at;
        self.granted_ms = lapsed.granted_ms;
        self.lease_ms = lapsed.lease_ms;
        self.deadline_ms = lapsed.deadline_ms;
        self.guard = lapsed.guard;
        self.awaits = lapsed.awaits;
        self.journaled = lapsed.journaled;
        self.attached = lapsed.attached;
        // It was handed out: one that was not is taken back when its lease ends, never taken over.
        self.undelivered = false;
        let rest = self.rest.to_mut();
        rest.keep_alive_until_ms = lapsed.keep_alive_until_ms;
        rest.fingerprint = lapsed.fingerprint;
        rest.metadata = lapsed.metadata;
        rest.actor = lapsed.actor;
        rest.first_metadata = lapsed.first_metadata;
        rest.retention = lapsed.retention;
        rest.checkpoint = lapsed.checkpoint;
        true
    }
}
