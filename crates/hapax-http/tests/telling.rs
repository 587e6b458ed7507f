//! What a subscriber of `tracing` gets from the layer: handlers run in the span of their request, and each request is
//! one event, which never has the key.
//!
//! This is a separate program whose subscriber hears every thread, because a callsite that is first reached without
//! a subscriber may stay silent for good.

#![cfg(feature = "tracing")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use hapax::{Namespace, Policy, Store};
use hapax_http::{IdempotencyLayer, KeyParts, KeyUse};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing::field::{Field, Visit};
use tracing::instrument::Instrument;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

/// An event: the name of its span, and its fields.
#[derive(Clone, Debug)]
struct Told {
    target: &'static str,
    span: Option<String>,
    fields: BTreeMap<&'static str, String>,
}

impl Told {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

#[derive(Clone, Default)]
struct Listener {
    spans: Arc<Mutex<Vec<(String, &'static Metadata<'static>)>>>,
    events: Arc<Mutex<Vec<Told>>>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").unwrap();
        self.0.insert(field.name(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = fields.0.remove("name").unwrap_or_default();
        let mut spans = self.spans.lock().unwrap();
        spans.push((name, attributes.metadata()));
        Id::from_u64(u64::try_from(spans.len()).unwrap())
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entered = ENTERED.with_borrow(|entered| entered.last().map(Id::into_u64));
        let span = entered.map(|id| {
            let spans = self.spans.lock().unwrap();
            spans[usize::try_from(id).unwrap() - 1].0.clone()
        });
        self.events.lock().unwrap().push(Told {
            target: event.metadata().target(),
            span,
            fields: fields.0,
        });
    }

    fn current_span(&self) -> Current {
        let Some(id) = ENTERED.with_borrow(|entered| entered.last().cloned()) else {
            return Current::none();
        };
        let spans = self.spans.lock().unwrap();
        let metadata = spans[usize::try_from(id.into_u64()).unwrap() - 1].1;
        Current::new(id, metadata)
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
}

/// The events so far in the span with this name; each test uses its own name.
fn told(span: &str, target: &str) -> Vec<Told> {
    let events = listener().events.lock().unwrap();
    let mut events = events.clone();
    events.retain(|told| told.span.as_deref() == Some(span) && told.target == target);
    events
}

fn listener() -> &'static Listener {
    static LISTENER: OnceLock<Listener> = OnceLock::new();
    LISTENER.get_or_init(|| {
        let listener = Listener::default();
        tracing::subscriber::set_global_default(listener.clone()).unwrap();
        listener
    })
}

fn namespace() -> Namespace {
    listener();
    let store = Store::in_memory().open().unwrap();
    store.namespace("pay", Policy::at_least_once()).unwrap()
}

/// Sends a request within a span, and returns the status.
async fn send(
    app: &Router,
    span: &'static str,
    key: &str,
    id: &str,
    body: &'static str,
) -> StatusCode {
    let mut request = Request::post("/pay").header("x-request-id", id);
    if !key.is_empty() {
        request = request.header("idempotency-key", format!("\"{key}\""));
    }
    let request = request.body(Body::from(body)).unwrap();
    let call = app.clone().oneshot(request);
    let answer = call
        .instrument(tracing::info_span!("request", name = span))
        .await
        .unwrap();
    let status = answer.status();
    answer.into_body().collect().await.unwrap();
    status
}

/// A handler runs in a separate task, but the span of its request stayed behind: its events had no request, and a
/// trace of OpenTelemetry ended at the layer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_span_of_a_request_reaches_its_handler() {
    let handler = || async {
        tokio::task::yield_now().await;
        tracing::info!(target: "handler", "begun");
        axum::response::Response::new(Body::new(Once(Some("paid"))))
    };
    let layer = IdempotencyLayer::new(namespace()).one_tenant();
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    send(&app, "reaches", "k", "r-1", "").await;
    layer.drained().await;
    let heard = told("reaches", "handler");
    let heard: Vec<_> = heard.iter().map(|told| told.get("message")).collect();
    assert_eq!(heard, ["begun", "streamed"], "the body of its answer, too");
}

/// A body of one piece, which emits an event when it is polled.
struct Once(Option<&'static str>);

impl http_body::Body for Once {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Self::Error>>> {
        let piece = self.0.take();
        if piece.is_some() {
            tracing::info!(target: "handler", "streamed");
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into()))))
    }
}

tokio::task_local! {
    static TENANT: &'static str;
}

#[tokio::test]
async fn task_locals_reach_the_handler_by_the_hook() {
    let handler = || async {
        TENANT
            .try_with(|tenant| tenant.to_string())
            .unwrap_or_default()
    };
    let plain = IdempotencyLayer::new(namespace()).one_tenant();
    let wrapping = plain.clone().wrap_task(|task| match TENANT.try_get() {
        Ok(tenant) => Box::pin(TENANT.scope(tenant, task)),
        Err(_) => task,
    });
    for (layer, key, seen) in [(plain, "plain", ""), (wrapping, "wrapped", "acme")] {
        let app = Router::new().route("/pay", post(handler)).layer(layer);
        let request = Request::post("/pay").header("idempotency-key", key);
        let request = request.body(Body::empty()).unwrap();
        let answer = TENANT.scope("acme", app.oneshot(request)).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, seen, "{key}");
    }
}

#[tokio::test]
async fn each_request_is_one_line_with_its_decision_and_the_first_request() {
    let jobs = namespace();
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let handler = |body: String| async move {
        match body.as_str() {
            "busy" => Err(StatusCode::SERVICE_UNAVAILABLE),
            _ => Ok("paid"),
        }
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    let optional = layer.clone().key(KeyUse::Optional);
    let open = Router::new()
        .route("/pay", post(|| async { "paid" }))
        .layer(optional);
    let hostile = "r-1 \"\\ \t<b>";
    send(&app, "lines", "secret-key", hostile, "").await;
    send(&app, "lines", "secret-key", "r-2", "").await;
    send(&app, "lines", "secret-key", "r-3", "other").await;
    send(&app, "lines", "", "r-4", "").await;
    send(&app, "lines", "busy-key", "r-5", "busy").await;
    send(&open, "lines", "", "r-6", "").await;
    let lines = told("lines", "hapax_http");
    let of =
        |field: &'static str| -> Vec<&str> { lines.iter().map(|line| line.get(field)).collect() };
    assert_eq!(
        of("hapax.decision"),
        [
            "executed",
            "replayed",
            "mismatch",
            "missing-key",
            "executed"
        ],
        "the layer decides nothing about a request that it passes on"
    );
    let first = "r-1 \\\"\\\\ \\t<b>";
    assert_eq!(of("hapax.request"), [first, "r-2", "r-3", "r-4", "r-5"]);
    assert_eq!(of("hapax.first_request"), [first, first, first, "", "r-5"]);
    assert_eq!(of("http.status"), ["200", "200", "422", "400", "503"]);
    assert_eq!(of("hapax.stored"), ["true", "", "", "", "false"]);
    let key = KeyParts::new("", "POST /pay", "secret-key").to_key();
    let digest = jobs.key_digest(key).to_string();
    assert_eq!(
        &of("hapax.key_digest")[..4],
        [&*digest, &digest, &digest, ""]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.get("hapax.namespace") == "pay")
    );
    assert!(!format!("{lines:?}").contains("secret"), "{lines:?}");
}
