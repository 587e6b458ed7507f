//! The plain values: keys, records, policies, errors, reports.
//! What comes in: bytes and options of callers, checked here for what makes sense by itself.
//! They know no locks, threads or I/O, and nothing of how a store keeps them.

pub(crate) mod attribution;
pub(crate) mod audit;
pub(crate) mod blob;
#[cfg(feature = "json")]
pub(crate) mod canonical_json;
pub(crate) mod error;
pub(crate) mod fingerprint;
pub(crate) mod insertion;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod options;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod salvage_report;
pub(crate) mod scan_position;
