//! What is shipped in `ops/` against the real text of the metrics: the dashboard, the rules and the
//! runbook name what there is, and nothing else.
//!
//! It needs no promtool and no Grafana; `ci/ops` asks promtool too.

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

/// Fails with every fault at once, so that one run shows them all.
fn check(faults: &[String]) {
    let count = faults.len();
    assert!(
        faults.is_empty(),
        "{count} fault(s):\n  {}",
        faults.join("\n  ")
    );
}
