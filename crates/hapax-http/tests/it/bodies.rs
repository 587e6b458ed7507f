//! Requests and responses with any body, also the bodies of other layers and servers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::{Buf, Bytes};
use hapax_http::{IdempotencyLayer, ReplyBody, RequestBody};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Channel, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_layer::Layer;

use crate::rig::{self, Runs, at_least_once, talk};

fn layer() -> IdempotencyLayer {
    IdempotencyLayer::new(at_least_once()).one_tenant()
}

/// Answers with the body of the request.
async fn echo(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let sent = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::new(sent)))
}

fn full(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from(text))
}

fn request<B>(body: B) -> Request<B> {
    let request = Request::post("/pay").header("idempotency-key", "k");
    request.body(body).unwrap()
}

/// Sends a request to a service twice, and returns the bodies of both answers.
async fn twice<S, B, R>(service: S, request: impl Fn() -> Request<B>) -> Bytes
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: std::fmt::Debug,
    R: http_body::Body,
    R::Error: std::fmt::Debug,
{
    let mut answers = Vec::new();
    for is_replay in [false, true] {
        let answer = service.clone().oneshot(request()).await.unwrap();
        let marked = answer.headers().contains_key("idempotent-replayed");
        assert_eq!(marked, is_replay);
        answers.push(answer.into_body().collect().await.unwrap().to_bytes());
    }
    assert_eq!(answers[0], answers[1]);
    answers.remove(0)
}

/// A body with its own type of buffers.
struct Chunked(Vec<&'static [u8]>);

impl http_body::Body for Chunked {
    type Data = &'static [u8];
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<&'static [u8]>, std::io::Error>>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }
}

/// The layer required a request body that can be made of bytes, so boxed bodies, those of hyper, and bodies inside an
/// outer limit or decompression did not compile.
#[tokio::test]
async fn a_request_may_have_any_body() {
    let service = layer().layer(service_fn(echo));
    assert_eq!(twice(service, || request(full("one"))).await, "one");
    let service = layer().layer(service_fn(echo));
    assert_eq!(twice(service, || request(Empty::<Bytes>::new())).await, "");
    let service = layer().layer(service_fn(echo));
    let boxed = || request(BoxBody::new(full("two")));
    assert_eq!(twice(service, boxed).await, "two");
    let service = layer().layer(service_fn(echo));
    let boxed = || request(UnsyncBoxBody::new(full("three")));
    assert_eq!(twice(service, boxed).await, "three");
    let service = layer().layer(service_fn(echo));
    let chunked = || request(Chunked(vec![b"fo", b"", b"ur"]));
    assert_eq!(twice(service, chunked).await, "four");
    let service = layer().layer(service_fn(echo));
    let own = || request(RequestBody::from(Bytes::from("five")));
    assert_eq!(twice(service, own).await, "five");
}

#[tokio::test]
async fn a_response_may_have_any_body() {
    let answer = |_: Request<RequestBody>| async {
        Ok::<_, Infallible>(Response::new(Chunked(vec![b"pa", b"id"])))
    };
    let collecting = layer().collect_streams();
    let service = collecting.layer(service_fn(answer));
    assert_eq!(twice(service, || request(full(""))).await, "paid");
    let passed = layer().methods([]).layer(service_fn(answer));
    let answer = passed.oneshot(request(full(""))).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "paid", "what is passed on as well");
    assert!(
        ReplyBody::<Body>::default()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    assert!(
        RequestBody::default()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

/// A body that is passed on is not collected first: the handler reads while the client still sends.
#[tokio::test]
async fn a_body_that_is_passed_on_comes_as_it_is_sent() {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let first = |request: Request<RequestBody>| async move {
        let mut body = request.into_body();
        let frame = body.frame().await.unwrap().unwrap();
        Ok::<_, Infallible>(Response::new(Full::new(frame.into_data().unwrap())))
    };
    let service = layer().methods([]).layer(service_fn(first));
    sender.send_data(Bytes::from("begun")).await.unwrap();
    let answer = service.oneshot(request(body)).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "begun");
    drop(sender);
}

/// The word `packed`, compressed by gzip.
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x48\x4c\xce\x4e\x4d\x01\x00\x10\xb4\xf6\x21\x06\x00\x00\x00";

#[tokio::test]
async fn limits_and_decompression_stand_in_one_stack_with_the_layer() {
    let stack = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(16))
        .layer(layer());
    let service = stack.service(service_fn(echo));
    let packed = || {
        let mut request = request(Full::<Bytes>::from(PACKED));
        let encoding = HeaderValue::from_static("gzip");
        request.headers_mut().insert("content-encoding", encoding);
        request
    };
    assert_eq!(twice(service.clone(), packed).await, "packed");
    // The layer reads the body, and reports the limit of the service rather than a broken body.
    let long = Chunked(vec![b"0123456789", b"0123456789"]);
    let mut long = request(long);
    long.headers_mut()
        .insert("idempotency-key", HeaderValue::from_static("l"));
    let answer = service.oneshot(long).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["code"], "body-too-large");
}

#[tokio::test]
async fn routers_nest_and_merge_within_and_around_the_layer() {
    let runs = Runs::default();
    let counted = runs.clone();
    let pay = move |body: String| async move { format!("{body} {}", counted.one_more()) };
    let inner = Router::new().route("/pay", post(pay)).layer(layer());
    let free = Router::new().route("/free", get(|| async { "free" }));
    let app = Router::new()
        .nest("/v1", inner.clone())
        .merge(free)
        .merge(inner);
    for path in ["/pay", "/v1/pay"] {
        let first = rig::post(path).key("k").body("a").send(&app).await;
        let retry = rig::post(path).key("k").body("a").send(&app).await;
        assert_eq!(
            (first.text(), retry.is_replay()),
            (retry.text(), true),
            "{path}"
        );
    }
    assert_eq!(
        rig::call(http::Method::GET, "/free")
            .send(&app)
            .await
            .text(),
        "free"
    );
    // The router as the innermost service, and a method with its own layer.
    let around = ServiceBuilder::new()
        .layer(layer())
        .service(Router::new().route("/pay", post(|| async { "routed" })));
    assert_eq!(twice(around, || request(full(""))).await, "routed");
    let method = Router::new().route("/pay", post(|| async { "method" }).layer(layer()));
    assert_eq!(twice(method, || request(Body::empty())).await, "method");
}

/// hyper gives services its own type of body.
#[tokio::test]
async fn hyper_alone_serves_the_layer() {
    let service = ServiceBuilder::new()
        .layer(layer())
        .service(service_fn(echo));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    let request = "POST /pay HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 4\r\n\
                   connection: close\r\n\r\npaid";
    let first = talk(address, request).await;
    assert!(
        first.starts_with("HTTP/1.1 200 OK") && first.ends_with("\r\npaid"),
        "{first}"
    );
    let retry = talk(address, request).await;
    assert!(
        retry.contains("idempotent-replayed: true") && retry.ends_with("\r\npaid"),
        "{retry}"
    );
}

/// An answer like that of gRPC: a message in a frame, and the status in the trailers.
#[tokio::test]
async fn a_body_that_ends_in_trailers_comes_through() {
    let answer = |request: Request<RequestBody>| async move {
        let mut message = request.into_body().collect().await.unwrap().aggregate();
        let message = message.copy_to_bytes(message.remaining());
        let mut status = HeaderMap::new();
        status.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = vec![Frame::data(message), Frame::trailers(status)];
        let answer = Response::builder().header("content-type", "application/grpc");
        Ok::<_, Infallible>(answer.body(Frames(frames.into_iter())).unwrap())
    };
    let service = layer().layer(service_fn(answer));
    let sent = &b"\0\0\0\0\x03abc"[..];
    let answer = service.oneshot(request(Full::new(sent))).await.unwrap();
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), sent);
}

struct Frames(std::vec::IntoIter<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}
