//! [`Running`]: a running key, in full.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;

use crate::observe::tallies::Column;
use crate::value::blob::Blob;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};
use crate::value::time::{NEVER, Now, millis};
use crate::wheel::TimerKey;

use crate::state::holder::{Awaits, Guard, Holder, HolderRest, Lapsed};
use crate::state::last_record::LastRecord;
use crate::state::request::Request;
use crate::state::slot::Slot;
use crate::state::transition::Basis;

/// A key that is running, or ran until its lease lapsed. `W` is a caller that waits for it.
///
/// Millions of keys can be in progress at once, and most have nothing in `rest`.
#[derive(Debug)]
pub(crate) struct Running<W> {
    pub(crate) digest: Digest,
    pub(crate) key: KeyBytes,
    pub(crate) policy: Arc<Policy>,
    pub(crate) holder: Holder,
    /// Invariant: it is set to [`timer_ms`](Self::timer_ms), which follows from what the holder awaits.
    pub(crate) timer: Armed,
    pub(crate) namespace: NamespaceId,
    pub(crate) first_claimed_at: u32,
    /// Where its namespace is counted.
    pub(crate) column: Column,
    pub(crate) rest: Rare<W>,
}

const _: () = assert!(
    size_of::<Running<Arc<()>>>() <= 152,
    "a key in progress takes less than two and a half cache lines, its key included"
);

/// What calls a running key when its time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Armed {
    /// Nothing: its time has come, or is about to be set.
    No,
    /// The queue of leases that are as long as this one.
    Queued,
    Timer(TimerKey),
}

/// What only some running keys have.
#[derive(Debug)]
pub(crate) struct Rest<W> {
    pub(crate) holder: HolderRest,
    /// The reason of the last release.
    pub(crate) reason: Blob,
    /// The holder that this one took over from, to give the key back to if this grant is withdrawn.
    pub(crate) lapsed: Option<Box<Lapsed>>,
    /// What the key was before, while its newest record still says so.
    pub(crate) previous: Option<Slot>,
    /// The record that `previous` stood for.
    pub(crate) previous_record: Option<Arc<Record>>,
    /// Invariant: where the newest record of the key lies, kept until a newer one replaces it.
    pub(crate) last_record: Option<LastRecord>,
    /// Once it has lapsed, the key is not forgotten before this moment of the monotonic clock.
    pub(crate) kept_until_ms: u64,
    /// By their places in the line, which no two in a store share: a caller that gives up leaves a line of
    /// any length in a moment.
    pub(crate) waiters: BTreeMap<u64, W>,
    /// The watchers of the lease.
    pub(crate) watchers: Vec<Waker>,
}

impl<W> Rest<W> {
    const fn new() -> Self {
        Self {
            holder: HolderRest::EMPTY,
            reason: Blob::EMPTY,
            lapsed: None,
            previous: None,
            previous_record: None,
            last_record: None,
            kept_until_ms: 0,
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
        let holder = HolderRest::new(request);
        rest.holder = match record.as_deref().filter(|_| basis.same_request) {
            Some(record) => holder.go_on(
                record.fingerprint.clone(),
                record.metadata.clone(),
                record.body.apart(),
            ),
            None => holder,
        };
        if let Some(record) = record.as_deref().filter(|_| basis.continues) {
            rest.reason = record.reason.clone();
        }
        rest.last_record = previous.and_then(LastRecord::of);
        rest.previous = previous;
        rest.previous_record = record.map(Record::apart);
        rare
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn to_mut(&mut self) -> &mut Rest<W> {
        self.0.get_or_insert_with(|| Box::new(Rest::new()))
    }

    /// What can be taken out, if anything was ever put in.
    pub(crate) fn get_mut(&mut self) -> Option<&mut Rest<W>> {
        self.0.as_deref_mut()
    }

    /// The waiting callers, in the order in which they came.
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

/// A running key that has ended: what those who deal with that need.
#[derive(Debug)]
pub(crate) struct EndedRun<W> {
    pub(crate) digest: Digest,
    pub(crate) column: Column,
    /// When the run was granted, on the monotonic clock.
    pub(crate) granted_ms: u64,
    pub(crate) policy: Arc<Policy>,
    pub(crate) rest: Rare<W>,
}

impl<W> From<Running<W>> for EndedRun<W> {
    #[inline]
    fn from(running: Running<W>) -> Self {
        Self {
            digest: running.digest,
            column: running.column,
            granted_ms: running.holder.granted_ms,
            policy: running.policy,
            rest: running.rest,
        }
    }
}

impl<W: 'static> Running<W> {
    /// Makes another caller the holder of a lapsed key, under a higher token.
    pub(super) fn take_over(
        &mut self,
        token: FencingToken,
        request: Request,
        basis: &Basis,
        now: Now,
    ) {
        let holder = Holder::new(token, basis.attempt, request.lease_ms, now);
        let lapsed = std::mem::replace(&mut self.holder, holder);
        let rest = self.rest.to_mut();
        let before = std::mem::replace(&mut rest.holder, HolderRest::new(request));
        if basis.same_request {
            let after = std::mem::replace(&mut rest.holder, HolderRest::EMPTY);
            rest.holder = after.go_on(
                before.fingerprint.clone(),
                before.first_metadata.clone(),
                before.checkpoint.clone(),
            );
        }
        rest.lapsed = Some(Box::new(Lapsed {
            holder: lapsed,
            rest: before,
        }));
    }

    /// Makes the holder current again that the last grant took over from. False if there was no such holder.
    pub(super) fn give_back(&mut self) -> bool {
        let rest = self.rest.get_mut();
        let lapsed = rest.and_then(|rest| Some((rest.lapsed.take()?, &mut rest.holder)));
        let Some((lapsed, rest)) = lapsed else {
            return false;
        };
        self.holder = Holder {
            // It was handed out: one that was not is taken back when its lease ends, never taken over.
            undelivered: false,
            ..lapsed.holder
        };
        *rest = lapsed.rest;
        true
    }

    /// When the lease ends, renewals by the store included.
    #[inline]
    pub(crate) fn lease_end_ms(&self) -> u64 {
        self.holder
            .deadline_ms
            .max(self.rest.holder.keep_alive_until_ms)
    }

    /// When the timer has to fire, on the monotonic clock.
    #[inline]
    pub(crate) fn timer_ms(&self) -> u64 {
        match self.holder.awaits {
            Awaits::Lapse => self.lease_end_ms(),
            Awaits::Forgetting => self
                .lease_end_ms()
                .saturating_add(millis(self.policy.attempt_retention))
                .max(self.rest.kept_until_ms),
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

    /// Keeps a lapsed key until the record of the holder before has expired; false if there is no such record. Store time may
    /// be slower than the clock of the leases, and that holder would be let in again by a record that outlives its
    /// successor.
    pub(crate) fn keep_superseding(&mut self, now: Now) -> bool {
        let last = self.rest.last_record.filter(|_| self.supersedes_record());
        let Some(last) = last.filter(|last| last.expires_at > now.store_secs) else {
            return false;
        };
        let left_ms = u64::from(last.expires_at - now.store_secs).saturating_mul(1000);
        self.rest.to_mut().kept_until_ms = match last.expires_at {
            NEVER => u64::MAX,
            _ => now.mono_ms.saturating_add(left_ms),
        };
        true
    }

    /// Whether the newest record is that of an earlier holder, which could settle the key by it.
    fn supersedes_record(&self) -> bool {
        let is_of_holder = |record: &Record| record.head.kind == RecordKind::InProgress;
        let taken_over = self.rest.previous.is_none();
        !self.holder.journaled
            && (taken_over
                || self
                    .rest
                    .previous_record
                    .as_deref()
                    .is_some_and(is_of_holder))
    }

    /// Whether a lease in this process is expected to give the outcome.
    pub(crate) fn is_guarded(&self) -> bool {
        self.holder.guard == Guard::Lease
    }

    #[inline]
    pub(crate) fn is_lapsed(&self, now: Now) -> bool {
        self.lease_end_ms() <= now.mono_ms
    }

    /// The wait after which a caller should come back.
    pub(crate) fn lease_left_ms(&self, now: Now) -> u64 {
        self.lease_end_ms()
            .saturating_sub(now.mono_ms)
            .min(self.holder.lease_ms.max(1))
    }

    #[inline]
    pub(crate) fn guarantee(&self) -> Guarantee {
        self.policy.guarantee
    }

    /// A lapsed key that was not taken over: in doubt, where an effect must not run twice. A grant
    /// that was never handed out has begun none.
    pub(crate) fn is_in_doubt(&self, now: Now) -> bool {
        self.guarantee() == Guarantee::AtMostOnce && self.is_lapsed(now) && !self.holder.undelivered
    }

    /// The state of the key, for answers.
    pub(crate) fn state(&self, now: Now) -> KeyState {
        if self.is_in_doubt(now) {
            KeyState::InDoubt
        } else {
            KeyState::InProgress
        }
    }

    /// No further attempt is allowed.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.policy
            .max_attempts
            .is_some_and(|most| self.holder.attempt >= most)
    }
}
