//! When a stored response is forgotten, in seconds since 1970, and as a date of HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// When a response that is stored now is forgotten, in seconds since 1970.
pub(crate) fn expiry_after(retention: Duration) -> u64 {
    let expiry = now() + retention;
    // Rounded up, as the store does: a replay is not told another second.
    expiry.as_secs() + u64::from(expiry.subsec_nanos() > 0)
}

pub(crate) fn http_date(secs: u64) -> Option<HeaderValue> {
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(secs));
    let date = date.filter(|date| *date < latest())?;
    HeaderValue::try_from(httpdate::fmt_http_date(date)).ok()
}

/// The form has four digits for the year.
fn latest() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the header tells clients a time of their own clocks; nothing is decided by it"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
