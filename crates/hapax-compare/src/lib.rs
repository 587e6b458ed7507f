//! A comparison of hapax with its peers and with the limit.
//!
//! `cargo run --release -p hapax-compare` runs it; `docs/comparison.md` explains it.

pub mod args;
pub mod compare;
pub mod engine;
pub mod engines;
pub mod host;
pub mod outcome;
pub mod report;
pub mod rows;
