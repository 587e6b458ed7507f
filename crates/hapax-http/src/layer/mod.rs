//! The layer and its service: each request with a key is claimed, then run, replayed or refused.
//! Requests with any body and the inner service come in.
//! Nothing here knows how a run settles its key.

mod claim;
mod guard;
pub(crate) mod idempotency_layer;
mod request_watch;
pub(crate) mod service;
