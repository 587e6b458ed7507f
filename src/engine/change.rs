//! [`Change`]: a key becomes what a record says. Every change of a key that is written goes through here.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::named::Named;
use crate::engine::shards::EngineRunning;
use crate::engine::turn::Turn;
use crate::journal::format::audit::entry::Draft;
use crate::journal::tail::Replaced;
use crate::observe::counters::Counters;
use crate::observe::tallies::Column;
use crate::state::last_record::LastRecord;
use crate::state::slab::SlabRef;
use crate::state::transition::Subject;
use crate::value::audit::Transition;
use crate::value::digest::Digest;
use crate::value::guarantee::Guarantee;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Head, Record, RecordKind, RecordRef};
use crate::value::time::Now;

/// The part of an outcome that is made before the lock of its shard is taken.
#[derive(Debug, Default)]
pub(in crate::engine) struct Prepared(Option<Box<PreparedOutcome>>);

#[derive(Debug, Default)]
struct PreparedOutcome {
    /// The parts of a body that is larger than a frame.
    parts: Vec<Vec<u8>>,
    /// The digest of the body, where it goes into an audit entry.
    digest: Option<u128>,
}

impl Prepared {
    #[inline]
    pub(in crate::engine) fn new(parts: Vec<Vec<u8>>, digest: Option<u128>) -> Self {
        let says_nothing = parts.is_empty() && digest.is_none();
        Self((!says_nothing).then(|| Box::new(PreparedOutcome { parts, digest })))
    }
}

/// What the audit log has of a change.
#[derive(Debug)]
pub(in crate::engine) enum Audited<'a> {
    /// The transition of the record, caused by this side.
    By(Initiator<'a>),
    /// An entry that was made earlier, if the policy wants one.
    As(Option<Box<Draft>>),
}

/// A key becomes what a record says.
#[derive(Debug)]
pub(in crate::engine) struct Change<'a> {
    pub(in crate::engine) digest: Digest,
    pub(in crate::engine) column: Column,
    /// The entry of the key, if it is running.
    pub(in crate::engine) running: Option<&'a EngineRunning>,
    pub(in crate::engine) record: &'a RecordRef<'a>,
    pub(in crate::engine) policy: &'a Policy,
    pub(in crate::engine) transition: Transition,
    pub(in crate::engine) audited: Audited<'a>,
    pub(in crate::engine) prepared: Prepared,
    /// How long the key was held is counted: its holder ends that, or an operator in its place.
    pub(in crate::engine) ends_hold: bool,
}

impl<'a> Change<'a> {
    /// A change of a key that is not running.
    #[inline]
    pub(in crate::engine) fn of(
        named: Named<'a>,
        record: &'a RecordRef<'a>,
        transition: Transition,
        by: Initiator<'a>,
    ) -> Self {
        Self {
            digest: named.digest,
            column: named.namespace.column,
            running: None,
            record,
            policy: &named.namespace.policy,
            transition,
            audited: Audited::By(by),
            prepared: Prepared::default(),
            ends_hold: false,
        }
    }

    /// A change of a running key.
    #[inline]
    pub(in crate::engine) fn of_running(
        running: &'a EngineRunning,
        record: &'a RecordRef<'a>,
        transition: Transition,
        by: Initiator<'a>,
    ) -> Self {
        Self {
            digest: running.digest,
            column: running.column,
            running: Some(running),
            record,
            policy: &running.policy,
            transition,
            audited: Audited::By(by),
            prepared: Prepared::default(),
            ends_hold: false,
        }
    }

    /// The record that answers the callers who wait for the key; `None` without such callers, and where each of
    /// them has to decide again.
    #[inline]
    fn to_answer(&self) -> Option<Arc<Record>> {
        let waits = self
            .running
            .is_some_and(|running| !running.rest.waiters.is_empty());
        let is_undone = matches!(
            self.transition,
            Transition::Forgotten | Transition::Withdrawn
        );
        (waits && !is_undone).then(|| Arc::new(self.record.to_record()))
    }
}

/// A change that lies in the log, and has to be [committed](Turn::commit) under the same lock.
#[derive(Debug)]
#[must_use = "what lies in the log is committed under the same lock"]
pub(in crate::engine) struct Appended {
    digest: Digest,
    column: Column,
    guarantee: Guarantee,
    head: Head,
    locator: Locator,
    transition: Transition,
    is_by_caller: bool,
    was_in_doubt: bool,
    ends_hold: bool,
    to_answer: Option<Arc<Record>>,
}

impl Turn<'_> {
    /// A change of a key, running or not, under the policy of its namespace.
    pub(in crate::engine) fn change_of<'c>(
        &'c self,
        named: Named<'c>,
        running: Option<SlabRef>,
        record: &'c RecordRef<'c>,
        transition: Transition,
        by: Initiator<'c>,
    ) -> Change<'c> {
        Change {
            running: running.map(|at| self.running(at)),
            ..Change::of(named, record, transition, by)
        }
    }

    /// Appends a change to the log: its record and, where the policy wants one, its audit entry.
    #[inline]
    pub(in crate::engine) fn append(&self, change: Change<'_>) -> Appended {
        let (engine, now) = (self.engine, self.now);
        let last = match change.running {
            Some(running) => running.rest.last_record,
            None => self.shard.last_record(change.digest),
        };
        let to_answer = change.to_answer();
        let is_by_caller = matches!(change.audited, Audited::By(Initiator::Caller(_)));
        let (parts, outcome) = match change.prepared.0 {
            Some(prepared) => (prepared.parts, prepared.digest),
            None => (Vec::new(), None),
        };
        let entry = match change.audited {
            Audited::By(by) => engine
                .audit_record(
                    (change.transition, by),
                    change.policy,
                    change.record,
                    outcome,
                    now,
                )
                .map(Box::new),
            Audited::As(entry) => entry,
        };
        let locator = engine.journal.append(
            change.record,
            parts,
            replaced(last),
            entry.as_deref(),
            now.mono_ms,
        );
        Appended {
            digest: change.digest,
            column: change.column,
            guarantee: change.policy.guarantee,
            head: change.record.head,
            locator,
            transition: change.transition,
            is_by_caller,
            was_in_doubt: change
                .running
                .is_some_and(|running| running.is_in_doubt(now)),
            ends_hold: change.ends_hold,
            to_answer,
        }
    }

    /// Puts a change in force: applies its record, wakes the callers that wait for the key, and counts it.
    /// Returns the place of the record.
    #[inline]
    pub(in crate::engine) fn commit(&mut self, appended: Appended) -> Locator {
        let ended = self.shard.apply(
            appended.digest,
            &appended.head,
            appended.guarantee,
            appended.locator,
        );
        let held_ms = ended.as_ref().filter(|_| appended.ends_hold);
        let held_ms = held_ms.map(|ended| self.now.mono_ms.saturating_sub(ended.granted_ms));
        self.count(appended.column, |counters| {
            appended.count(counters, held_ms);
        });
        match (ended, appended.to_answer) {
            (Some(ended), Some(record)) => self.answer_waiters(ended, &record, appended.locator),
            (Some(ended), None) => self.wake_waiters(ended),
            (None, _) => {}
        }
        appended.locator
    }
}

impl Appended {
    #[inline]
    fn count(&self, counters: &mut Counters, held_ms: Option<u64>) {
        match self.transition {
            Transition::Completed
            | Transition::Failed
            | Transition::Doubted
            | Transition::Released
            | Transition::Inserted => counters.settle(self.head.kind, self.was_in_doubt),
            Transition::ResolvedHappened
            | Transition::ResolvedFailed
            | Transition::ResolvedNeverHappened => counters.resolved += 1,
            Transition::Checkpointed => counters.checkpoints += 1,
            Transition::Forgotten => counters.forgotten += 1,
            _ => {}
        }
        // The superseded holder may go on beside the next run.
        let dropped =
            self.head.kind == RecordKind::Released && self.transition == Transition::Released;
        counters.dropped_leases += u64::from(dropped && !self.is_by_caller);
        if let Some(held_ms) = held_ms {
            counters.holds.observe(held_ms);
        }
    }
}

/// The records of the log that a record replaces.
#[inline]
pub(in crate::engine) fn replaced(last: Option<LastRecord>) -> Option<Replaced> {
    last.map(|last| Replaced {
        locator: last.locator,
        expires_at: last.expires_at,
    })
}

/// The record of a claim, with its last checkpoint.
pub(in crate::engine) fn claim_record(running: &EngineRunning, now: Now) -> RecordRef<'_> {
    let subject = Subject::of_running(running);
    subject.record(RecordKind::InProgress, subject.checkpoint, now)
}
