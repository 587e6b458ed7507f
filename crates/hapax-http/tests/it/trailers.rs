//! Trailers: the first client gets them, and so does a retry if the answer is stored.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use hapax_http::{Disposition, HeaderRules, IdempotencyLayer};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};

use crate::rig::{self, Reply, at_least_once};

const TRAILERS: [(&str, &str); 3] = [
    ("grpc-status", "0"),
    ("grpc-message", "paid"),
    ("set-cookie", "sid=oh-so-secret"),
];

fn trailers() -> HeaderMap {
    let lines = TRAILERS.map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_static(value))
    });
    HeaderMap::from_iter(lines)
}

/// A body of unknown length in two pieces, like that of a gRPC service.
fn streamed() -> Body {
    let pieces = ["one ", "two"].map(|piece| Frame::data(Bytes::from(piece)));
    let frames = pieces.into_iter().chain([Frame::trailers(trailers())]);
    let frames = frames.map(Ok::<_, Infallible>);
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

/// A body that knows its length, and still has trailers.
fn sized() -> Body {
    let body = Full::new(Bytes::from("one two"));
    Body::new(body.with_trailers(async { Some(Ok(trailers())) }))
}

fn answering(body: fn() -> Body, disposition: Disposition) -> Router {
    let handler = move || async move {
        let answer = Response::builder()
            .header("content-type", "application/grpc")
            .header("trailer", "grpc-status, Grpc-Message")
            .header("trailer", "set-cookie")
            .extension(disposition);
        answer.body(body()).unwrap()
    };
    Router::new().route("/pay", post(handler))
}

fn layer() -> IdempotencyLayer {
    IdempotencyLayer::new(at_least_once())
        .one_tenant()
        .collect_streams()
}

async fn twice(app: &Router) -> [Reply; 2] {
    let first = rig::post("/pay").key("k").send(app).await;
    [first, rig::post("/pay").key("k").send(app).await]
}

/// The announced trailers, and the trailers that came.
fn told(reply: &Reply) -> (Vec<&str>, Vec<&str>) {
    let announced = reply.headers.get_all(TRAILER).iter();
    let came = reply.trailers.iter().flat_map(HeaderMap::keys);
    (
        announced.map(|value| value.to_str().unwrap()).collect(),
        came.map(HeaderName::as_str).collect(),
    )
}

/// A body that was read before it was sent lost its trailers, although `Trailer` still announced them. gRPC sends its
/// status there, so the first client took a success for a failed call.
#[tokio::test]
async fn the_first_answer_and_its_replay_have_their_trailers() {
    for body in [streamed, sized] {
        let app = answering(body, Disposition::Store).layer(layer());
        let [first, second] = twice(&app).await;
        assert_eq!((first.text(), second.text()), ("one two", "one two"));
        assert!(second.is_replay());
        assert_eq!(first.trailers, Some(trailers()), "all of them");
        let (announced, came) = told(&second);
        // One trailer is a secret of the first client, and is not announced either.
        assert_eq!(announced, ["grpc-status, Grpc-Message"]);
        assert_eq!(came, ["grpc-status", "grpc-message"]);
        let status = &second.trailers.as_ref().unwrap()["grpc-status"];
        assert_eq!(status, "0");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_stored_keeps_its_trailers() {
    for disposition in [Disposition::Omit, Disposition::Release] {
        for body in [streamed, sized] {
            let app = answering(body, disposition).layer(layer());
            let [first, _] = twice(&app).await;
            assert_eq!(
                (first.text(), &first.trailers),
                ("one two", &Some(trailers()))
            );
        }
    }
    // A body that is too long to be read first keeps them too.
    let app = answering(streamed, Disposition::Store).layer(layer().response_bytes_max(5));
    let [first, second] = twice(&app).await;
    assert_eq!(
        (first.text(), &first.trailers),
        ("one two", &Some(trailers()))
    );
    assert_eq!(second.code(), "answer-not-kept");
}

#[tokio::test]
async fn rules_and_hooks_say_which_trailers_are_stored() {
    let message = HeaderName::from_static("grpc-message");
    let denied = HeaderRules::new().deny(message.clone());
    let only = HeaderRules::new().only([message]);
    for (layer, announced, came) in [
        (
            layer().stored_headers(denied),
            vec!["grpc-status"],
            vec!["grpc-status"],
        ),
        (
            layer().stored_headers(only),
            vec!["Grpc-Message"],
            vec!["grpc-message"],
        ),
        // A hook that redacts headers and bodies does not see the trailers.
        (layer().redact(|_, _| {}), vec![], vec![]),
        (
            layer()
                .redact(|_, _| {})
                .redact_trailers(|trailers| drop(trailers.remove("grpc-message"))),
            vec!["grpc-status"],
            vec!["grpc-status"],
        ),
    ] {
        let app = answering(streamed, Disposition::Store).layer(layer);
        let [first, second] = twice(&app).await;
        assert_eq!(first.trailers, Some(trailers()));
        assert_eq!(
            (second.text(), told(&second)),
            ("one two", (announced, came))
        );
    }
}

/// Over HTTP/1.1, to the byte: the first answer is the same as without the layer, and the replay announces the stored
/// trailers.
#[tokio::test]
async fn http_1_sends_trailers_of_first_answers_and_of_replays() {
    let request = "POST /pay HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close\r\n\
                   idempotency-key: k\r\ncontent-length: 0\r\n\r\n";
    let bare = rig::serve(answering(streamed, Disposition::Store)).await;
    let bare = rig::talk(bare, request).await;
    assert!(bare.contains("\r\ngrpc-status: 0\r\n"), "{bare}");
    let covered = rig::serve(answering(streamed, Disposition::Store).layer(layer())).await;
    let without_marks = |answer: String| -> Vec<String> {
        let lines = answer.split("\r\n").map(str::to_owned);
        lines.filter(|line| !line.starts_with("idempo")).collect()
    };
    // A body that was read first has one piece.
    let body = "4\r\none \r\n3\r\ntwo\r\n";
    assert!(bare.contains(body), "{bare}");
    let bare = bare.replace(body, "7\r\none two\r\n");
    let first = without_marks(rig::talk(covered, request).await);
    assert_eq!(first, without_marks(bare));
    let replay = without_marks(rig::talk(covered, request).await);
    // hyper never sends a cookie as a trailer, so only the announcement differs.
    let wanted = first
        .iter()
        .map(|line| line.replace(", set-cookie", ""))
        .collect::<Vec<_>>();
    assert_ne!(wanted, first);
    assert_eq!(replay, wanted);
}

/// The trailers of a request were dropped, although `Trailer` still announced them to the handler.
#[tokio::test]
async fn the_handler_gets_the_trailers_of_its_request() {
    let handler = |body: Body| async move {
        let body = body.collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&trailers()));
        body.to_bytes()
    };
    let app = Router::new().route("/pay", post(handler)).layer(layer());
    for body in [streamed, sized] {
        let call = || rig::post("/pay").key("k").body(body());
        assert_eq!(call().send(&app).await.text(), "one two");
        assert!(call().send(&app).await.is_replay());
    }
}

/// The length that the handler sees for a request over a socket.
#[tokio::test]
async fn a_request_without_trailers_tells_its_length() {
    use http_body::Body as _;
    let handler = |body: Body| async move { format!("{:?}", body.size_hint().exact()) };
    let app = Router::new().route("/pay", post(handler)).layer(layer());
    let address = rig::serve(app).await;
    for (key, length, body, told) in [
        ("a", "content-length: 4", "paid", "Some(4)"),
        (
            "b",
            "transfer-encoding: chunked",
            "4\r\npaid\r\n0\r\n\r\n",
            "Some(4)",
        ),
        (
            "c",
            "transfer-encoding: chunked",
            "4\r\npaid\r\n0\r\nx-sum: 1\r\n\r\n",
            "None",
        ),
    ] {
        let request = format!(
            "POST /pay HTTP/1.1\r\nhost: a\r\nconnection: close\r\nidempotency-key: {key}\r\n{length}\r\n\r\n{body}"
        );
        let answer = rig::talk(address, &request).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{told}")), "{answer}");
    }
}

#[tokio::test]
async fn what_has_no_trailers_announces_none_when_it_is_replayed() {
    let handler = || async {
        let answer = Response::builder().header("trailer", "x-sum");
        answer.body(Body::from("paid")).unwrap()
    };
    let app = Router::new().route("/pay", post(handler)).layer(layer());
    let [first, second] = twice(&app).await;
    assert_eq!(
        first.header("trailer"),
        Some("x-sum"),
        "it is the handler's"
    );
    assert!(second.header("trailer").is_none() && second.trailers.is_none());
}
