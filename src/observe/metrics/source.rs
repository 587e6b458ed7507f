//! [`MetricSource`]: counters of code around a store, shown among the metrics of the store.

use std::borrow::Cow;

use crate::observe::metrics::family::{Family, MetricKind, Series, Value};
use crate::observe::metrics::snapshot::Metrics;

/// Counters of code around a store, such as a layer for HTTP, which the metrics of the store show too: hand
/// it to [`Namespace::add_metrics`](crate::Namespace::add_metrics).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use hapax::{Policy, Store};
/// use hapax::metrics::{Family, MetricSource};
///
/// struct Letters(AtomicU64);
///
/// impl MetricSource for Letters {
///     fn families(&self) -> Vec<Family> {
///         let sent = Family::counter("letters_total", "Letters that were sent.");
///         vec![sent.count([], self.0.load(Ordering::Relaxed))]
///     }
/// }
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// let letters = Arc::new(Letters(AtomicU64::new(3)));
/// mail.add_metrics(&letters);
/// assert!(store.metrics().to_prometheus().contains("letters_total{namespace=\"mail\"} 3"));
/// # Ok::<(), hapax::Error>(())
/// ```
pub trait MetricSource: Send + Sync {
    /// The present counts. Each snapshot asks once, on the thread that takes it.
    fn families(&self) -> Vec<Family>;
}

impl Family {
    /// Makes a counter without a number yet. The name ends in `_total`, and the help is a sentence.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: MetricKind::Counter,
            series: Vec::new(),
        }
    }

    /// Adds this count under these labels.
    #[must_use]
    pub fn count(
        mut self,
        labels: impl IntoIterator<Item = (&'static str, Cow<'static, str>)>,
        count: u64,
    ) -> Self {
        self.series.push(Series {
            labels: labels.into_iter().collect(),
            value: Value::Counter(count),
        });
        self
    }
}

impl Metrics {
    /// Adds the counts of a source for a namespace; counts with the same name and labels are added up.
    ///
    /// A name of the store itself is left out: a source does not speak for the store.
    pub(crate) fn add_source(&mut self, own: usize, namespace: &str, families: Vec<Family>) {
        for family in families {
            let place = self.families.iter().position(|at| at.name == family.name);
            if place.is_some_and(|place| place < own) {
                continue;
            }
            let place = place.unwrap_or_else(|| {
                self.families
                    .push(Family::counter(family.name, family.help));
                self.families.len() - 1
            });
            for mut series in family.series {
                let label = ("namespace", Cow::Owned(namespace.to_owned()));
                series.labels.insert(0, label);
                self.families[place].add_up(series);
            }
        }
    }
}

impl Family {
    fn add_up(&mut self, series: Series) {
        let known = self.series.iter_mut();
        let known = known
            .into_iter()
            .find(|known| known.labels == series.labels);
        match (known.map(|known| &mut known.value), &series.value) {
            (Some(Value::Counter(count)), Value::Counter(more)) => *count += more,
            (Some(_), _) => {}
            (None, _) => self.series.push(series),
        }
    }
}
