//! [`Stats`]: what a store has done, and what it holds.

use std::ops::AddAssign;
use std::time::Duration;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one shard, under its lock.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: u64,)*
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
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
    /// Claims that were granted, handed on to a waiter or taken over from a lapsed holder included.
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
    /// Claims that had to wait.
    waited,
    /// Waits that ended at their deadline.
    wait_timeouts,
    /// Keys that were completed.
    completed,
    /// Keys that failed for good.
    failed,
    /// Keys that were released to be tried again.
    released,
    /// Keys that came into doubt.
    doubted,
    /// Doubts that were resolved.
    resolved,
    /// Grants that were never delivered, and taken back.
    withdrawn,
    /// Leases that lapsed.
    lapsed,
    /// Calls of holders whose token was not current any more.
    superseded,
    /// Leases that were renewed.
    renewed,
    /// Checkpoints that were stored.
    checkpoints,
    /// Keys that were forgotten on request.
    forgotten,
}

/// What a store has done since it was opened, and what it holds now.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub(crate) counters: Counters,
    pub(crate) keys: u64,
    pub(crate) running_keys: u64,
    pub(crate) waiters: u64,
    pub(crate) store_secs: u64,
    pub(crate) table_bytes: u64,
    pub(crate) window_bytes: u64,
    pub(crate) segments: u64,
    pub(crate) live_records: u64,
    pub(crate) log_bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) appended_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) last_frame: u64,
    pub(crate) durable_frame: u64,
    pub(crate) syncs: u64,
    pub(crate) segments_dropped: u64,
    pub(crate) records_carried: u64,
    pub(crate) recovered_records: u64,
    pub(crate) torn_frames: u64,
    pub(crate) recovery: Duration,
}

macro_rules! gauges {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
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
    /// Keys in the tables; expired ones count until a sweep meets them.
    keys: u64,
    /// Keys that someone runs, lapsed ones that nobody took over included.
    running_keys: u64,
    /// Callers that wait for a key.
    waiters: u64,
    /// Store time, in seconds since 1970: what retention is counted in.
    store_secs: u64,
    /// Bytes of the tables of settled keys.
    table_bytes: u64,
    /// Bytes of frames that are kept in memory for retries.
    window_bytes: u64,
    /// Segments of the log.
    segments: u64,
    /// Records that are the current one of their key, and have not expired.
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
    /// Frames that recovery found after the end of the log: nobody was told that they are durable.
    torn_frames: u64,
    /// How long recovery took.
    recovery: Duration,
}
