//! Counters and counts as families of metrics.

use std::borrow::Cow;
use std::sync::Arc;

use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::counters::Counters;
use crate::observe::holds::{HOLD_BOUNDS, Holds};
use crate::observe::metrics::{Distribution, Metrics, as_f64, seconds};
use crate::observe::stats::Stats;
use crate::observe::tallies::COLUMNS_MAX;

/// The label of the namespaces that share a column.
pub(crate) const OTHERS: &str = "other";

/// The bounds of [`Holds`] in seconds: 2^0 to 2^22 milliseconds.
static HOLD_SECONDS: [f64; HOLD_BOUNDS] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
    8.192, 16.384, 32.768, 65.536, 131.072, 262.144, 524.288, 1048.576, 2097.152, 4194.304,
];

/// The counters of all namespaces, by column.
pub(crate) fn add_namespaces(
    metrics: &mut Metrics,
    names: &[Arc<str>],
    mut columns: Vec<Counters>,
) {
    let others = columns[COLUMNS_MAX];
    // A namespace of that very name shares its series with them, because no two series have the same
    // labels.
    let namesake = names.iter().position(|name| **name == *OTHERS);
    if let Some(namesake) = namesake {
        columns[namesake] += others;
    }
    for (name, counters) in names.iter().zip(&columns) {
        add_namespace(metrics, name, counters);
    }
    if names.len() == COLUMNS_MAX && namesake.is_none() {
        add_namespace(metrics, OTHERS, &others);
    }
}

fn add_namespace(metrics: &mut Metrics, name: &str, counters: &Counters) {
    let mut counters = *counters;
    let namespace = || ("namespace", Cow::Owned(name.to_owned()));
    let with = |outcome: &'static str| [namespace(), ("outcome", Cow::Borrowed(outcome))];
    for outcome in ClaimOutcome::ALL {
        let count = *counters.claims(outcome);
        metrics.count("hapax_claims_total", &with(outcome.name()), count);
    }
    for (outcome, count) in [
        ("completed", counters.completed),
        ("failed", counters.failed),
        ("released", counters.released),
        ("in_doubt", counters.doubted),
    ] {
        metrics.count("hapax_settlements_total", &with(outcome), count);
    }
    for (outcome, count) in [
        ("granted", counters.waits_granted),
        ("answered", counters.waits_answered),
        ("retried", counters.waits_retried),
        ("timed_out", counters.wait_timeouts),
        ("abandoned", counters.waits_abandoned),
    ] {
        metrics.count("hapax_waits_total", &with(outcome), count);
    }
    for (name, count) in [
        ("hapax_reruns_total", counters.reruns),
        ("hapax_reclaims_total", counters.reclaimed),
        ("hapax_dropped_leases_total", counters.dropped_leases),
        ("hapax_lapses_total", counters.lapsed),
        ("hapax_doubts_total", counters.doubts),
        ("hapax_doubts_resolved_total", counters.resolved),
        ("hapax_superseded_total", counters.superseded),
        (
            "hapax_superseded_completions_total",
            counters.superseded_completions,
        ),
        ("hapax_not_held_total", counters.not_held),
        ("hapax_withdrawn_grants_total", counters.withdrawn),
        ("hapax_renewals_total", counters.renewed),
        ("hapax_checkpoints_total", counters.checkpoints),
        ("hapax_forgotten_total", counters.forgotten),
        ("hapax_waits_refused_total", counters.waits_refused),
    ] {
        metrics.count(name, &[namespace()], count);
    }
    let holds = hold_times(&counters.holds);
    metrics.distribution("hapax_hold_duration_seconds", &[namespace()], holds);
}

fn hold_times(holds: &Holds) -> Distribution {
    Distribution {
        bounds: &HOLD_SECONDS,
        counts: holds.counts.to_vec(),
        sum_seconds: seconds(holds.sum_ms, 1000),
    }
}

pub(in crate::engine) fn add_stats(metrics: &mut Metrics, stats: &Stats) {
    for (name, value) in [
        ("hapax_waiters", stats.waiters()),
        ("hapax_table_bytes", stats.table_bytes()),
        ("hapax_journal_segments", stats.segments()),
        ("hapax_journal_bytes", stats.log_bytes()),
        ("hapax_journal_live_bytes", stats.live_bytes()),
        ("hapax_journal_live_records", stats.live_records()),
        ("hapax_journal_window_bytes", stats.window_bytes()),
        ("hapax_disk_bytes", stats.disk_bytes()),
        ("hapax_recovered_records", stats.recovered_records()),
        ("hapax_torn_frames", stats.torn_frames()),
        ("hapax_store_time_seconds", u64::from(stats.store_secs)),
    ] {
        metrics.measure(name, &[], as_f64(value));
    }
    let recovery = stats.recovery().as_secs_f64();
    metrics.measure("hapax_recovery_seconds", &[], recovery);
}
