//! [`Row`]: a key's whole state after one transition, as a backend keeps it.

use std::sync::Arc;

use crate::value::fencing_token::FencingToken;
use crate::value::time::LAST_EXPIRY;

/// What a row says its key is.
#[expect(clippy::exhaustive_enums, reason = "a backend stores each of them")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowState {
    /// A holder runs it, or ran it until its lease lapsed: the row has a [`Run`].
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

/// A key's whole state after one transition. Times are those of the server: seconds or milliseconds since 1970.
#[expect(clippy::exhaustive_structs, reason = "a backend stores each field")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The nonce of the change that wrote this row, which no other change has: the version of the row.
    pub nonce: u128,
    pub state: RowState,
    pub token: FencingToken,
    /// Runs so far, this one included.
    pub attempt: u32,
    /// The second of the first claim of the key.
    pub first_claimed_at: u32,
    /// The second of the transition.
    pub recorded_at: u32,
    /// The second from which the row counts as absent; `None`: it never does.
    pub expires_at: Option<u32>,
    /// How long the claim asked for its outcome to be remembered, in seconds; zero: the policy's.
    pub retention_secs: u32,
    /// The outcome was recorded without its bytes.
    pub body_omitted: bool,
    /// The ticket of this token was turned into a lease, which may have begun the effect.
    pub attached: bool,
    /// The fingerprint of the request in the encoding of `docs/format.md`; empty without one.
    pub fingerprint: Arc<[u8]>,
    /// The metadata of the first claim of the request.
    pub metadata: Arc<[u8]>,
    /// The last reason given for a release or a doubt.
    pub reason: Arc<[u8]>,
    /// The response, the error, or the checkpoint.
    pub body: Arc<[u8]>,
    /// Who runs the key: of each row [in progress](RowState::InProgress); and of one in doubt whose holder may be alive.
    pub run: Option<Run>,
}

/// Who will give a key its outcome.
#[expect(clippy::exhaustive_enums, reason = "a backend stores each of them")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolderGuard {
    /// A lease of a process.
    Lease,
    /// The caller that attaches its ticket.
    Ticket,
    /// No guard any more: the lease runs out.
    Gone,
}

/// Who runs a key.
#[expect(clippy::exhaustive_structs, reason = "a backend stores each field")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The process of the holder; zero without one. A run that waits for a ticket does not end with it.
    pub process: u128,
    pub guard: HolderGuard,
    /// The length of the lease.
    pub lease_ms: u64,
    /// When the lease ends.
    pub lease_until_ms: u64,
    /// When the process counts as gone if it sends no sign of life: its last one and the span that it gave.
    /// [`u64::MAX`] without a process, zero for one that has left. A backend keeps it by process, not by row.
    pub alive_until_ms: u64,
    /// The second of the claim of this holder.
    pub claimed_at: u32,
    /// The metadata of this holder.
    pub metadata: Arc<[u8]>,
}

impl Run {
    /// When the run ends without a sign of life: with its lease, or with the process that has it.
    #[must_use]
    pub fn ends_ms(&self) -> u64 {
        match self.guard {
            HolderGuard::Lease => self.lease_until_ms.min(self.alive_until_ms),
            HolderGuard::Ticket | HolderGuard::Gone => self.lease_until_ms,
        }
    }
}

impl Row {
    /// Who runs the key, if it is in progress.
    #[must_use]
    pub fn running(&self) -> Option<&Run> {
        let run = self.run.as_ref();
        run.filter(|_| self.state == RowState::InProgress)
    }

    /// Whether the row counts at this moment of the server.
    #[must_use]
    pub fn is_alive(&self, now_ms: u64) -> bool {
        // Past the last second that a row can name, nothing expires any more.
        let second = (now_ms / 1000).min(u64::from(LAST_EXPIRY) - 1);
        self.expires_at
            .is_none_or(|expires_at| u64::from(expires_at) > second)
    }
}
