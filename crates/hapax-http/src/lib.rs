//! The Idempotency-Key header for tower and axum services: a request goes through once, and every
//! retry gets the stored response.
//!
//! ```
//! use axum::{Router, routing::post};
//! use hapax::{Policy, Store};
//! use hapax_http::IdempotencyLayer;
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("dedup");
//! let store = Store::open(path)?;
//! let payments = store.namespace("payments", Policy::at_least_once())?;
//! let app: Router = Router::new()
//!     .route("/payments", post(|| async { "paid" }))
//!     .layer(IdempotencyLayer::new(payments).one_tenant());
//! # Ok::<(), hapax::Error>(())
//! ```
//!
//! A service of several tenants says in [`scope`](IdempotencyLayer::scope) whose request it is.
//!
//! It follows draft-ietf-httpapi-idempotency-key-header-07, and says in [`Reason`] and [`Outcome`] what
//! the draft leaves open. What a request is answered:
//!
//! | the key | answer |
//! | --- | --- |
//! | is new | the handler runs, in a task of its own; its response is stored, then sent |
//! | ran before | the stored response: status, headers in their order, body; `Idempotent-Replayed: true` |
//! | is running | 409 with `Retry-After`, at once or after a [wait](IdempotencyLayer::wait) |
//! | came with another request | 422 with the names of the parts that differ |
//! | is in doubt | 409 with `Retry-After`; nothing runs before somebody has looked |
//! | ran, and its response was not kept | 410: look the result up |
//! | is missing or malformed | 400; nothing was claimed |
//! | came with a body over the limit | 413; nothing was claimed |
//! | cannot be looked up | 503; nothing was run |
//!
//! Refusals are problem details (RFC 9457) with a stable `code`, `retryable`, and
//! `retryAfterSeconds` where a retry helps.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `tracing` | yes | handlers run in the span of their request, and each request that has an answer is one event |
//! | `axum` | no | [`Run`] as an extractor; the route's template, not its path, is the operation; nested routers |
//!
//! With axum, take it: axum takes the prefix of a nested router off the path, and without the feature a layer
//! within that router takes requests at two prefixes for one.

mod answer;
mod body;
mod config;
mod layer;
mod observe;
mod request;
mod run;
mod run_tasks;

pub use answer::disposition::{Disposition, by_error, by_status};
pub use answer::header_rules::HeaderRules;
pub use answer::outcome::Outcome;
pub use answer::reason::Reason;
pub use answer::refusal::Refusal;
pub use body::error::BoxError;
pub use body::reply_body::ReplyBody;
pub use body::request_body::RequestBody;
pub use hapax_http_types::{BadAnswer, KeyParts, NotAResponse, StoredResponse};
pub use layer::idempotency_layer::{IdempotencyLayer, Unscoped};
pub use layer::service::{Idempotency, ResponseFuture};
pub use observe::counters::HttpStats;
pub use request::coverage::KeyUse;
pub use request::fingerprint::RequestFingerprint;
pub use request::header::{
    CLIENT_KEY_BYTES_MAX, ClientKey, KeySyntax, MalformedKey, key_of, parse_key,
};
pub use request::key_rule::{InvalidRule, KeyFault, KeyRefused, KeyRule};
pub use request::operation::operation;
pub use request::{header, key_rule};
pub use run::run_handle::{CheckpointError, Run};
pub use run_tasks::RunTask;

/// Compiles the example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
