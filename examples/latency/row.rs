//! One line of the table.

use std::time::Duration;

use serde_json::{Value, json};

use crate::histogram::Histogram;
use crate::load::Tally;

/// The result of one phase of one run.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) form: &'static str,
    pub(crate) callers: u64,
    /// `quiet`, or the name of the event.
    pub(crate) during: &'static str,
    pub(crate) lasted: Duration,
    pub(crate) pairs: u64,
    /// From when it was due.
    pub(crate) claim: [Duration; 4],
    /// From when it was called.
    pub(crate) claim_call: [Duration; 4],
    pub(crate) complete: [Duration; 4],
    /// How many times the p99.9 of the quiet before it those of an event are: of claims from their calls,
    /// and of completions.
    pub(crate) by_quiet: Option<[f64; 2]>,
}

fn percentiles(of: &Histogram) -> [Duration; 4] {
    [
        of.per_mille(500),
        of.per_mille(990),
        of.per_mille(999),
        of.max(),
    ]
}

fn micros(latencies: [Duration; 4]) -> [f64; 4] {
    latencies.map(|latency| latency.as_secs_f64() * 1e6)
}

impl Row {
    pub(crate) fn new(
        (scenario, form, callers): (&'static str, &'static str, u64),
        during: &'static str,
        tally: &Tally,
        lasted: Duration,
    ) -> Self {
        Self {
            scenario,
            form,
            callers,
            during,
            lasted,
            pairs: tally.claims.count(),
            claim: percentiles(&tally.claims),
            claim_call: percentiles(&tally.claim_calls),
            complete: percentiles(&tally.completes),
            by_quiet: None,
        }
    }

    /// As an event, after this quiet in the same process.
    pub(crate) fn after(mut self, quiet: &Self) -> Self {
        let by = |event: [Duration; 4], quiet: [Duration; 4]| {
            event[2].as_secs_f64() / quiet[2].as_secs_f64().max(1e-9)
        };
        self.by_quiet = Some([
            by(self.claim_call, quiet.claim_call),
            by(self.complete, quiet.complete),
        ]);
        self
    }

    /// Two lines: the groups of columns, and the columns.
    pub(crate) fn head() -> String {
        let us = format!("{:>8} {:>8} {:>8} {:>9}", "p50", "p99", "p99.9", "max");
        let group = |name| format!("{name:36}");
        format!(
            "{:57} | {} | {} | {} | p99.9 by quiet\n{:10} {:8} {:>7} {:10} {:>7} {:>9}  | {us} | {us} | {us} | claim complete",
            "",
            group("claim, us from when it was due"),
            group("claim, us from the call"),
            group("complete, us from the call"),
            "scenario",
            "form",
            "callers",
            "during",
            "seconds",
            "pairs/s",
        )
    }

    fn pairs_per_second(&self) -> u64 {
        let millis = u64::try_from(self.lasted.as_millis()).unwrap_or(u64::MAX);
        self.pairs * 1000 / millis.max(1)
    }

    pub(crate) fn line(&self) -> String {
        let us = |latencies| {
            let [p50, p99, p999, max] = micros(latencies);
            format!("{p50:8.1} {p99:8.1} {p999:8.1} {max:9.0}")
        };
        let by_quiet = (self.by_quiet)
            .map(|[claim, complete]| format!("{claim:5.1} {complete:8.1}"))
            .unwrap_or_else(|| " ".repeat(14));
        format!(
            "{:10} {:8} {:7} {:10} {:7.1} {:9}  | {} | {} | {} | {by_quiet}",
            self.scenario,
            self.form,
            self.callers,
            self.during,
            self.lasted.as_secs_f64(),
            self.pairs_per_second(),
            us(self.claim),
            us(self.claim_call),
            us(self.complete),
        )
    }

    /// As [`head`](Self::head), of a table in Markdown.
    pub(crate) fn markdown_head() -> String {
        let four = "p50 | p99 | p99.9 | max | p99.9 by quiet";
        format!(
            "| | callers | claim {four} | complete {four} |\n| --- |{}",
            " ---: |".repeat(11)
        )
    }

    pub(crate) fn markdown(&self) -> String {
        let us = |latencies: [Duration; 4], by_quiet: Option<f64>| {
            let [p50, p99, p999, max] = micros(latencies);
            let by_quiet = by_quiet.map_or(String::new(), |by| format!("{by:.1}"));
            format!("{p50:.1} | {p99:.1} | {p999:.0} | {max:.0} | {by_quiet}")
        };
        format!(
            "| {}, {} | {} | {} | {} |",
            self.during,
            self.form,
            self.callers,
            us(self.claim_call, self.by_quiet.map(|by| by[0])),
            us(self.complete, self.by_quiet.map(|by| by[1])),
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "scenario": self.scenario,
            "form": self.form,
            "callers": self.callers,
            "during": self.during,
            "seconds": self.lasted.as_secs_f64(),
            "pairs": self.pairs,
            "pairs_per_second": self.pairs_per_second(),
            "claim_call_us_p50_p99_p999_max": micros(self.claim_call),
            "claim_us_p50_p99_p999_max": micros(self.claim),
            "complete_us_p50_p99_p999_max": micros(self.complete),
            "p999_by_quiet_claim_complete": self.by_quiet,
        })
    }
}
