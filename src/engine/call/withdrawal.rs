//! Grants that are taken back: the key is what it was before the grant.

use crate::engine::audit::initiator::Initiator;
use crate::engine::change::{Audited, Change, Prepared, claim_record};
use crate::engine::engine::Engine;
use crate::engine::turn::Turn;
use crate::journal::Journal;
use crate::journal::format::audit::entry::Draft;
use crate::state::slab::SlabRef;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::record::RecordKind;

impl Engine {
    /// Takes back a grant that was never delivered: provably nothing ran.
    pub(crate) fn withdraw(&self, digest: Digest, token: FencingToken) {
        // A thread that only the parent has may hold the lock.
        if self.is_forked() {
            return;
        }
        let mut turn = self.turn(digest);
        if let Some(at) = turn.held(digest, token) {
            turn.take_back(at);
        }
        let aftermath = turn.release();
        self.doubted_guards.end(token);
        drop(aftermath);
    }
}

impl Turn<'_> {
    /// Whether the lease of a grant has ended before its caller got it: then it is taken back, and is
    /// neither an attempt nor a doubt. A poisoned store cannot write that down.
    pub(in crate::engine) fn is_overdue(&self, at: SlabRef) -> bool {
        let running = self.running(at);
        let is_overdue = running.holder.undelivered && running.is_lapsed(self.now);
        is_overdue && !self.engine.journal.is_poisoned()
    }

    /// Takes back a grant on its way.
    pub(in crate::engine) fn take_back(&mut self, at: SlabRef) {
        let (engine, now) = (self.engine, self.now);
        let column = self.running(at).column;
        self.count(column, |counters| counters.withdrawn += 1);
        let running = self.running(at);
        let is_poisoned = engine.journal.is_poisoned();
        // Only the next open finds out whether the record of the claim is on the medium.
        if running.holder.journaled && is_poisoned {
            return;
        }
        let entry = (!is_poisoned)
            .then(|| engine.audit_running(Transition::Withdrawn, Initiator::Engine, running, now))
            .flatten();
        match (running.rest.lapsed.is_some(), running.holder.journaled) {
            (true, _) => self.give_back(at, entry),
            (false, true) => self.rewrite_before(at, entry),
            (false, false) => {
                engine.append_audit(entry, now);
                if let Some(ended) = self.shard.restore(at) {
                    self.wake_waiters(ended);
                }
            }
        }
    }

    /// The holder that the grant took over from is current again, under its own token.
    fn give_back(&mut self, at: SlabRef, entry: Option<Draft>) {
        let was_journaled = self.running(at).holder.journaled;
        self.shard.give_back(at);
        let running = self.running(at);
        if was_journaled {
            let claim = claim_record(running, self.now);
            let change =
                Change::of_running(running, &claim, Transition::Withdrawn, Initiator::Engine);
            let appended = self.append(Change {
                audited: Audited::As(entry.map(Box::new)),
                ..change
            });
            self.commit(appended);
        } else {
            self.engine.append_audit(entry, self.now);
        }
        let waiters = self.running_mut(at).rest.take_waiters();
        self.aftermath.send_back(waiters);
    }

    /// Writes again what the key was before a claim that was journaled.
    fn rewrite_before(&mut self, at: SlabRef, entry: Option<Draft>) {
        let running = self.running(at);
        let record = match &running.rest.previous_record {
            Some(record) => record.as_ref().as_ref(),
            None => Subject::of_running(running).record(RecordKind::Forgotten, &[], self.now),
        };
        // A settled answer that a re-run had replaced may be larger than a frame.
        let prepared = Prepared::new(Journal::split(record.body), None);
        let change = Change::of_running(running, &record, Transition::Withdrawn, Initiator::Engine);
        let appended = self.append(Change {
            audited: Audited::As(entry.map(Box::new)),
            prepared,
            ..change
        });
        self.commit(appended);
    }
}
