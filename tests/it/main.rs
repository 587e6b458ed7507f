//! The contract, through the public API.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

#[path = "../rig/reading.rs"]
mod reading;
#[path = "../rig/skipped.rs"]
mod skipped;

mod admission;
mod asked_retention;
mod attempts;
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
mod contract_claim;
mod contract_claim_settled;
mod contract_giving_up;
mod contract_handover;
mod contract_holder;
mod contract_support;
mod contract_waiting;
mod doubts;
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
mod keys;
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
mod operator;
mod parts;
mod permissions;
mod places;
mod processes;
mod properties;
mod read_only;
mod reconciler;
mod refusals;
mod refused_lease;
mod replayed_lately;
mod reports;
mod run_once;
mod run_replay;
mod salvage;
mod scan;
mod smoke;
mod streams;
mod taken_back;
mod threads;
mod tickets;
mod undelivered;
mod upkeep;
mod withdrawn;
