//! A comparison of hapax with its peers and with the limit.
//!
//! `cargo run --release -p hapax-compare` runs it; `docs/comparison.md` explains it.

pub mod args;
pub mod child;
pub mod compare;
pub mod engine;
pub mod engines;
pub mod keys;
pub mod load;
pub mod machine;
pub mod process;
pub mod report;
pub mod row;
pub mod rows;
pub mod server;
pub mod statistics;
pub mod stopwatch;
