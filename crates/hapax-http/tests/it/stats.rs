//! The answers add up to the requests.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hapax::{Policy, Store};
use hapax_http::{HttpStats, IdempotencyLayer, KeyUse, Outcome, Reason};
use proptest::prelude::*;

use crate::rig::{self, at_least_once};

fn answers(stats: &HttpStats) -> u64 {
    stats.uncovered()
        + stats.unkeyed()
        + stats.screened()
        + stats.executed()
        + stats.replayed()
        + stats.unprotected()
        + stats.abandoned()
        + stats.inner_errors()
        + stats.refusals()
}

fn app() -> (Router, IdempotencyLayer) {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .key(KeyUse::Optional)
        .request_bytes_max(8);
    let handler = |body: String| async move {
        assert_ne!(body, "panic", "planted");
        let status = if body == "busy" { 503 } else { 200 };
        Response::builder()
            .status(status)
            .body(Body::from(body))
            .unwrap()
    };
    let app = Router::new().fallback(handler).layer(layer.clone());
    (app, layer)
}

proptest! {
    #[test]
    fn every_request_is_counted_once_and_as_its_outcome_says(
        calls in prop::collection::vec((0..3_u8, 0..6_u8, 0..6_u8), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (app, layer) = app();
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        for (method, key, body) in &calls {
            let method = [http::Method::POST, http::Method::PATCH, http::Method::GET][usize::from(*method)].clone();
            let body = ["a", "b", "busy", "panic", "toolongbody", ""][usize::from(*body)];
            // The layer catches no panic of a request that it passes on; the server does.
            let is_passed = method == http::Method::GET || *key == 0;
            let body = if is_passed && body == "panic" { "a" } else { body };
            let mut call = rig::call(method, "/pay").body(body);
            match key {
                0 => {}
                1 => call = call.header("idempotency-key", "a, b"),
                key => call = call.key(&key.to_string()),
            }
            let reply = runtime.block_on(call.send(&app));
            let name = match reply.outcome {
                None => "passed".to_owned(),
                Some(Outcome::Executed { .. }) => "executed".to_owned(),
                Some(Outcome::Replayed { .. }) => "replayed".to_owned(),
                Some(Outcome::Refused(refusal)) => refusal.reason().code().to_owned(),
                Some(other) => panic!("{other:?}"),
            };
            *told.entry(name).or_default() += 1;
        }
        let stats = layer.stats();
        prop_assert_eq!(stats.requests(), u64::try_from(calls.len()).unwrap());
        prop_assert_eq!(answers(&stats), stats.requests());
        let of = |name: &str| told.get(name).copied().unwrap_or(0);
        prop_assert_eq!(stats.uncovered() + stats.unkeyed(), of("passed"));
        prop_assert_eq!((stats.executed(), stats.replayed()), (of("executed"), of("replayed")));
        for &reason in Reason::ALL {
            prop_assert_eq!(stats.refused(reason), of(reason.code()));
        }
        let runs = stats.runs_stored() + stats.runs_omitted() + stats.runs_released() + stats.runs_in_doubt();
        prop_assert_eq!(runs, stats.executed() + of("handler-failed"));
    }
}

/// A request that ran unprotected and lost its client counted twice, and so did a request whose refusal could not be
/// rendered, so the sums were wrong.
#[tokio::test]
async fn a_request_whose_client_leaves_or_whose_hook_panics_counts_once() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs)
        .one_tenant()
        .fail_open()
        .screen(|_, body| {
            assert_ne!(body, "screen", "planted");
            None
        })
        .render(|_, _| panic!("planted"));
    let app = Router::new()
        .fallback(std::future::pending::<String>)
        .layer(layer.clone());
    store.close().unwrap();
    let send = |key: &str, body: &'static str| {
        let (app, call) = (app.clone(), rig::post("/pay").key(key).body(body));
        tokio::spawn(async move { call.send(&app).await })
    };
    let unprotected = send("k", "");
    while layer.stats().unprotected() == 0 {
        tokio::task::yield_now().await;
    }
    unprotected.abort();
    assert!(unprotected.await.unwrap_err().is_cancelled());
    let scopeless = layer.clone().scope(|_| None);
    let refusing = Router::new().fallback(|| async {}).layer(scopeless);
    let refused = tokio::spawn(async move { rig::post("/pay").key("k").send(&refusing).await });
    assert!(refused.await.unwrap_err().is_panic());
    assert!(send("", "").await.unwrap_err().is_panic());
    assert!(send("k", "screen").await.unwrap_err().is_panic());
    let stats = layer.stats();
    assert_eq!(
        (stats.requests(), stats.unprotected(), stats.abandoned()),
        (4, 1, 3)
    );
    assert_eq!(answers(&stats), stats.requests());
}

#[test]
fn reasons_have_codes_of_their_own_and_errors_as_statuses() {
    let codes: std::collections::BTreeSet<_> =
        Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    for &reason in Reason::ALL {
        assert!(reason.status().is_client_error() || reason.status().is_server_error());
        assert!(!reason.title().is_empty());
    }
}

/// The answers were missing from the metrics: a service with `/metrics` saw claims, but neither routes nor refusals.
#[tokio::test]
async fn every_answer_is_in_the_metrics_of_the_store_by_route_and_outcome() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let pay = axum::routing::post(|| async { "paid" });
    let app = Router::new()
        .route("/pay/{id}", pay)
        .fallback(|| async { "nowhere" })
        .layer(layer.clone());
    for key in ["a", "a", "b"] {
        rig::post("/pay/7").key(key).send(&app).await;
    }
    rig::post("/pay/8").send(&app).await;
    rig::post("/an/invented/path").key("c").send(&app).await;
    rig::call(http::Method::GET, "/pay/9").send(&app).await;
    let count = |route: &str, outcome: &str| {
        let labels = [
            ("namespace", "http"),
            ("route", route),
            ("outcome", outcome),
        ];
        store.metrics().total("hapax_http_requests_total", &labels)
    };
    let template = if cfg!(feature = "axum") {
        "/pay/{id}"
    } else {
        "unmatched"
    };
    assert_eq!(
        (count(template, "replayed"), count(template, "missing_key")),
        (1, 1)
    );
    assert_eq!(store.metrics().total("hapax_http_requests_total", &[]), 6);
    assert_eq!(
        store
            .metrics()
            .total("hapax_http_requests_total", &[("outcome", "uncovered")]),
        1
    );
    assert_eq!(
        store
            .metrics()
            .total("hapax_http_requests_total", &[("outcome", "executed")]),
        3
    );
    let stored = [("outcome", "stored")];
    assert_eq!(store.metrics().total("hapax_http_runs_total", &stored), 3);
    let text = store.metrics().to_prometheus();
    assert!(
        !text.contains("invented") && text.contains("route=\"unmatched\""),
        "{text}"
    );
    // A second layer on the namespace adds to the counts; a dropped layer removes its own.
    let other = layer.clone();
    assert_eq!(other.stats().requests(), 6);
    drop((app, layer, other));
    assert_eq!(store.metrics().total("hapax_http_requests_total", &[]), 0);
}

/// Routes come from code, but a hook may return names that a client invents: they must not grow without bound.
#[tokio::test]
async fn routes_over_the_most_are_counted_together() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let layer = layer.route_label(|request| Some(request.uri.path().to_owned()));
    let app = Router::new().fallback(|| async { "paid" }).layer(layer);
    for route in 0..100 {
        rig::post(&format!("/{route}")).key("k").send(&app).await;
    }
    let metrics = store.metrics();
    let family = metrics.family("hapax_http_requests_total").unwrap();
    let routes: std::collections::BTreeSet<_> = family
        .series()
        .iter()
        .flat_map(hapax::metrics::Series::labels)
        .filter(|(label, _)| *label == "route")
        .map(|(_, route)| route.to_owned())
        .collect();
    assert_eq!(routes.len(), 65);
    let others = [("route", "other"), ("outcome", "executed")];
    assert_eq!(metrics.total("hapax_http_requests_total", &others), 36);
}

#[test]
fn the_page_has_the_metrics_of_the_layer() {
    let page = include_str!("../../../../docs/metrics.md");
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let metrics = store.metrics();
    let own = metrics.families().iter().map(hapax::metrics::Family::name);
    let own: Vec<_> = own.filter(|name| name.starts_with("hapax_http_")).collect();
    assert_eq!(own.len(), 4);
    for name in own {
        assert!(page.contains(&format!("| `{name}` | counter |")), "{name}");
    }
    drop(layer);
}
