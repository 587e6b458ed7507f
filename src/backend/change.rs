//! [`Change`]: a row that takes the place of another one, if that is still the one that its writer saw.

use std::sync::Arc;

use crate::backend::key_ref::KeyRef;
use crate::backend::row::{HolderGuard, Row, RowState, Run};
use crate::value::fencing_token::FencingToken;

/// A row that takes the place of another one, if that is still the one that its writer saw.
#[expect(
    clippy::exhaustive_structs,
    reason = "a backend carries out each field"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub key: KeyRef,
    /// Of this change alone, never zero. A change that is sent again after an unknown outcome has the same one, so the
    /// backend recognises what it did.
    pub nonce: u128,
    pub expect: Expect,
    /// Carried out only while the lease of the expected row runs, by the clock of the server.
    pub only_leased: bool,
    /// The change has to survive the loss of the server's memory before it is acknowledged.
    pub durable: bool,
    pub next: Next,
}

/// What has to be there for a change to be carried out.
#[expect(clippy::exhaustive_enums, reason = "a backend checks each of them")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// No row, or one that has expired.
    Absent,
    /// The unexpired row with this nonce.
    Row(u128),
}

/// What a key becomes.
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend carries out each of them"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// The row is removed.
    Absent,
    Row(Box<Draft>),
}

/// A row to be written. What the server has to say of it is left to the server.
#[expect(clippy::exhaustive_structs, reason = "a backend stores each field")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub state: RowState,
    /// `None`: the server draws one that is higher than all that it ever gave.
    pub token: Option<FencingToken>,
    pub attempt: u32,
    pub first_claimed_at: Begins,
    pub recorded_at: Begins,
    pub expires: Ends,
    pub retention_secs: u32,
    pub body_omitted: bool,
    pub attached: bool,
    pub fingerprint: Arc<[u8]>,
    pub metadata: Arc<[u8]>,
    pub reason: Arc<[u8]>,
    pub body: Arc<[u8]>,
    pub run: Option<DraftRun>,
}

/// A [`Run`] to be written.
#[expect(clippy::exhaustive_structs, reason = "a backend stores each field")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftRun {
    pub process: u128,
    pub guard: HolderGuard,
    pub lease_ms: u64,
    pub lease_ends: LeaseEnd,
    pub claimed_at: Begins,
    pub metadata: Arc<[u8]>,
}

/// A second of the past.
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend carries out each of them"
)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begins {
    Now,
    At(u32),
}

/// The second from which a row counts as absent.
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend carries out each of them"
)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    Never,
    At(u32),
    /// So many seconds after the one in which the change is carried out.
    After(u32),
    /// So many seconds after the one in which the lease of the row ends.
    AfterLease(u32),
}

/// When a lease ends.
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend carries out each of them"
)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaseEnd {
    /// So many milliseconds after the change is carried out.
    AfterMs(u64),
    /// So many after it is carried out, or at this moment, whichever is later.
    AfterMsOrAt(u64, u64),
    At(u64),
}

/// What the server says of a row that it writes.
#[expect(clippy::exhaustive_structs, reason = "a backend fills in each field")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamps {
    /// The clock of the server when the change was carried out.
    pub now_ms: u64,
    /// The token that was drawn; for a draft that brings one, that.
    pub token: FencingToken,
    /// As [`Run::alive_until_ms`].
    pub alive_until_ms: u64,
}

/// The last second at which a row that expires at all may expire, as in the embedded store.
const LAST_EXPIRY: u32 = crate::value::time::LAST_EXPIRY;

fn second_of(ms: u64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or(LAST_EXPIRY)
}

impl Begins {
    /// The second that it is.
    #[must_use]
    pub fn second(self, now_ms: u64) -> u32 {
        match self {
            Self::Now => second_of(now_ms),
            Self::At(second) => second,
        }
    }
}

impl LeaseEnd {
    /// The moment that it is.
    #[must_use]
    pub fn moment_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::AfterMs(span) => now_ms.saturating_add(span),
            Self::AfterMsOrAt(span, at) => now_ms.saturating_add(span).max(at),
            Self::At(at) => at,
        }
    }
}

impl Ends {
    /// The second that it is, for a row that is written now, with a lease that ends then.
    #[must_use]
    pub fn second(self, now_ms: u64, lease_until_ms: u64) -> Option<u32> {
        let after =
            |from_ms: u64, secs: u32| second_of(from_ms).saturating_add(secs).min(LAST_EXPIRY);
        match self {
            Self::Never => None,
            Self::At(second) => Some(second),
            Self::After(secs) => Some(after(now_ms, secs)),
            Self::AfterLease(secs) => Some(after(lease_until_ms, secs)),
        }
    }
}

impl Draft {
    /// The row that the server has written.
    #[must_use]
    pub fn stamped(&self, nonce: u128, stamps: Stamps) -> Row {
        let now_ms = stamps.now_ms;
        let run = self.run.as_ref().map(|run| Run {
            process: run.process,
            guard: run.guard,
            lease_ms: run.lease_ms,
            lease_until_ms: run.lease_ends.moment_ms(now_ms),
            alive_until_ms: stamps.alive_until_ms,
            claimed_at: run.claimed_at.second(now_ms),
            metadata: Arc::clone(&run.metadata),
        });
        let lease_until_ms = run.as_ref().map_or(now_ms, |run| run.lease_until_ms);
        Row {
            nonce,
            state: self.state,
            token: stamps.token,
            attempt: self.attempt,
            first_claimed_at: self.first_claimed_at.second(now_ms),
            recorded_at: self.recorded_at.second(now_ms),
            expires_at: self.expires.second(now_ms, lease_until_ms),
            retention_secs: self.retention_secs,
            body_omitted: self.body_omitted,
            attached: self.attached,
            fingerprint: Arc::clone(&self.fingerprint),
            metadata: Arc::clone(&self.metadata),
            reason: Arc::clone(&self.reason),
            body: Arc::clone(&self.body),
            run,
        }
    }
}
