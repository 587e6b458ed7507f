//! What the tests share: a store with keys, a router on it, and a way to call it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, Lease, Namespace, Policy, Store};
use hapax_admin::{Actor, AdminRouter, Refusal};
use serde_json::Value;
use tower::ServiceExt;

/// A store on a clock that tests move, with one namespace of each guarantee.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) log: MemoryLog,
    pub(crate) store: Store,
    pub(crate) jobs: Namespace,
    pub(crate) pay: Namespace,
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let builder = Store::in_memory().log(&log).clock(&clock);
        let store = builder.allow_at_most_once().open().unwrap();
        let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
        let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
        Self {
            clock,
            log,
            store,
            jobs,
            pay,
        }
    }

    /// A router that only reads.
    pub(crate) fn reading(&self) -> Router {
        AdminRouter::new(self.store.clone()).into_router()
    }

    /// A router that acts for the operator in the header `x-operator`.
    pub(crate) fn acting(&self) -> AdminRouter {
        AdminRouter::new(self.store.clone()).allow_actions(|request| {
            let name = request.headers.get("x-operator");
            match name.map(|name| name.to_str().unwrap()) {
                None => Err(Refusal::unauthenticated("Bearer realm=\"operators\"")),
                Some("mallory") => Err(Refusal::forbidden("mallory reads and does not act")),
                Some(name) => Ok(Actor::new(name)),
            }
        })
    }

    /// Puts this key of the namespace `pay` in doubt; returns the token of its holder.
    pub(crate) fn doubt(&self, key: impl AsRef<[u8]>) -> String {
        let lease = claim(&self.pay, key);
        let token = lease.token().to_string();
        lease.doubt("the provider timed out").unwrap();
        token
    }

    pub(crate) fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

pub(crate) fn claim(namespace: &Namespace, key: impl AsRef<[u8]>) -> Lease {
    match namespace.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("the key is free: {other:?}"),
    }
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        let code = problem["code"].as_str().unwrap();
        (self.status.as_u16(), code.to_owned())
    }

    /// The keys of a list.
    pub(crate) fn keys(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let json = self.json();
        let keys = json["keys"].as_array().unwrap().iter();
        keys.map(|row| row["key"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Reply {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Reply {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(crate) async fn get(app: &Router, path: &str) -> Reply {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

/// An operation, sent by alice.
pub(crate) async fn act(app: &Router, path: &str, body: &Value) -> Reply {
    act_as(app, Some("alice"), path, body).await
}

pub(crate) async fn act_as(app: &Router, who: Option<&str>, path: &str, body: &Value) -> Reply {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(who) = who {
        request = request.header("x-operator", who);
    }
    send(app, request.body(Body::from(body.to_string())).unwrap()).await
}
