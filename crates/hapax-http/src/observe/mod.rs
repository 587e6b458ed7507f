//! Counters, metrics and events: what the layer reports about its requests and runs.
//! Endings, outcomes and routes come in.
//! Nothing here knows options, keys or leases.

pub(crate) mod counters;
#[cfg(feature = "tracing")]
pub(crate) mod request_event;
