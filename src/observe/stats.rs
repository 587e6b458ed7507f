//! [`Stats`]: what a store has done, and what it holds; and the counters behind it.

use std::ops::AddAssign;
use std::time::Duration;

use crate::value::key_state::KeyState;
use crate::value::record::RecordKind;

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
    /// Waits that ended because the key was another one then, so that it was decided again.
    waits_retried,
    /// Waits that ended at their deadline.
    wait_timeouts,
    /// Waits that were given up: their future was dropped.
    waits_abandoned,
    /// Claims that were answered at once because too many others waited.
    waits_refused,
    /// Runs that were started although the key had been run before without an outcome.
    reruns,
    /// Runs that were started in place of a holder that lapsed or died.
    reclaimed,
    /// Keys that were completed.
    completed,
    /// Keys that failed for good.
    failed,
    /// Keys that were released to be tried again.
    released,
    /// Doubts that were written to the log.
    doubted,
    /// Keys that came into doubt, by their holder or by a lapse.
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
    /// Calls of holders whose token was not current any more.
    superseded,
    /// Completions and final failures among them.
    superseded_completions,
    /// Calls of holders whose key was not there any more.
    not_held,
    /// Leases that were renewed.
    renewed,
    /// Checkpoints that were stored.
    checkpoints,
    /// Keys that were forgotten on request.
    forgotten,
}

/// How a claim ends: each in exactly one of these ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClaimOutcome {
    Granted,
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Mismatch,
    Repeat,
    Error,
    Abandoned,
}

impl ClaimOutcome {
    pub(crate) const ALL: [Self; 9] = [
        Self::Granted,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::InDoubt,
        Self::Mismatch,
        Self::Repeat,
        Self::Error,
        Self::Abandoned,
    ];

    /// Of an answer that is stored.
    pub(crate) fn of_settled(state: KeyState) -> Self {
        match state {
            KeyState::Failed => Self::Failed,
            KeyState::InDoubt => Self::InDoubt,
            _ => Self::Completed,
        }
    }

    /// Its name in metrics and traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Mismatch => "mismatch",
            Self::Repeat => "repeat",
            Self::Error => "error",
            Self::Abandoned => "abandoned",
        }
    }
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

/// How long keys were held: powers of two of a millisecond, so that a bucket is found in no time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holds {
    /// By bucket: up to 1 ms, 2 ms, 4 ms and so on, and what is over the last bound.
    pub(crate) counts: [u64; HOLD_BOUNDS + 1],
    pub(crate) sum_ms: u64,
}

/// Bounds of the buckets of [`Holds`]: the last is 2^22 ms, which is 70 minutes.
pub(crate) const HOLD_BOUNDS: usize = 23;

impl Holds {
    pub(crate) fn observe(&mut self, ms: u64) {
        // The number of the first power of two that is no less.
        let power = u64::BITS - ms.saturating_sub(1).leading_zeros();
        let bucket = usize::try_from(power).map_or(HOLD_BOUNDS, |power| power.min(HOLD_BOUNDS));
        self.counts[bucket] += 1;
        self.sum_ms = self.sum_ms.wrapping_add(ms);
    }
}

impl AddAssign for Holds {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_ms = self.sum_ms.wrapping_add(other.sum_ms);
    }
}

/// The column of the counters that a namespace has in every shard. The first namespaces to be made
/// or opened have one of their own, so that counters are bounded whatever the number of namespaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Column(u8);

/// Namespaces that have a column of their own; the others share one more.
pub(crate) const COLUMNS_MAX: usize = 64;

impl Column {
    /// The one that namespaces without one of their own share.
    pub(crate) const OTHERS: Self = Self(64);

    /// The column of the `number`-th namespace.
    pub(crate) fn of(number: usize) -> Self {
        let own = u8::try_from(number).ok().filter(|_| number < COLUMNS_MAX);
        own.map_or(Self::OTHERS, Self)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The counters of one shard, by namespace.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Nothing is counted: to see what counting costs.
    off: bool,
    /// The first column is at hand; most stores have no other.
    first: Counters,
    /// The others, made when there is something to count.
    more: Vec<Option<Box<Counters>>>,
}

impl Tallies {
    pub(crate) fn turn_off(&mut self) {
        self.off = true;
    }

    /// Counts something of a namespace.
    #[inline]
    pub(crate) fn count(&mut self, column: Column, add: impl FnOnce(&mut Counters)) {
        if self.off {
            return;
        }
        match column.index().checked_sub(1) {
            None => add(&mut self.first),
            Some(index) => add(self.one_of_more(index)),
        }
    }

    fn one_of_more(&mut self, index: usize) -> &mut Counters {
        if self.more.len() <= index {
            self.more.resize_with(index + 1, || None);
        }
        self.more[index].get_or_insert_default()
    }

    /// The columns that something was counted in.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (usize, &Counters)> {
        let more = self.more.iter().enumerate();
        let more = more.filter_map(|(index, counters)| Some((index + 1, &**counters.as_ref()?)));
        std::iter::once((0, &self.first)).chain(more)
    }

    pub(crate) fn sum(&self) -> Counters {
        self.columns()
            .fold(Counters::default(), |mut sum, (_, counters)| {
                sum += *counters;
                sum
            })
    }
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

#[cfg(test)]
mod tests {
    use super::{COLUMNS_MAX, Column, HOLD_BOUNDS, Holds, Tallies};

    #[test]
    fn a_hold_falls_under_the_first_power_of_two_that_it_does_not_pass() {
        let mut holds = Holds::default();
        for (ms, bucket) in [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (1 << 22, 22),
        ] {
            let before = holds.counts[bucket];
            holds.observe(ms);
            assert_eq!(holds.counts[bucket], before + 1, "{ms} ms");
        }
        holds.observe((1 << 22) + 1);
        holds.observe(u64::MAX);
        assert_eq!(holds.counts[HOLD_BOUNDS], 2);
    }

    #[test]
    fn namespaces_beyond_the_cap_share_a_column() {
        let mut tallies = Tallies::default();
        for number in 0..COLUMNS_MAX + 10 {
            tallies.count(Column::of(number), |counters| counters.granted += 1);
        }
        let columns: Vec<_> = tallies.columns().map(|(_, seen)| seen.granted).collect();
        assert_eq!(columns.len(), COLUMNS_MAX + 1);
        assert_eq!((columns[0], columns[COLUMNS_MAX]), (1, 10));
        assert_eq!(tallies.sum().granted, 74);
    }
}
