//! The embedded store, through the public API. What holds in any home of a store is in `crates/hapax-conformance`.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

#[path = "../rig/reading.rs"]
mod reading;
#[path = "../rig/skipped.rs"]
mod skipped;

mod admission;
mod audit;
mod audit_archives;
mod audit_policy;
mod backup;
mod batches;
mod by_age;
#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "json")]
mod canonical_json;
mod closing;
mod compaction;
mod config;
mod contract_support;
mod erasure;
mod errors;
mod guarantees;
mod health;
mod hostile;
mod hostile_spans;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_values;
mod lapse;
mod limits;
mod lives;
mod lock_order;
mod logs;
mod metrics;
#[cfg(any(feature = "metrics", feature = "prometheus-client"))]
mod metrics_adapters;
mod metrics_page;
mod model;
mod parts;
mod permissions;
mod places;
mod poisoned;
mod processes;
mod properties;
mod read_only;
mod refusals;
mod replayed_lately;
mod reports;
mod salvage;
mod smoke;
mod streams;
mod threads;
mod tickets;
mod untaken_commits;
mod upkeep;
mod waiting_threads;
