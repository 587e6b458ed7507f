//! Clients that leave, handlers that panic or take long, leases that are lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use hapax::testing::ManualClock;
use hapax::{Limits, Namespace, Policy, Store};
use hapax_http::{CheckpointError, Disposition, IdempotencyLayer, Outcome, RequestBody, Run};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use crate::rig::{self, Meeting, Runs, at_least_once, namespace, serve, waiting};

#[tokio::test]
async fn a_client_that_disconnects_neither_cancels_the_effect_nor_loses_the_answer() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let (app, meeting, runs) = waiting(&layer);
    let address = serve(app.clone()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        b"POST /pay HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    meeting.begun.notified().await;
    drop(stream);
    // The key is running before and after the server notices.
    while layer.stats().abandoned() == 0 {
        assert_eq!(
            rig::post("/pay").key("k").send(&app).await.code(),
            "in-progress"
        );
        tokio::task::yield_now().await;
    }
    assert_eq!(layer.running(), 1);
    meeting.go_on.notify_one();
    layer.drained().await;
    let retry = rig::post("/pay").key("k").send(&app).await;
    assert_eq!((retry.text(), retry.is_replay()), ("run 1", true));
    assert_eq!((runs.count(), layer.stats().runs_without_client()), (1, 1));
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_claims_nothing() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let (app, meeting, runs) = waiting(&layer);
    let address = serve(app.clone()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        b"POST /pay HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 10\r\n\r\nhalf";
    stream.write_all(request).await.unwrap();
    drop(stream);
    let stats = || layer.stats();
    while stats().abandoned() + stats().refusals() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(runs.count(), 0);
    meeting.go_on.notify_one();
    assert_eq!(
        rig::post("/pay")
            .key("k")
            .body("whole")
            .send(&app)
            .await
            .text(),
        "run 1"
    );
}

#[tokio::test]
async fn shutdown_waits_for_what_runs() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let (app, meeting, _) = waiting(&layer);
    let sent = tokio::spawn({
        let app = app.clone();
        async move { rig::post("/pay").key("k").send(&app).await }
    });
    meeting.begun.notified().await;
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    let drained = tokio::spawn(layer.drained());
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    meeting.go_on.notify_one();
    drained.await.unwrap();
    assert_eq!(layer.running(), 0);
    assert!(rig::post("/pay").key("k").send(&app).await.is_replay());
}

#[tokio::test]
async fn a_panic_releases_or_leaves_in_doubt_by_guarantee_and_by_policy() {
    let cases = [
        (Policy::at_least_once(), None, 2, None),
        (Policy::at_most_once(), None, 1, Some("in-doubt")),
        (
            Policy::at_least_once(),
            Some(Disposition::Doubt),
            1,
            Some("in-doubt"),
        ),
        (Policy::at_most_once(), Some(Disposition::Release), 2, None),
        (
            Policy::at_least_once(),
            Some(Disposition::Store),
            1,
            Some("answer-not-kept"),
        ),
    ];
    for (policy, on_panic, runs_wanted, code) in cases {
        let mut layer = IdempotencyLayer::new(namespace(policy)).one_tenant();
        if let Some(on_panic) = on_panic {
            layer = layer.on_panic(on_panic);
        }
        let runs = Runs::default();
        let counted = runs.clone();
        let handler = move || async move {
            assert!(counted.one_more() > 1, "planted");
            "second"
        };
        let app = Router::new()
            .route("/pay", post(handler))
            .layer(layer.clone());
        let first = rig::post("/pay").key("k").send(&app).await;
        assert_eq!(
            (first.status.as_u16(), first.code()),
            (500, "handler-failed".to_owned())
        );
        let second = rig::post("/pay").key("k").send(&app).await;
        assert_eq!(runs.count(), runs_wanted);
        match code {
            Some(code) => assert_eq!(second.code(), code),
            None => assert_eq!(second.text(), "second"),
        }
        assert_eq!(layer.stats().runs_panicked(), 1);
    }
}

/// A panic of a hook or the body, after the handler had answered, was not caught: the key was released
/// although `on_panic` said otherwise, so the effect ran again, and no counter had the run.
#[tokio::test]
async fn a_panic_after_the_handler_has_answered_is_one_too() {
    let store = || {
        IdempotencyLayer::new(at_least_once())
            .one_tenant()
            .on_panic(Disposition::Store)
    };
    let layers = [
        store().disposition(|_| panic!("planted")),
        store().redact(|_, _| panic!("planted")),
        store().collect_streams(),
        store(),
    ];
    for (at, layer) in layers.into_iter().enumerate() {
        let runs = Runs::default();
        let counted = runs.clone();
        let handler = move || async move {
            counted.one_more();
            if at < 2 {
                return Response::new(Body::from("paid"));
            }
            let broken = Full::new(Bytes::from("paid"))
                .map_frame(|_: Frame<Bytes>| -> Frame<Bytes> { panic!("planted") });
            let stream = http_body_util::BodyStream::new(broken);
            Response::new(Body::new(http_body_util::StreamBody::new(stream)))
        };
        let app = Router::new()
            .route("/pay", post(handler))
            .layer(layer.clone());
        let first = rig::post("/pay").key("k").send(&app).await;
        if at < 3 {
            assert_eq!(first.code(), "handler-failed");
        } else {
            assert!(first.broken, "the client sees that it broke");
        }
        let retry = rig::post("/pay").key("k").send(&app).await;
        assert_eq!((retry.code(), runs.count()), ("answer-not-kept".into(), 1));
        let stats = layer.stats();
        assert_eq!((stats.runs_panicked(), stats.runs_omitted()), (1, 1));
        assert_eq!(stats.runs_without_client(), 0);
    }
}

/// A service may also panic before it returns a future.
#[tokio::test]
async fn a_call_that_panics_is_a_handler_that_failed() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let service = layer.layer(service_fn(
        |_: Request<RequestBody>| -> std::future::Ready<Result<Response, std::convert::Infallible>> {
            panic!("planted")
        },
    ));
    let request = Request::post("/")
        .header("idempotency-key", "k")
        .body(Body::empty())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(layer.stats().runs_released(), 1);
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_handed_on_and_the_key_released() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let service = layer.layer(service_fn(|_: Request<RequestBody>| async {
        Err::<Response, _>("down")
    }));
    for _ in 0..2 {
        let request = Request::post("/")
            .header("idempotency-key", "k")
            .body(Body::empty())
            .unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap_err(), "down");
    }
    let stats = layer.stats();
    assert_eq!((stats.inner_errors(), stats.runs_released()), (2, 2));
}

#[tokio::test]
async fn the_handler_is_handed_its_token_attempt_and_checkpoint() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let handler = move |request: Request<Body>| async move {
        let run = request.extensions().get::<Run>().unwrap().clone();
        let checkpoint = run.last_checkpoint().to_vec();
        sees.lock().unwrap().push((
            run.token(),
            run.attempt(),
            checkpoint,
            run.derived_key("bank"),
        ));
        if run.attempt() == 1 {
            run.checkpoint("reserved").await.unwrap();
            return Response::builder().status(503).body(Body::empty()).unwrap();
        }
        Response::new(Body::from("paid"))
    };
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    rig::post("/pay").key("k").send(&app).await;
    let second = rig::post("/pay").key("k").send(&app).await;
    let seen = seen.lock().unwrap();
    let [first, retry] = &seen[..] else {
        panic!("two runs")
    };
    assert!(first.0 < retry.0);
    assert_eq!((first.1, retry.1), (1, 2));
    assert_eq!((&first.2[..], &retry.2[..]), (&b""[..], &b"reserved"[..]));
    assert_eq!(first.3, retry.3, "a downstream system sees one request");
    let Some(Outcome::Executed {
        attempt: 2,
        stored: true,
        ..
    }) = second.outcome
    else {
        panic!("{:?}", second.outcome)
    };
}

#[tokio::test]
async fn what_a_handler_leaves_behind_does_not_hold_the_key() {
    let left = Arc::new(Mutex::new(None));
    let leaves = left.clone();
    let handler = move |request: Request<Body>| async move {
        *leaves.lock().unwrap() = request.extensions().get::<Run>().cloned();
        "paid"
    };
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    rig::post("/pay").key("k").send(&app).await;
    let run = left.lock().unwrap().take().unwrap();
    assert!(matches!(
        run.checkpoint("late").await,
        Err(CheckpointError::Answered)
    ));
    assert!(!run.is_lost() && run.derived_key("bank").is_none());
    run.lost().await;
}

/// A store whose time the test moves.
fn clocked(policy: Policy) -> (Namespace, ManualClock) {
    let clock = ManualClock::new();
    let store = Store::in_memory()
        .clock(&clock)
        .allow_at_most_once()
        .open()
        .unwrap();
    (store.namespace("http", policy).unwrap(), clock)
}

#[tokio::test]
async fn a_long_handler_keeps_its_lease() {
    let (jobs, clock) = clocked(Policy::at_least_once().lease(Duration::from_secs(10)));
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let (app, meeting, runs) = waiting(&layer);
    let first = tokio::spawn({
        let app = app.clone();
        async move { rig::post("/pay").key("k").send(&app).await }
    });
    meeting.begun.notified().await;
    for _ in 0..100 {
        clock.advance(Duration::from_secs(2));
        assert_eq!(
            rig::post("/pay").key("k").send(&app).await.code(),
            "in-progress"
        );
    }
    meeting.go_on.notify_one();
    assert_eq!(first.await.unwrap().text(), "run 1");
    assert_eq!(runs.count(), 1);
}

/// T-19: a heartbeat that fails silently. The handler is told, and all clients get the same answer.
#[tokio::test]
async fn a_handler_that_loses_its_lease_is_told_and_the_winners_answer_is_everybodys() {
    let policy = Policy::at_least_once().lease(Duration::from_secs(10));
    let (jobs, clock) = clocked(policy);
    let layer = IdempotencyLayer::new(jobs)
        .one_tenant()
        .run_ceiling(Duration::from_secs(15));
    let runs = Runs::default();
    let (meeting, counted) = (Meeting::default(), runs.clone());
    let meets = meeting.clone();
    let handler = move |request: Request<Body>| async move {
        let run = request.extensions().get::<Run>().unwrap().clone();
        let number = counted.one_more();
        if number == 1 {
            meets.begun.notify_one();
            run.lost().await;
            assert!(run.is_lost());
            meets.go_on.notified().await;
        }
        format!("run {number} of {}", run.attempt())
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    let first = tokio::spawn({
        let app = app.clone();
        async move { rig::post("/pay").key("k").send(&app).await }
    });
    meeting.begun.notified().await;
    for _ in 0..20 {
        clock.advance(Duration::from_secs(2));
    }
    let second = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(second.text(), "run 2 of 2");
    meeting.go_on.notify_one();
    let first = first.await.unwrap();
    assert_eq!(
        first.text(),
        "run 2 of 2",
        "not another answer than the stored one"
    );
    assert!(first.is_replay());
    let stats = layer.stats();
    assert_eq!((stats.runs_lost(), stats.runs_stored()), (1, 1));
}

/// The client of a run that had lost its key got whatever was stored under the key by then. If the run that
/// took over had given the key back, that was the answer to another request, with another amount.
#[tokio::test]
async fn a_handler_that_lost_its_key_to_another_request_gives_its_own_answer() {
    let policy = Policy::at_least_once().lease(Duration::from_secs(10));
    let (jobs, clock) = clocked(policy);
    let layer = IdempotencyLayer::new(jobs)
        .one_tenant()
        .run_ceiling(Duration::from_secs(15));
    let (meeting, runs) = (Meeting::default(), Runs::default());
    let (meets, counted) = (meeting.clone(), runs.clone());
    let handler = move |body: String| async move {
        match counted.one_more() {
            1 => meets.handler().await,
            2 => return Response::builder().status(503).body(Body::empty()).unwrap(),
            _ => {}
        }
        Response::new(Body::from(format!("paid {body}")))
    };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    let send = |body: &'static str| {
        let app = app.clone();
        tokio::spawn(async move { rig::post("/pay").key("k").body(body).send(&app).await })
    };
    let first = send("10 EUR");
    meeting.begun.notified().await;
    for _ in 0..20 {
        clock.advance(Duration::from_secs(2));
    }
    let second = send("10 EUR").await.unwrap();
    assert_eq!(second.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(send("99 EUR").await.unwrap().text(), "paid 99 EUR");
    meeting.go_on.notify_one();
    let first = first.await.unwrap();
    assert_eq!((first.text(), first.is_replay()), ("paid 10 EUR", false));
    assert_eq!(first.header("idempotency-stored"), Some("false"));
    assert_eq!(layer.stats().runs_lost(), 1);
}

/// T-10: the effect happened and storing its outcome failed. The client gets the answer, and learns
/// that it is not stored.
#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_still_given() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant();
    let (app, meeting, _) = waiting(&layer);
    let first = tokio::spawn({
        let app = app.clone();
        async move { rig::post("/pay").key("k").send(&app).await }
    });
    meeting.begun.notified().await;
    store.close().unwrap();
    meeting.go_on.notify_one();
    let first = first.await.unwrap();
    assert_eq!(
        (first.text(), first.header("idempotency-stored")),
        ("run 1", Some("false"))
    );
    assert_eq!(layer.stats().runs_unstored(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_answer_fails_closed_and_open_only_by_choice() {
    for opens in [false, true] {
        let store = Store::in_memory().open().unwrap();
        let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
        let mut layer = IdempotencyLayer::new(jobs).one_tenant();
        if opens {
            layer = layer.fail_open();
        }
        let (app, meeting, runs) = waiting(&layer);
        store.close().unwrap();
        meeting.go_on.notify_one();
        let reply = rig::post("/pay").key("k").send(&app).await;
        if opens {
            assert_eq!(
                (reply.text(), reply.header("idempotency-stored")),
                ("run 1", Some("false"))
            );
            assert!(matches!(reply.outcome, Some(Outcome::Unprotected)));
        } else {
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (503, "unavailable".to_owned())
            );
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        assert_eq!(runs.count(), u32::from(opens));
        assert_eq!(layer.stats().unprotected(), u64::from(opens));
    }
}

/// A store with lower limits than the layer refuses a long key, or a long request id. The layer took that for a
/// store that cannot answer, so under `fail_open` such requests ran without protection.
#[tokio::test]
async fn what_is_over_a_limit_of_the_store_is_refused_and_never_let_through() {
    let limits = Limits::new().key_bytes(100).metadata_bytes(36);
    let store = Store::in_memory().limits(limits).open().unwrap();
    let jobs = store.namespace("http", Policy::at_least_once()).unwrap();
    let layer = IdempotencyLayer::new(jobs).one_tenant().fail_open();
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move { format!("run {}", counted.one_more()) };
    let app = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    let long_key = rig::post("/pay").key(&"k".repeat(100));
    let long_id = rig::post("/pay")
        .key("k")
        .header("x-request-id", &"i".repeat(37));
    for call in [long_key, long_id] {
        let reply = call.send(&app).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (400, "refused-key".to_owned())
        );
        assert_eq!(reply.problem("retryable"), false);
    }
    assert_eq!((runs.count(), layer.stats().unprotected()), (0, 0));
}

#[tokio::test]
async fn what_is_refused_before_the_handler_leaves_the_key_alone() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .screen(|parts, body| {
            if parts.headers.contains_key("authorization") && body.len() > 2 {
                return None;
            }
            let refused = Response::builder().status(401).body("who are you?".into());
            Some(refused.unwrap())
        });
    let (app, meeting, runs) = waiting(&layer);
    let send = |call: rig::Call| async { call.key("k").send(&app).await };
    assert_eq!(
        send(rig::post("/pay").body("paid")).await.status.as_u16(),
        401
    );
    assert_eq!(
        send(rig::post("/pay").header("authorization", "a").body("p"))
            .await
            .status
            .as_u16(),
        401
    );
    assert_eq!((runs.count(), layer.stats().screened()), (0, 2));
    meeting.go_on.notify_one();
    let mended = send(rig::post("/pay").header("authorization", "a").body("paid")).await;
    assert_eq!((mended.text(), mended.is_replay()), ("run 1", false));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_run_is_an_extractor_and_optional_where_the_key_is() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .key(hapax_http::KeyUse::Optional);
    let needs = |run: Run| async move { format!("attempt {}", run.attempt()) };
    let takes = |run: Option<Run>| async move { format!("{:?}", run.map(|run| run.attempt())) };
    let app = Router::new()
        .route("/needs", post(needs))
        .route("/takes", post(takes))
        .layer(layer);
    let send = |call: rig::Call| async { call.send(&app).await };
    assert_eq!(send(rig::post("/needs").key("k")).await.text(), "attempt 1");
    assert_eq!(send(rig::post("/takes").key("k")).await.text(), "Some(1)");
    assert_eq!(send(rig::post("/takes")).await.text(), "None");
    let without = send(rig::post("/needs")).await;
    assert_eq!(without.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(without.text().contains("put the layer around its route"));
}
