//! [`Room`]: the positions of the log at which the disk is full, as `disk.rs` measured them last.

use crate::runtime::sync::{AtomicBool, AtomicU64, Ordering};

/// Free bytes below which nothing is granted, under every floor: the log begins segments, writes manifests
/// and archives in them.
pub(in crate::engine) const LEAST_BYTES: u64 = 8 << 20;

/// The room on the medium by the last measurement. Positions are those of
/// [`given_bytes`](crate::journal::Journal::given_bytes).
#[derive(Debug)]
pub(in crate::engine) struct Room {
    /// Where the floor of `free_disk_bytes` is met, by the last look.
    pub(in crate::engine) floor: AtomicU64,
    /// Where the bytes that running keys need begin to be missing.
    pub(in crate::engine) needed: AtomicU64,
    /// Where the medium ends.
    pub(in crate::engine) end: AtomicU64,
    /// Where to measure again, even if that was done a moment ago.
    pub(in crate::engine) look: AtomicU64,
    /// The last segment that was prepared.
    pub(in crate::engine) prepared: AtomicU64,
    /// Bytes that were taken as the space for recovery on a full disk.
    pub(in crate::engine) reserve_bytes: AtomicU64,
    /// Whether so little is free that a segment may not be available.
    pub(in crate::engine) is_short: AtomicBool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            floor: AtomicU64::new(u64::MAX),
            needed: AtomicU64::new(u64::MAX),
            end: AtomicU64::new(u64::MAX),
            look: AtomicU64::new(u64::MAX),
            prepared: AtomicU64::new(0),
            reserve_bytes: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
        }
    }
}

impl Room {
    /// Takes a measurement into account: this many bytes were free.
    pub(in crate::engine) fn note(&self, given: u64, free: u64, floor: u64) {
        let at = |least: u64| given.saturating_add(free.saturating_sub(least));
        self.floor.store(at(floor), Ordering::Relaxed);
        self.needed.store(at(LEAST_BYTES), Ordering::Relaxed);
        self.end.store(at(0), Ordering::Relaxed);
        let left = free.saturating_sub(floor.max(LEAST_BYTES));
        self.look
            .store(given.saturating_add(left / 2), Ordering::Relaxed);
    }
}

/// Bytes held in reserve for recovery on a full disk: a quarter of the log, within these.
const RESERVE_BYTES_MIN: u64 = 2 * 1024 * 1024;

const RESERVE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes to hold in reserve for a log of this size: a power of two, so that the reserve grows only when the
/// log has doubled.
pub(in crate::engine) fn reserve_for(log_bytes: u64) -> u64 {
    (log_bytes / 4)
        .clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX)
        .next_power_of_two()
}

#[cfg(test)]
mod tests {
    use crate::engine::upkeep::room::reserve_for;

    #[test]
    fn the_reserve_grows_with_the_log() {
        let mib = |count: u64| count << 20;
        assert_eq!(reserve_for(0), mib(2));
        assert_eq!(reserve_for(mib(8)), mib(2));
        assert_eq!(reserve_for(mib(9)), mib(4));
        assert_eq!(reserve_for(mib(64)), mib(16));
        assert_eq!(reserve_for(u64::MAX), mib(16));
    }
}
