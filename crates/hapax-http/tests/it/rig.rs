//! Shared by the tests: a store, a service around it, and two ways to call the service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing;
use hapax::{Namespace, Policy, Store};
use hapax_http::{IdempotencyLayer, Outcome};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::ServiceExt;

/// A namespace of a store that ends with the test.
pub(crate) fn namespace(policy: Policy) -> Namespace {
    let store = Store::in_memory().allow_at_most_once().open().unwrap();
    store.namespace("http", policy).unwrap()
}

pub(crate) fn at_least_once() -> Namespace {
    namespace(Policy::at_least_once())
}

/// Counts runs.
#[derive(Clone, Default, Debug)]
pub(crate) struct Runs(Arc<AtomicU32>);

impl Runs {
    /// Counts one more, and returns its number, from 1.
    pub(crate) fn one_more(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Two points at which a handler and its test meet.
#[derive(Clone, Default, Debug)]
pub(crate) struct Meeting {
    pub(crate) begun: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
}

impl Meeting {
    /// Tells the test that the handler began, and waits until it may go on.
    pub(crate) async fn handler(&self) {
        self.begun.notify_one();
        self.go_on.notified().await;
    }
}

/// A service whose handler waits for the test, and its runs.
pub(crate) fn waiting(layer: &IdempotencyLayer) -> (Router, Meeting, Runs) {
    let (meeting, runs) = (Meeting::default(), Runs::default());
    let (meets, counted) = (meeting.clone(), runs.clone());
    let handler = move || async move {
        let run = counted.one_more();
        meets.handler().await;
        format!("run {run}")
    };
    let app = Router::new()
        .route("/pay", routing::post(handler))
        .layer(layer.clone());
    (app, meeting, runs)
}

/// A request in the making.
#[derive(Debug)]
pub(crate) struct Call {
    request: http::request::Builder,
    body: Body,
}

pub(crate) fn post(path: &str) -> Call {
    call(Method::POST, path)
}

pub(crate) fn call(method: Method, path: &str) -> Call {
    Call {
        request: Request::builder().method(method).uri(path),
        body: Body::empty(),
    }
}

impl Call {
    /// Adds the key, in quotes.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", &format!("\"{key}\""))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn extension(mut self, value: impl Clone + Send + Sync + 'static) -> Self {
        self.request = self.request.extension(value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_owned())
    }

    pub(crate) async fn send(self, app: &Router) -> Reply {
        let request = self.request.body(self.body).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await;
        let trailers = body
            .as_ref()
            .ok()
            .and_then(|whole| whole.trailers().cloned());
        let body = body.map(|whole| whole.to_bytes().to_vec());
        Reply {
            status: parts.status,
            headers: parts.headers,
            outcome: parts.extensions.get().cloned(),
            broken: body.is_err(),
            body: body.unwrap_or_default(),
            trailers,
        }
    }
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// The body ended with an error.
    pub(crate) broken: bool,
    pub(crate) outcome: Option<Outcome>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// A member of the problem.
    pub(crate) fn problem(&self, member: &str) -> serde_json::Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        problem[member].clone()
    }

    pub(crate) fn code(&self) -> String {
        self.problem("code").as_str().unwrap().to_owned()
    }
}

/// Serves an app on a real socket until the test ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Sends these bytes, and reads the whole answer, without the line of the date, which no test can
/// foresee.
pub(crate) async fn talk(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let lines = answer.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}
