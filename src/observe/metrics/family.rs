//! [`Family`]: a metric, and its numbers by their labels.

use std::borrow::Cow;

use crate::observe::metrics::distribution::Distribution;

/// The name and the value of a label.
pub(crate) type Label = (&'static str, Cow<'static, str>);

/// What kind of number a metric is.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::metrics::MetricKind;
///
/// let metrics = Store::in_memory().open()?.metrics();
/// let claims = metrics.family("hapax_claims_total").expect("every store has it");
/// assert_eq!(claims.kind(), MetricKind::Counter);
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MetricKind {
    /// It only rises, from zero at open.
    Counter,
    /// It rises and falls, and shows the present.
    Gauge,
    /// Durations, counted into buckets.
    Histogram,
}

/// A metric: its name, and its numbers by their labels.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let store = Store::in_memory().open()?;
/// let metrics = store.metrics();
/// for family in metrics.families() {
///     println!("{} ({:?}): {}", family.name(), family.kind(), family.help());
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricKind,
    pub(super) series: Vec<Series>,
}

/// One number of a metric, or one distribution.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let store = Store::in_memory().open()?;
/// for family in store.metrics().families() {
///     for series in family.series() {
///         let labels: Vec<_> = series.labels().collect();
///         println!("{} {labels:?}", family.name());
///     }
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Series {
    pub(super) labels: Vec<Label>,
    pub(super) value: Value,
}

/// The value of a metric.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::metrics::MetricValue;
///
/// let metrics = Store::in_memory().open()?.metrics();
/// for series in metrics.family("hapax_waiters").expect("every store has it").series() {
///     assert!(matches!(series.value(), MetricValue::Gauge(waiters) if *waiters == 0.0));
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
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

impl Family {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its meaning, in one sentence.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// The kind of its numbers.
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

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn has(&self, wanted: &[(&str, &str)]) -> bool {
        let mut wanted = wanted.iter();
        wanted.all(|wanted| self.labels().any(|label| label == *wanted))
    }
}

impl Value {
    pub(super) fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::Counter,
            Self::Gauge(_) => MetricKind::Gauge,
            Self::Histogram(_) => MetricKind::Histogram,
        }
    }
}
