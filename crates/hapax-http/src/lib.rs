//! The `Idempotency-Key` header for tower and axum services: a request runs once, and every retry gets the
//! stored response.
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
//! A service with several tenants names the tenant of each request in [`scope`](IdempotencyLayer::scope).
//!
//! The layer follows draft-ietf-httpapi-idempotency-key-header-07; [`Reason`] and [`Outcome`] name what the draft
//! leaves open. It answers a request by the state of its key:
//!
//! | the key | answer |
//! | --- | --- |
//! | is new | the handler runs, in a separate task; its response is stored, then sent |
//! | ran before | the stored response: status, headers in their order, body; `Idempotent-Replayed: true` |
//! | is running | 409 with `Retry-After`, at once or after a [wait](IdempotencyLayer::wait) |
//! | was used for another request | 422 with the names of the parts that differ |
//! | is in doubt | 409 with `Retry-After`; nothing runs until the doubt is resolved |
//! | ran, but its response was not kept | 410: look the result up |
//! | is missing or malformed | 400; nothing was claimed |
//! | comes with a body over the limit | 413; nothing was claimed |
//! | cannot be looked up | 503; nothing ran |
//!
//! Refusals are problem details (RFC 9457) with a stable `code`, with `retryable`, and with `retryAfterSeconds` if a
//! retry helps.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `tracing` | yes | handlers run in the span of their request, and each request that the layer answers is one event |
//! | `axum` | no | [`Run`] as an extractor; the route's template, not its path, is the operation; nested routers |
//!
//! With axum, enable the feature `axum`: axum removes the prefix of a nested router from the path, so without the
//! feature a layer inside that router mistakes requests at two prefixes for one.

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
pub use hapax::key::{InvalidRule, KeyFault, KeyRefused, KeyRule};
pub use hapax_http_types::{BadAnswer, KeyParts, NotAResponse, StoredResponse};
pub use layer::idempotency_layer::{IdempotencyLayer, Unscoped};
pub use layer::service::{Idempotency, ResponseFuture};
pub use observe::counters::HttpStats;
pub use request::coverage::KeyUse;
pub use request::fingerprint::RequestFingerprint;
pub use request::header;
pub use request::header::{
    CLIENT_KEY_BYTES_MAX, ClientKey, KeySyntax, MalformedKey, key_of, parse_key,
};
pub use request::operation::operation;
pub use run::run_handle::{CheckpointError, Run};
pub use run_tasks::RunTask;

/// Compiles the example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
