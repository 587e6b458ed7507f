//! Moments, as answers write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment as seconds since 1970.
pub(crate) fn secs(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The moment this many seconds after the beginning of 1970.
pub(crate) fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}
