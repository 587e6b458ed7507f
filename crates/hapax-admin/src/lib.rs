//! An axum router for the operators of a hapax store: metrics, health and readiness, lists of keys, and
//! operations on them, each with an actor and a reason.
//!
//! ```
//! use axum::Router;
//! use hapax::Store;
//! use hapax_admin::AdminRouter;
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("dedup");
//! let store = Store::open(path)?;
//! let app: Router = Router::new().nest("/admin/hapax", AdminRouter::new(store).into_router());
//! # Ok::<(), hapax::Error>(())
//! ```
//!
//! The router only reads until [`AdminRouter::allow_actions`] names who acts. It has no authentication of
//! its own: mount it behind that of the service.
//!
//! | path | answer |
//! | --- | --- |
//! | `GET /glance` | a page for a browser: the store at a glance |
//! | `GET /metrics` | metrics in the text format of Prometheus |
//! | `GET /health/live`, `GET /health/ready` | whether the store is alive, and whether it is ready, with the reasons if not |
//! | `GET /info`, `GET /namespaces`, `GET /options` | what the store holds, its namespaces, and every option in force |
//! | `GET /keys`, `GET /in-progress`, `GET /in-doubt` | a bounded page of the keys that pass a filter |
//! | `GET /keys/{namespace}/{key}` | one key |
//! | `POST /keys/{namespace}/{key}/{operation}` | [`resolve`](Operation::Resolve), [`release`](Operation::Release), [`doubt`](Operation::Doubt), [`fail`](Operation::Fail), [`forget`](Operation::Forget) |
//! | `GET /audit` | what happened to keys: who did what, when and why |
//! | `POST /accept-salvage` | lets a store that was salvaged with losses grant again |

mod admin;
mod answer;
mod gate;
mod glance;
mod notation;
mod operator;
mod options;
mod request;
mod router;
mod routes;

pub use operator::actor::{Actor, Refusal};
pub use operator::operation::Operation;
pub use router::AdminRouter;

/// Compiles the example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
