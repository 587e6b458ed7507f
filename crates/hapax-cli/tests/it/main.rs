//! Runs the built `hapax` on stores that the library made.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod audit;
mod ends;
mod export_import;
mod hostile;
mod http;
mod locked;
mod page;
mod rig;
mod story;
mod verbs;
