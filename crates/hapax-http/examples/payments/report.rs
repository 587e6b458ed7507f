//! The report of a run: a line for each figure, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::args::{self, Args};
use crate::latency::Times;
use crate::session::Outcome;

/// The most faults that the report names.
const NAMED_MAX: usize = 5;

/// The line before the run, which describes it.
pub(crate) fn headline(args: &Args) -> String {
    format!(
        "{} clients for {} s, {} kills, {}{}, seed {}",
        args.clients,
        args.storm.as_secs(),
        args.kills,
        args::name(args.guarantee),
        if args.unprotected {
            ", unprotected"
        } else {
            ""
        },
        args.seed
    )
}

/// Names and figures, in the order of the report.
fn rows(args: &Args, outcome: &Outcome) -> Vec<(&'static str, Value)> {
    let (tally, verdict) = (outcome.book.tally(), &outcome.verdict);
    let mut rows = vec![
        ("guarantee", json!(args::name(args.guarantee))),
        ("seed", json!(args.seed)),
        ("payments", json!(verdict.payments)),
        ("requested", json!(tally.requested)),
        ("executed", json!(tally.executed)),
        ("replayed", json!(tally.replayed)),
        ("refused", json!(tally.refused())),
        ("refused_in_progress", json!(tally.in_progress)),
        ("refused_mismatched", json!(tally.mismatched)),
        ("refused_in_doubt", json!(tally.in_doubt)),
        ("refused_unavailable", json!(tally.unavailable)),
        ("refused_otherwise", json!(tally.refused_otherwise)),
        ("timeouts", json!(tally.timeouts)),
        ("disconnects", json!(tally.disconnects)),
        ("lost_connections", json!(tally.lost)),
        ("kills", json!(outcome.kills)),
        (
            "in_doubt",
            json!(outcome.settled.happened + outcome.settled.never_happened),
        ),
        ("resolved_happened", json!(outcome.settled.happened)),
        (
            "resolved_never_happened",
            json!(outcome.settled.never_happened),
        ),
        ("answered_after_doubt", json!(outcome.answered_after_doubt)),
        ("effects", json!(verdict.effects)),
        ("repeated_by_kill", json!(verdict.repeated_by_kill)),
        ("double_effects", json!(verdict.double_effects)),
        ("faults", json!(verdict.faults.len())),
    ];
    rows.extend(latency_rows(outcome));
    rows
}

fn latency_rows(outcome: &Outcome) -> Vec<(&'static str, Value)> {
    let Some(latencies) = &outcome.latencies else {
        return Vec::new();
    };
    let us = |time: Duration| json!((time.as_secs_f64() * 1e7).round() / 10.0);
    let at = |times: &Times, percent| us(times.percentile(percent));
    vec![
        ("bare_p50_us", at(&latencies.bare, 50)),
        ("bare_p99_us", at(&latencies.bare, 99)),
        ("first_p50_us", at(&latencies.first, 50)),
        ("first_p99_us", at(&latencies.first, 99)),
        ("replay_p50_us", at(&latencies.replay, 50)),
        ("replay_p99_us", at(&latencies.replay, 99)),
        ("added_p50_us", at(&latencies.added, 50)),
        ("added_p99_us", at(&latencies.added, 99)),
    ]
}

/// The report for people.
pub(crate) fn text(args: &Args, outcome: &Outcome) -> String {
    let verdict = &outcome.verdict;
    let mut text = String::new();
    for (name, value) in rows(args, outcome) {
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        let _ = writeln!(text, "{name}: {value}");
    }
    for fault in verdict.faults.iter().take(NAMED_MAX) {
        let _ = writeln!(text, "fault: {fault}");
    }
    text.push_str(match (verdict.holds(), verdict.repeated_by_kill) {
        (true, 0) => "OK: every payment was made once, and all its clients got the same answer\n",
        (true, _) => "OK: no payment was made twice, except after a kill\n",
        (false, _) => "FAILED: a payment was made twice, or an answer was wrong\n",
    });
    text
}

/// The report for programs.
pub(crate) fn json(args: &Args, outcome: &Outcome) -> String {
    let rows = rows(args, outcome).into_iter();
    let mut report: Map<String, Value> =
        rows.map(|(name, value)| (name.to_owned(), value)).collect();
    report.insert("held".to_owned(), json!(outcome.verdict.holds()));
    report.insert("named_faults".to_owned(), json!(outcome.verdict.faults));
    format!("{}\n", Value::Object(report))
}
