//! [`Running`]: a key that someone runs, in full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::clock::Now;
use crate::fingerprint::Fingerprint;
use crate::key::{Digest, FencingToken, NamespaceId};
use crate::options::{Guarantee, Policy};
use crate::record::{Locator, Record};
use crate::wheel::TimerKey;

use super::table::Slot;

/// What a claim asks for, beside the key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) metadata: Arc<[u8]>,
    pub(crate) lease_ms: u64,
    /// How long the outcome is remembered, where the claim says so itself.
    pub(crate) retention: Option<Duration>,
}

/// The newest record of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastRecord {
    pub(crate) locator: Locator,
    pub(crate) expires_at: u32,
}

/// A key that someone runs, or ran until the lease lapsed. `W` is whoever waits for it.
#[derive(Debug)]
pub(crate) struct Running<W> {
    pub(crate) digest: Digest,
    pub(crate) namespace: NamespaceId,
    pub(crate) policy: Arc<Policy>,
    pub(crate) key: Arc<[u8]>,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) first_claimed_at: u32,
    pub(crate) claimed_at: u32,
    /// What the holder asked for; the fingerprint is the stored one where the request is the same.
    pub(crate) request: Request,
    /// The metadata of the first claim of this request: what is written and answered.
    pub(crate) first_metadata: Arc<[u8]>,
    pub(crate) checkpoint: Arc<[u8]>,
    /// The reason of the last release.
    pub(crate) reason: Arc<[u8]>,
    /// When the lease ends, on the monotonic clock.
    pub(crate) deadline_ms: u64,
    /// Until then the store itself renews the lease.
    pub(crate) keep_alive_until_ms: u64,
    /// A guard in this process will give an outcome.
    pub(crate) guard_alive: bool,
    /// The lease has ended, and whoever had to hear of it has.
    pub(crate) lapse_seen: bool,
    /// What the key was before, while its newest record still says so.
    pub(crate) previous: Option<Slot>,
    /// The record that `previous` stood for.
    pub(crate) previous_record: Option<Arc<Record>>,
    /// Invariant: where the newest record of the key lies, kept until a newer one replaces it.
    pub(crate) last_record: Option<LastRecord>,
    /// The newest record was written under this token.
    pub(crate) journaled: bool,
    pub(crate) waiters: VecDeque<W>,
    /// Who wants to hear that the lease is lost.
    pub(crate) watchers: Vec<Waker>,
    pub(crate) timer: Option<TimerKey>,
}

impl<W> Running<W> {
    /// When the lease ends, renewals by the store included.
    pub(crate) fn lease_end_ms(&self) -> u64 {
        self.deadline_ms.max(self.keep_alive_until_ms)
    }

    pub(crate) fn is_lapsed(&self, now: Now) -> bool {
        self.lease_end_ms() <= now.mono_ms
    }

    /// What a caller who has to come back is told.
    pub(crate) fn lease_left_ms(&self, now: Now) -> u64 {
        self.lease_end_ms()
            .saturating_sub(now.mono_ms)
            .min(self.request.lease_ms.max(1))
    }

    pub(crate) fn guarantee(&self) -> Guarantee {
        self.policy.guarantee
    }

    /// A lapsed key that nobody took over: in doubt, where an effect must not run twice.
    pub(crate) fn is_in_doubt(&self, now: Now) -> bool {
        self.guarantee() == Guarantee::AtMostOnce && self.is_lapsed(now)
    }

    /// No further attempt is allowed.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.policy
            .max_attempts
            .is_some_and(|most| self.attempt >= most)
    }
}
