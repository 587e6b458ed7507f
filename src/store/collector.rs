//! [`StoreCollector`]: a store as a collector of a registry of `prometheus-client`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::observe::metrics::{Distribution, Family, MetricKind, Value};
use crate::store::handle::WeakHome;
use crate::store::store::Store;

/// A store as a collector of a registry of
/// [`prometheus-client`](https://docs.rs/prometheus-client) (feature `prometheus-client`): each
/// scrape takes a snapshot.
///
/// It does not keep the store open: once the last handle is gone, it collects nothing.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::metrics::StoreCollector;
/// use prometheus_client::{encoding::text::encode, registry::Registry};
///
/// let store = Store::in_memory().open()?;
/// let mut registry = Registry::default();
/// registry.register_collector(Box::new(StoreCollector::new(&store)));
/// let mut text = String::new();
/// encode(&mut text, &registry).unwrap();
/// assert!(text.contains("hapax_namespaces 0"));
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct StoreCollector {
    store: WeakHome,
}

impl StoreCollector {
    /// A collector of this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.home().downgrade(),
        }
    }
}

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(store) = self.store.upgrade() else {
            return Ok(());
        };
        let metrics = store.metrics();
        for family in metrics.families() {
            encode_family(family, &mut encoder)?;
        }
        Ok(())
    }
}

fn encode_family(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    // The library adds the suffix of a counter's name itself.
    let name = family.name().trim_end_matches("_total");
    let kind = match family.kind() {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
    };
    // It adds the full stop of the help too.
    let help = family.help().trim_end_matches('.');
    let mut encoder = encoder.encode_descriptor(name, help, None, kind)?;
    for series in family.series() {
        let labels: Vec<_> = series.labels().collect();
        if labels.is_empty() {
            encode_value(series.value(), &mut encoder)?;
        } else {
            encode_value(series.value(), &mut encoder.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn encode_value(value: &Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match value {
        Value::Counter(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Gauge(value) => encoder.encode_gauge(value),
        Value::Histogram(seen) => {
            let buckets = buckets(seen);
            encoder.encode_histogram::<NoLabelSet>(seen.sum(), seen.count(), &buckets, None)
        }
    }
}

/// Bounds and counts in the library's form: not cumulative.
fn buckets(seen: &Distribution) -> Vec<(f64, u64)> {
    let bounds = seen.bounds.iter().copied().chain([f64::INFINITY]);
    bounds.zip(seen.counts.iter().copied()).collect()
}

impl fmt::Debug for StoreCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCollector").finish_non_exhaustive()
    }
}
