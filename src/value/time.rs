//! [`Now`]: the moment that a decision is made at, and when what it stores expires.
//!
//! Two clocks, never one: *leases* run on the monotonic clock, in milliseconds; *retention* runs
//! on store time, in seconds that never run backwards and survive a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
#[inline]
pub(crate) fn expiry(now: Now, retention: Duration) -> u32 {
    let whole = u64::from(retention.subsec_nanos() != 0).saturating_add(retention.as_secs());
    // One second more: `now` is the whole second that the transition lies in.
    let end = u64::from(now.store_secs)
        .saturating_add(whole)
        .saturating_add(1);
    u32::try_from(end).unwrap_or(LAST_EXPIRY).min(LAST_EXPIRY)
}

/// Milliseconds of a duration, rounded up so that nothing ends early.
#[inline]
pub(crate) fn millis(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
    duration.as_secs().saturating_mul(1000).saturating_add(part)
}

/// Seconds since 1970 as callers get them; seconds that this system's clock cannot show become the last
/// second of store time.
pub(crate) fn system_time(secs: impl Into<u64>) -> SystemTime {
    let at = |secs| UNIX_EPOCH.checked_add(Duration::from_secs(secs));
    at(secs.into())
        .or_else(|| at(u64::from(NEVER)))
        .unwrap_or(UNIX_EPOCH)
}

/// The second of store time in which this lies; 0 before 1970.
pub(crate) fn second_of(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The first second of store time that does not begin before this.
pub(crate) fn first_second_from(at: SystemTime) -> u64 {
    let whole = second_of(at);
    let begins = UNIX_EPOCH.checked_add(Duration::from_secs(whole));
    let is_later = begins.is_some_and(|begins| begins < at);
    whole.saturating_add(u64::from(is_later))
}

#[cfg(test)]
mod tests {
    use super::{LAST_EXPIRY, Now, expiry, first_second_from, second_of, system_time};
    use std::time::Duration;

    #[test]
    fn a_time_within_a_second_lies_in_it_and_before_the_next() {
        let ten = system_time(10_u32);
        assert_eq!((second_of(ten), first_second_from(ten)), (10, 10));
        let later = ten + Duration::from_millis(1);
        assert_eq!((second_of(later), first_second_from(later)), (10, 11));
        let before_1970 = system_time(0_u32) - Duration::from_secs(1);
        assert_eq!(
            (second_of(before_1970), first_second_from(before_1970)),
            (0, 0)
        );
    }

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
