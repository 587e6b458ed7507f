//! The layer, through its public API: called as a service, and over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod bodies;
mod draft;
mod fingerprint;
mod forms;
mod life;
mod replay;
mod rig;
mod scope;
mod stack;
mod stats;
mod status;
mod stored;
mod streams;
mod trailers;
mod traps;
