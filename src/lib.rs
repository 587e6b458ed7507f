//! An embeddable deduplication engine: a key goes through once.
//!
//! The first claim of a key runs. Every later claim gets the stored answer, a "still running", or a refusal
//! with a reason. hapax is linked into a service: there is no server and no network hop. This page is the way in;
//! [the guide](guide) has every promise, option and metric.
//!
//! # Start here
//!
//! A [`Store`] is one directory, open in one process. A [`Namespace`] is a set of keys under one [`Policy`].
//! [`run_once`](Namespace::run_once) claims a key, runs the work, and stores its result:
//!
//! ```
//! use hapax::{Policy, Ran, Store};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("dedup");
//! let store = Store::open(path)?;
//! let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
//! let send = || mail.run_once("user-7", |_run| Ok::<_, std::io::Error>("sent".to_owned()));
//! assert!(matches!(send()?, Ran::Executed(_)));
//! assert!(matches!(send()?, Ran::Replayed(text) if text == "sent"));
//! # Ok::<(), hapax::RunError<std::io::Error>>(())
//! ```
//!
//! [`claim`](Namespace::claim) gives each step to the caller:
//!
//! ```
//! use hapax::{Claim, Policy, Store};
//!
//! # let store = Store::in_memory().open()?;
//! let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
//! match mail.claim("user-8")? {
//!     Claim::Granted(lease) => lease.complete("sent")?, // do the work here; "sent" is its answer
//!     Claim::InProgress(busy) => println!("come back within {:?}", busy.lease_left()),
//!     Claim::Completed(answer) => println!("done before: {:?}", answer.response()),
//!     Claim::Failed(answer) => println!("failed for good: {:?}", answer.error()),
//!     Claim::InDoubt(doubt) => println!("it may or may not have run: {doubt:?}"),
//!     Claim::Mismatch(other) => println!("another request has this key: {:?}", other.labels()),
//! }
//! # Ok::<(), hapax::Error>(())
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | mark events as seen, as a set does | [`Namespace::insert`], [`insert_many`](Namespace::insert_many) |
//! | claim and settle many keys in one commit | [`claim_many`](Namespace::claim_many), [`complete_many`](Namespace::complete_many) |
//! | make a key of several values | [`Key::join`] |
//! | accept only keys of a form that clients must send | [`key::KeyRule`] |
//! | refuse another request under the same key | [`Namespace::fingerprint`], [`ClaimOptions::fingerprint`] |
//! | wait for a key in progress | [`ClaimOptions::wait`] |
//! | call from async code | the forms that end in `_async`: they need no particular runtime |
//! | store values of a type instead of bytes | `Json` (feature `json`) |
//! | hand a key over to another task or process | [`Lease::detach`], [`Store::attach`] |
//! | look at keys | [`Namespace::get`], [`Store::scan`], [`Store::doubts`], [`Store::running`] |
//!
//! # The life of a key
//!
//! ```text
//! absent --claim--> in progress --complete--> completed --retention--> absent
//!                       |--------fail-------> failed ------retention--> absent
//!                       |--------release----> released, can be claimed again
//!                       `--------doubt------> in doubt --resolve--> completed, failed, or can be claimed again
//! ```
//!
//! A granted claim is a [`Lease`]. The holder settles it with [`complete`](Lease::complete),
//! [`fail`](Lease::fail), [`release`](Lease::release) or [`doubt`](Lease::doubt), under its
//! [`FencingToken`]. A lease that is dropped, or lapses, leaves the key as the guarantee says. An outcome is
//! remembered for the [retention](Policy::retention) of the policy, and answers every claim until then.
//! [The guarantees](guide::guarantees) have the whole table.
//!
//! # Choosing a guarantee
//!
//! - [`Policy::at_least_once`]: the work may run again if its holder dies. Choose it if the work is
//!   idempotent, or if [`Lease::derived_key`] makes the service that it calls deduplicate. A claim costs no
//!   write.
//! - [`Policy::at_most_once`]: hapax never starts the work twice on its own. Choose it if a second run does
//!   more harm than none. A claim is durable before it is granted. A holder that dies leaves the key in
//!   doubt, until [`Store::reconcile`] or [`Doubt::resolve`] says what happened.
//!
//! # Choosing durability
//!
//! - [`Durability::Sync`], the default: an acknowledged change is on the medium. Callers that wait at the same
//!   time share one sync.
//! - [`Durability::Interval`]: a change is acknowledged in memory, and on the medium within the interval. A
//!   crash loses at most the last interval.
//! - [`Store::in_memory`]: nothing survives.
//!
//! [`Builder::durability`] sets the level of a store; [`Policy::durability`] may ask for more in a namespace.
//! [`LogKind`] chooses how the log is written. [Durability](guide::durability) says what
//! each kind of crash can cost.
//!
//! # HTTP
//!
//! The crate `hapax-http` is a tower layer for the `Idempotency-Key` header. It claims keys, stores
//! responses, and replays them: see [HTTP](guide::http). The crate `hapax-admin` is a router for operators: see
//! `docs/admin.md`.
//!
//! # Testing your code
//!
//! - [`Store::in_memory`] opens a store without a directory.
//! - [`testing::ManualClock`] moves time: leases lapse and retentions end when the test says so.
//! - [`testing::MemoryLog`] crashes a store, and opens it again with what was durable.
//! - `sim` (feature `sim`) runs your handlers through thousands of crashes, each from a seed.
//!
//! ```
//! use std::time::Duration;
//!
//! use hapax::testing::ManualClock;
//! use hapax::{Claim, Policy, Store};
//!
//! let clock = ManualClock::new();
//! let store = Store::in_memory().clock(&clock).open()?;
//! let policy = Policy::at_least_once().lease(Duration::from_secs(60));
//! let jobs = store.namespace("jobs", policy)?;
//! let Claim::Granted(lost) = jobs.claim("report")? else { panic!("it is new") };
//! clock.advance(Duration::from_secs(61));
//! assert!(lost.is_lost(), "its lease has lapsed");
//! let Claim::Granted(next) = jobs.claim("report")? else { panic!("it can be taken over") };
//! assert_eq!(next.attempt(), 2);
//! # Ok::<(), hapax::Error>(())
//! ```
//!
//! # Operating
//!
//! - [`Store::health`] says whether the store serves, [`Store::metrics`] what it counts: see
//!   [the metrics](guide::metrics) and [the runbook](guide::runbook).
//! - [`Store::operator`] settles doubts, releases and forgets keys, each under a name and a reason; the
//!   [`audit`] log keeps them: see [auditing](guide::audit).
//! - [`Store::backup`], [`Store::verify`], [`Store::compact`] and [`Store::salvage`] keep a store in order.
//! - [`config::Config`] reads the options from a file, [`Store::explain`] shows those in force: see
//!   [the configuration](guide::configuration).
//! - The program `hapax` of the crate `hapax-cli` does all this from a shell: see [its verbs](guide::cli).
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `json` | no | `Json`: values instead of bytes; `CanonicalJson`, `FingerprintBuilder::json`; brings `serde_json` |
//! | `bytes` | no | stored answers become `bytes::Bytes` without a copy; brings `bytes` |
//! | `metrics` | no | `Publisher`: snapshots of a store for a recorder of the `metrics` crate; brings `metrics` |
//! | `prometheus-client` | no | `StoreCollector`: a store in a registry of `prometheus-client`; brings `prometheus-client` |
//! | `tracing` | no | spans and events of what a store decides; brings `tracing` |
//! | `sim` | no | `sim`: deterministic simulation of a store and of your handlers, for tests; brings `fastrand` |

#[doc(hidden)]
pub mod backend;
mod claim;
mod engine;
mod journal;
mod observe;
/// The actions of operators: settle doubts, release, fail or forget a key, bring keys in, reconcile.
pub mod operator;
mod remote;
mod runtime;
/// Iterators over many keys: all of them, those in doubt, those in progress.
pub mod scan;
mod state;
mod store;
mod value;
mod wheel;

#[cfg(all(test, hapax_shuttle))]
mod races;

#[cfg(all(doc, not(doctest)))]
pub mod guide;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "sim")]
pub mod sim;

pub use claim::answer::{Completed, Failed, InProgress, Mismatch};
pub use claim::claim::{BatchClaim, Claim};
pub use claim::doubt::{Doubt, Resolution};
pub use claim::failure::{Failure, IntoFailure};
#[cfg(feature = "json")]
pub use claim::json::Json;
pub use claim::lease::Lease;
pub use claim::options::{ClaimItem, ClaimOptions};
pub use claim::pending::Pending;
pub use claim::ran::{Ran, RunError};
pub use claim::run::Run;
pub use claim::stored_value::StoredValue;
pub use claim::ticket::Ticket;
pub use claim::to_stored::ToStored;
pub use observe::health::{Health, Trouble};
pub use observe::stats::Stats;
pub use remote::options::OpenOptions;
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

/// The audit log: its entries, and the chain that shows tampering.
///
/// [`Policy::audit`] switches it on, [`Store::audit`] reads it; [the guide](crate::guide::audit) tells the rest.
pub mod audit {
    pub use crate::scan::audit::AuditScan;
    pub use crate::value::audit::{
        AuditEntry, AuditFilter, AuditHead, AuditLevel, AuditReport, Origin, Transition,
    };
}

/// The options of a store as plain data, to be read from a file, and the options in force.
///
/// [`Builder::config`] takes a [`Config`](config::Config), [`Store::explain`] shows the options in
/// force; [the guide](crate::guide::configuration) has each of them.
pub mod config {
    pub use crate::store::config::{
        Config, Explained, ExplainedOption, LimitsConfig, OptionSource, PolicyConfig, StoreConfig,
    };
}

/// What keys are joined from, the parts that they split into (see [`Key`]), and the form that clients' keys must have.
pub mod key {
    pub use crate::value::key::AsKeyParts;
    pub use crate::value::key_part::{AsKeyPart, KeyPart};
    pub use crate::value::key_rule::refused::{InvalidRule, KeyFault, KeyRefused};
    pub use crate::value::key_rule::rule::KeyRule;
}

/// Fixed bounds: the longest key, name, answer and lease, and others.
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
/// [`Store::metrics`] takes a snapshot; [the guide](crate::guide::metrics) lists every metric.
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

/// For tests of code that uses a store: a clock that the test moves, a log in memory.
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
