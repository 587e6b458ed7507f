//! [`Census`]: how many records of each segment live, exactly and without a timer for each key.

use std::collections::{HashMap, VecDeque};

use crate::journal::segment_stats::SegmentStats;
use crate::value::record::{Head, RecordKind};
use crate::value::time::NEVER;
use crate::wheel::Wheel;

/// Live counts of all segments.
///
/// For each segment and second of expiry it counts the records that die then, and a timing wheel calls
/// those seconds. A record whose second has passed is not counted again when its key is replaced.
#[derive(Debug)]
pub(crate) struct Census {
    /// Invariant: ascending in `number` and in `first_frame`, without gaps in `number`.
    segments: VecDeque<SegmentStats>,
    /// Invariant: the sum over the seconds of a segment, and its records without expiry, is `live`.
    dying: HashMap<(u64, u32), u64>,
    /// The second that was counted last, and how many records `dying` does not include yet: records
    /// that are written together mostly die together.
    latest: ((u64, u32), u64),
    wheel: Wheel<(u64, u32)>,
    /// Live records whose second has come.
    expired: u64,
}

impl Census {
    pub(crate) fn new(now_secs: u32) -> Self {
        Self {
            segments: VecDeque::new(),
            dying: HashMap::new(),
            latest: ((0, 0), 0),
            wheel: Wheel::new(u64::from(now_secs)),
            expired: 0,
        }
    }

    pub(crate) fn open_segment(&mut self, number: u64, first_frame: u64) {
        debug_assert!(
            self.segments
                .back()
                .is_none_or(|last| last.number + 1 == number),
            "segments are contiguous"
        );
        self.segments
            .push_back(SegmentStats::new(number, first_frame));
    }

    /// Counts a frame of the newest segment.
    pub(crate) fn frame(&mut self, bytes: usize) {
        let last = self
            .segments
            .back_mut()
            .expect("a frame belongs to a segment");
        last.frames += 1;
        last.bytes += u64::try_from(bytes).expect("a frame is under 64 KiB");
    }

    /// Counts a record that was written, but not as live. `bytes` is about its size with its parts.
    #[inline]
    pub(crate) fn written(&mut self, segment: u64, head: &Head, bytes: u64) {
        let expires_at = head.expires_at;
        if let Some(stats) = self.by_number_mut(segment) {
            stats.records += 1;
            if matches!(head.kind, RecordKind::Completed | RecordKind::Failed) {
                stats.outcomes += 1;
                stats.outcome_bytes += bytes;
            }
            if expires_at == NEVER {
                stats.immortal = true;
            } else {
                stats.greatest_expiry = stats.greatest_expiry.max(expires_at);
            }
        }
    }

    /// Counts a removal that names a place.
    pub(crate) fn removal(&mut self, segment: u64, head: &Head, bytes: u64) {
        self.written(segment, head, bytes);
        if let Some(stats) = self.by_number_mut(segment) {
            stats.removals += 1;
        }
    }

    /// Counts audit entries.
    pub(crate) fn audited(&mut self, segment: u64, entries: u64, bytes: u64, expires_at: u32) {
        if let Some(stats) = self.by_number_mut(segment) {
            stats.audited += entries;
            stats.audit_bytes += bytes;
            stats.audit_expiry = stats.audit_expiry.max(expires_at);
        }
    }

    /// The record became the current one of its key.
    #[inline]
    pub(crate) fn born(&mut self, segment: u64, expires_at: u32) {
        if u64::from(expires_at) <= self.wheel.now() {
            return;
        }
        let Some(stats) = self.by_number_mut(segment) else {
            return;
        };
        stats.live += 1;
        if expires_at == NEVER {
            return;
        }
        if self.latest.0 != (segment, expires_at) {
            self.settle_latest();
            self.dying.entry((segment, expires_at)).or_insert_with(|| {
                self.wheel
                    .insert(u64::from(expires_at), (segment, expires_at));
                0
            });
            self.latest = ((segment, expires_at), 0);
        }
        self.latest.1 += 1;
    }

    /// Moves what was counted last to `dying`.
    fn settle_latest(&mut self) {
        let (second, counted) = std::mem::take(&mut self.latest);
        if let Some(count) = self.dying.get_mut(&second) {
            *count += counted;
        }
    }

    /// The record in this frame is no longer the current one of its key.
    pub(crate) fn died(&mut self, frame: u64, expires_at: u32) {
        if u64::from(expires_at) <= self.wheel.now() {
            return;
        }
        let Some(stats) = self.by_frame_mut(frame) else {
            return;
        };
        stats.live = stats
            .live
            .checked_sub(1)
            .expect("a record that dies was counted as live");
        let number = stats.number;
        if self.latest.0 == (number, expires_at) {
            self.settle_latest();
        }
        if let Some(count) = self.dying.get_mut(&(number, expires_at)) {
            // A second that is down to 0 stays until its turn, because the wheel holds it anyway.
            *count = count
                .checked_sub(1)
                .expect("a record that dies was counted under its second");
        }
    }

    /// Counts the records out whose second has come.
    pub(crate) fn advance(&mut self, now_secs: u32) {
        self.settle_latest();
        let (dying, segments) = (&mut self.dying, &mut self.segments);
        let expired = &mut self.expired;
        self.wheel
            .advance(u64::from(now_secs), &mut |_, (number, second)| {
                let count = dying.remove(&(number, second)).unwrap_or(0);
                *expired += count;
                if let Some(stats) = find(segments, number) {
                    stats.live = stats
                        .live
                        .checked_sub(count)
                        .expect("expiring records were counted as live");
                }
            });
    }

    /// Live records whose second has come, since the store was opened.
    pub(crate) fn expired(&self) -> u64 {
        self.expired
    }

    /// Forgets the oldest segment.
    pub(crate) fn drop_oldest(&mut self) {
        self.settle_latest();
        if let Some(stats) = self.segments.pop_front() {
            self.dying.retain(|(number, _), _| *number != stats.number);
        }
    }

    /// Forgets the newest segment, which is empty.
    pub(crate) fn discard_newest(&mut self) {
        self.segments.pop_back();
    }

    /// Records that expire up to here count as dead.
    pub(crate) fn now_secs(&self) -> u32 {
        u32::try_from(self.wheel.now()).unwrap_or(u32::MAX)
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &SegmentStats> {
        self.segments.iter()
    }

    pub(crate) fn oldest(&self) -> Option<&SegmentStats> {
        self.segments.front()
    }

    /// The segment of a frame; `None` below the low mark.
    pub(crate) fn by_frame(&self, frame: u64) -> Option<&SegmentStats> {
        self.segments.get(self.place_of(frame)?)
    }

    fn by_frame_mut(&mut self, frame: u64) -> Option<&mut SegmentStats> {
        let place = self.place_of(frame)?;
        self.segments.get_mut(place)
    }

    fn place_of(&self, frame: u64) -> Option<usize> {
        let begins_before = |stats: &SegmentStats| stats.first_frame <= frame;
        self.segments.partition_point(begins_before).checked_sub(1)
    }

    #[inline]
    fn by_number_mut(&mut self, number: u64) -> Option<&mut SegmentStats> {
        find(&mut self.segments, number)
    }

    /// Recounts everything from the live records that the caller knows: (frame, expiry).
    pub(crate) fn validate(&self, live: impl Iterator<Item = (u64, u32)>) {
        let (mut counts, mut dying) = (HashMap::new(), HashMap::new());
        for (frame, expires_at) in
            live.filter(|(_, expires_at)| u64::from(*expires_at) > self.wheel.now())
        {
            let stats = self
                .by_frame(frame)
                .expect("a live record lies in a segment that is there");
            *counts.entry(stats.number).or_insert(0) += 1;
            if expires_at != NEVER {
                *dying.entry((stats.number, expires_at)).or_insert(0) += 1;
            }
        }
        for stats in &self.segments {
            let counted = counts.get(&stats.number).copied().unwrap_or(0);
            assert_eq!(
                stats.live, counted,
                "live records of segment {}",
                stats.number
            );
        }
        for (second, count) in &self.dying {
            let is_latest = self.latest.0 == *second;
            let latest = if is_latest { self.latest.1 } else { 0 };
            let counted = dying.get(second).copied().unwrap_or(0);
            assert_eq!(
                *count + latest,
                counted,
                "records that die at (segment, second) {second:?}"
            );
        }
        self.wheel.validate();
    }
}

#[inline]
fn find(segments: &mut VecDeque<SegmentStats>, number: u64) -> Option<&mut SegmentStats> {
    let first = segments.front()?.number;
    let at = usize::try_from(number.checked_sub(first)?).ok()?;
    segments.get_mut(at)
}

#[cfg(test)]
mod tests {
    use super::Census;
    use crate::value::fencing_token::FencingToken;
    use crate::value::namespace_id::NamespaceId;
    use crate::value::record::{Head, RecordKind};
    use crate::value::time::NEVER;

    fn head(expires_at: u32) -> Head {
        Head {
            kind: RecordKind::Completed,
            namespace: NamespaceId(1),
            token: FencingToken::new(1, 1),
            attempt: 1,
            first_claimed_at: 0,
            recorded_at: 0,
            expires_at,
            retention_secs: 0,
            body_omitted: false,
            attached: false,
        }
    }

    /// Two segments: one record that dies at 50 and one that never does, then one that dies at 60.
    fn whole() -> Census {
        let mut census = Census::new(0);
        census.open_segment(1, 1);
        for expires_at in [50, NEVER] {
            census.written(1, &head(expires_at), 10);
            census.born(1, expires_at);
        }
        census.open_segment(2, 5);
        census.written(2, &head(60), 10);
        census.born(2, 60);
        census
    }

    const LIVE: [(u64, u32); 3] = [(1, 50), (4, NEVER), (5, 60)];

    #[test]
    fn counts_that_are_right_are_right_at_every_second() {
        let mut census = whole();
        census.validate(LIVE.into_iter());
        census.advance(49);
        census.validate(LIVE.into_iter());
        census.advance(50);
        census.validate(LIVE.into_iter());
        census.validate(LIVE[1..].iter().copied());
        census.died(5, 60);
        census.validate([(4, NEVER)].into_iter());
        // Its second has passed: it is not counted out again.
        census.died(1, 50);
        census.died(4, NEVER);
        census.validate([].into_iter());
        assert!(census.segments().all(|segment| segment.live == 0));
    }

    #[test]
    #[should_panic(expected = "live records of segment 1")]
    fn a_live_record_without_expiry_that_is_not_counted() {
        whole().validate([(1, 50), (4, NEVER), (4, NEVER), (5, 60)].into_iter());
    }

    #[test]
    #[should_panic(expected = "live records of segment 1")]
    fn a_count_of_a_record_that_is_gone() {
        whole().validate([(1, 50), (5, 60)].into_iter());
    }

    #[test]
    #[should_panic(expected = "records that die at (segment, second)")]
    fn a_record_that_dies_in_another_second() {
        whole().validate([(1, 51), (4, NEVER), (5, 60)].into_iter());
    }

    #[test]
    #[should_panic(expected = "a live record lies in a segment that is there")]
    fn a_live_record_below_the_low_mark() {
        let mut census = whole();
        census.drop_oldest();
        census.validate(LIVE.into_iter());
    }

    #[test]
    #[should_panic(expected = "a record that dies was counted as live")]
    fn a_record_that_dies_twice() {
        let mut census = whole();
        census.died(4, NEVER);
        census.died(4, NEVER);
        census.died(4, NEVER);
    }
}
