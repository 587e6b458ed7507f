//! [`Site`]: a service with the router in it, behind a session, whose answers a test can replace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hapax::Store;
use hapax_admin::AdminRouter;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tower::ServiceExt;

/// Where the router is mounted.
const PREFIX: &str = "/ops/hapax";

pub(crate) struct Site {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
    server: AbortHandle,
}

impl Site {
    /// `answer` gets the part of the path that is requested, and the number of snapshots so far; the
    /// router answers if it returns `None`.
    pub(crate) async fn open(
        store: &Store,
        answer: impl Fn(&str, u64) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let replaced = move |request: Request, next: Next| {
            let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
            async move {
                let path = request.uri().path();
                let part = path.rsplit('/').next().unwrap_or_default().to_owned();
                let number = match part.as_str() {
                    "glance.json" => counter.fetch_add(1, Ordering::SeqCst),
                    _ => counter.load(Ordering::SeqCst),
                };
                match answer(&part, number) {
                    Some(response) => response,
                    None => next.run(request).await,
                }
            }
        };
        let admin = AdminRouter::new(store.clone()).into_router();
        let admin = admin.fallback(|| async { StatusCode::NOT_FOUND });
        let app = Router::new()
            .nest(PREFIX, admin.layer(from_fn(replaced)))
            .layer(from_fn(in_session));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            asked,
            server: server.abort_handle(),
        }
    }

    pub(crate) fn url(&self, part: &str) -> String {
        format!("http://{}{PREFIX}/{part}", self.address)
    }

    /// The number of snapshots requested.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// The task that accepts connections: a test aborts it to stop the service.
    pub(crate) fn server(&self) -> AbortHandle {
        self.server.clone()
    }
}

/// Loading the page signs in; every other request needs the cookie from it.
async fn in_session(request: Request, next: Next) -> Response {
    let is_page = !request.uri().path().ends_with(".json");
    let cookie = request.headers().get(COOKIE);
    if !is_page && cookie.is_none_or(|cookie| cookie != "session=1") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if is_page {
        let cookie = "session=1; HttpOnly; SameSite=Strict; Path=/";
        headers.insert(SET_COOKIE, HeaderValue::from_static(cookie));
    }
    response
}

/// The answer of the router.
pub(crate) async fn text_of(store: &Store, part: &str) -> String {
    let app = AdminRouter::new(store.clone()).into_router();
    let request = Request::get(format!("/{part}"))
        .body(Body::empty())
        .unwrap();
    let body = app.oneshot(request).await.unwrap().into_body();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) async fn snapshot_of(store: &Store) -> Value {
    serde_json::from_str(&text_of(store, "glance.json").await).unwrap()
}

pub(crate) fn json(value: &Value) -> Response {
    typed("application/json", value.to_string())
}

/// An answer without the headers of the page, whose policy would block what the test adds.
pub(crate) fn html(text: String) -> Response {
    typed("text/html; charset=utf-8", text)
}

fn typed(kind: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}
