//! [`Running`]: a key that someone runs, in full.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::observe::stats::Column;
use crate::value::blob::Blob;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::Record;
use crate::value::time::{Now, millis};
use crate::wheel::TimerKey;

use crate::state::lapsed::Lapsed;
use crate::state::slot::{Place, Settled, Slot};
use crate::state::transition::Basis;

/// What a claim asks for, beside the key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) metadata: Blob,
    /// Who claims, for the audit log.
    pub(crate) actor: Blob,
    pub(crate) lease_ms: u64,
    /// How long the outcome is remembered, where the claim says so itself.
    pub(crate) retention: Option<Duration>,
    /// For how long the store renews the lease by itself, from when the grant is handed out.
    pub(crate) keep_alive_ms: u64,
}

impl Request {
    /// It says nothing that has to be kept beside the lease.
    pub(crate) fn is_plain(&self) -> bool {
        self.fingerprint.is_none()
            && self.metadata.is_empty()
            && self.actor.is_empty()
            && self.retention.is_none()
    }
}

/// The newest record of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastRecord {
    pub(crate) locator: Locator,
    pub(crate) expires_at: u32,
}

impl LastRecord {
    /// That of a settled key; none for one that was forgotten.
    pub(super) fn of(slot: Slot) -> Option<Self> {
        match slot.place() {
            Place::Running(_) | Place::Settled(Settled::Forgotten, _) => None,
            Place::Settled(_, locator) => Some(Self {
                locator,
                expires_at: slot.expires_at(),
            }),
        }
    }
}

/// Who will give a running key its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    /// A lease in this process.
    Lease,
    /// The caller that attaches its ticket.
    Ticket,
    /// Nobody any more: its holder was refused and went away, and the lease runs out.
    Nobody,
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

/// A key that someone runs, or ran until the lease lapsed. `W` is whoever waits for it.
///
/// Millions of keys can be in progress at once, and most have nothing in `rest`.
#[derive(Debug)]
pub(crate) struct Running<W> {
    pub(crate) digest: Digest,
    pub(crate) key: Arc<[u8]>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) token: FencingToken,
    pub(crate) lease_ms: u64,
    /// When the lease ends, on the monotonic clock.
    pub(crate) deadline_ms: u64,
    pub(crate) timer: Option<TimerKey>,
    pub(crate) namespace: NamespaceId,
    pub(crate) attempt: u32,
    pub(crate) first_claimed_at: u32,
    pub(crate) claimed_at: u32,
    /// When this run was granted, on the monotonic clock.
    pub(crate) granted_ms: u64,
    /// Where its namespace is counted.
    pub(crate) column: Column,
    pub(crate) guard: Guard,
    /// Invariant: the timer is set to [`timer_ms`](Self::timer_ms), which follows from this.
    pub(crate) awaits: Awaits,
    /// The newest record was written under this token.
    pub(crate) journaled: bool,
    /// The lease came of a ticket, and no ticket was made of it since.
    pub(crate) attached: bool,
    /// The grant is on its way, and the caller may yet be told something else: nothing
    /// can have run. Lowered under the lock of the shard when it is handed out.
    pub(crate) undelivered: bool,
    pub(crate) rest: Rare<W>,
}

const _: () = assert!(
    size_of::<Running<Arc<()>>>() <= 128,
    "a key in progress takes two cache lines, beside its key"
);

/// What only some running keys have.
#[derive(Debug)]
pub(crate) struct Rest<W> {
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
    /// The reason of the last release.
    pub(crate) reason: Blob,
    /// Until then the store itself renews the lease.
    pub(crate) keep_alive_until_ms: u64,
    /// The holder that this one took over from, to give the key back to if this grant is withdrawn.
    pub(crate) lapsed: Option<Box<Lapsed>>,
    /// What the key was before, while its newest record still says so.
    pub(crate) previous: Option<Slot>,
    /// The record that `previous` stood for.
    pub(crate) previous_record: Option<Arc<Record>>,
    /// Invariant: where the newest record of the key lies, kept until a newer one replaces it.
    pub(crate) last_record: Option<LastRecord>,
    /// By their places in the line, which no two in a store share: a caller that gives up leaves a line of
    /// any length in a moment.
    pub(crate) waiters: BTreeMap<u64, W>,
    /// Who wants to hear that the lease is lost.
    pub(crate) watchers: Vec<Waker>,
}

impl<W> Rest<W> {
    const fn new() -> Self {
        Self {
            fingerprint: None,
            metadata: Blob::EMPTY,
            actor: Blob::EMPTY,
            first_metadata: Blob::EMPTY,
            retention: None,
            checkpoint: Blob::EMPTY,
            reason: Blob::EMPTY,
            keep_alive_until_ms: 0,
            lapsed: None,
            previous: None,
            previous_record: None,
            last_record: None,
            waiters: BTreeMap::new(),
            watchers: Vec::new(),
        }
    }
}

/// A [`Rest`] that takes no memory until something is put into it.
#[derive(Debug)]
pub(crate) struct Rare<W>(Option<Box<Rest<W>>>);

impl<W> Rare<W> {
    pub(crate) const EMPTY: Self = Self(None);

    /// What a grant keeps beside the plain fields: what the request says, and what the key was before.
    pub(super) fn of_grant(
        basis: &Basis,
        request: Request,
        record: Option<Arc<Record>>,
        previous: Option<Slot>,
    ) -> Self {
        let mut rare = Self::EMPTY;
        let rest = rare.to_mut();
        rest.first_metadata = request.metadata.clone();
        rest.fingerprint = request.fingerprint;
        rest.metadata = request.metadata;
        rest.actor = request.actor;
        rest.retention = request.retention;
        if let Some(record) = record.as_deref().filter(|_| basis.same_request) {
            rest.fingerprint = record.fingerprint.clone().or(rest.fingerprint.take());
            rest.checkpoint = record.body.clone();
            rest.first_metadata = record.metadata.clone();
        }
        if let Some(record) = record.as_deref().filter(|_| basis.continues) {
            rest.reason = record.reason.clone();
        }
        rest.last_record = previous.and_then(LastRecord::of);
        rest.previous = previous;
        rest.previous_record = record;
        rare
    }

    pub(crate) fn to_mut(&mut self) -> &mut Rest<W> {
        self.0.get_or_insert_with(|| Box::new(Rest::new()))
    }

    /// What can be taken out, if anything was ever put in.
    pub(crate) fn get_mut(&mut self) -> Option<&mut Rest<W>> {
        self.0.as_deref_mut()
    }

    /// Those who wait, in the order in which they came.
    pub(crate) fn take_waiters(&mut self) -> VecDeque<W> {
        let waiters = self.get_mut().map(|rest| std::mem::take(&mut rest.waiters));
        waiters.unwrap_or_default().into_values().collect()
    }

    pub(crate) fn take_watchers(&mut self) -> Vec<Waker> {
        self.get_mut()
            .map(|rest| std::mem::take(&mut rest.watchers))
            .unwrap_or_default()
    }
}

impl<W: 'static> Deref for Rare<W> {
    type Target = Rest<W>;

    fn deref(&self) -> &Rest<W> {
        self.0.as_deref().unwrap_or(const { &Rest::new() })
    }
}

impl<W: 'static> Running<W> {
    /// When the lease ends, renewals by the store included.
    pub(crate) fn lease_end_ms(&self) -> u64 {
        self.deadline_ms.max(self.rest.keep_alive_until_ms)
    }

    /// When the timer has to fire, on the monotonic clock.
    pub(crate) fn timer_ms(&self) -> u64 {
        match self.awaits {
            Awaits::Lapse => self.lease_end_ms(),
            Awaits::Forgetting => self
                .lease_end_ms()
                .saturating_add(millis(self.policy.attempt_retention)),
            Awaits::Resolution => u64::MAX,
        }
    }

    /// What the timer stands for once the lapse was seen.
    pub(crate) fn after_lapse(&self) -> Awaits {
        match self.guarantee() {
            Guarantee::AtLeastOnce => Awaits::Forgetting,
            Guarantee::AtMostOnce => Awaits::Resolution,
        }
    }

    /// A lease in this process will give the outcome, as far as is known.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guard == Guard::Lease
    }

    pub(crate) fn is_lapsed(&self, now: Now) -> bool {
        self.lease_end_ms() <= now.mono_ms
    }

    /// What a caller who has to come back is told.
    pub(crate) fn lease_left_ms(&self, now: Now) -> u64 {
        self.lease_end_ms()
            .saturating_sub(now.mono_ms)
            .min(self.lease_ms.max(1))
    }

    pub(crate) fn guarantee(&self) -> Guarantee {
        self.policy.guarantee
    }

    /// A lapsed key that nobody took over: in doubt, where an effect must not run twice. A grant
    /// that was never handed out has begun none.
    pub(crate) fn is_in_doubt(&self, now: Now) -> bool {
        self.guarantee() == Guarantee::AtMostOnce && self.is_lapsed(now) && !self.undelivered
    }

    /// No further attempt is allowed.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.policy
            .max_attempts
            .is_some_and(|most| self.attempt >= most)
    }
}
