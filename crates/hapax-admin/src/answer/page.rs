//! [`Page`]: a part of a list of keys, and why it ends.

use hapax::scan::ScanPosition;
use serde::Serialize;

/// Why a page ends before its list does.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoppedBy {
    Limit,
    Time,
}

/// A page of keys.
#[derive(Serialize)]
pub(crate) struct Page<T> {
    pub(crate) keys: Vec<T>,
    /// Whether more keys may match.
    more: bool,
    stopped_by: Option<StoppedBy>,
    /// The `after` of the next page, if there may be one.
    next: Option<String>,
    /// Keys that this page looked at.
    pub(crate) scanned: u64,
    pub(crate) store_secs: u64,
}

impl<T> Page<T> {
    pub(crate) fn new(store_secs: u64) -> Self {
        Self {
            keys: Vec::new(),
            more: false,
            stopped_by: None,
            next: None,
            scanned: 0,
            store_secs,
        }
    }

    /// Ends the page. The next one continues after `reached`, if the list has a lasting order.
    pub(crate) fn stop(&mut self, by: StoppedBy, reached: Option<ScanPosition>) {
        self.more = true;
        self.stopped_by = Some(by);
        self.next = reached.map(|rank| rank.to_string());
    }
}
