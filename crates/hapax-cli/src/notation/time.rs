//! Spans and moments, as people write and read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a span such as `90s`, `15m` or `2h 30m`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write it as 90s, 15m, 2h or 7days"))
}

/// Reads a moment such as `2026-11-21T22:00:00Z`, in whole seconds.
pub(crate) fn parse_moment(text: &str) -> Result<SystemTime, String> {
    let moment = humantime::parse_rfc3339_weak(text)
        .map_err(|error| format!("{error}: write it as 2026-11-21T22:00:00Z, in UTC"))?;
    Ok(at(secs(moment)))
}

/// A moment as seconds since 1970.
pub(crate) fn secs(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The moment this many seconds after the beginning of 1970.
pub(crate) fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}

/// A moment in UTC.
pub(crate) fn moment(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// A span in its two largest units: `3days 4h`.
pub(crate) fn rough(span: Duration) -> String {
    let whole = humantime::format_duration(span).to_string();
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// As [`rough`], for whole seconds.
pub(crate) fn rough_secs(secs: u64) -> String {
    rough(Duration::from_secs(secs))
}

/// Nanoseconds in a readable unit.
pub(crate) fn latency(nanos: u64) -> String {
    let (part, unit) = match nanos {
        0..1_000_000 => (1000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = nanos / (part / 10);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{at, latency, moment, parse_moment, parse_span, rough_secs};
    use std::time::Duration;

    #[test]
    fn spans_and_moments_are_readable() {
        assert_eq!(parse_span("15m").unwrap(), Duration::from_secs(900));
        assert!(parse_span("15").unwrap_err().contains("90s"));
        assert_eq!(rough_secs(3_700), "1h 1m");
        assert_eq!(rough_secs(0), "0s");
        let spans = [480, 999_999, 1_250_000, 2_000_000_000].map(latency);
        assert_eq!(spans, ["0.4 us", "999.9 us", "1.2 ms", "2.0 s"]);
        assert_eq!(
            moment(parse_moment("2026-11-21T22:00:00Z").unwrap()),
            "2026-11-21T22:00:00Z"
        );
        assert_eq!(
            parse_moment("2026-11-21 22:00:00").unwrap(),
            at(1_795_298_400)
        );
    }
}
