//! [`Distribution`]: durations in buckets.

/// Durations in buckets.
///
/// # Examples
///
/// ```
/// use hapax::metrics::MetricValue;
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// store.namespace("seen", Policy::at_least_once())?.insert("event-7")?;
/// for family in store.metrics().families() {
///     for series in family.series() {
///         if let MetricValue::Histogram(seen) = series.value() {
///             println!("{}: {} took {} s", family.name(), seen.count(), seen.sum());
///         }
///     }
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Distribution {
    /// In seconds, ascending.
    pub(crate) bounds: &'static [f64],
    /// By bucket; one more than there are bounds.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum_seconds: f64,
}

impl Distribution {
    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of the durations, in seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum_seconds
    }

    /// The upper bounds in seconds, each with the number of durations up to it; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut below = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (bound, below)
        })
    }

    /// The upper bound, in seconds, of the bucket in which this share of the measurements ends: 0.95 gives
    /// the 95th percentile. `None` without a measurement.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = as_f64(self.count()) * share.clamp(0.0, 1.0);
        let mut reached = self
            .buckets()
            .filter(|(_, below)| *below > 0 && as_f64(*below) >= wanted);
        reached.next().map(|(bound, _)| bound)
    }

    /// The durations since an earlier snapshot.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (count, before) in self.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        self.sum_seconds = (self.sum_seconds - earlier.sum_seconds).max(0.0);
        self
    }

    /// The sum with another distribution of the same buckets.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_seconds += other.sum_seconds;
        self
    }
}

/// A count as a number with a fraction; above 2^53 the last digits are lost.
#[expect(
    clippy::cast_precision_loss,
    reason = "what is shown has 53 bits, as in Prometheus"
)]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Seconds, from a number of parts of a second.
pub(crate) fn seconds(parts: u64, parts_per_second: u64) -> f64 {
    as_f64(parts) / as_f64(parts_per_second)
}
