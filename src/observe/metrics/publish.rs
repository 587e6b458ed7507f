//! [`Publisher`]: hands snapshots to a recorder of the `metrics` crate.

use ::metrics::{Key, Label, Level, Metadata, Recorder};

use crate::observe::metrics::distribution::Distribution;
use crate::observe::metrics::family::{Family, MetricKind, Series, Value};
use crate::observe::metrics::snapshot::Metrics;

/// Hands snapshots of a store to a recorder of the [`metrics`](https://docs.rs/metrics) crate
/// (feature `metrics`): give it one every few seconds.
///
/// The recorder is handed in, so nothing depends on when a global one was installed. Counters are
/// raised by what came since the last snapshot, gauges are set. A recorder takes single values of a
/// histogram, so what fell into a bucket since the last snapshot is recorded as the upper bound of that bucket
/// (what is over the last bound, as that bound): sums and quantiles are rounded up. A publisher belongs to
/// one store; when that is opened again, the publisher may stay.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::metrics::Publisher;
///
/// let store = Store::in_memory().open()?;
/// let recorder = metrics::NoopRecorder;
/// let mut publisher = Publisher::new();
/// publisher.publish(&store.metrics(), &recorder);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Publisher {
    last: Option<Metrics>,
}

static METADATA: Metadata<'static> = Metadata::new("hapax", Level::INFO, Some("hapax"));

impl Publisher {
    /// Makes a publisher that has published nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings a recorder up to a snapshot.
    pub fn publish(&mut self, metrics: &Metrics, recorder: &dyn Recorder) {
        let is_first = self.last.is_none();
        // A store that was opened again counts from zero.
        let last = self.last.take().filter(|last| last.run == metrics.run);
        for family in metrics.families() {
            if is_first {
                describe(family, recorder);
            }
            let before = last.as_ref().and_then(|last| last.family(family.name()));
            for series in family.series() {
                let before = before.and_then(|before| same(before, series));
                record(family.name(), series, before.map(Series::value), recorder);
            }
        }
        self.last = Some(metrics.clone());
    }
}

fn same<'a>(family: &'a Family, series: &Series) -> Option<&'a Series> {
    let mut there = family.series().iter();
    there.find(|there| there.labels == series.labels)
}

fn describe(family: &Family, recorder: &dyn Recorder) {
    let (name, help) = (family.name().into(), family.help().into());
    match family.kind() {
        MetricKind::Counter => recorder.describe_counter(name, None, help),
        MetricKind::Gauge => recorder.describe_gauge(name, None, help),
        MetricKind::Histogram => recorder.describe_histogram(name, None, help),
    }
}

fn record(name: &'static str, series: &Series, before: Option<&Value>, recorder: &dyn Recorder) {
    let labels = series.labels();
    let labels: Vec<_> = labels
        .map(|(label, value)| Label::new(label, value.to_owned()))
        .collect();
    let key = Key::from_parts(name, labels);
    match (series.value(), before) {
        (Value::Counter(count), before) => {
            let before = match before {
                Some(Value::Counter(before)) => *before,
                _ => 0,
            };
            let counter = recorder.register_counter(&key, &METADATA);
            counter.increment(count.saturating_sub(before));
        }
        (Value::Gauge(value), _) => recorder.register_gauge(&key, &METADATA).set(*value),
        (Value::Histogram(seen), before) => {
            let before = match before {
                Some(Value::Histogram(before)) => Some(before),
                _ => None,
            };
            record_new(&key, seen, before, recorder);
        }
    }
}

fn record_new(
    key: &Key,
    seen: &Distribution,
    before: Option<&Distribution>,
    recorder: &dyn Recorder,
) {
    let new = match before {
        Some(before) => seen.clone().since(before),
        None => seen.clone(),
    };
    let histogram = recorder.register_histogram(key, &METADATA);
    let last = new.bounds.last();
    for (bound, count) in new.bounds.iter().chain(last).zip(&new.counts) {
        if *count > 0 {
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            histogram.record_many(*bound, count);
        }
    }
}
