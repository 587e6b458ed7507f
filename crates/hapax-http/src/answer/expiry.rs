//! The expiry of a stored response, and its HTTP date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// The expiry of a response that is stored now.
pub(crate) fn expiry_after(retention: Duration) -> SystemTime {
    let expiry = now() + retention;
    // Rounded up like the store does, so that a replay tells the same second.
    let secs = expiry.as_secs() + u64::from(expiry.subsec_nanos() > 0);
    UNIX_EPOCH + Duration::from_secs(secs)
}

pub(crate) fn http_date(date: SystemTime) -> Option<HeaderValue> {
    let date = Some(date).filter(|date| (UNIX_EPOCH..latest()).contains(date))?;
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
