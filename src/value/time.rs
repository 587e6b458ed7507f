//! [`Now`]: the moment that a decision is made at, and when what it stores expires.
//!
//! Two clocks, never one: *leases* run on the monotonic clock, in milliseconds; *retention* runs
//! on store time, in seconds that never run backwards and survive a restart.

use std::time::Duration;

/// The moment that a decision is made at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    /// Monotonic milliseconds since the clock was made: for leases and waits.
    pub(crate) mono_ms: u64,
    /// Store time, in seconds since 1970: for retention.
    pub(crate) store_secs: u32,
}

/// The expiry of what never expires.
pub(crate) const NEVER: u32 = u32::MAX;

/// The last second that a record can expire at.
pub(crate) const LAST_EXPIRY: u32 = u32::MAX - 1;

/// The store time at which something decided `now` and kept for `retention` expires: never before
/// `retention` has passed, and at most two seconds after.
pub(crate) fn expiry(now: Now, retention: Duration) -> u32 {
    let whole = u64::from(retention.subsec_nanos() != 0).saturating_add(retention.as_secs());
    // One second more: `now` is the whole second that the transition lies in.
    let end = u64::from(now.store_secs)
        .saturating_add(whole)
        .saturating_add(1);
    u32::try_from(end).unwrap_or(LAST_EXPIRY).min(LAST_EXPIRY)
}

/// Milliseconds of a duration, rounded up so that nothing ends early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{LAST_EXPIRY, Now, expiry};
    use std::time::Duration;

    #[test]
    fn an_expiry_is_never_early_and_saturates() {
        let now = Now {
            mono_ms: 0,
            store_secs: 100,
        };
        assert_eq!(expiry(now, Duration::from_millis(1)), 102);
        assert_eq!(expiry(now, Duration::from_secs(10)), 111);
        assert_eq!(expiry(now, Duration::MAX), LAST_EXPIRY);
    }
}
