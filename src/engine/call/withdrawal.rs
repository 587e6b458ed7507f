//! Grants that are taken back: the key is what it was before the grant.

use crate::engine::aftermath::{Aftermath, deliver};
use crate::engine::audit::by::By;
use crate::engine::call::claim::held;
use crate::engine::call::waiter::Outcome;
use crate::engine::change::replaced;
use crate::engine::engine::Engine;
use crate::engine::shards::EngineShard;
use crate::journal::Journal;
use crate::journal::format::audit::entry::Draft;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::record::RecordKind;
use crate::value::time::Now;

impl Engine {
    /// Takes back a grant that was never delivered: provably nothing ran.
    pub(crate) fn withdraw(&self, digest: Digest, token: FencingToken) {
        // A thread that only the parent has may hold the lock.
        if self.is_forked() {
            return;
        }
        let mut aftermath = Aftermath::default();
        let (mut shard, now) = self.lock(digest);
        if let Some(at) = held(&shard, digest, token, now.store_secs) {
            self.take_back(&mut shard, at, now, &mut aftermath);
        }
        drop(shard);
        self.doubted_guards.end(token);
        aftermath.carry_out();
    }

    /// Whether the lease of a grant has ended before its caller got it: then it is taken back, and is
    /// neither an attempt nor a doubt. A poisoned store cannot write that down.
    pub(in crate::engine) fn is_overdue<W: 'static>(&self, running: &Running<W>, now: Now) -> bool {
        running.holder.undelivered && running.is_lapsed(now) && !self.journal.is_poisoned()
    }

    /// Takes back a grant on its way, under the lock of its shard.
    pub(in crate::engine) fn take_back(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let Some(column) = shard.get(at).map(|running| running.column) else {
            return;
        };
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.withdrawn += 1);
        let Some(running) = shard.get(at) else { return };
        let is_poisoned = self.journal.is_poisoned();
        // What became of the record of the claim, only the next open finds out.
        if running.holder.journaled && is_poisoned {
            return;
        }
        let entry = (!is_poisoned)
            .then(|| self.audit_running(Transition::Withdrawn, By::Engine, running, now))
            .flatten();
        match (running.rest.lapsed.is_some(), running.holder.journaled) {
            (true, _) => self.give_back(shard, at, entry, now, aftermath),
            (false, true) => self.rewrite_before(shard, at, entry, now, aftermath),
            (false, false) => {
                self.append_audit(entry, now);
                if let Some(ended) = shard.restore(at) {
                    self.wake_all(ended, aftermath);
                }
            }
        }
    }

    /// The holder that the grant took over from is current again, under its own token.
    fn give_back(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        entry: Option<Draft>,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let was_journaled = shard
            .get(at)
            .is_some_and(|running| running.holder.journaled);
        shard.give_back(at);
        if was_journaled {
            self.journal_running(shard, at, entry.as_ref(), now);
        } else {
            self.append_audit(entry, now);
        }
        let waiters = shard.get_mut(at).map(|running| running.rest.take_waiters());
        for waiter in waiters.unwrap_or_default() {
            deliver(&waiter, Outcome::Again, aftermath);
        }
    }

    /// Writes again what the key was before a claim that was journaled.
    fn rewrite_before(
        &self,
        shard: &mut EngineShard,
        at: SlabRef,
        entry: Option<Draft>,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        let Some(running) = shard.get(at) else { return };
        let (digest, guarantee) = (running.digest, running.guarantee());
        let last = running.rest.last_record;
        let before = running.rest.previous_record.clone();
        let record = match &before {
            Some(record) => record.as_ref().as_ref(),
            None => Subject::of_running(running).record(RecordKind::Forgotten, &[], now),
        };
        // A settled answer that a re-run had replaced may be larger than a frame.
        let parts = Journal::split(record.body);
        let locator = self.journal.append_audited(
            &record,
            parts,
            replaced(last),
            entry.as_ref(),
            now.mono_ms,
        );
        let head = record.head;
        if let Some(ended) = shard.apply(digest, &head, guarantee, locator) {
            self.wake_all(ended, aftermath);
        }
    }
}
