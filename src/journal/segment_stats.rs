//! [`SegmentStats`]: what is counted of one segment.

/// What is known of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentStats {
    pub(crate) number: u64,
    pub(crate) first_frame: u64,
    /// Bytes of the payloads of its frames.
    pub(crate) bytes: u64,
    pub(crate) frames: u32,
    /// Records written, including dead ones and removals.
    pub(crate) records: u64,
    /// Removals among them, which hold no key, only the place of the record that they remove.
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
            ..Self::default()
        }
    }

    /// Whether it holds a key or an answer that the store has forgotten, or that has expired.
    pub(crate) fn holds_dead(&self) -> bool {
        self.live < self.records - self.removals
    }

    /// Bytes without its audit entries, which go into an archive when the segment goes.
    pub(crate) fn record_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.audit_bytes)
    }

    /// An estimate, as if all outcomes of the segment had one size, all other, small records had one
    /// size, and outcomes were the last to die.
    pub(crate) fn live_bytes(&self) -> u64 {
        let outcomes = self.live.min(self.outcomes);
        let outcome_bytes = self.outcome_bytes.checked_div(self.outcomes).unwrap_or(0);
        let others = self.records - self.outcomes;
        let other_bytes = self.record_bytes().saturating_sub(self.outcome_bytes);
        let other_bytes = other_bytes.checked_div(others).unwrap_or(0);
        outcome_bytes * outcomes + other_bytes * (self.live - outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::SegmentStats;

    /// A claim under at-most-once is a record too, and is dead once its key is completed. It used to
    /// weigh as much as the response, so a log whose responses were all live looked half dead, and was
    /// carried again and again.
    #[test]
    fn a_small_dead_record_does_not_weigh_as_much_as_a_large_live_one() {
        let mut stats = SegmentStats::new(1, 1);
        (stats.records, stats.bytes, stats.live) = (20, 10 * 60_000 + 10 * 60, 10);
        (stats.outcomes, stats.outcome_bytes) = (10, 10 * 60_000);
        assert_eq!(stats.live_bytes(), 600_000);
    }
}
