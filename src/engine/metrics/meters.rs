//! [`Meters`]: the measurements of calls, beside the counters in the shards.

use std::collections::BTreeMap;
use std::sync::Weak;

use crate::observe::metrics::MetricSource;
use crate::observe::metrics::histogram::Histogram;
use crate::observe::tallies::Column;
use crate::runtime::sync::{AtomicU64, Mutex};

/// The measurements of calls, beside the counters in the shards.
#[derive(Debug)]
pub(in crate::engine) struct Meters {
    /// By [`ClaimOutcome`], for the outcomes that a single claim can have.
    pub(in crate::engine) claims: [Histogram; TIMED_OUTCOMES],
    pub(in crate::engine) settlements: Histogram,
    pub(in crate::engine) batches: Histogram,
    pub(in crate::engine) waits: Histogram,
    pub(in crate::engine) compactions: Histogram,
    /// Claims that ended in an error, by the kind of error.
    pub(in crate::engine) errors: Mutex<BTreeMap<&'static str, u64>>,
    /// Sources of counters around the store, each with the namespace that it counts for.
    pub(in crate::engine) sources: Mutex<Vec<(Column, Weak<dyn MetricSource>)>>,
    /// When calls were marked to be timed last.
    pub(in crate::engine) sampled_ms: AtomicU64,
}

/// This many of the first outcomes in [`ClaimOutcome::ALL`] are timed.
const TIMED_OUTCOMES: usize = 6;

/// Parts of a histogram that calls on many threads observe.
const STRIPES: usize = 8;

impl Meters {
    pub(in crate::engine) fn new() -> Self {
        Self {
            claims: std::array::from_fn(|_| Histogram::new(STRIPES)),
            settlements: Histogram::new(STRIPES),
            batches: Histogram::new(1),
            waits: Histogram::new(1),
            compactions: Histogram::new(1),
            errors: Mutex::new(BTreeMap::new()),
            sources: Mutex::new(Vec::new()),
            sampled_ms: AtomicU64::new(0),
        }
    }
}
