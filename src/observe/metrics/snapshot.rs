//! [`Metrics`]: everything that a store counts and measures, at one moment.

use std::time::Duration;

use crate::observe::metrics::catalogue;
use crate::observe::metrics::distribution::Distribution;
use crate::observe::metrics::family::{Family, Label, Series, Value};

/// Everything that a store counts and measures, at one moment.
///
/// Counters begin at zero when the store is opened. [The guide](crate::guide::metrics) says what each of
/// them means.
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
    pub(super) families: Vec<Family>,
    /// The moment on the monotonic clock of the store.
    at: Duration,
    /// The opening of a store that it belongs to.
    pub(super) run: u128,
}

impl Metrics {
    pub(crate) fn new(at: Duration, run: u128) -> Self {
        Self {
            families: catalogue::families(),
            at,
            run,
        }
    }

    /// All metrics, in the order of [the guide](crate::guide::metrics).
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
    /// labels among theirs; zero if no series matches.
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

    /// The sum of a gauge over the series that have these labels among theirs; `None` without such a
    /// series.
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

    fn add(&mut self, name: &str, labels: &[Label], value: Value) {
        let family = self.families.iter_mut().find(|family| family.name == name);
        let family = family.expect("every metric is in the catalogue");
        debug_assert_eq!(family.kind, value.kind(), "{name} is of this kind");
        family.series.push(Series {
            labels: labels.to_vec(),
            value,
        });
    }

    pub(crate) fn count(&mut self, name: &str, labels: &[Label], count: u64) {
        self.add(name, labels, Value::Counter(count));
    }

    pub(crate) fn measure(&mut self, name: &str, labels: &[Label], value: f64) {
        self.add(name, labels, Value::Gauge(value));
    }

    pub(crate) fn distribution(&mut self, name: &str, labels: &[Label], seen: Distribution) {
        self.add(name, labels, Value::Histogram(seen));
    }
}
