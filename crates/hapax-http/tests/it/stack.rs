//! The layer among other layers: the order in `docs/http.md`, and inner services without room.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use hapax::{KeyState, Policy, Store};
use hapax_http::{BoxError, Disposition, IdempotencyLayer, RequestBody, by_error};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName, ORIGIN};
use http::{Method, Request, StatusCode};
use tokio::sync::Notify;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_layer::Layer;

use crate::rig::{self, Call, Meeting, Runs, at_least_once, namespace};

/// The answer of a service that sheds load.
async fn shed(error: BoxError) -> Response {
    assert_eq!(by_error(&*error), Disposition::NotBegun, "{error}");
    (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response()
}

const TOKEN: &str = "secret";

/// The order of `docs/http.md`, outermost first.
fn stack(layer: &IdempotencyLayer, pay: MethodRouter) -> Router {
    let origin = AllowOrigin::exact("https://shop.example".parse().unwrap());
    let cors = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::POST])
        .allow_headers([AUTHORIZATION, HeaderName::from_static("idempotency-key")])
        .expose_headers(layer.reply_header_names());
    #[expect(deprecated, reason = "one shared token is enough for a test")]
    let auth = ValidateRequestHeaderLayer::bearer(TOKEN);
    let inside = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(shed))
        .layer(layer.clone())
        .load_shed()
        .concurrency_limit(1);
    let outside = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(30),
        ))
        .layer(cors)
        .layer(CompressionLayer::new())
        .layer(auth)
        .layer(RequestDecompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(1024));
    Router::new()
        .route("/pay", pay.route_layer(inside))
        .route("/free", get(|| async { "free" }))
        .layer(outside)
        // Like a server: otherwise axum applies the layers for each request, and no limit is shared.
        .with_state(())
}

fn authenticated(path: &str) -> Call {
    rig::post(path).header("authorization", &format!("Bearer {TOKEN}"))
}

fn pay(key: &str) -> Call {
    authenticated("/pay").key(key)
}

/// Handlers that wait for the test, under keys that start with `slow`.
fn handler() -> (MethodRouter, Meeting, Runs) {
    let (meeting, runs) = (Meeting::default(), Runs::default());
    let (meets, counted) = (meeting.clone(), runs.clone());
    let handler = move |request: Request<Body>| async move {
        let run = counted.one_more();
        let key = request.headers()["idempotency-key"].clone();
        if key.to_str().unwrap().starts_with("\"slow") {
            meets.handler().await;
        }
        format!("run {run} of a long receipt, which is worth compressing")
    };
    (post(handler), meeting, runs)
}

#[tokio::test]
async fn the_stack_of_the_page_answers_as_the_page_says() {
    let layer = IdempotencyLayer::new(namespace(Policy::at_most_once())).one_tenant();
    let (method, _, runs) = handler();
    let app = stack(&layer, method);

    // An answer of an outer layer claims nothing, and needs no key.
    assert_eq!(
        rig::post("/pay").key("k").send(&app).await.status,
        StatusCode::UNAUTHORIZED
    );
    let nowhere = authenticated("/nowhere");
    assert_eq!(nowhere.send(&app).await.status, StatusCode::NOT_FOUND);
    let wrong = authenticated("/free");
    assert_eq!(
        wrong.send(&app).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let long = pay("k").body(vec![b'x'; 2000]).send(&app).await;
    assert_eq!(
        (long.status, &*long.code()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large")
    );
    let preflight = rig::call(Method::OPTIONS, "/pay")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "idempotency-key");
    let preflight = preflight.send(&app).await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .unwrap()
            .contains("idempotency-key")
    );
    // The layer reads the body, so it meets the limit, and claims nothing.
    assert_eq!((runs.count(), layer.stats().requests()), (0, 1));

    // One key is one effect, whatever encoding a retry accepts and whatever its origin.
    let first = pay("k").header("accept-encoding", "gzip").send(&app).await;
    assert_eq!(first.header(CONTENT_ENCODING.as_str()), Some("gzip"));
    let retry = pay("k")
        .header(ORIGIN.as_str(), "https://shop.example")
        .send(&app)
        .await;
    assert!(
        retry.is_replay() && retry.text().starts_with("run 1 "),
        "{retry:?}"
    );
    assert_eq!(retry.header(CONTENT_ENCODING.as_str()), None);
    let exposed = retry.header("access-control-expose-headers").unwrap();
    for name in [
        "idempotent-replayed",
        "idempotency-stored",
        "idempotency-expires",
        "retry-after",
    ] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    assert_eq!(runs.count(), 1);
}

/// With an inner limit, a request that was shed under at-most-once was left in doubt although it never ran.
#[tokio::test]
async fn a_request_that_is_shed_leaves_its_key_as_it_was() {
    let policy = Policy::at_most_once().max_attempts(1);
    let jobs = namespace(policy);
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let (method, meeting, runs) = handler();
    let app = stack(&layer, method);
    let busy = tokio::spawn({
        let app = app.clone();
        async move { pay("slow").send(&app).await }
    });
    meeting.begun.notified().await;
    for _ in 0..3 {
        let shed = pay("k").send(&app).await;
        assert_eq!(
            (shed.status, shed.text()),
            (StatusCode::SERVICE_UNAVAILABLE, "busy")
        );
    }
    assert!(jobs.doubts().unwrap().next().is_none());
    assert_eq!(layer.stats().runs_not_begun(), 3);
    meeting.go_on.notify_one();
    assert_eq!(busy.await.unwrap().status, StatusCode::OK);
    // It still has its one attempt.
    assert!(pay("k").send(&app).await.text().starts_with("run 2 "));
    assert_eq!(runs.count(), 2);
}

/// A duplicate that waited for the first request took up room under the inner limit, so other keys had none. And a
/// stored answer had to wait for room.
#[tokio::test]
async fn duplicates_hold_no_place_and_replays_need_none() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .wait(Duration::from_secs(60));
    let (meeting, runs) = (Meeting::default(), Runs::default());
    let (meets, counted) = (meeting.clone(), runs.clone());
    let handler = move |request: Request<Body>| async move {
        let run = counted.one_more();
        if request.headers()["idempotency-key"] == "\"slow\"" {
            meets.handler().await;
        }
        format!("run {run}")
    };
    let inside = ServiceBuilder::new()
        .layer(layer.clone())
        .concurrency_limit(2);
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(inside)
        .with_state(());
    let send = |key: &'static str| {
        let app = app.clone();
        tokio::spawn(async move { rig::post("/pay").key(key).send(&app).await })
    };
    let first = send("slow");
    meeting.begun.notified().await;
    let duplicates: Vec<_> = (0..4).map(|_| send("slow")).collect();
    while layer.stats().requests() < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        send("other").await.unwrap().text(),
        "run 2",
        "there is a place left"
    );
    let second = send("slow two");
    assert_eq!(second.await.unwrap().text(), "run 3");
    assert!(send("other").await.unwrap().is_replay());
    meeting.go_on.notify_one();
    assert_eq!(first.await.unwrap().text(), "run 1");
    for duplicate in duplicates {
        assert!(duplicate.await.unwrap().is_replay());
    }
}

/// A service that has room when the test says so.
#[derive(Clone, Default)]
struct Gated {
    open: Arc<AtomicBool>,
    changed: Arc<Notify>,
    fails: bool,
    runs: Runs,
}

impl Service<Request<RequestBody>> for Gated {
    type Response = Response;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.fails {
            return Poll::Ready(Err("closed".into()));
        }
        if self.open.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        let (changed, waker) = (Arc::clone(&self.changed), context.waker().clone());
        tokio::spawn(async move {
            changed.notified().await;
            waker.wake();
        });
        Poll::Pending
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        self.runs.one_more();
        std::future::ready(Ok("paid".into_response()))
    }
}

fn keyed(key: &str) -> Request<Body> {
    let request = Request::post("/pay").header("idempotency-key", key);
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn an_inner_service_that_is_never_ready_leaves_no_doubt() {
    let jobs = namespace(Policy::at_most_once().max_attempts(1));
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let gated = Gated {
        fails: true,
        ..Gated::default()
    };
    for _ in 0..2 {
        let service = layer.layer(gated.clone());
        let error = service.oneshot(keyed("k")).await.unwrap_err();
        assert_eq!(error.to_string(), "closed");
    }
    assert!(jobs.doubts().unwrap().next().is_none());
    let whole = layer.layer(Gated {
        open: Arc::new(AtomicBool::new(true)),
        ..Gated::default()
    });
    assert_eq!(
        whole.oneshot(keyed("k")).await.unwrap().status(),
        StatusCode::OK
    );
}

/// A client that leaves while its request waits for room withdraws it: nothing ran, and no client waits for the answer.
#[tokio::test]
async fn a_request_that_waits_for_room_goes_with_its_client() {
    let jobs = namespace(Policy::at_most_once());
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let gated = Gated::default();
    let (service, runs) = (layer.layer(gated.clone()), gated.runs.clone());
    let waits = tokio::spawn(service.clone().oneshot(keyed("k")));
    while layer.running() == 0 {
        tokio::task::yield_now().await;
    }
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    while layer.running() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((runs.count(), layer.stats().runs_not_begun()), (0, 1));
    assert!(jobs.doubts().unwrap().next().is_none());
    let waits = tokio::spawn(service.oneshot(keyed("k")));
    while layer.running() == 0 {
        tokio::task::yield_now().await;
    }
    gated.open.store(true, Ordering::SeqCst);
    gated.changed.notify_waiters();
    gated.changed.notify_one();
    assert_eq!(waits.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(runs.count(), 1);
}

/// A runtime that ends before it polls the task of a handler drops the task. Under at-most-once the key was in doubt
/// then, although nothing had run.
#[test]
fn a_runtime_that_ends_before_the_handler_begins_leaves_no_doubt() {
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    let jobs = store.namespace("http", Policy::at_most_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let gated = Gated::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut waits = Box::pin(layer.layer(gated).oneshot(keyed("k")));
    runtime.block_on(async {
        let polled = std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    });
    assert_eq!(layer.running(), 1);
    drop(runtime);
    assert!(jobs.doubts().unwrap().next().is_none());
    assert_eq!(jobs.scan(hapax::scan::KeyFilter::new()).unwrap().count(), 0);
}

/// A known error of the inner service decides; an unknown error is left to the guarantee.
#[tokio::test]
async fn an_error_of_the_inner_service_is_judged() {
    #[derive(Debug)]
    struct Breaker;
    impl std::fmt::Display for Breaker {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the breaker is open")
        }
    }
    impl std::error::Error for Breaker {}
    let jobs = namespace(Policy::at_most_once());
    let layer = IdempotencyLayer::new(jobs.clone()).one_tenant();
    let judging = layer.clone().on_error(|error| match error.is::<Breaker>() {
        true => Disposition::NotBegun,
        false => by_error(error),
    });
    let fails = |_: Request<RequestBody>| async { Err::<Response, BoxError>(Box::new(Breaker)) };
    let known = judging.layer(service_fn(fails));
    known.oneshot(keyed("known")).await.unwrap_err();
    let state = |key: &str| {
        let key = hapax_http::KeyParts::new("", "POST /pay", key).to_key();
        jobs.get(key).unwrap().map(|info| info.state())
    };
    assert_eq!(state("known"), None);
    let unknown = layer.layer(service_fn(fails));
    unknown.oneshot(keyed("unknown")).await.unwrap_err();
    assert_eq!(state("unknown"), Some(KeyState::InDoubt));
    let typed = |_: Request<RequestBody>| async { Err::<Response, Breaker>(Breaker) };
    judging
        .layer(service_fn(typed))
        .oneshot(keyed("typed"))
        .await
        .unwrap_err();
    assert_eq!(
        state("typed"),
        Some(KeyState::InDoubt),
        "only a boxed error can be inspected"
    );
}

/// An inner layer that sheds load and answers by itself says in its response that nothing began.
#[tokio::test]
async fn a_response_can_say_that_nothing_was_begun() {
    let jobs = namespace(Policy::at_most_once().max_attempts(1));
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let busy = Arc::new(AtomicBool::new(true));
    let is_busy = busy.clone();
    let handler = move |_: Request<RequestBody>| {
        let mut answer = "paid".into_response();
        if is_busy.load(Ordering::SeqCst) {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            answer.extensions_mut().insert(Disposition::NotBegun);
        }
        std::future::ready(Ok::<_, Infallible>(answer))
    };
    let service = layer.layer(service_fn(handler));
    let send = || service.clone().oneshot(keyed("k"));
    assert_eq!(
        send().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        send().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    busy.store(false, Ordering::SeqCst);
    assert_eq!(send().await.unwrap().status(), StatusCode::OK);
}
