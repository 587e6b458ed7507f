//! Bodies that are too long to be stored, or have no known length: they are passed through, and their end is recorded.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use hapax::Policy;
use hapax_http::{BoxError, IdempotencyLayer};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::rig::{self, Runs, at_least_once, namespace};

/// A body of these pieces, which breaks at an `Err`, with or without a known length.
struct Told(
    mpsc::UnboundedReceiver<Result<&'static str, &'static str>>,
    Option<u64>,
);

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(context).map(|told| {
            told.map(|told| match told {
                Ok("panic") => panic!("the body panics"),
                Ok("trailers") => Ok(Frame::trailers(HeaderMap::new())),
                Ok(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
                Err(text) => Err(text.into()),
            })
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.1.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// A body with this many pieces, each ready at once.
struct Ready(Arc<AtomicU32>);

impl http_body::Body for Ready {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.0.load(Ordering::SeqCst);
        self.0.store(left.saturating_sub(1), Ordering::SeqCst);
        Poll::Ready((left > 0).then(|| Ok(Frame::data(Bytes::from_static(b"and on ")))))
    }
}

fn told(parts: &[Result<&'static str, &'static str>]) -> Body {
    let (sender, receiver) = mpsc::unbounded_channel();
    for part in parts {
        sender.send(*part).unwrap();
    }
    Body::new(Told(receiver, None))
}

fn streaming(
    layer: IdempotencyLayer,
    parts: &'static [Result<&'static str, &'static str>],
) -> (Router, Runs) {
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move || async move {
        counted.one_more();
        Response::builder().status(201).body(told(parts)).unwrap()
    };
    (
        Router::new().route("/pay", post(handler)).layer(layer),
        runs,
    )
}

#[tokio::test]
async fn a_stream_goes_through_and_a_retry_is_told_that_it_ran() {
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let (app, runs) = streaming(layer.clone(), &[Ok("one "), Ok("two "), Ok("three")]);
    let first = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(
        (first.text(), first.status.as_u16()),
        ("one two three", 201)
    );
    assert_eq!(first.header("idempotency-stored"), Some("false"));
    let retry = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(
        (retry.status, retry.code()),
        (StatusCode::GONE, "answer-not-kept".to_owned())
    );
    assert_eq!((runs.count(), layer.stats().runs_omitted()), (1, 1));
}

#[tokio::test]
async fn streams_are_stored_where_they_are_collected_and_short_enough() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .collect_streams();
    let (app, runs) = streaming(layer.clone(), &[Ok("one "), Ok("two")]);
    let first = rig::post("/pay").key("k").send(&app).await;
    let second = rig::post("/pay").key("k").send(&app).await;
    assert_eq!((first.text(), second.text()), ("one two", "one two"));
    assert!(second.is_replay());
    assert_eq!(runs.count(), 1);
    let (app, _) = streaming(
        layer.response_bytes_max(5),
        &[Ok("one "), Ok("two "), Ok("three")],
    );
    let long = rig::post("/pay").key("l").send(&app).await;
    assert_eq!(
        (long.text(), long.header("idempotency-stored")),
        ("one two three", Some("false"))
    );
    assert_eq!(
        rig::post("/pay").key("l").send(&app).await.code(),
        "answer-not-kept"
    );
}

#[tokio::test]
async fn an_error_in_the_middle_is_not_a_success() {
    for collect in [false, true] {
        for (policy, runs_wanted, retry_code) in [
            (Policy::at_least_once(), 2, None),
            (Policy::at_most_once(), 1, Some("in-doubt")),
        ] {
            let mut layer = IdempotencyLayer::new(namespace(policy)).one_tenant();
            if collect {
                layer = layer.collect_streams();
            }
            let (app, runs) = streaming(layer, &[Ok("one "), Err("cut")]);
            let first = rig::post("/pay").key("k").send(&app).await;
            if collect {
                assert_eq!(first.code(), "answer-broken");
            } else {
                assert!(first.broken, "the client sees that it broke");
            }
            let retry = rig::post("/pay").key("k").send(&app).await;
            assert_eq!(runs.count(), runs_wanted);
            if let Some(code) = retry_code {
                assert_eq!(retry.code(), code);
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_panics_never_looks_like_its_end() {
    let layer = IdempotencyLayer::new(namespace(Policy::at_most_once())).one_tenant();
    let (app, runs) = streaming(layer, &[Ok("one "), Ok("panic")]);
    assert!(rig::post("/pay").key("k").send(&app).await.broken);
    assert_eq!(
        rig::post("/pay").key("k").send(&app).await.code(),
        "in-doubt"
    );
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_within_a_stream_loses_no_outcome() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let body = Arc::new(Mutex::new(Some(Body::new(Told(receiver, None)))));
    let handler = move || {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    };
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app: Router = Router::new()
        .route("/pay", post(handler))
        .layer(layer.clone());
    let request = http::Request::post("/pay").header("idempotency-key", "k");
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    sender.send(Ok("one ")).unwrap();
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one "
    );
    assert_eq!(
        rig::post("/pay").key("k").send(&app).await.code(),
        "in-progress"
    );
    drop(body);
    for _ in 0..100 {
        sender.send(Ok("and on ")).unwrap();
    }
    drop(sender);
    layer.drained().await;
    assert_eq!(
        rig::post("/pay").key("k").send(&app).await.code(),
        "answer-not-kept"
    );
}

#[tokio::test]
async fn a_long_body_of_known_length_keeps_its_length() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .response_bytes_max(4);
    let handler = || async { "longer than four" };
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    let address = rig::serve(app).await;
    let request = "POST /pay HTTP/1.1\r\nhost: a\r\nconnection: close\r\nidempotency-key: k\r\ncontent-length: 0\r\n\r\n";
    let answer = rig::talk(address, request).await;
    assert!(answer.contains("\r\ncontent-length: 16\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nlonger than four"), "{answer}");
}

#[tokio::test]
async fn a_request_body_over_the_limit_is_refused_before_anything_is_claimed() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .request_bytes_max(10);
    let runs = Runs::default();
    let counted = runs.clone();
    let handler = move |body: String| async move {
        counted.one_more();
        body
    };
    let app = Router::new().route("/pay", post(handler)).layer(layer);
    let known = rig::post("/pay")
        .key("k")
        .body("elevenbytes")
        .send(&app)
        .await;
    assert_eq!(
        (known.status, known.code()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large".to_owned())
    );
    let streamed = told(&[Ok("eleven"), Ok("bytes")]);
    let unknown = rig::post("/pay").key("k").body(streamed).send(&app).await;
    assert_eq!(unknown.status, StatusCode::PAYLOAD_TOO_LARGE);
    let broken = rig::post("/pay")
        .key("k")
        .body(told(&[Ok("ten"), Err("gone")]))
        .send(&app)
        .await;
    assert_eq!(broken.code(), "body-unreadable");
    assert_eq!(runs.count(), 0);
    let right = rig::post("/pay")
        .key("k")
        .body(told(&[Ok("ten "), Ok("bytes!")]))
        .send(&app)
        .await;
    assert_eq!(
        (right.text(), runs.count()),
        ("ten bytes!", 1),
        "the key was not used up"
    );
}

/// An empty frame is not the end, and a body of empty frames is empty.
#[tokio::test]
async fn empty_frames_change_nothing() {
    let layer = IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .collect_streams();
    let (app, _) = streaming(layer, &[Ok(""), Ok("a"), Ok(""), Ok("b")]);
    let reply = rig::post("/pay").key("k").send(&app).await;
    assert_eq!(reply.text(), "ab");
    let body = http_body_util::Empty::<Bytes>::new().map_err(|never: Infallible| match never {});
    let same = rig::post("/pay")
        .key("k")
        .body(Body::new(body))
        .send(&app)
        .await;
    assert_eq!(same.text(), "ab");
}

/// A client that knows the length has the whole answer with its last byte. By then the run must be stored, so that an
/// immediate retry does not run again.
#[tokio::test]
async fn the_last_byte_is_sent_when_it_is_stored_that_it_ran() {
    for (bytes, limit) in [(10, 4), (10, 100)] {
        let layer = IdempotencyLayer::new(at_least_once())
            .one_tenant()
            .response_bytes_max(limit)
            .disposition(|_| hapax_http::Disposition::Omit);
        let runs = Runs::default();
        let counted = runs.clone();
        let handler = move || async move {
            counted.one_more();
            Response::new(Body::from(vec![7; bytes]))
        };
        let app: Router = Router::new().route("/pay", post(handler)).layer(layer);
        let request = || {
            let request = http::Request::post("/pay").header("idempotency-key", "k");
            request.body(Body::empty()).unwrap()
        };
        let mut body = app.clone().oneshot(request()).await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), bytes);
        let retry = rig::post("/pay").key("k").send(&app).await;
        assert_eq!(
            (retry.code(), runs.count()),
            ("answer-not-kept".to_owned(), 1)
        );
    }
}

/// After its client had left, a body that was always ready was read to its end at once. A long one blocked its thread
/// meanwhile, an endless one for ever.
#[tokio::test]
async fn a_body_that_is_always_ready_leaves_time_for_others() {
    let left = Arc::new(AtomicU32::new(100_000));
    let (_, body) = answered_with(Response::new(Body::new(Ready(left.clone())))).await;
    drop(body);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(left.load(Ordering::SeqCst) > 0);
}

/// Answers once with this body, and returns the body of the answer before it is read.
async fn answered_with(response: Response) -> (Router, Body) {
    let response = Arc::new(Mutex::new(Some(response)));
    let handler = move || {
        let response = response.lock().unwrap().take().unwrap();
        async move { response }
    };
    let layer = IdempotencyLayer::new(namespace(Policy::at_most_once()))
        .one_tenant()
        .response_bytes_max(4);
    let app: Router = Router::new().route("/pay", post(handler)).layer(layer);
    let request = http::Request::post("/pay").header("idempotency-key", "k");
    let request = request.body(Body::empty()).unwrap();
    let body = app.clone().oneshot(request).await.unwrap().into_body();
    (app, body)
}

/// The error was known, but the last piece was sent anyway: the client had the whole length and assumed success, while
/// a retry was told that the request is in doubt.
#[tokio::test]
async fn a_body_that_breaks_at_its_full_length_is_not_sent_whole() {
    let (sender, receiver) = mpsc::unbounded_channel();
    for part in [Ok("ten "), Ok("bytes!"), Err("cut")] {
        sender.send(part).unwrap();
    }
    let body = Body::new(Told(receiver, Some(10)));
    let (app, mut body) = answered_with(Response::new(body)).await;
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "ten ");
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(
        rig::post("/pay").key("k").send(&app).await.code(),
        "in-doubt"
    );
}

/// The last piece was held only until something followed it, such as an empty piece or trailers, and was not held at
/// all if only the head announced the length.
#[tokio::test]
async fn the_piece_that_completes_the_length_is_the_last_to_be_sent() {
    for (follows, knows) in [("", true), ("trailers", true), ("", false)] {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(Ok("ten bytes!")).unwrap();
        sender.send(Ok(follows)).unwrap();
        let body = if knows {
            Body::new(Told(receiver, Some(10)))
        } else {
            Body::new(Told(receiver, None))
        };
        let response = Response::builder().header("content-length", "10");
        let (app, mut body) = answered_with(response.body(body).unwrap()).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
            let mut context = Context::from_waker(Waker::noop());
            let polled = http_body::Body::poll_frame(Pin::new(&mut body), &mut context);
            assert!(polled.is_pending(), "{follows:?} {knows}");
        }
        drop(sender);
        let whole = body.frame().await.unwrap().unwrap();
        assert_eq!(whole.into_data().unwrap(), "ten bytes!");
        assert_eq!(
            rig::post("/pay").key("k").send(&app).await.code(),
            "answer-not-kept"
        );
    }
}

#[tokio::test]
async fn trailers_go_through_in_streams() {
    let handler = |body: Body| async move {
        let request = body.collect().await.unwrap();
        assert!(request.trailers().is_some());
        assert_eq!(request.to_bytes(), "asked");
        Response::new(told(&[Ok("one "), Ok("trailers")]))
    };
    let layer = IdempotencyLayer::new(at_least_once()).one_tenant();
    let app: Router = Router::new().route("/pay", post(handler)).layer(layer);
    let request = http::Request::post("/pay").header("idempotency-key", "k");
    let request = request.body(told(&[Ok("asked"), Ok("trailers")])).unwrap();
    let answer = app.oneshot(request).await.unwrap().into_body();
    let answer = answer.collect().await.unwrap();
    assert!(answer.trailers().is_some());
    assert_eq!(answer.to_bytes(), "one ");
}
