//! An embeddable deduplication engine: a key goes through once.
//!
//! The first caller that claims a key runs; every other caller gets the stored answer, a "still running", or a
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
/// What operators do: settle doubts, release, fail or forget a key, bring keys in, reconcile.
pub mod operator;
mod runtime;
/// Going through many keys: all of them, those in doubt, those in progress.
pub mod scan;
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

pub use claim::answer::{Completed, Failed, InProgress, Mismatch};
pub use claim::claim::{BatchClaim, Claim};
pub use claim::doubt::{Doubt, Resolution};
pub use claim::failure::{Failure, IntoFailure};
pub use claim::lease::{Lease, LeaseError};
pub use claim::options::{ClaimItem, ClaimOptions};
pub use claim::pending::Pending;
pub use claim::ran::{Ran, RunError};
pub use claim::run::Run;
pub use claim::stored_value::StoredValue;
pub use claim::ticket::Ticket;
#[cfg(feature = "json")]
pub use claim::typed::{Typed, TypedClaim, TypedCompleted, TypedLease};
pub use observe::health::{Health, Trouble};
pub use observe::stats::Stats;
pub use store::builder::Builder;
pub use store::namespace::Namespace;
pub use store::store::Store;
#[cfg(feature = "json")]
pub use value::canonical_json::{CanonicalJson, CanonicalJsonError};
pub use value::comparison::FingerprintPolicy;
pub use value::durability::Durability;
pub use value::error::{Error, ErrorKind, Result};
pub use value::fencing_token::FencingToken;
pub use value::fingerprint::{Fingerprint, FingerprintBuilder};
pub use value::guarantee::Guarantee;
pub use value::key::Key;
pub use value::key_digest::KeyDigest;
pub use value::key_info::KeyInfo;
pub use value::key_state::KeyState;
pub use value::limits::Limits;
pub use value::log_kind::LogKind;
pub use value::policy::{OnChange, Oversize, Policy};

/// The log of what changed, entry by entry, and the chain that shows tampering.
///
/// [`Policy::audit`] switches it on, [`Store::audit`] reads it; `docs/audit.md` tells the rest.
pub mod audit {
    pub use crate::scan::audit::AuditScan;
    pub use crate::value::audit::{
        AuditEntry, AuditFilter, AuditHead, AuditLevel, AuditReport, Origin, Transition,
    };
}

/// A store's options as plain data, to be read from a file, and what is in force.
///
/// [`Builder::config`] takes a [`Config`](config::Config), [`Store::explain`] shows the options in
/// force; `docs/configuration.md` has each of them.
pub mod config {
    pub use crate::store::config::{
        Config, Explained, ExplainedOption, LimitsConfig, OptionSource, PolicyConfig, StoreConfig,
    };
}

/// What keys are joined from, and the parts that they split into: see [`Key`].
pub mod key {
    pub use crate::value::key::AsKeyParts;
    pub use crate::value::key_part::{AsKeyPart, KeyPart};
}

/// The longest key, name, answer and lease, and the other bounds that are fixed.
pub mod limits {
    pub use crate::claim::run::RUN_CEILING;
    pub use crate::value::attribution::ACTOR_BYTES_MAX;
    pub use crate::value::fingerprint::{FINGERPRINT_PARTS_MAX, LABEL_BYTES_MAX};
    pub use crate::value::key::KEY_BYTES_MAX;
    pub use crate::value::limits::CHECKPOINT_BYTES_MAX;
    pub use crate::value::namespace_id::NAME_BYTES_MAX;
    pub use crate::value::policy::{LEASE_MIN, RESPONSE_BYTES_MAX, RETENTION_MAX};
}

/// Reports of what keeps a store in order: backups, restores, compaction, moves, salvage, surveys.
pub mod maintenance {
    pub use crate::store::maintenance::{BackupReport, CompactReport, MoveReport, VerifyReport};
    pub use crate::store::survey::{Survey, SurveyedNamespace, SurveyedSegment};
    pub use crate::value::progress::{Progress, ProgressUnit};
    pub use crate::value::salvage_options::SalvageOptions;
    pub use crate::value::salvage_report::SalvageReport;
}

/// The numbers of a store: a snapshot, its text for Prometheus, adapters for other recorders.
///
/// [`Store::metrics`] takes a snapshot; `docs/metrics.md` lists every metric.
pub mod metrics {
    #[cfg(feature = "metrics")]
    pub use crate::observe::metrics::Publisher;
    pub use crate::observe::metrics::{
        Distribution, Family, Indicators, MetricKind, MetricSource, Metrics, Series,
        Value as MetricValue,
    };
    #[cfg(feature = "prometheus-client")]
    pub use crate::store::collector::StoreCollector;
}

/// For tests of code that uses a store: a clock that is moved by hand, a log in memory.
pub mod testing {
    pub use crate::journal::log::memory_log::memory_log::MemoryLog;
    pub use crate::runtime::manual_clock::ManualClock;
}

/// Compiles the examples of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;

#[cfg(doctest)]
mod compile_fail;
