//! [`Entries`]: keys by state, and the ages of the running ones.

use std::borrow::Cow;

use crate::engine::sizes::to_u64;
use crate::observe::metrics::{Metrics, as_f64, seconds};

/// A key that is in progress for more of its leases than this is overdue.
pub(in crate::engine) const OVERDUE_LEASES: u64 = 3;

/// Keys by state, and the ages of the running ones.
#[derive(Debug, Default)]
pub(in crate::engine) struct Entries {
    pub(in crate::engine) in_progress: usize,
    pub(in crate::engine) completed: usize,
    pub(in crate::engine) failed: usize,
    pub(in crate::engine) in_doubt: usize,
    pub(in crate::engine) released: usize,
    pub(in crate::engine) lapsed: usize,
    pub(in crate::engine) overdue: usize,
    pub(in crate::engine) oldest_ms: u64,
}

pub(in crate::engine) fn add_entries(metrics: &mut Metrics, entries: &Entries) {
    for (state, keys) in [
        ("in_progress", entries.in_progress),
        ("completed", entries.completed),
        ("failed", entries.failed),
        ("in_doubt", entries.in_doubt),
        ("released", entries.released),
    ] {
        let labels = [("state", Cow::Borrowed(state))];
        metrics.measure("hapax_entries", &labels, as_f64(to_u64(keys)));
    }
    let lapsed = as_f64(to_u64(entries.lapsed));
    metrics.measure("hapax_lapsed_entries", &[], lapsed);
    let overdue = as_f64(to_u64(entries.overdue));
    metrics.measure("hapax_overdue_entries", &[], overdue);
    let oldest = seconds(entries.oldest_ms, 1000);
    metrics.measure("hapax_oldest_in_progress_seconds", &[], oldest);
}
