//! The layer and its service: a request comes in, is claimed, and is run, replayed or refused.
//! Requests of any body and the service inside come in.
//! Nothing here knows what a run does with its lease.

mod claim;
mod guard;
pub(crate) mod idempotency_layer;
mod request_watch;
pub(crate) mod service;
