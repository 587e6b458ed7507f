//! The router, through its public API: called as a service, and over a real socket.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod actions;
mod audit;
mod glance;
mod hostile;
mod http;
mod reads;
mod rig;
mod socket;
mod vitals;
