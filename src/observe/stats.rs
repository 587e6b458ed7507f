//! [`Stats`]: the numbers of a store, and the counters behind them.

use std::ops::AddAssign;
use std::time::{Duration, SystemTime};

use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::holds::Holds;
use crate::value::record::RecordKind;
use crate::value::time::system_time;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one namespace in one shard, under its lock.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: u64,)*
            pub(crate) holds: Holds,
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
                self.holds += other.holds;
            }
        }

        impl Stats {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.counters.$name
            })*
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
    /// Claims that had to wait.
    waited,
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

macro_rules! gauges {
    ($(#[$about:meta])* struct Stats { $($(#[$doc:meta])* $name:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        pub struct Stats {
            pub(crate) counters: Counters,
            pub(crate) store_secs: u32,
            $(pub(crate) $name: $type,)*
        }

        impl Stats {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> $type {
                self.$name
            })*
        }
    };
}

gauges! {
    /// The numbers of a store: what it has done since it was opened, and what it holds now.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// store.namespace("seen", Policy::at_least_once())?.insert("event-7")?;
    /// let stats = store.stats();
    /// assert_eq!((stats.keys(), stats.granted(), stats.running_keys()), (1, 1, 0));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    struct Stats {
        /// Keys in the tables; expired ones count until a sweep meets them.
        keys: u64,
        /// Running keys, including lapsed ones that were not taken over.
        running_keys: u64,
        /// Callers that wait for a key.
        waiters: u64,
        /// Bytes of the tables of settled keys.
        table_bytes: u64,
        /// Bytes of frames that are kept in memory for retries.
        window_bytes: u64,
        /// Segments of the log.
        segments: u64,
        /// Records that are the newest of their key and have not expired.
        live_records: u64,
        /// Bytes of records in the log, dead ones included.
        log_bytes: u64,
        /// An estimate of the bytes of live records in the log.
        live_bytes: u64,
        /// Bytes of the records that were appended since the store was opened, carried ones included.
        appended_bytes: u64,
        /// Bytes that the log occupies on its medium.
        disk_bytes: u64,
        /// The last frame that holds a record.
        last_frame: u64,
        /// The last frame that is on the medium with all before it.
        durable_frame: u64,
        /// Syncs of the log since it was opened.
        syncs: u64,
        /// Segments that compaction has dropped since the store was opened.
        segments_dropped: u64,
        /// Records that compaction has carried to the end of the log since the store was opened.
        records_carried: u64,
        /// Records that recovery read.
        recovered_records: u64,
        /// Frames that recovery found after the end of the log; none of them was acknowledged.
        torn_frames: u64,
        /// How long recovery took.
        recovery: Duration,
    }
}

impl Stats {
    /// Store time, in which retention is counted, in whole seconds.
    #[must_use]
    pub fn store_time(&self) -> SystemTime {
        system_time(self.store_secs)
    }
}
