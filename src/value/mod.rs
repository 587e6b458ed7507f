//! The plain values: keys, records, policies, errors, reports.
//! What comes in: bytes and options of callers, checked here for what makes sense by itself.
//! They know no locks, threads or I/O, and nothing of how a store keeps them.

pub(crate) mod attribution;
pub(crate) mod audit;
pub(crate) mod blob;
#[cfg(feature = "json")]
pub(crate) mod canonical_json;
pub(crate) mod comparison;
pub(crate) mod digest;
pub(crate) mod doing;
pub(crate) mod durability;
pub(crate) mod error;
pub(crate) mod fencing_token;
pub(crate) mod fingerprint;
pub(crate) mod guarantee;
pub(crate) mod hex;
pub(crate) mod insertion;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod key_bytes;
pub(crate) mod key_digest;
pub(crate) mod key_info;
pub(crate) mod key_part;
pub(crate) mod key_rule;
pub(crate) mod key_state;
pub(crate) mod limits;
pub(crate) mod locator;
pub(crate) mod log_kind;
pub(crate) mod meter;
pub(crate) mod namespace_id;
pub(crate) mod policy;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod salvage_options;
pub(crate) mod salvage_report;
pub(crate) mod scan_position;
pub(crate) mod size;
pub(crate) mod time;
