//! [`Metrics`]: everything that a store counts and measures, at one moment.
//!
//! The names, and what each means, are in `catalogue.rs`; `text.rs` writes them for Prometheus, and
//! the adapters hand them to other libraries. The engine fills them in: see `engine/metrics.rs`.

mod catalogue;
pub(crate) mod histogram;
mod indicators;
#[cfg(feature = "metrics")]
mod publish;
mod source;
mod text;

use std::borrow::Cow;
use std::time::Duration;

pub use crate::observe::metrics::indicators::Indicators;
#[cfg(feature = "metrics")]
pub use crate::observe::metrics::publish::Publisher;
pub use crate::observe::metrics::source::MetricSource;

/// What kind of number a metric is.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MetricKind {
    /// It only rises, from zero at open.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Durations, counted into buckets.
    Histogram,
}

/// Everything that a store counts and measures, at one moment.
///
/// Counters begin at zero when the store is opened. `docs/metrics.md` says what each of them means.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// mail.insert("user-7")?;
/// let metrics = store.metrics();
/// let granted = [("namespace", "mail"), ("outcome", "granted")];
/// assert_eq!(metrics.total("hapax_claims_total", &granted), 1);
/// assert!(metrics.to_prometheus().contains("hapax_claims_total{namespace=\"mail\",outcome=\"granted\"} 1"));
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    families: Vec<Family>,
    /// On the monotonic clock of the store.
    at: Duration,
    /// Which opening of a store it is of.
    run: u128,
}

/// A metric: its name, and its numbers by their labels.
#[derive(Clone, Debug)]
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    series: Vec<Series>,
}

/// One number of a metric, or one distribution.
#[derive(Clone, Debug)]
pub struct Series {
    labels: Vec<(&'static str, Cow<'static, str>)>,
    value: Value,
}

/// What a metric says.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a histogram.
    Histogram(Distribution),
}

/// Durations in buckets.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// In seconds, ascending.
    pub(crate) bounds: &'static [f64],
    /// By bucket; one more than there are bounds.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum_seconds: f64,
}

impl Metrics {
    pub(crate) fn new(at: Duration, run: u128) -> Self {
        Self {
            families: catalogue::families(),
            at,
            run,
        }
    }

    /// All metrics, in the order of `docs/metrics.md`.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The metric of this name.
    #[must_use]
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The sum of a counter, or of the counts of a histogram, over the series that have these
    /// labels among theirs; zero where there is none.
    #[must_use]
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let series = self.family(name).into_iter().flat_map(Family::series);
        let wanted = series.filter(|series| series.has(labels));
        wanted
            .map(|series| match series.value() {
                Value::Counter(count) => *count,
                Value::Histogram(seen) => seen.count(),
                Value::Gauge(_) => 0,
            })
            .sum()
    }

    /// The sum of a gauge over the series that have these labels among theirs; `None` where there
    /// is none.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let series = self.family(name)?.series.iter();
        let gauges = series
            .filter(|series| series.has(labels))
            .filter_map(|series| match series.value() {
                Value::Gauge(value) => Some(*value),
                _ => None,
            });
        gauges.reduce(|sum, value| sum + value)
    }

    /// When it was taken, on the monotonic clock of the store.
    pub(crate) fn at(&self) -> Duration {
        self.at
    }

    fn add(&mut self, name: &str, labels: &[(&'static str, Cow<'static, str>)], value: Value) {
        let family = self.families.iter_mut().find(|family| family.name == name);
        let family = family.expect("every metric is in the catalogue");
        debug_assert_eq!(family.kind, value.kind(), "{name} is of this kind");
        family.series.push(Series {
            labels: labels.to_vec(),
            value,
        });
    }

    pub(crate) fn count(
        &mut self,
        name: &str,
        labels: &[(&'static str, Cow<'static, str>)],
        count: u64,
    ) {
        self.add(name, labels, Value::Counter(count));
    }

    pub(crate) fn measure(
        &mut self,
        name: &str,
        labels: &[(&'static str, Cow<'static, str>)],
        value: f64,
    ) {
        self.add(name, labels, Value::Gauge(value));
    }

    pub(crate) fn distribution(
        &mut self,
        name: &str,
        labels: &[(&'static str, Cow<'static, str>)],
        seen: Distribution,
    ) {
        self.add(name, labels, Value::Histogram(seen));
    }
}

impl Family {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it means, in a sentence.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// What kind of number it is.
    #[must_use]
    pub fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Its numbers.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }
}

impl Series {
    /// Its labels, in the order in which they are written.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.labels.iter().map(|(name, value)| (*name, &**value))
    }

    /// What it says.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    fn has(&self, wanted: &[(&str, &str)]) -> bool {
        let mut wanted = wanted.iter();
        wanted.all(|wanted| self.labels().any(|label| label == *wanted))
    }
}

impl Value {
    fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::Counter,
            Self::Gauge(_) => MetricKind::Gauge,
            Self::Histogram(_) => MetricKind::Histogram,
        }
    }
}

impl Distribution {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum_seconds
    }

    /// Upper bounds in seconds, and how many were no longer than that; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut below = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (bound, below)
        })
    }

    /// The upper bound, in seconds, of the bucket that the `share`-th of them lies in: the 0.95th
    /// took no longer than that. `None` where there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = as_f64(self.count()) * share.clamp(0.0, 1.0);
        let mut reached = self
            .buckets()
            .filter(|(_, below)| *below > 0 && as_f64(*below) >= wanted);
        reached.next().map(|(bound, _)| bound)
    }

    /// These, without those of an earlier snapshot.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (count, before) in self.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        self.sum_seconds = (self.sum_seconds - earlier.sum_seconds).max(0.0);
        self
    }

    /// These and others in the same buckets.
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

/// Seconds, of so many parts of a second.
pub(crate) fn seconds(parts: u64, parts_per_second: u64) -> f64 {
    as_f64(parts) / as_f64(parts_per_second)
}
