//! The page on metrics and the text for Prometheus say the same, and the text is well formed for
//! any names of namespaces.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use hapax::{Claim, Policy, Store};

use crate::contract_support::{MINUTE, SECOND, World};

/// The metrics of the page: type and labels by name.
fn page() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = include_str!("../../docs/metrics.md");
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells
            .first()?
            .strip_prefix("`hapax_")?
            .trim_end_matches('`');
        let labels = cells
            .get(2)?
            .split(',')
            .map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        Some((
            format!("hapax_{name}"),
            (cells[1].to_owned(), labels.collect()),
        ))
    };
    text.lines().filter_map(row).collect()
}

/// A sample of the text: name, labels in order, value.
type Sample = (String, Labels, f64);

type Labels = Vec<(String, String)>;

/// Reads a line as Prometheus does; panics where it would refuse.
fn sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    while let Some(label) = rest.strip_prefix(['{', ',']) {
        let (key, after) = label.split_once("=\"").unwrap();
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    other => panic!("escape {other:?} in {line}"),
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push((key.to_owned(), value));
        rest = &after[end + 1..];
    }
    let value = rest.trim_start_matches('}').strip_prefix(' ').unwrap();
    let value = value.parse().unwrap();
    (name.to_owned(), labels, value)
}

/// The families of a text: type and samples by name. Panics where it is not well formed.
fn families(text: &str) -> BTreeMap<String, (String, Vec<Sample>)> {
    let mut found: BTreeMap<String, (String, Vec<Sample>)> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split(' ').next().unwrap().to_owned();
            assert!(help.len() > current.len() + 10, "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current, "the type follows the help");
            let twice = found.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
            assert!(twice.is_none(), "{name} stands there once");
        } else {
            let sample = sample(line);
            let (kind, samples) = found.get_mut(&current).unwrap();
            let suffix = sample.0.strip_prefix(&current).unwrap();
            let fits = match &**kind {
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                "counter" => suffix.is_empty() && current.ends_with("_total"),
                _ => suffix.is_empty() && !current.ends_with("_total"),
            };
            assert!(fits, "{line}");
            samples.push(sample);
        }
    }
    found
}

/// Buckets rise, the last one is infinite and equals the count.
fn check_histogram(name: &str, samples: &[Sample]) {
    let mut open: Option<(Labels, f64, f64)> = None;
    for (full, labels, value) in samples {
        if full.ends_with("_bucket") {
            let (le, of) = labels.split_last().unwrap();
            let bound: f64 = le.1.parse().unwrap();
            if let Some((before, last_bound, count)) = open.take().filter(|open| open.0 == of) {
                assert!(bound > last_bound && *value >= count, "{name} {before:?}");
            }
            open = Some((of.to_vec(), bound, *value));
        } else if full.ends_with("_count") {
            let (of, bound, count) = open.take().unwrap();
            assert_eq!((of, bound), (labels.clone(), f64::INFINITY), "{name}");
            assert!((count - value).abs() < 0.5, "{name}");
        }
    }
}

/// A store that has seen an error, so that every family has a series.
fn text() -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("dedup")).unwrap();
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    mail.claim("").unwrap_err();
    mail.insert("key").unwrap();
    let text = store.metrics().to_prometheus();
    store.close().unwrap();
    text
}

#[test]
fn the_page_and_the_text_say_the_same() {
    let (mut page, families) = (page(), families(&text()));
    // The HTTP layer brings these; its own tests compare them with the page.
    page.retain(|name, _| !name.starts_with("hapax_http_"));
    assert_eq!(
        page.keys().collect::<Vec<_>>(),
        families.keys().collect::<Vec<_>>(),
        "the metrics of docs/metrics.md, and those of the text"
    );
    for (name, (kind, samples)) in &families {
        let labels = samples.iter().flat_map(|(_, labels, _)| labels);
        let labels = labels.map(|(label, _)| label.clone());
        let labels: BTreeSet<_> = labels.filter(|label| label != "le").collect();
        assert_eq!(page[name], (kind.clone(), labels), "{name}");
        assert!(!samples.is_empty(), "{name}");
        if kind == "histogram" {
            check_histogram(name, samples);
        }
    }
}

#[test]
fn queries_of_the_page_name_metrics_that_exist() {
    let page = page();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let text = include_str!("../../docs/metrics.md");
    for word in text.split(|c: char| !is_name(c)) {
        if word.starts_with("hapax_") {
            let name = word.trim_end_matches("_bucket");
            assert!(page.contains_key(name), "{word}");
        }
    }
}

#[test]
fn labels_are_escaped_and_capped() {
    let store = Store::in_memory().open().unwrap();
    let hostile = [
        "a\"} 1\nhapax_claims_total{namespace=\"b",
        "back\\slash\\n",
        "\\",
        "tab\tnul\0bell\u{7}",
        "\u{202e}\u{1f600}",
        "line\r\nbreak",
    ];
    for name in hostile {
        let space = store.namespace(name, Policy::at_least_once()).unwrap();
        space.insert("k").unwrap();
    }
    for number in 0..100 {
        let name = format!("space-{number}");
        let space = store.namespace(&name, Policy::at_least_once()).unwrap();
        space.insert("k").unwrap();
    }
    let families = families(&store.metrics().to_prometheus());
    let granted: BTreeMap<_, _> = families["hapax_claims_total"]
        .1
        .iter()
        .filter(|(_, labels, value)| labels[1].1 == "granted" && *value > 0.0)
        .map(|(_, labels, value)| (labels[0].1.clone(), *value))
        .collect();
    for name in hostile {
        assert_eq!(granted.get(name), Some(&1.0), "{name:?}");
    }
    assert_eq!(granted.len(), 65, "64 namespaces, and all the others");
    assert_eq!(granted["other"], 42.0);
}

/// The value of each of the five indicators for known traffic.
#[test]
fn indicators_are_what_they_say() {
    let world = World::new();
    let space = world.namespace(Policy::at_least_once().lease(MINUTE));
    let before = world.store.metrics();
    assert_eq!(before.indicators().duplicate_share_max(), None);
    let lease = |key: &str| match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("granted, not {other:?}"),
    };
    for key in ["a", "b", "c", "d"] {
        lease(key).complete("done").unwrap();
    }
    // After a step of the timers, the next claim of each shard is timed.
    world.clock.advance(SECOND);
    for _ in 0..3 {
        assert!(matches!(space.claim("a").unwrap(), Claim::Completed(_)));
    }
    let slow = lease("slow");
    world.clock.advance(2 * MINUTE);
    lease("slow").complete("done").unwrap();
    slow.complete("done").unwrap_err();
    drop(lease("dropped"));
    let keep = lease("dropped");
    world.clock.advance(5 * SECOND);
    let metrics = world.store.metrics();
    assert_eq!(metrics.total("hapax_superseded_completions_total", &[]), 1);
    assert_eq!(
        metrics.gauge("hapax_oldest_in_progress_seconds", &[]),
        Some(5.0)
    );
    for indicators in [metrics.indicators(), metrics.indicators_since(&before)] {
        assert_eq!(
            indicators.duplicate_effects_max(),
            2,
            "a reclaim and a drop"
        );
        assert_eq!(indicators.duplicate_share_max(), Some(2.0 / 8.0));
        assert_eq!(indicators.lapsed_share(), Some(1.0 / 8.0));
        assert_eq!(indicators.retries_per_operation(), Some(5.0 / 6.0));
        assert!(indicators.replay_p95().is_some());
    }
    let growth = metrics.indicators_since(&before).key_growth().unwrap();
    assert!((growth - 6.0 / 126.0).abs() < 1e-9, "{growth}");
    assert_eq!(metrics.indicators().disk_growth(), None);
    keep.complete("done").unwrap();
    let held = world.store.metrics();
    let held = held.family("hapax_hold_duration_seconds").unwrap();
    let hapax::metrics::MetricValue::Histogram(held) = held.series()[0].value() else {
        panic!("a histogram");
    };
    assert!((held.sum() - 5.0).abs() < 1e-9, "{held:?}");
    assert_eq!(held.count(), 7);
    assert_eq!(
        (held.quantile(0.5), held.quantile(1.0)),
        (Some(0.001), Some(8.192))
    );
}
