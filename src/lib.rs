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

mod claim;
mod engine;
mod journal;
mod observe;
mod operator;
mod runtime;
mod scan;
mod state;
mod store;
mod value;
mod wheel;

#[cfg(all(test, hapax_shuttle))]
mod races;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "sim")]
pub mod sim;

pub use claim::claim::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Completed, Doubt, Failed, InProgress, Mismatch,
    Resolution,
};
pub use claim::lease::{Lease, LeaseError, Ticket};
pub use claim::pending::Pending;
pub use claim::run::{Failure, RUN_CEILING, Ran, Run, RunError, StoredValue};
#[cfg(feature = "json")]
pub use claim::typed::{Typed, TypedClaim, TypedCompleted, TypedLease};
pub use engine::call::holder::CHECKPOINT_BYTES_MAX;
pub use journal::log::memory_log::memory_log::MemoryLog;
pub use observe::health::{Health, Trouble};
#[cfg(feature = "metrics")]
pub use observe::metrics::Publisher;
pub use observe::metrics::{
    Distribution, Family, Indicators, MetricKind, MetricSource, Metrics, Series,
    Value as MetricValue,
};
pub use observe::stats::Stats;
pub use operator::operator::Operator;
pub use operator::reconcile::{Reconciled, Reconciler};
pub use runtime::manual_clock::ManualClock;
pub use scan::audit::AuditScan;
pub use scan::doubts::DoubtScan;
pub use scan::in_progress::InProgressScan;
pub use scan::scan::{KeyFilter, Scan};
pub use store::builder::Builder;
#[cfg(feature = "prometheus-client")]
pub use store::collector::StoreCollector;
pub use store::config::{
    Config, Explained, ExplainedOption, LimitsConfig, OptionSource, PolicyConfig, StoreConfig,
};
pub use store::maintenance::{BackupReport, CompactReport, MoveReport, VerifyReport};
pub use store::namespace::Namespace;
pub use store::store::Store;
pub use store::survey::{Survey, SurveyedNamespace, SurveyedSegment};
pub use value::attribution::{ACTOR_BYTES_MAX, Attribution};
pub use value::audit::{
    AuditEntry, AuditFilter, AuditHead, AuditLevel, AuditReport, Origin, Transition,
};
#[cfg(feature = "json")]
pub use value::canonical_json::{CanonicalJson, CanonicalJsonError};
pub use value::comparison::FingerprintPolicy;
pub use value::durability::Durability;
pub use value::error::{Error, ErrorKind, Result};
pub use value::fencing_token::FencingToken;
pub use value::fingerprint::{
    FINGERPRINT_PARTS_MAX, Fingerprint, FingerprintBuilder, LABEL_BYTES_MAX,
};
pub use value::guarantee::Guarantee;
pub use value::insertion::Insertion;
pub use value::key::{KEY_BYTES_MAX, Key};
pub use value::key_digest::KeyDigest;
pub use value::key_info::KeyInfo;
pub use value::key_state::KeyState;
pub use value::limits::Limits;
pub use value::log_kind::LogKind;
pub use value::namespace_id::NAME_BYTES_MAX;
pub use value::policy::{LEASE_MIN, OnChange, Oversize, Policy, RESPONSE_BYTES_MAX, RETENTION_MAX};
pub use value::progress::{Progress, ProgressUnit};
pub use value::salvage_report::{SalvageOptions, SalvageReport};
pub use value::scan_position::ScanPosition;

/// Compiles the examples of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;

#[cfg(doctest)]
mod compile_fail;
