//! The expiry of a stored response, in seconds since 1970 and as an HTTP date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// The expiry of a response that is stored now, in seconds since 1970.
pub(crate) fn expiry_after(retention: Duration) -> u64 {
    let expiry = now() + retention;
    // Rounded up like the store does, so that a replay tells the same second.
    expiry.as_secs() + u64::from(expiry.subsec_nanos() > 0)
}

/// A moment as seconds since 1970.
pub(crate) fn secs(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

pub(crate) fn http_date(secs: u64) -> Option<HeaderValue> {
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(secs));
    let date = date.filter(|date| *date < latest())?;
    HeaderValue::try_from(httpdate::fmt_http_date(date)).ok()
}

/// The year has four digits.
fn latest() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the header tells clients a wall-clock time; nothing is decided by it"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
