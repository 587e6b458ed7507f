//! [`Shard`]: one part of the key space, without its lock.

use std::sync::Arc;

use crate::observe::tallies::Tallies;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Head, RecordKind};
use crate::value::time::{NEVER, Now};
use crate::wheel::TimerKey;

use crate::state::found::Found;
use crate::state::grant::Grant;
use crate::state::holder::{Awaits, Holder};
use crate::state::last_record::LastRecord;
use crate::state::ranked::{Doubts, Known, Ranked};
use crate::state::removal::Removal;
use crate::state::request::Request;
use crate::state::running::{Armed, EndedRun, Rare, Running};
use crate::state::slab::{Slab, SlabRef};
use crate::state::slot::{Place, Settled, Slot};
use crate::state::table::{Location, Table};
use crate::state::timers::{Timer, Timers};
use crate::state::transition::{Basis, settled_state};

/// Slots, running keys and their timers.
#[derive(Debug)]
pub(crate) struct Shard<W> {
    table: Table,
    /// Invariant: every slot of a key in doubt has its entry here; an entry without one has expired.
    doubts: Doubts,
    /// Invariant: every cell is named by exactly one slot, that of its digest.
    running: Slab<Running<W>>,
    timers: Timers<W>,
    /// Slots that expired up to here may go; it follows the live counts of the log.
    expired_secs: u32,
    /// Policies that were granted under lately, each with the copy that this shard's keys share: so
    /// threads in different shards do not write to one count.
    policies: Vec<(Arc<Policy>, Arc<Policy>)>,
    pub(crate) tallies: Tallies,
}

/// Why a running key is found that a slot has named.
const NAMED_IS_THERE: &str = "a slot names a running key that is there";

/// Policies that a shard has a copy of at once. A key keeps the one that it was granted under.
const POLICIES_MAX: usize = 8;

impl<W: 'static> Shard<W> {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            table: Table::default(),
            doubts: Doubts::default(),
            running: Slab::new(),
            timers: Timers::new(now_ms),
            expired_secs: 0,
            policies: Vec::new(),
            tallies: Tallies::default(),
        }
    }

    #[inline]
    pub(crate) fn find(&self, digest: Digest, store_secs: u32) -> Found {
        let Some(slot) = self.table.get(digest) else {
            return Found::Absent;
        };
        match slot.place() {
            Place::Running(at) => Found::Running(at),
            Place::Settled(Settled::Forgotten, locator) => Found::Forgotten(locator),
            Place::Settled(..) if slot.is_expired(store_secs) => Found::Absent,
            Place::Settled(settled, locator) => Found::Settled(slot, settled, locator),
        }
    }

    /// Brings the slots of these keys near, before they are looked at one by one.
    pub(crate) fn touch(&self, digests: impl Iterator<Item = Digest>) {
        let read = digests.fold(0, |read, digest| read ^ self.table.touch(digest));
        std::hint::black_box(read);
    }

    #[inline]
    pub(crate) fn get(&self, at: SlabRef) -> Option<&Running<W>> {
        self.running.get(at)
    }

    /// The running key that [`find`](Self::find) named, under the same lock.
    #[inline]
    pub(crate) fn running_at(&self, at: SlabRef) -> &Running<W> {
        self.running.get(at).expect(NAMED_IS_THERE)
    }

    /// As [`running_at`](Self::running_at), to change it.
    #[inline]
    pub(crate) fn running_at_mut(&mut self, at: SlabRef) -> &mut Running<W> {
        self.running.get_mut(at).expect(NAMED_IS_THERE)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: SlabRef) -> Option<&mut Running<W>> {
        self.running.get_mut(at)
    }

    /// Whether the key is counted among [`keys`](Self::keys), expired or not.
    pub(crate) fn has_slot(&self, digest: Digest) -> bool {
        self.table.get(digest).is_some()
    }

    /// The newest record of a key, expired or not; none for a key that was forgotten.
    #[inline]
    pub(crate) fn last_record(&self, digest: Digest) -> Option<LastRecord> {
        let slot = self.table.get(digest)?;
        match slot.place() {
            Place::Running(at) => self.running.get(at)?.rest.last_record,
            Place::Settled(..) => LastRecord::of(slot),
        }
    }

    /// Makes a caller the holder of a key that is not running. In memory only.
    #[inline]
    pub(crate) fn grant(&mut self, digest: Digest, grant: Grant<'_>, now: Now) -> SlabRef {
        let spot = self.table.spot(digest);
        let previous = self.table.at(spot);
        debug_assert!(
            !matches!(previous.map(|slot| slot.place()), Some(Place::Running(_))),
            "nobody runs the key"
        );
        let continued = grant.record.as_deref().filter(|_| grant.basis.continues);
        let first_claimed_at =
            continued.map_or(now.store_secs, |record| record.head.first_claimed_at);
        let lease_ms = grant.request.lease_ms;
        let holder = Holder::new(grant.token, grant.basis.attempt, lease_ms, now);
        let rest = if previous.is_none() && grant.record.is_none() && grant.request.parts.is_none()
        {
            Rare::EMPTY
        } else {
            Rare::of_grant(&grant.basis, grant.request, grant.record, previous)
        };
        if previous.is_some_and(is_in_doubt) {
            self.doubts.remove(digest);
        }
        let policy = self.own_policy(grant.policy);
        let at = self.running.insert(Running {
            digest,
            namespace: grant.namespace,
            policy,
            key: grant.key,
            holder,
            first_claimed_at,
            column: grant.column,
            timer: Armed::No,
            rest,
        });
        self.table.put_at(
            spot,
            Slot::new(digest, Place::Running(at), NEVER),
            self.expired_secs,
        );
        self.timers.queue(&mut self.running, at);
        at
    }

    #[inline]
    fn own_policy(&mut self, policy: &Arc<Policy>) -> Arc<Policy> {
        let known = self
            .policies
            .iter()
            .find(|(of, own)| Arc::ptr_eq(of, policy) || Arc::ptr_eq(own, policy));
        if let Some((_, own)) = known {
            return Arc::clone(own);
        }
        if self.policies.len() == POLICIES_MAX {
            self.policies.remove(0);
        }
        let own = Arc::new(Policy::clone(policy));
        self.policies.push((Arc::clone(policy), Arc::clone(&own)));
        own
    }

    /// Grants a lapsed key, or one that is handed to a waiter, anew under a higher token.
    pub(crate) fn regrant(
        &mut self,
        at: SlabRef,
        token: FencingToken,
        request: Request,
        basis: &Basis,
        now: Now,
    ) {
        if let Some(running) = self.running.get_mut(at) {
            running.take_over(token, request, basis, now);
            self.arm(at);
        }
    }

    /// Takes a grant back that had taken a lapsed key over: the holder from before is current again,
    /// as it was. False where the grant had not.
    pub(crate) fn give_back(&mut self, at: SlabRef) -> bool {
        let given = self.running.get_mut(at).is_some_and(Running::give_back);
        if given {
            self.arm(at);
        }
        given
    }

    /// Sets the timer of a running key to what it stands for now.
    #[inline]
    pub(crate) fn arm(&mut self, at: SlabRef) {
        if let Some(running) = self.running.get_mut(at) {
            self.timers.arm(running, at);
        }
    }

    /// Lets the lease of a running key end at another moment, which is still to come.
    #[inline]
    pub(crate) fn set_deadline(&mut self, at: SlabRef, deadline_ms: u64) {
        if let Some(running) = self.running.get_mut(at) {
            running.holder.deadline_ms = deadline_ms;
            running.holder.awaits = Awaits::Lapse;
            self.arm(at);
        }
    }

    pub(crate) fn arm_wait(&mut self, waiter: W, deadline_ms: u64) -> TimerKey {
        self.timers.arm_wait(waiter, deadline_ms)
    }

    pub(crate) fn disarm(&mut self, timer: TimerKey) {
        self.timers.disarm(timer);
    }

    pub(crate) fn due(&mut self, now: Now, due: &mut Vec<Timer<W>>) {
        self.timers.due(&self.running, now.mono_ms, due);
    }

    pub(crate) fn next_due_ms(&mut self) -> Option<u64> {
        self.timers.next_due_ms(&self.running)
    }

    /// Changes the state of a key to what a record says. The only function that does: it serves
    /// live traffic and recovery. Gives the key's entry once it is not running any more.
    #[inline]
    pub(crate) fn apply(
        &mut self,
        digest: Digest,
        head: &Head,
        guarantee: Guarantee,
        locator: Locator,
    ) -> Option<EndedRun<W>> {
        debug_assert!(
            self.last_record(digest)
                .is_none_or(|last| last.locator < locator),
            "the order of the log is the order of a key's transitions"
        );
        let spot = self.table.spot(digest);
        let before = self.table.at(spot);
        let running = match before.map(|slot| slot.place()) {
            Some(Place::Running(at)) => Some(at),
            _ => None,
        };
        let entry = running.and_then(|at| self.running.get_mut(at));
        let unfinished = entry.filter(|entry| {
            head.kind == RecordKind::InProgress && entry.holder.token == head.token
        });
        if let Some(entry) = unfinished {
            let rest = entry.rest.to_mut();
            rest.last_record = Some(LastRecord {
                locator,
                expires_at: head.expires_at,
            });
            rest.previous = None;
            entry.holder.journaled = true;
            return None;
        }
        let (settled, expires_at) = match settled_state(head.kind, guarantee) {
            Some(KeyState::Completed) => (Settled::Completed, head.expires_at),
            Some(KeyState::Failed) => (Settled::Failed, head.expires_at),
            Some(KeyState::InDoubt) => (Settled::InDoubt, head.expires_at),
            Some(KeyState::Released | KeyState::InProgress) => (Settled::Released, head.expires_at),
            None => (Settled::Forgotten, NEVER),
        };
        if settled == Settled::InDoubt {
            self.doubts.put(digest, Known::of(head));
        } else if before.is_some_and(is_in_doubt) {
            self.doubts.remove(digest);
        }
        self.table.put_at(
            spot,
            Slot::new(digest, Place::Settled(settled, locator), expires_at),
            self.expired_secs,
        );
        running.and_then(|at| self.end(at))
    }

    /// Takes a grant away that left no outcome: the key is what its newest record says.
    pub(crate) fn restore(&mut self, at: SlabRef) -> Option<EndedRun<W>> {
        let entry = self.running.remove(at)?;
        self.timers.leave(entry.timer, self.running.len());
        // Without a slot to go back to, the newest record is one of a claim: a ticket's, a counted
        // one, or a checkpoint. What it holds lives on, as it would after a crash.
        let claimed = entry.rest.last_record.map(|last| {
            let settled = match entry.guarantee() {
                Guarantee::AtMostOnce => Settled::InDoubt,
                Guarantee::AtLeastOnce => Settled::Released,
            };
            let place = Place::Settled(settled, last.locator);
            Slot::new(entry.digest, place, last.expires_at)
        });
        // An expired slot counts as absent, and keeps the counts of its segment exact.
        match entry.rest.previous.or(claimed) {
            Some(slot) => {
                if is_in_doubt(slot) {
                    self.doubts.put(entry.digest, Known::left_by(&entry, slot));
                }
                self.table.put(slot, self.expired_secs);
            }
            None => {
                self.table.remove(entry.digest);
            }
        }
        Some(entry.into())
    }

    #[inline]
    fn end(&mut self, at: SlabRef) -> Option<EndedRun<W>> {
        let (timers, left) = (&mut self.timers, self.running.len().saturating_sub(1));
        self.running.remove_as(at, |entry| {
            timers.leave(entry.timer, left);
            EndedRun::from(entry)
        })
    }

    /// Applies removals that name a record by its place, where that is the newest of its key still;
    /// they are sorted by these places. Gives the records that were removed. For recovery, when every
    /// record has been applied: a key whose record was removed and that has a newer one keeps it.
    pub(crate) fn remove_at(&mut self, removals: &[Removal]) -> Vec<LastRecord> {
        let found: Vec<_> = self
            .table
            .iter()
            .filter_map(|slot| {
                let last = LastRecord::of(slot)?;
                let at = removals.binary_search_by_key(&last.locator, |removal| removal.removed);
                Some((slot, last, removals[at.ok()?]))
            })
            .collect();
        for (slot, _, removal) in &found {
            let [a, b, c, ..] = slot.words();
            let words = [a, b, c];
            // The table knows a key by its words alone.
            let digest = self.doubts.digest_of(words);
            let digest = digest.unwrap_or(Digest { words, route: 0 });
            let ended = self.apply(digest, &removal.head, Guarantee::AtLeastOnce, removal.at);
            debug_assert!(ended.is_none(), "nobody runs a key in recovery");
        }
        found.into_iter().map(|(_, last, _)| last).collect()
    }

    /// The newest record of a key was copied: it lies at `to` now. False when it was not there.
    pub(crate) fn relocate(&mut self, digest: Digest, from: Locator, to: Locator) -> bool {
        let Some(slot) = self.table.get(digest) else {
            return false;
        };
        match slot.place() {
            Place::Settled(settled, locator)
                if locator == from && settled != Settled::Forgotten =>
            {
                self.table.put(
                    Slot::new(digest, Place::Settled(settled, to), slot.expires_at()),
                    self.expired_secs,
                );
                true
            }
            Place::Running(at) => {
                let rest = self
                    .running
                    .get_mut(at)
                    .and_then(|entry| entry.rest.get_mut());
                let Some(entry) = rest else {
                    return false;
                };
                let Some(last) = entry
                    .last_record
                    .as_mut()
                    .filter(|last| last.locator == from)
                else {
                    return false;
                };
                last.locator = to;
                if let Some(previous) = &mut entry.previous {
                    if let Place::Settled(settled, _) = previous.place() {
                        let place = Place::Settled(settled, to);
                        *previous = Slot::new(digest, place, previous.expires_at());
                    }
                }
                true
            }
            Place::Settled(..) => false,
        }
    }

    /// Lets expired slots go, and forgotten ones whose removal is durable. Gives their number.
    pub(crate) fn sweep(&mut self, durable: u64) -> usize {
        let swept = self.table.sweep(self.expired_secs, durable);
        self.sweep_doubts();
        swept
    }

    /// As [`sweep`](Self::sweep), of a few thousand slots from those of the digests with this first word. Gives where to
    /// go on, so that callers get the lock in between.
    pub(crate) fn sweep_piece(&mut self, from: u32, durable: u64) -> Option<u32> {
        let (_, next) = self.table.sweep_piece(from, self.expired_secs, durable);
        if next.is_none() {
            self.sweep_doubts();
        }
        next
    }

    fn sweep_doubts(&mut self) {
        if self.doubts.len() != self.table.settled(Settled::InDoubt) {
            let table = &self.table;
            self.doubts
                .retain(|digest| table.get(digest).is_some_and(is_in_doubt));
        }
    }

    /// Slots that expired up to here may go from now on.
    pub(crate) fn let_expire(&mut self, expired_secs: u32) {
        self.expired_secs = self.expired_secs.max(expired_secs);
    }

    /// Slots, running keys included; expired ones may still be among them.
    #[inline]
    pub(crate) fn keys(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub(crate) fn running_keys(&self) -> usize {
        self.running.len()
    }

    #[inline]
    pub(crate) fn location(&self) -> Location {
        self.table.location()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }

    /// Slots of keys that are settled like this; expired ones may still be among them.
    pub(crate) fn settled_keys(&self, settled: Settled) -> usize {
        self.table.settled(settled)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.table.iter()
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Running<W>> {
        self.running.iter().map(|(_, running)| running)
    }

    /// The keys in doubt, in no order: settled ones, and lapsed ones that were not taken over.
    pub(crate) fn in_doubt(&self, now: Now) -> impl Iterator<Item = Ranked> {
        let lapsed = self.running().filter(move |entry| entry.is_in_doubt(now));
        let settled = self.doubts.iter(now.store_secs);
        settled.chain(lapsed.map(Ranked::of_running))
    }

    /// The running keys that are not in doubt, in no order.
    pub(crate) fn in_progress(&self, now: Now) -> impl Iterator<Item = Ranked> {
        let running = self.running().filter(move |entry| !entry.is_in_doubt(now));
        running.map(Ranked::of_running)
    }

    pub(crate) fn running_refs(&self) -> Vec<SlabRef> {
        self.running.iter().map(|(at, _)| at).collect()
    }

    /// The newest records of all keys: (locator, expiry).
    pub(crate) fn live_records(&self) -> impl Iterator<Item = LastRecord> {
        let settled = self.table.iter().filter_map(|slot| match slot.place() {
            Place::Settled(settled, locator) if settled != Settled::Forgotten => Some(LastRecord {
                locator,
                expires_at: slot.expires_at(),
            }),
            _ => None,
        });
        settled.chain(
            self.running
                .iter()
                .filter_map(|(_, running)| running.rest.last_record),
        )
    }

    /// Changes a slot behind the shard's back.
    #[cfg(test)]
    pub(crate) fn put_for_test(&mut self, slot: Slot) {
        self.table.put(slot, 0);
    }

    /// Recounts everything; panics where an invariant does not hold.
    pub(crate) fn validate(&self, durable_or_pending: u64) {
        self.table.validate();
        let (mut named, mut doubts) = (0, 0);
        for slot in self.table.iter() {
            match slot.place() {
                Place::Running(at) => {
                    let entry = self.running_at(at);
                    let again = self
                        .table
                        .get(entry.digest)
                        .expect("a running key has a slot");
                    assert_eq!(
                        again, slot,
                        "the slot of a running key is that of its digest"
                    );
                    self.timers.validate_of(at, entry);
                    let before = entry.rest.previous.map(|previous| previous.place());
                    if let (Some(Place::Settled(_, locator)), Some(last)) =
                        (before, entry.rest.last_record)
                    {
                        assert_eq!(
                            locator, last.locator,
                            "what a key was before is its newest record"
                        );
                    }
                    named += 1;
                }
                Place::Settled(settled, locator) => {
                    assert!(
                        locator.frame <= durable_or_pending,
                        "a slot names a frame that was appended"
                    );
                    doubts += usize::from(settled == Settled::InDoubt);
                }
            }
        }
        assert_eq!(
            named,
            self.running.len(),
            "every running key is named by one slot"
        );
        let with_slot = self.doubts.validate(self.expired_secs, |digest| {
            self.table.get(digest).is_some_and(is_in_doubt)
        });
        assert_eq!(with_slot, doubts, "every key in doubt is known as one");
        self.running.validate();
        self.timers.validate();
    }
}

/// Whether a slot says that its key is in doubt.
fn is_in_doubt(slot: Slot) -> bool {
    matches!(slot.place(), Place::Settled(Settled::InDoubt, _))
}
