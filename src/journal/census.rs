//! [`Census`]: how many records of each segment live, exactly, without a timer per key.

use std::collections::{HashMap, VecDeque};

use crate::value::record::{Head, RecordKind};
use crate::value::time::NEVER;
use crate::wheel::Wheel;

/// What is known of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentStats {
    pub(crate) number: u64,
    pub(crate) first_frame: u64,
    /// Bytes of the payloads of its frames.
    pub(crate) bytes: u64,
    pub(crate) frames: u32,
    /// Records written, dead ones and removals included.
    pub(crate) records: u64,
    /// Removals among them that hold no key, only the place of what they remove.
    pub(crate) removals: u64,
    /// Completions and final failures among them, and the bytes that they take.
    pub(crate) outcomes: u64,
    pub(crate) outcome_bytes: u64,
    /// Records that are the current one of their key and have not expired.
    pub(crate) live: u64,
    /// The latest expiry of a record in it.
    pub(crate) greatest_expiry: u32,
    /// Holds, or held, a record without expiry.
    pub(crate) immortal: bool,
    /// Audit entries in it, and the bytes that they take.
    pub(crate) audited: u64,
    pub(crate) audit_bytes: u64,
    /// The latest expiry of an audit entry in it.
    pub(crate) audit_expiry: u32,
}

impl SegmentStats {
    pub(crate) fn new(number: u64, first_frame: u64) -> Self {
        Self {
            number,
            first_frame,
            bytes: 0,
            frames: 0,
            records: 0,
            removals: 0,
            outcomes: 0,
            outcome_bytes: 0,
            live: 0,
            greatest_expiry: 0,
            immortal: false,
            audited: 0,
            audit_bytes: 0,
            audit_expiry: 0,
        }
    }

    /// Whether it holds a key, or an answer, that its store has forgotten or that has expired.
    pub(crate) fn holds_dead(&self) -> bool {
        self.live < self.records - self.removals
    }

    /// Bytes without its audit entries, which are kept apart when it goes.
    pub(crate) fn record_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.audit_bytes)
    }

    /// An estimate: outcomes of a segment are taken to be of one size, and so are its other records,
    /// which are small; what lives is taken to be outcomes first.
    pub(crate) fn live_bytes(&self) -> u64 {
        let outcomes = self.live.min(self.outcomes);
        let outcome_bytes = self.outcome_bytes.checked_div(self.outcomes).unwrap_or(0);
        let others = self.records - self.outcomes;
        let other_bytes = self.record_bytes().saturating_sub(self.outcome_bytes);
        let other_bytes = other_bytes.checked_div(others).unwrap_or(0);
        outcome_bytes * outcomes + other_bytes * (self.live - outcomes)
    }
}

/// Live counts of all segments.
///
/// Per segment and second of expiry it knows how many records die then; a timing wheel turns those
/// seconds. A record whose second has passed is not counted again when its key is replaced later.
#[derive(Debug)]
pub(crate) struct Census {
    /// Invariant: ascending in `number` and in `first_frame`, without gaps in `number`.
    segments: VecDeque<SegmentStats>,
    /// Invariant: the sum over the seconds of a segment, and its records without expiry, is `live`.
    dying: HashMap<(u64, u32), u64>,
    /// The second that records were counted under last, and how many `dying` does not know of yet:
    /// most records of a moment die at the same one.
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

    /// Counts a record that was written, without saying that it lives.
    /// `bytes` is what it takes, its parts included, or close to it.
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

    /// Tells `dying` of what was counted last.
    fn settle_latest(&mut self) {
        let (second, counted) = std::mem::take(&mut self.latest);
        if let Some(count) = self.dying.get_mut(&second) {
            *count += counted;
        }
    }

    /// The record in this frame is not the current one of its key any more.
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
            // A second that is down to nothing stays until its turn: the wheel holds it anyway.
            *count = count
                .checked_sub(1)
                .expect("a record that dies was counted under its second");
        }
    }

    /// Lets the records die whose second has come.
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

    /// Forgets the newest segment, in which there is nothing.
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

    /// The segment that a frame lies in; `None` below the low mark.
    pub(crate) fn by_frame(&self, frame: u64) -> Option<&SegmentStats> {
        let after = self
            .segments
            .partition_point(|stats| stats.first_frame <= frame);
        after.checked_sub(1).and_then(|at| self.segments.get(at))
    }

    fn by_frame_mut(&mut self, frame: u64) -> Option<&mut SegmentStats> {
        let after = self
            .segments
            .partition_point(|stats| stats.first_frame <= frame);
        after
            .checked_sub(1)
            .and_then(|at| self.segments.get_mut(at))
    }

    fn by_number_mut(&mut self, number: u64) -> Option<&mut SegmentStats> {
        find(&mut self.segments, number)
    }

    /// Recounts from scratch against the live records that the caller knows: (frame, expiry).
    pub(crate) fn validate(&self, live: impl Iterator<Item = (u64, u32)>) {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        let mut dying: HashMap<(u64, u32), u64> = HashMap::new();
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
            let latest = if self.latest.0 == *second {
                self.latest.1
            } else {
                0
            };
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

fn find(segments: &mut VecDeque<SegmentStats>, number: u64) -> Option<&mut SegmentStats> {
    let first = segments.front()?.number;
    let at = usize::try_from(number.checked_sub(first)?).ok()?;
    segments.get_mut(at)
}

#[cfg(test)]
mod tests {
    use super::{Census, SegmentStats};
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

    /// A claim under at-most-once is a record too, and a dead one once its key is completed. It
    /// used to weigh as much as the response, so a log in which every response lived looked half
    /// dead, and was carried round and round.
    #[test]
    fn a_small_dead_record_does_not_weigh_as_much_as_a_large_live_one() {
        let mut stats = SegmentStats::new(1, 1);
        (stats.records, stats.bytes, stats.live) = (20, 10 * 60_000 + 10 * 60, 10);
        (stats.outcomes, stats.outcome_bytes) = (10, 10 * 60_000);
        assert_eq!(stats.live_bytes(), 600_000);
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
    fn a_live_record_without_expiry_that_nobody_counts() {
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
