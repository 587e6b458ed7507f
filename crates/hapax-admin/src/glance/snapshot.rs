//! [`Snapshot`]: what the page shows of one moment.

use std::collections::BTreeMap;

use hapax::Store;
use hapax::metrics::{Family, MetricValue, Metrics, Series};
use serde::Serialize;

use crate::answer::trouble_view::TroubleView;

/// Numbers by label: an outcome, a state, or a kind of error.
type ByLabel = BTreeMap<String, u64>;

/// Everything that the page shows. It has no rates: the page computes them from two snapshots, so that
/// the server keeps nothing.
#[derive(Serialize)]
pub(crate) struct Snapshot {
    version: &'static str,
    log_kind: Option<String>,
    /// Two snapshots with equal names have counters of the same opening.
    run: String,
    open_secs: f64,
    health: HealthGlance,
    states: ByLabel,
    running: Running,
    limits: Limits,
    claims: ByLabel,
    /// By kind; a kind that never occurred has no member.
    errors: ByLabel,
    settlements: ByLabel,
    expired: u64,
    durations: Durations,
    disk: Disk,
    indicators: IndicatorsGlance,
    namespaces: Vec<Space>,
    /// Includes namespaces that were not opened since the store was.
    namespaces_total: u64,
}

#[derive(Serialize)]
struct HealthGlance {
    alive: bool,
    ready: bool,
    troubles: Vec<TroubleView>,
    unsynced_secs: f64,
}

/// The keys in progress, and the callers that wait for them.
#[derive(Serialize)]
struct Running {
    oldest_secs: f64,
    overdue: u64,
    lapsed: u64,
    waiters: u64,
}

/// `None` means no limit.
#[derive(Serialize)]
struct Limits {
    running_keys: Option<u64>,
    live_keys: Option<u64>,
    waiters: Option<u64>,
}

/// Histograms. Each list has one number more than there are bounds: the calls over the last bound.
#[derive(Serialize)]
struct Durations {
    bounds_secs: Vec<f64>,
    claims: Vec<u64>,
    /// Claims that got a stored answer.
    replays: Vec<u64>,
    settlements: Vec<u64>,
    syncs: Vec<u64>,
    waits: Vec<u64>,
}

#[derive(Serialize)]
struct Disk {
    store_bytes: u64,
    free_bytes: Option<u64>,
    floor_bytes: Option<u64>,
    journal_bytes: u64,
    live_bytes: u64,
    live_records: u64,
    segments: u64,
    unwritten_bytes: u64,
    appended_bytes: u64,
    syncs: u64,
}

/// Computed since the store was opened. Growth is missing, because it needs two snapshots.
#[derive(Serialize)]
struct IndicatorsGlance {
    duplicate_effects_max: u64,
    duplicate_share_max: Option<f64>,
    lapsed_share: Option<f64>,
    /// Greater than the last bound if it exceeds every bound.
    replay_p95_secs: Option<f64>,
    retries_per_operation: Option<f64>,
}

/// A namespace.
#[derive(Serialize)]
struct Space {
    name: String,
    claims: ByLabel,
    reruns: u64,
    lapses: u64,
    dropped: u64,
    superseded: u64,
    doubts: u64,
    resolved: u64,
}

impl Snapshot {
    pub(crate) fn of(store: &Store, run: String) -> Self {
        let (metrics, health) = (store.metrics(), store.health());
        let gauge = |name: &str| whole(metrics.gauge(name, &[]).unwrap_or_default());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            log_kind: store.log_kind().map(|kind| kind.to_string()),
            run,
            open_secs: metrics.gauge("hapax_open_seconds", &[]).unwrap_or_default(),
            health: HealthGlance {
                alive: health.is_alive(),
                ready: health.is_ready(),
                troubles: TroubleView::all_of(&health),
                unsynced_secs: health.unsynced().as_secs_f64(),
            },
            states: by_label(&metrics, "hapax_entries", "state"),
            running: Running {
                oldest_secs: metrics
                    .gauge("hapax_oldest_in_progress_seconds", &[])
                    .unwrap_or_default(),
                overdue: gauge("hapax_overdue_entries"),
                lapsed: gauge("hapax_lapsed_entries"),
                waiters: gauge("hapax_waiters"),
            },
            limits: Limits {
                running_keys: limit(&metrics, "running_keys"),
                live_keys: limit(&metrics, "live_keys"),
                waiters: limit(&metrics, "waiters"),
            },
            claims: by_label(&metrics, "hapax_claims_total", "outcome"),
            errors: by_label(&metrics, "hapax_claim_errors_total", "kind"),
            settlements: by_label(&metrics, "hapax_settlements_total", "outcome"),
            expired: metrics.total("hapax_expired_total", &[]),
            durations: Durations::of(&metrics),
            disk: Disk::of(&metrics),
            indicators: IndicatorsGlance::of(&metrics),
            namespaces: spaces(&metrics),
            namespaces_total: gauge("hapax_namespaces"),
        }
    }
}

impl Durations {
    fn of(metrics: &Metrics) -> Self {
        let claims = "hapax_claim_duration_seconds";
        let is_replay = |outcome: &str| matches!(outcome, "completed" | "failed");
        Self {
            bounds_secs: bounds(metrics, claims),
            claims: buckets(metrics, claims, |_| true),
            replays: buckets(metrics, claims, is_replay),
            settlements: buckets(metrics, "hapax_settle_duration_seconds", |_| true),
            syncs: buckets(metrics, "hapax_sync_duration_seconds", |_| true),
            waits: buckets(metrics, "hapax_wait_duration_seconds", |_| true),
        }
    }
}

impl Disk {
    fn of(metrics: &Metrics) -> Self {
        let gauge = |name: &str| whole(metrics.gauge(name, &[]).unwrap_or_default());
        Self {
            store_bytes: gauge("hapax_disk_bytes"),
            free_bytes: metrics.gauge("hapax_disk_free_bytes", &[]).map(whole),
            floor_bytes: limit(metrics, "free_disk_bytes"),
            journal_bytes: gauge("hapax_journal_bytes"),
            live_bytes: gauge("hapax_journal_live_bytes"),
            live_records: gauge("hapax_journal_live_records"),
            segments: gauge("hapax_journal_segments"),
            unwritten_bytes: gauge("hapax_unwritten_bytes"),
            appended_bytes: metrics.total("hapax_journal_appended_bytes_total", &[]),
            syncs: metrics.total("hapax_syncs_total", &[]),
        }
    }
}

impl IndicatorsGlance {
    fn of(metrics: &Metrics) -> Self {
        let indicators = metrics.indicators();
        Self {
            duplicate_effects_max: indicators.duplicate_effects_max(),
            duplicate_share_max: indicators.duplicate_share_max(),
            lapsed_share: indicators.lapsed_share(),
            replay_p95_secs: indicators.replay_p95().map(|time| time.as_secs_f64()),
            retries_per_operation: indicators.retries_per_operation(),
        }
    }
}

fn series<'a>(metrics: &'a Metrics, name: &str) -> impl Iterator<Item = &'a Series> {
    let family = metrics.family(name).into_iter();
    family.flat_map(Family::series)
}

fn label<'a>(series: &'a Series, name: &str) -> &'a str {
    let mut labels = series.labels();
    labels
        .find(|(label, _)| *label == name)
        .map_or("", |(_, value)| value)
}

/// A counter, or a gauge of countable things.
fn number(series: &Series) -> u64 {
    match series.value() {
        MetricValue::Counter(count) => *count,
        MetricValue::Gauge(value) => whole(*value),
        _ => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "gauges of keys and bytes are whole numbers and never negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn limit(metrics: &Metrics, name: &str) -> Option<u64> {
    let limit = metrics.gauge("hapax_limit", &[("limit", name)]);
    limit.map(whole)
}

/// Sums by this label, over all others.
fn by_label(metrics: &Metrics, name: &str, by: &str) -> ByLabel {
    let mut sums = ByLabel::new();
    for series in series(metrics, name) {
        *sums.entry(label(series, by).to_owned()).or_default() += number(series);
    }
    sums
}

/// The bounds of a histogram's buckets, without the last, infinite one.
fn bounds(metrics: &Metrics, name: &str) -> Vec<f64> {
    let first = series(metrics, name).find_map(|series| match series.value() {
        MetricValue::Histogram(seen) => Some(seen.buckets().map(|(bound, _)| bound).collect()),
        _ => None,
    });
    let mut bounds: Vec<f64> = first.unwrap_or_default();
    bounds.retain(|bound| bound.is_finite());
    bounds
}

/// The count of each bucket, over the series with these outcomes.
fn buckets(metrics: &Metrics, name: &str, counts: impl Fn(&str) -> bool) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for series in series(metrics, name).filter(|series| counts(label(series, "outcome"))) {
        let MetricValue::Histogram(seen) = series.value() else {
            continue;
        };
        let mut below = 0;
        for (place, (_, reached)) in seen.buckets().enumerate() {
            if place == sums.len() {
                sums.push(0);
            }
            sums[place] += reached - below;
            below = reached;
        }
    }
    sums
}

/// The namespaces, in the order of the metrics.
fn spaces(metrics: &Metrics) -> Vec<Space> {
    let by_space = |name: &str| by_label(metrics, name, "namespace");
    let (reruns, lapses) = (
        by_space("hapax_reruns_total"),
        by_space("hapax_lapses_total"),
    );
    let (doubts, resolved) = (
        by_space("hapax_doubts_total"),
        by_space("hapax_doubts_resolved_total"),
    );
    let (dropped, superseded) = (
        by_space("hapax_dropped_leases_total"),
        by_space("hapax_superseded_total"),
    );
    let mut spaces: Vec<Space> = Vec::new();
    for series in series(metrics, "hapax_claims_total") {
        let name = label(series, "namespace");
        // The series of one namespace are adjacent.
        if spaces.last().is_none_or(|last| last.name != name) {
            let of = |counter: &ByLabel| counter.get(name).copied().unwrap_or_default();
            spaces.push(Space {
                name: name.to_owned(),
                claims: ByLabel::new(),
                reruns: of(&reruns),
                lapses: of(&lapses),
                dropped: of(&dropped),
                superseded: of(&superseded),
                doubts: of(&doubts),
                resolved: of(&resolved),
            });
        }
        let last = spaces.last_mut().expect("the loop has pushed one");
        let outcome = label(series, "outcome").to_owned();
        last.claims.insert(outcome, number(series));
    }
    spaces
}
