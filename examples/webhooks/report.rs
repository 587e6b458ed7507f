//! What the run did: for people, and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use hapax::{Durability, Guarantee};
use serde_json::{Value, json};

use crate::args::Args;
use crate::check::Verdict;
use crate::latency::{Latencies, Percentiles};
use crate::reconciler::Settled;
use crate::session::Outcome;

/// Most deliveries that are named when the check does not hold.
const NAMED_MAX: usize = 5;

/// What is about to be done.
pub(crate) fn headline(args: &Args, input: &str, events: usize) -> String {
    format!(
        "{events} events of {input}, {} deliveries each, {} consumers, {}, {}, seed {}",
        args.copies,
        args.threads,
        guarantee(args),
        durability(args),
        args.seed
    )
}

/// What the last run left.
pub(crate) fn inherited(settled: Settled) -> String {
    format!(
        "the last run left {} in doubt; the ledger has {} of them, {} can run",
        settled.all(),
        settled.happened,
        settled.never_happened
    )
}

/// The report for people.
pub(crate) fn text(args: &Args, outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let mut doubts = outcome.settled;
    doubts += outcome.inherited;
    let crashes = tally.crashes_before + tally.crashes_after;
    let row = |name: &str, count: u64, note: String| {
        format!("{name:<20}{:>9}  {note}", grouped(count))
            .trim_end()
            .to_owned()
    };
    let none = String::new;
    let lines = [
        String::new(),
        row(
            "deliveries",
            tally.deliveries,
            format!(
                "{} of them delivered again",
                grouped(outcome.delivered_again)
            ),
        ),
        row("distinct events", count(outcome.events), none()),
        row(
            "effects",
            outcome.effects,
            "lines that this run appended to the ledger".to_owned(),
        ),
        row(
            "duplicates answered",
            tally.duplicates,
            "with the stored response or error".to_owned(),
        ),
        row(
            "waits",
            outcome.waits,
            format!(
                "for a delivery that was being handled, {} in vain",
                tally.busy
            ),
        ),
        row(
            "mismatches",
            tally.mismatches,
            "refused: another body under the same id".to_owned(),
        ),
        row(
            "retries",
            tally.retries,
            "released by the handler".to_owned(),
        ),
        row("final failures", tally.failed, none()),
        row(
            "handler crashes",
            crashes,
            format!(
                "{} before the effect, {} after it",
                tally.crashes_before, tally.crashes_after
            ),
        ),
        row("in doubt", doubts.all(), doubted(doubts, &outcome.verdict)),
        String::new(),
        row(
            "throughput",
            per_second(tally.deliveries, outcome.elapsed),
            throughput(outcome),
        ),
        latencies(latency_rows(outcome)),
        verdict(args, outcome),
    ];
    lines.join("\n") + "\n"
}

fn doubted(doubts: Settled, verdict: &Verdict) -> String {
    if doubts.all() + verdict.in_doubt == 0 {
        return String::new();
    }
    format!(
        "settled by the ledger: {} had happened, {} had not; {} left",
        doubts.happened, doubts.never_happened, verdict.in_doubt
    )
}

fn throughput(outcome: &Outcome) -> String {
    format!(
        "deliveries/s, {} effects/s, in {}",
        grouped(per_second(outcome.effects, outcome.elapsed)),
        span(outcome.elapsed)
    )
}

/// A name, the latencies, and what to know about them.
type LatencyRow<'a> = (&'static str, &'a Latencies, &'static str);

fn latency_rows(outcome: &Outcome) -> [LatencyRow<'_>; 3] {
    let tally = &outcome.tally;
    [
        ("claim, granted", &tally.claims_granted, ""),
        (
            "claim, answered",
            &tally.claims_answered,
            "  waits included",
        ),
        ("complete", &tally.completes, ""),
    ]
}

fn latencies(rows: [LatencyRow<'_>; 3]) -> String {
    let mut text = format!("{:<20}{:>9}{:>11}{:>11}\n", "latency", "p50", "p99", "max");
    for (name, latencies, note) in rows {
        let Percentiles {
            count,
            p50,
            p99,
            max,
        } = latencies.percentiles();
        if count > 0 {
            let (p50, p99, max) = (span(p50), span(p99), span(max));
            let _ = writeln!(text, "  {name:<18}{p50:>9}{p99:>11}{max:>11}{note}");
        }
    }
    text
}

/// What the check says, good or bad.
fn verdict(args: &Args, outcome: &Outcome) -> String {
    let verdict = &outcome.verdict;
    let mut text = format!(
        "ledger: {} for {}",
        counted(verdict.lines, "line"),
        plural(verdict.delivered, "delivery", "deliveries")
    );
    match (verdict.doubled.is_empty(), args.guarantee) {
        (true, _) => text.push_str(", none twice"),
        (false, Guarantee::AtLeastOnce) => {
            let _ = write!(
                text,
                ": {} repeated, {} by a kill and {} by a crash of the handler",
                counted(verdict.repeated(), "effect"),
                verdict.repeated_by_kill,
                verdict.repeated_by_crash
            );
        }
        (false, _) => {
            let _ = write!(text, "; TWICE: {}", named(&verdict.doubled));
        }
    }
    let _ = write!(
        text,
        "\nstore: {} completed, {} failed for good",
        grouped(verdict.completed),
        grouped(verdict.failed)
    );
    if !verdict.wrong.is_empty() {
        let _ = write!(text, "; WRONG: {}", named(&verdict.wrong));
    }
    if outcome.given_up > 0 {
        let _ = write!(text, "; the sender gave up on {}", outcome.given_up);
    }
    text.push_str(match (verdict.holds(args.guarantee), args.guarantee) {
        (true, Guarantee::AtLeastOnce) => {
            "\nOK: every event was handled at least once or failed for good"
        }
        (true, _) => "\nOK: every event was handled exactly once or failed for good",
        (false, _) => "\nFAILED: the ledger and the store do not agree with the guarantee",
    });
    text
}

/// The report for programs.
pub(crate) fn json(args: &Args, outcome: &Outcome) -> String {
    let (tally, verdict) = (&outcome.tally, &outcome.verdict);
    let doubts = |settled: Settled| json!({ "happened": settled.happened, "never_happened": settled.never_happened });
    let mut latencies = serde_json::Map::new();
    for (name, values, _) in latency_rows(outcome) {
        latencies.insert(name.replace(", ", "_"), percentiles(values.percentiles()));
    }
    let report = json!({
        "ok": verdict.holds(args.guarantee),
        "input": outcome.input,
        "guarantee": guarantee(args),
        "durability": durability(args),
        "threads": args.threads,
        "copies": args.copies,
        "rate": args.rate,
        "seed": args.seed,
        "deliveries": tally.deliveries,
        "delivered_again": outcome.delivered_again,
        "given_up": outcome.given_up,
        "distinct_events": outcome.events,
        "effects": outcome.effects,
        "duplicates_answered": tally.duplicates,
        "waits": outcome.waits,
        "waits_in_vain": tally.busy,
        "mismatches": tally.mismatches,
        "completed": tally.completed,
        "retries": tally.retries,
        "final_failures": tally.failed,
        "crashes_before_effect": tally.crashes_before,
        "crashes_after_effect": tally.crashes_after,
        "answered_in_doubt": tally.in_doubt,
        "in_doubt_from_last_run": doubts(outcome.inherited),
        "in_doubt_settled": doubts(outcome.settled),
        "in_doubt_left": verdict.in_doubt,
        "seconds": outcome.elapsed.as_secs_f64(),
        "deliveries_per_second": per_second(tally.deliveries, outcome.elapsed),
        "latency_us": latencies,
        "ledger_lines": verdict.lines,
        "ledger_deliveries": verdict.delivered,
        "repeated_by_kill": verdict.repeated_by_kill,
        "repeated_by_crash": verdict.repeated_by_crash,
        "doubled": verdict.doubled,
        "store_completed": verdict.completed,
        "store_failed": verdict.failed,
        "wrong": verdict.wrong,
    });
    format!("{report}\n")
}

fn percentiles(values: Percentiles) -> Value {
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    json!({
        "count": values.count,
        "p50": micros(values.p50),
        "p99": micros(values.p99),
        "max": micros(values.max),
    })
}

fn guarantee(args: &Args) -> &'static str {
    match args.guarantee {
        Guarantee::AtLeastOnce => "at-least-once",
        _ => "at-most-once",
    }
}

fn durability(args: &Args) -> String {
    match args.durability {
        Durability::Interval(window) => format!("interval:{}", window.as_millis()),
        _ => "sync".to_owned(),
    }
}

fn named(items: &[String]) -> String {
    let mut text = items[..items.len().min(NAMED_MAX)].join(", ");
    if items.len() > NAMED_MAX {
        let _ = write!(text, " and {} more", items.len() - NAMED_MAX);
    }
    text
}

fn counted(count: u64, noun: &str) -> String {
    plural(count, noun, &format!("{noun}s"))
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// A number with a comma every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    let nanos = elapsed.as_nanos().max(1);
    u64::try_from(u128::from(count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

/// A duration in the unit that suits it.
fn span(span: Duration) -> String {
    let micros = span.as_nanos() / 100;
    let tenths = |unit: &str, tenths: u128| format!("{}.{} {unit}", tenths / 10, tenths % 10);
    match micros {
        0..10_000 => tenths("us", micros),
        10_000..10_000_000 => tenths("ms", micros / 1000),
        _ => tenths("s", micros / 1_000_000),
    }
}
