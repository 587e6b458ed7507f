//! [`Counters`]: what a namespace has done since its store was opened.

use std::ops::AddAssign;

use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::holds::Holds;
use crate::value::record::RecordKind;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one namespace in one shard, under its lock.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $name: u64,)*
            pub(crate) holds: Holds,
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
                self.holds += other.holds;
            }
        }
    };
}

counters! {
    /// Claims that were granted, handed on to a waiter or taken over from a lapsed holder included;
    /// and keys that were inserted.
    granted,
    /// Claims that were answered "in progress".
    answered_in_progress,
    /// Claims that were answered with a stored response.
    answered_completed,
    /// Claims that were answered with a stored error.
    answered_failed,
    /// Claims that were answered "in doubt".
    answered_in_doubt,
    /// Claims that were refused for another fingerprint.
    answered_mismatch,
    /// Items of a batch that repeat an earlier one.
    answered_repeat,
    /// Claims that ended in an error.
    errors,
    /// Claims that were given up before they were answered: their future was dropped.
    abandoned,
    /// Waits that ended in a grant.
    waits_granted,
    /// Waits that ended in another answer than a grant.
    waits_answered,
    /// Waits that ended because the key had changed, so that the claim was decided again.
    waits_retried,
    /// Waits that ended at their deadline.
    wait_timeouts,
    /// Waits that were given up: their future was dropped.
    waits_abandoned,
    /// Claims that were answered at once because too many others waited.
    waits_refused,
    /// Runs of a key that had run before without an outcome.
    reruns,
    /// Runs that took the place of a holder that lapsed or died.
    reclaimed,
    /// Keys that were completed.
    completed,
    /// Keys that failed for good.
    failed,
    /// Keys that were released to be tried again.
    released,
    /// Doubts that were written to the log.
    doubted,
    /// Keys that their holder or a lapse put in doubt.
    doubts,
    /// Doubts that were resolved.
    resolved,
    /// Grants that were never delivered, and taken back.
    withdrawn,
    /// Leases that were dropped without an outcome, or taken away by an operator, so that their keys
    /// can run again.
    dropped_leases,
    /// Leases that lapsed.
    lapsed,
    /// Calls of holders whose token was no longer current.
    superseded,
    /// Completions and final failures among them.
    superseded_completions,
    /// Calls of holders whose key was absent.
    not_held,
    /// Leases that were renewed.
    renewed,
    /// Checkpoints that were stored.
    checkpoints,
    /// Keys that were forgotten on request.
    forgotten,
}

impl Counters {
    /// Waits that have ended.
    pub(crate) fn waits(&self) -> u64 {
        self.waits_granted
            + self.waits_answered
            + self.waits_retried
            + self.wait_timeouts
            + self.waits_abandoned
    }

    /// The counter of claims that ended in this way.
    pub(crate) fn claims(&mut self, outcome: ClaimOutcome) -> &mut u64 {
        match outcome {
            ClaimOutcome::Granted => &mut self.granted,
            ClaimOutcome::InProgress => &mut self.answered_in_progress,
            ClaimOutcome::Completed => &mut self.answered_completed,
            ClaimOutcome::Failed => &mut self.answered_failed,
            ClaimOutcome::InDoubt => &mut self.answered_in_doubt,
            ClaimOutcome::Mismatch => &mut self.answered_mismatch,
            ClaimOutcome::Repeat => &mut self.answered_repeat,
            ClaimOutcome::Error => &mut self.errors,
            ClaimOutcome::Abandoned => &mut self.abandoned,
        }
    }

    /// Counts a record by which a run of its key ended, or would have.
    pub(crate) fn settle(&mut self, kind: RecordKind, was_in_doubt: bool) {
        match kind {
            RecordKind::Completed => self.completed += 1,
            RecordKind::Failed => self.failed += 1,
            RecordKind::Released => self.released += 1,
            RecordKind::InDoubt => {
                self.doubted += 1;
                self.doubts += u64::from(!was_in_doubt);
            }
            RecordKind::InProgress | RecordKind::Forgotten => {}
        }
    }
}
