//! What compaction does next: the oldest segment goes when nothing in it lives, or its survivors are carried on.

use crate::journal::log::contract::SEGMENT_BYTES_MAX;
use crate::journal::segment_stats::SegmentStats;

/// Dead bytes of the log, in percent, from which survivors are carried.
const DEAD_PERCENT: u64 = 50;

/// Bytes on disk for each live byte from which survivors are carried: tiny frames take more room
/// than their records.
const DISK_FACTOR: u64 = 8;

/// Bytes on disk below which none of this matters.
const SMALL_DISK_BYTES: u64 = 256 * 1024 * 1024;

/// Short segments beyond the number of longer ones, from which survivors are carried. A run leaves at most
/// one, so only more runs make more of them, and carrying ends.
pub(in crate::engine) const SHORT_SEGMENTS_MAX: usize = 8;

/// Bytes of a segment that is not short, however few its frames.
const SHORT_BYTES_MAX: u64 = SEGMENT_BYTES_MAX / 4;

/// What compaction sees of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Oldest first.
    pub(crate) segments: &'a [SegmentStats],
    /// The oldest segment that still takes frames, or is not closed yet.
    pub(crate) open_segment: u64,
    pub(crate) disk_bytes: u64,
    /// Frames below which a segment is short.
    pub(crate) short_frames: u32,
    /// Records that expire up to here count as dead.
    pub(crate) expired_secs: u32,
    /// A caller asked for the segments up to this one to go, even if all of their records live.
    pub(crate) asked: u64,
}

/// What compaction does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    Nothing,
    /// No record of the segment can live: it goes unread.
    Drop(u64),
    /// Every record of the segment is checked against its key, and carried if it is current.
    Carry(u64),
}

impl View<'_> {
    fn closed(&self) -> impl Iterator<Item = &SegmentStats> {
        let open_segment = self.open_segment;
        let segments = self.segments.iter();
        segments.take_while(move |segment| segment.number < open_segment)
    }

    /// Whether the log takes much more room than its live records.
    fn is_wasteful(&self) -> bool {
        let bytes: u64 = self.closed().map(SegmentStats::record_bytes).sum();
        let live: u64 = self.closed().map(SegmentStats::live_bytes).sum();
        let mostly_dead = bytes.saturating_sub(live) * 100 > bytes * DEAD_PERCENT;
        // Audit entries take their room wherever they lie.
        let audits = self.segments.iter().map(|segment| segment.audit_bytes);
        let disk_bytes = self.disk_bytes.saturating_sub(audits.sum());
        let sparse = disk_bytes > SMALL_DISK_BYTES && disk_bytes / DISK_FACTOR > live;
        let scattered = shortness(self.closed(), self.short_frames) > SHORT_SEGMENTS_MAX;
        mostly_dead || sparse || scattered
    }
}

/// Counts choose when a segment goes, never whether a record lives.
pub(crate) fn choose(view: View<'_>) -> Plan {
    let Some(head) = view.closed().next() else {
        return Plan::Nothing;
    };
    let all_expired = !head.immortal && head.greatest_expiry <= view.expired_secs;
    if head.live == 0 && all_expired {
        Plan::Drop(head.number)
    } else if head.live == 0 || head.number <= view.asked || view.is_wasteful() {
        Plan::Carry(head.number)
    } else {
        Plan::Nothing
    }
}

/// The number of closed short segments beyond one for each longer one.
///
/// Where the long ones are as many, carrying past them to the short ones would cost more than a
/// segment for each run.
pub(in crate::engine) fn shortness<'a>(
    closed: impl Iterator<Item = &'a SegmentStats>,
    short_frames: u32,
) -> usize {
    let is_short =
        |segment: &&SegmentStats| segment.frames < short_frames && segment.bytes < SHORT_BYTES_MAX;
    let (short, long): (Vec<&SegmentStats>, Vec<_>) = closed.partition(is_short);
    short.len().saturating_sub(long.len())
}

#[cfg(test)]
mod tests {
    use crate::engine::upkeep::compaction::plan::{Plan, SMALL_DISK_BYTES, View, choose};
    use crate::journal::segment_stats::SegmentStats;

    fn segment(number: u64, records: u64, live: u64) -> SegmentStats {
        let mut stats = SegmentStats::new(number, number * 100);
        stats.records = records;
        stats.live = live;
        stats.bytes = records * 100;
        (stats.outcomes, stats.outcome_bytes) = (records, records * 100);
        stats.greatest_expiry = 50;
        stats
    }

    fn plan(segments: &[SegmentStats], open_segment: u64, expired_secs: u32) -> Plan {
        choose(View {
            segments,
            open_segment,
            disk_bytes: 0,
            short_frames: 0,
            expired_secs,
            asked: 0,
        })
    }

    #[test]
    fn the_open_segment_is_never_touched() {
        assert_eq!(plan(&[], 1, 100), Plan::Nothing);
        assert_eq!(plan(&[segment(1, 10, 0)], 1, 100), Plan::Nothing);
    }

    #[test]
    fn a_dead_head_goes_unread_only_when_everything_in_it_has_expired() {
        assert_eq!(
            plan(&[segment(1, 10, 0), segment(2, 1, 1)], 2, 50),
            Plan::Drop(1)
        );
        assert_eq!(
            plan(&[segment(1, 10, 0), segment(2, 1, 1)], 2, 49),
            Plan::Carry(1)
        );
        let mut immortal = segment(1, 10, 0);
        immortal.immortal = true;
        assert_eq!(plan(&[immortal, segment(2, 1, 1)], 2, 50), Plan::Carry(1));
    }

    #[test]
    fn survivors_are_carried_when_most_of_the_log_is_dead() {
        let live_head = [
            segment(1, 10, 10),
            segment(2, 10, 1),
            segment(3, 10, 1),
            segment(4, 1, 1),
        ];
        assert_eq!(plan(&live_head, 4, 0), Plan::Carry(1));
        assert_eq!(
            plan(&live_head[..2], 2, 0),
            Plan::Nothing,
            "a log that lives is left alone"
        );
    }

    #[test]
    fn sparse_disk_use_is_carried_away() {
        let segments = [segment(1, 10, 9), segment(2, 10, 10)];
        let view = View {
            segments: &segments,
            open_segment: 2,
            disk_bytes: SMALL_DISK_BYTES + 1,
            short_frames: 0,
            expired_secs: 0,
            asked: 0,
        };
        assert_eq!(choose(view), Plan::Carry(1));
    }

    /// Every run of a store leaves a segment with the little that it wrote, and 500 of them took a gigabyte.
    /// So the short segments of many runs are carried together.
    #[test]
    fn short_segments_of_many_runs_are_carried_together() {
        let of = |short: u64, long: u64| {
            let short_ones = (1..=short).map(|number| SegmentStats {
                frames: 3,
                ..segment(number, 3, 3)
            });
            let long_ones = (short + 1..=short + long).map(|number| SegmentStats {
                frames: 300,
                ..segment(number, 300, 300)
            });
            let segments: Vec<_> = short_ones.chain(long_ones).collect();
            choose(View {
                segments: &segments,
                open_segment: short + long + 1,
                disk_bytes: 0,
                short_frames: 256,
                expired_secs: 0,
                asked: 0,
            })
        };
        assert_eq!(of(8, 0), Plan::Nothing);
        assert_eq!(of(9, 0), Plan::Carry(1));
        assert_eq!(of(9, 1), Plan::Nothing, "a long one for each more of them");
        assert_eq!(of(20, 11), Plan::Carry(1));
    }

    #[test]
    fn what_was_asked_for_is_carried_though_it_lives_and_no_more() {
        let segments = [segment(1, 10, 10), segment(2, 10, 9), segment(3, 10, 10)];
        let asked = |segments, asked| {
            choose(View {
                segments,
                open_segment: 3,
                disk_bytes: 0,
                short_frames: 0,
                expired_secs: 0,
                asked,
            })
        };
        assert_eq!(asked(&segments, 2), Plan::Carry(1));
        assert_eq!(asked(&segments[1..], 2), Plan::Carry(2));
        assert_eq!(asked(&segments[2..], 3), Plan::Nothing, "it is open");
        assert_eq!(asked(&segments[1..], 1), Plan::Nothing);
    }
}
