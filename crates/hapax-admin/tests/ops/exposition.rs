//! The metrics that a scraper gets from a store that has seen some of everything.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use hapax::{Claim, Limits, Namespace, Policy, Store};
use hapax_http::IdempotencyLayer;
use tower::ServiceExt;

/// The names of series, each with its labels and their values.
pub(crate) struct Exposition {
    series: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Exposition {
    pub(crate) fn of_a_store() -> Self {
        Self::parse(&(text() + &http()))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut series: BTreeMap<String, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, labels) = sample(line);
            let known = series.entry(name).or_default();
            for (label, value) in labels {
                known.entry(label).or_default().insert(value);
            }
        }
        Self { series }
    }

    pub(crate) fn has(&self, metric: &str) -> bool {
        self.series.contains_key(metric)
    }

    /// The values of a label of a metric; `None` if the metric has no such label.
    pub(crate) fn values(&self, metric: &str, label: &str) -> Option<&BTreeSet<String>> {
        self.series.get(metric)?.get(label)
    }
}

/// The name and the labels of a line such as `name{label="value"} 1`.
fn sample(line: &str) -> (String, Vec<(String, String)>) {
    let end = line.find(['{', ' ']).expect("a sample has a value");
    let name = line[..end].to_owned();
    let mut labels = Vec::new();
    let Some(mut rest) = line[end..].strip_prefix('{') else {
        return (name, labels);
    };
    while let Some((label, quoted)) = rest.split_once("=\"") {
        let end = end_of_value(quoted);
        labels.push((label.to_owned(), quoted[..end].to_owned()));
        rest = quoted[end + 1..].trim_start_matches(',');
        if rest.starts_with('}') {
            break;
        }
    }
    (name, labels)
}

/// The place of the first quotation mark without a backslash before it.
fn end_of_value(quoted: &str) -> usize {
    let mut escaped = false;
    let is_end = |c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    };
    quoted.find(is_end).expect("a value is closed")
}

fn granted(namespace: &Namespace, key: &str) -> hapax::Lease {
    match namespace.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key} is free: {other:?}"),
    }
}

/// Counters exist with a zero before anything happens; only errors appear when they occur, and disk
/// metrics need a disk.
fn text() -> String {
    let dir = tempfile::tempdir().unwrap();
    let builder = Store::builder(dir.path().join("store"));
    let limits = Limits::new().live_keys(3).free_disk_bytes(1);
    let store = builder.limits(limits).open().unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    granted(&pay, "done").complete("receipt").unwrap();
    granted(&pay, "doubted").doubt("timed out").unwrap();
    granted(&pay, "failed").fail("declined").unwrap();
    assert!(matches!(pay.claim("done").unwrap(), Claim::Completed(_)));
    pay.claim("one too many").unwrap_err();
    store.metrics().to_prometheus()
}

/// The metrics that the HTTP layer adds to a store: one answer of each kind that a rule names. Closes the store.
fn http() -> String {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant().fail_open();
    let app = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(layer);
    let send = async || {
        let request = Request::post("/pay").header("idempotency-key", "k");
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        send().await;
        send().await;
        store.close().unwrap();
        send().await;
    });
    store.metrics().to_prometheus()
}

#[test]
fn samples_are_read() {
    let (name, labels) = sample("a_total{b=\"x,\\\"}{ y\",c=\"\"} 7");
    assert_eq!(name, "a_total");
    let expected =
        [("b", "x,\\\"}{ y"), ("c", "")].map(|(label, value)| (label.into(), value.into()));
    assert_eq!(labels, expected);
    assert_eq!(sample("up 1"), ("up".to_owned(), Vec::new()));
}
