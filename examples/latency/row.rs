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
        }
    }

    /// Two lines: the groups of columns, and the columns.
    pub(crate) fn head() -> String {
        let us = format!("{:>8} {:>8} {:>8} {:>9}", "p50", "p99", "p99.9", "max");
        let group = |name| format!("{name:36}");
        format!(
            "{:57} | {} | {} | {}\n{:10} {:8} {:>7} {:10} {:>7} {:>9}  | {us} | {us} | {us}",
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
        format!(
            "{:10} {:8} {:7} {:10} {:7.1} {:9}  | {} | {} | {}",
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
        })
    }
}
