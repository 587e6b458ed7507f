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
mod conditions;
mod counters;
mod disposition;
mod fingerprint;
mod form;
mod guard;
pub mod header;
mod headers;
pub mod key_rule;
mod layer;
mod life;
#[cfg(feature = "tracing")]
mod line;
mod media_type;
mod outcome;
mod refusal;
mod request_body;
mod run;
mod scope;
mod service;
mod uri;
mod watch;

pub use body::{BoxError, ReplyBody};
pub use counters::HttpStats;
pub use disposition::{Disposition, by_error, by_status};
pub use fingerprint::RequestFingerprint;
pub use hapax_http_types::{BadAnswer, KeyParts, NotAResponse, StoredResponse};
pub use header::{CLIENT_KEY_BYTES_MAX, ClientKey, KeySyntax, MalformedKey, key_of, parse_key};
pub use headers::HeaderRules;
pub use key_rule::{InvalidRule, KeyFault, KeyRefused, KeyRule};
pub use layer::{IdempotencyLayer, KeyUse, RunTask, Unscoped};
pub use outcome::Outcome;
pub use refusal::{Reason, Refusal};
pub use request_body::RequestBody;
pub use run::{CheckpointError, Run};
pub use scope::operation;
pub use service::{Idempotency, ResponseFuture};

/// Compiles the example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
