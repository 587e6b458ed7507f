//! Everything that a store counts and measures: the names, the numbers at one moment, and the ways to hand them on.
//! What comes in: numbers from the engine, and snapshots from other sources.
//! It does not know what counts: `engine/metrics/` fills the numbers in.
//!
//! `catalogue.rs` has the names and what each means; `text.rs` writes them for Prometheus.

mod catalogue;
mod distribution;
mod family;
pub(crate) mod histogram;
mod indicators;
#[cfg(feature = "metrics")]
mod publish;
mod snapshot;
mod source;
mod text;

pub use crate::observe::metrics::distribution::Distribution;
pub(crate) use crate::observe::metrics::distribution::{as_f64, seconds};
pub use crate::observe::metrics::family::{Family, MetricKind, Series, Value};
pub use crate::observe::metrics::indicators::Indicators;
#[cfg(feature = "metrics")]
pub use crate::observe::metrics::publish::Publisher;
pub use crate::observe::metrics::snapshot::Metrics;
pub use crate::observe::metrics::source::MetricSource;
