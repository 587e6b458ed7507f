//! Does anything grow? The medians of the first and of the last third are compared: one slow
//! interval moves neither, a steady growth moves both.

use std::time::Duration;

use crate::sample::Sample;

/// One thing that must not grow.
struct Rule {
    what: &'static str,
    unit: &'static str,
    of: fn(&Sample) -> u64,
    percent: u64,
    /// Growth that is too small to mean anything.
    more: u64,
}

const MIB: u64 = 1024 * 1024;

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}

const RULES: [Rule; 5] = [
    Rule {
        what: "memory",
        unit: "bytes",
        of: |sample| sample.memory_bytes,
        percent: 10,
        more: 16 * MIB,
    },
    Rule {
        what: "disk",
        unit: "bytes",
        of: |sample| sample.disk_bytes,
        percent: 15,
        more: 48 * MIB,
    },
    Rule {
        what: "live keys",
        unit: "keys",
        of: |sample| sample.live_keys,
        percent: 5,
        more: 1000,
    },
    Rule {
        what: "p99.9 of claim",
        unit: "us",
        of: |sample| micros(sample.claim[2]),
        percent: 100,
        more: 5000,
    },
    Rule {
        what: "p99.9 of complete",
        unit: "us",
        of: |sample| micros(sample.complete[2]),
        percent: 100,
        more: 5000,
    },
];

/// Fewer lines are not judged.
const LEAST: usize = 6;

/// The result of a soak.
#[derive(Debug)]
pub(crate) enum Verdict {
    Flat(Vec<String>),
    Grows(Vec<String>),
    TooShort(usize),
}

/// Judges the samples after the warm-up.
pub(crate) fn judge(samples: &[Sample], warm_up: Duration) -> Verdict {
    let judged = samples.iter().filter(|sample| sample.elapsed > warm_up);
    let samples: Vec<&Sample> = judged.collect();
    if samples.len() < LEAST {
        return Verdict::TooShort(samples.len());
    }
    let third = samples.len() / 3;
    let (first, last) = (&samples[..third], &samples[samples.len() - third..]);
    let (mut flat, mut grown) = (Vec::new(), Vec::new());
    for rule in &RULES {
        let (from, to) = (median(first, rule.of), median(last, rule.of));
        let most = from
            .saturating_add(from / 100 * rule.percent)
            .saturating_add(rule.more);
        let text = format!(
            "{}: {from} to {to} {}, may come to {most}",
            rule.what, rule.unit
        );
        if to > most {
            grown.push(text);
        } else {
            flat.push(text);
        }
    }
    if grown.is_empty() {
        Verdict::Flat(flat)
    } else {
        Verdict::Grows(grown)
    }
}

fn median(samples: &[&Sample], of: fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(|sample| of(sample)).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
