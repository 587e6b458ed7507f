//! [`Page`]: a part of a list of keys, and why it ends where it does.

use hapax::Rank;
use serde::Serialize;

/// Why a list ends before the last key that it could have.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoppedBy {
    Limit,
    Time,
}

#[derive(Serialize)]
pub(crate) struct Page<T> {
    pub(crate) keys: Vec<T>,
    /// Whether there may be more that are asked for.
    more: bool,
    stopped_by: Option<StoppedBy>,
    /// What the next page has to be asked for with, where there may be one.
    next: Option<String>,
    /// Keys that were looked at.
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

    /// The next page goes on after `reached`, where the list has an order that lasts.
    pub(crate) fn stop(&mut self, by: StoppedBy, reached: Option<Rank>) {
        self.more = true;
        self.stopped_by = Some(by);
        self.next = reached.map(|rank| rank.to_string());
    }
}
