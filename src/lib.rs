//! An embeddable deduplication engine: a key goes through once.
//!
//! Whoever claims a key first runs; everyone else gets the stored answer, a "still running", or a
//! refusal with a reason. It is linked into a service: there is no server and no network hop.
//!
//! ```
//! use hapax::{Claim, Policy, Store};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("dedup");
//! let store = Store::open(path)?;
//! let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
//! match mail.claim("user-7")? {
//!     Claim::Granted(lease) => lease.complete("sent")?,
//!     Claim::Completed(answer) => println!("answered before: {:?}", answer.response()),
//!     other => println!("not now: {other:?}"),
//! }
//! # Ok::<(), hapax::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `json` | no | `Namespace::typed`: values instead of bytes; `CanonicalJson`, `FingerprintBuilder::json`; brings `serde_json` |
//! | `bytes` | no | stored answers become `bytes::Bytes` without a copy; brings `bytes` |
//! | `metrics` | no | `Publisher`: snapshots of a store for a recorder of the `metrics` crate; brings `metrics` |
//! | `prometheus-client` | no | `StoreCollector`: a store in a registry of `prometheus-client`; brings `prometheus-client` |
//! | `tracing` | no | spans and events of what a store decides; brings `tracing` |
//! | `sim` | no | `sim`: deterministic simulation of a store and of your handlers, for tests; brings `fastrand` |

mod action;
mod audit;
mod blob;
#[cfg(feature = "json")]
mod canonical_json;
mod clock;
mod error;
mod fingerprint;
mod health;
mod insertion;
mod key;
mod metrics;
mod options;
mod process;
mod progress;
mod rank;
mod record;
mod salvage;
mod stats;
mod sync;
mod trace;
#[cfg(feature = "json")]
mod value_json;

mod wheel;

mod journal;
mod state;

mod engine;

#[cfg(all(test, hapax_shuttle))]
mod races;

mod audit_scan;
mod builder;
mod call;
mod claim;
#[cfg(feature = "prometheus-client")]
mod collector;
mod config;
mod doubt_scan;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod lease;
mod namespace;
mod operator;
mod pending;
mod reconcile;
mod run;
mod running_scan;
mod scan;
#[cfg(feature = "sim")]
pub mod sim;
mod store;
mod survey;
#[cfg(feature = "json")]
mod typed;
mod upkeep;

pub use action::{ACTOR_BYTES_MAX, Action};
pub use audit::{Audit, AuditEntry, AuditFilter, AuditHead, AuditReport, Origin, Transition};
pub use audit_scan::AuditScan;
pub use builder::Builder;
#[cfg(feature = "json")]
pub use canonical_json::{CanonicalJson, CanonicalJsonError};
pub use claim::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Completed, Doubt, Failed, InProgress, Mismatch,
    Resolution,
};
pub use clock::ManualClock;
#[cfg(feature = "prometheus-client")]
pub use collector::StoreCollector;
pub use config::{
    Config, Explained, ExplainedOption, LimitsConfig, PolicyConfig, Source, StoreConfig,
};
pub use doubt_scan::DoubtScan;
pub use engine::holder::CHECKPOINT_BYTES_MAX;
pub use error::{Error, ErrorKind, Result};
pub use fingerprint::{FINGERPRINT_PARTS_MAX, Fingerprint, FingerprintBuilder, LABEL_BYTES_MAX};
pub use health::{Health, Trouble};
pub use insertion::Insertion;
pub use journal::memory_log::MemoryLog;
pub use key::{FencingToken, KEY_BYTES_MAX, Key, KeyDigest, NAME_BYTES_MAX};
pub use lease::{Lease, LeaseError, Ticket};
#[cfg(feature = "metrics")]
pub use metrics::Publisher;
pub use metrics::{
    Distribution, Family, Indicators, MetricKind, MetricSource, Metrics, Series,
    Value as MetricValue,
};
pub use namespace::Namespace;
pub use operator::Operator;
pub use options::{
    Durability, FingerprintPolicy, Guarantee, LEASE_MIN, Limits, LogKind, OnChange, Oversize,
    Policy, RESPONSE_BYTES_MAX, RETENTION_MAX,
};
pub use pending::Pending;
pub use progress::{Progress, ProgressUnit};
pub use rank::Rank;
pub use reconcile::{Reconciled, Reconciler};
pub use record::{KeyInfo, State};
pub use run::{Failure, RUN_CEILING, Ran, Response, Run, RunError};
pub use running_scan::RunningScan;
pub use salvage::{Salvage, SalvageOptions};
pub use scan::{Filter, Scan};
pub use stats::Stats;
pub use store::Store;
pub use survey::{Survey, SurveyedNamespace, SurveyedSegment};
#[cfg(feature = "json")]
pub use typed::{Typed, TypedClaim, TypedCompleted, TypedLease};
pub use upkeep::{BackupReport, Compacted, Moved, VerifyReport};

/// Compiles the examples of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;

#[cfg(doctest)]
mod compile_fail;
