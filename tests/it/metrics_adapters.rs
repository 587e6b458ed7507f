//! Other libraries get what the snapshot says.

use hapax::testing::ManualClock;
use hapax::{Policy, Store};

fn world() -> (ManualClock, Store) {
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    (clock, store)
}

fn use_it(store: &Store, keys: u32) {
    let mail = store.namespace("mail\"s", Policy::at_least_once()).unwrap();
    for key in 0..keys {
        mail.insert(key.to_le_bytes()).unwrap();
        drop(mail.claim(key.to_le_bytes()).unwrap());
    }
    mail.claim("").unwrap_err();
}

#[cfg(feature = "metrics")]
mod facade {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use hapax::metrics::{MetricKind, MetricValue, Metrics, Publisher};
    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
        Recorder, SharedString, Unit,
    };

    use super::{use_it, world};

    /// Numbers by name and labels.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<BTreeMap<String, f64>>>);

    struct One(Seen, String);

    impl One {
        fn change(&self, by: impl FnOnce(f64) -> f64) {
            let mut seen = self.0.0.lock().unwrap();
            let value = seen.entry(self.1.clone()).or_default();
            *value = by(*value);
        }
    }

    impl CounterFn for One {
        fn increment(&self, value: u64) {
            self.change(|before| before + f64::from(u32::try_from(value).unwrap()));
        }

        fn absolute(&self, _: u64) {
            unreachable!("several stores may share a counter");
        }
    }

    impl GaugeFn for One {
        fn increment(&self, _: f64) {
            unreachable!("gauges are set");
        }

        fn decrement(&self, _: f64) {
            unreachable!("gauges are set");
        }

        fn set(&self, value: f64) {
            self.change(|_| value);
        }
    }

    impl HistogramFn for One {
        fn record(&self, _: f64) {
            self.change(|count| count + 1.0);
        }
    }

    impl Seen {
        fn one(&self, key: &Key) -> Arc<One> {
            let labels = key.labels().map(|label| (label.key(), label.value()));
            let name = name(key.name(), labels);
            Arc::new(One(self.clone(), name))
        }
    }

    fn name<'a, 'b>(name: &str, labels: impl Iterator<Item = (&'a str, &'b str)>) -> String {
        format!("{name} {:?}", labels.collect::<Vec<_>>())
    }

    impl Recorder for Seen {
        fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
            assert!(name.as_str().starts_with("hapax_") && help.len() > 10);
        }

        fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
            self.describe_counter(name, unit, help);
        }

        fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
            self.describe_counter(name, unit, help);
        }

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.one(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.one(key))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.one(key))
        }
    }

    fn check(seen: &Seen, metrics: &Metrics, before: Option<&Metrics>) {
        let seen = seen.0.lock().unwrap();
        for family in metrics.families() {
            for series in family.series() {
                let name = name(family.name(), series.labels());
                let labels: Vec<_> = series.labels().collect();
                let expected = match series.value() {
                    MetricValue::Gauge(value) => *value,
                    _ => {
                        let of = |metrics: &Metrics| metrics.total(family.name(), &labels);
                        let count = of(metrics) + before.map_or(0, of);
                        f64::from(u32::try_from(count).unwrap())
                    }
                };
                let told = seen.get(&name).copied().unwrap_or(0.0);
                assert!(
                    (told - expected).abs() < 1e-9,
                    "{name}: {told} of {expected}"
                );
                let is_counter = family.kind() == MetricKind::Counter;
                assert_eq!(is_counter, family.name().ends_with("_total"));
            }
        }
    }

    /// A reopened store had been open for longer than the previous one when the publisher came. The
    /// publisher took it for the previous one, and left out as much as that had counted.
    #[test]
    fn a_store_that_was_opened_again_some_time_ago_counts_from_zero() {
        let (seen, mut publisher) = (Seen::default(), Publisher::new());
        let mut before = None;
        for secs in [1, 3] {
            let (clock, store) = world();
            use_it(&store, 5);
            clock.advance(std::time::Duration::from_secs(secs));
            let metrics = store.metrics();
            publisher.publish(&metrics, &seen);
            check(&seen, &metrics, before.as_ref());
            before = Some(metrics);
        }
    }

    #[test]
    fn a_recorder_follows_the_snapshots() {
        let (clock, store) = world();
        let (seen, mut publisher) = (Seen::default(), Publisher::new());
        for keys in [0, 5, 5, 9] {
            use_it(&store, keys);
            clock.advance(std::time::Duration::from_secs(1));
            let metrics = store.metrics();
            publisher.publish(&metrics, &seen);
            check(&seen, &metrics, None);
        }
        // A reopened store counts from zero; a publisher that follows it goes on.
        let before = store.metrics();
        let (_, again) = world();
        use_it(&again, 3);
        publisher.publish(&again.metrics(), &seen);
        check(&seen, &again.metrics(), Some(&before));
    }
}

#[cfg(feature = "prometheus-client")]
mod registry {
    use std::collections::BTreeSet;

    use hapax::metrics::StoreCollector;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::{use_it, world};

    fn scrape(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn a_registry_says_what_the_text_says() {
        let (_, store) = world();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(StoreCollector::new(&store)));
        use_it(&store, 7);
        let theirs = scrape(&registry);
        let ours = store.metrics().to_prometheus();
        let numbers = |text: &str| -> BTreeSet<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(as_number).collect()
        };
        let (theirs, ours) = (numbers(&theirs), numbers(&ours));
        let differ: Vec<_> = theirs.symmetric_difference(&ours).collect();
        assert!(differ.is_empty(), "{differ:#?}");
        // It does not hold on to the store.
        drop(store);
        assert_eq!(scrape(&registry), "# EOF\n");
    }

    /// A line with its numbers and the order of its labels in one spelling: the two formats spell
    /// them differently.
    fn as_number(line: &str) -> String {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let Some((name, labels)) = name.split_once('{') else {
            return format!("{name} {value}");
        };
        let labels = labels.trim_end_matches("\"}").split("\",");
        let mut labels: Vec<_> = labels
            .map(|label| match label.strip_prefix("le=\"") {
                Some(bound) => format!("le={}", bound.parse::<f64>().unwrap()),
                None => label.to_owned(),
            })
            .collect();
        labels.sort();
        format!("{name} {labels:?} {value}")
    }
}
