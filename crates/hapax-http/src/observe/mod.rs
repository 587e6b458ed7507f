//! What the layer tells of its requests and runs: counters, metrics, and one event of each request.
//! Endings, outcomes and names of routes come in.
//! Nothing here knows options, keys or leases.

pub(crate) mod counters;
#[cfg(feature = "tracing")]
pub(crate) mod request_event;
