//! Checks the files of `ops/` against the real text of the metrics: the dashboard, the rules and the
//! runbook name only metrics that exist.
//!
//! These tests need neither promtool nor Grafana; `ci/ops` runs promtool, too.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod dashboard;
mod exposition;
mod promql;
mod rules;

/// A file of the repository, by its path from the root.
fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::read_to_string(format!("{root}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with all faults at once.
fn check(faults: &[String]) {
    let count = faults.len();
    assert!(
        faults.is_empty(),
        "{count} fault(s):\n  {}",
        faults.join("\n  ")
    );
}
