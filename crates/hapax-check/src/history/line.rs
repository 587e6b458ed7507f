//! Calls and their times as people read them.

use super::Call;

impl Call {
    /// The call in one line, its times in milliseconds since `base`.
    pub(crate) fn line(&self, base: u64) -> String {
        let since = |stamp: u64| format!("{:10.3}", millis(stamp.saturating_sub(base)));
        let end = self.end.map_or("     never".to_owned(), since);
        let text = |json: serde_json::Result<String>| json.unwrap_or_default().replace('"', "");
        format!(
            "[{} .. {end}] thread {}: {} -> {}",
            since(self.start),
            self.thread,
            text(serde_json::to_string(&self.op)),
            text(serde_json::to_string(&self.result)),
        )
    }
}

/// Nanoseconds as milliseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "it is for people, to the microsecond"
)]
pub(crate) fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
