//! What the engine measures beside its counters, and the snapshot of it all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::engine::call::batch::ItemAnswer;
use crate::engine::call::claim::{Answer, Named};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::{Engine, to_u64};
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::health::{Health, Trouble};
use crate::observe::holds::{HOLD_BOUNDS, Holds};
use crate::observe::metrics::histogram::Histogram;
use crate::observe::metrics::{Distribution, MetricSource, Metrics, as_f64, seconds};
use crate::observe::stats::{Counters, Stats};
use crate::observe::tallies::{COLUMNS_MAX, Column};
use crate::runtime::sync::{AtomicU64, Mutex, Ordering};
use crate::state::slot::Settled;
use crate::value::error::ErrorKind;

/// What is measured of calls, beside the counters in the shards.
pub(super) struct Meters {
    /// By [`ClaimOutcome`], as far as it is an answer to a single claim.
    claims: [Histogram; TIMED_OUTCOMES],
    settlements: Histogram,
    batches: Histogram,
    waits: Histogram,
    compactions: Histogram,
    /// Claims that ended in an error, by the kind of error.
    errors: Mutex<BTreeMap<&'static str, u64>>,
    /// What stands around the store and counts too, by the namespace that it stands before.
    sources: Mutex<Vec<(Column, Weak<dyn MetricSource>)>>,
    /// When calls were marked to be timed last.
    sampled_ms: AtomicU64,
}

/// The first so many of [`ClaimOutcome::ALL`] are timed.
const TIMED_OUTCOMES: usize = 6;

/// Parts of a histogram that calls on many threads observe.
const STRIPES: usize = 8;

/// Calls are marked to be timed no more often than this.
const SAMPLE_MS: u64 = 20;

/// A writer that has been at one thing for longer counts as stuck.
const STUCK_MS: u64 = 5000;

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            claims: std::array::from_fn(|_| Histogram::new(STRIPES)),
            settlements: Histogram::new(STRIPES),
            batches: Histogram::new(1),
            waits: Histogram::new(1),
            compactions: Histogram::new(1),
            errors: Mutex::new(BTreeMap::new()),
            sources: Mutex::new(Vec::new()),
            sampled_ms: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters")
            .field("claims", &self.claims)
            .field("settlements", &self.settlements)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

/// Timing and counting of calls.
impl Engine {
    /// The moment, where calls are measured at all.
    pub(crate) fn clock_ns(&self) -> Option<u64> {
        self.options.counts.then(|| self.clock.mono_ns())
    }

    fn since_ns(&self, began_ns: u64) -> u64 {
        self.clock.mono_ns().saturating_sub(began_ns)
    }

    /// The moment, where this claim is one of those that are timed.
    #[inline]
    pub(super) fn begin_claim(&self, named: Named<'_>) -> Option<u64> {
        let timed = self.shards.is_timed_claim(named.digest);
        timed.then(|| self.clock.mono_ns())
    }

    /// Takes down how long a claim took, where it was timed.
    #[inline]
    pub(super) fn end_claim(&self, named: Named<'_>, began_ns: Option<u64>, answer: &Answer) {
        if let Some(began_ns) = began_ns {
            self.observe_claim(named, began_ns, answer.outcome());
        }
    }

    #[cold]
    fn observe_claim(&self, named: Named<'_>, began_ns: u64, outcome: ClaimOutcome) {
        let timed = ClaimOutcome::ALL.iter().zip(&self.meters.claims);
        let mut histogram = timed.filter(|(of, _)| **of == outcome);
        if let Some((_, histogram)) = histogram.next() {
            histogram.observe(self.shards.index(named.digest), self.since_ns(began_ns));
        }
    }

    /// The moment, where this settlement is one of those that are timed.
    #[inline]
    pub(crate) fn begin_settlement(&self, named: Named<'_>) -> Option<u64> {
        let timed = self.shards.is_timed_settlement(named.digest);
        timed.then(|| self.clock.mono_ns())
    }

    #[inline]
    pub(crate) fn end_settlement(&self, named: Named<'_>, began_ns: Option<u64>) {
        if let Some(began_ns) = began_ns {
            let near = self.shards.index(named.digest);
            let took_ns = self.since_ns(began_ns);
            self.meters.settlements.observe(near, took_ns);
        }
    }

    pub(super) fn end_wait(&self, began_ns: Option<u64>) {
        if let Some(began_ns) = began_ns {
            self.meters.waits.observe(0, self.since_ns(began_ns));
        }
    }

    pub(super) fn end_compaction(&self, began_ns: Option<u64>) {
        if let Some(began_ns) = began_ns {
            self.meters.compactions.observe(0, self.since_ns(began_ns));
        }
    }

    /// Whether calls are to be marked now to be timed; called by the timers.
    pub(super) fn takes_sample(&self) -> bool {
        let now_ms = self.clock.mono_ms();
        let sampled_ms = self.meters.sampled_ms.load(Ordering::Relaxed);
        let takes = self.options.counts && now_ms >= sampled_ms.saturating_add(SAMPLE_MS);
        if takes {
            self.meters.sampled_ms.store(now_ms, Ordering::Relaxed);
        }
        takes
    }

    /// Counts a claim whose answer is given outside of the lock of its shard.
    pub(super) fn count_claim(&self, named: Named<'_>, outcome: ClaimOutcome) {
        let mut shard = self.shards.lock(named.digest);
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| {
            *counters.claims(outcome) += 1;
        });
    }

    /// Counts claims that have no answer: refused, failed, or given up.
    pub(crate) fn count_unanswered(
        &self,
        namespace: &NamespaceCore,
        claims: usize,
        outcome: ClaimOutcome,
    ) {
        // A thread that only the parent has may hold the lock.
        if claims > 0 && !self.is_forked() {
            // Any shard will do; the columns are summed.
            let mut shard = self.shards.lock_at(claims & (self.shards.len() - 1));
            shard.tallies.count(namespace.column, |counters| {
                *counters.claims(outcome) += to_u64(claims);
            });
        }
    }

    /// Counts claims that ended in an error.
    pub(crate) fn count_errors(&self, namespace: &NamespaceCore, claims: usize, kind: ErrorKind) {
        // In a fork, a thread that only the parent has may hold the lock.
        if self.options.counts && !self.is_forked() {
            let mut errors = self.meters.errors.lock();
            *errors.entry(kind.name()).or_default() += to_u64(claims);
            drop(errors);
            self.count_unanswered(namespace, claims, ClaimOutcome::Error);
        }
    }

    /// Counts the answers of a batch, all at once: before, any of them could still fail.
    pub(super) fn count_batch(
        &self,
        namespace: &Arc<NamespaceCore>,
        answers: &[Option<ItemAnswer>],
        began_ns: Option<u64>,
    ) {
        let outcome = |answer: &ItemAnswer| match answer {
            ItemAnswer::Answer(answer) => Some(answer.outcome()),
            ItemAnswer::RepeatOf { .. } => Some(ClaimOutcome::Repeat),
            ItemAnswer::Refused(error) => {
                self.count_errors(namespace, 1, error.kind());
                None
            }
        };
        let outcomes: Vec<_> = answers.iter().flatten().filter_map(outcome).collect();
        self.count_inserts(namespace, &outcomes, began_ns);
    }

    /// As [`count_batch`](Self::count_batch), for keys that were inserted.
    pub(super) fn count_inserts(
        &self,
        namespace: &NamespaceCore,
        outcomes: &[ClaimOutcome],
        began_ns: Option<u64>,
    ) {
        let Some(began_ns) = began_ns else { return };
        let mut sum = Counters::default();
        for outcome in outcomes {
            *sum.claims(*outcome) += 1;
        }
        let mut shard = self
            .shards
            .lock_at(outcomes.len() & (self.shards.len() - 1));
        let tallies = &mut shard.tallies;
        tallies.count(namespace.column, |counters| *counters += sum);
        drop(shard);
        self.meters.batches.observe(0, self.since_ns(began_ns));
    }

    /// Whether the store serves, and what troubles it. Takes no lock, reads no disk.
    pub(crate) fn health(&self) -> Health {
        let now_ms = self.clock.mono_ms();
        let journal = &self.journal;
        let unsynced = Duration::from_millis(journal.unsynced_ms(now_ms));
        let mut troubles = Vec::new();
        if self.is_closed() {
            troubles.push(Trouble::Closed);
        }
        if self.is_forked() {
            troubles.push(Trouble::Forked);
        }
        if let Some(cause) = journal.poison_cause() {
            troubles.push(Trouble::Poisoned { cause });
        }
        let has_ended = !troubles.is_empty();
        let busy_ms = journal.busy_ms(now_ms);
        if busy_ms >= STUCK_MS {
            let since = Duration::from_millis(busy_ms);
            troubles.push(Trouble::Stuck { since });
        }
        if self.disk_is_at_floor() {
            let floor_bytes = self.least_free_bytes();
            troubles.push(Trouble::DiskLow { floor_bytes });
        }
        // Of a store that has ended, nobody tries anything again.
        if !has_ended {
            if self.check_segment_room(0).is_err() {
                troubles.push(Trouble::NoSegment);
            }
            troubles.extend(journal.retries.list(now_ms).into_iter().map(Trouble::from));
        }
        if journal.is_congested(now_ms) {
            troubles.push(Trouble::Congested { unsynced });
        }
        if self.read_only {
            troubles.push(Trouble::ReadOnly);
        }
        if self.is_salvaged() {
            troubles.push(Trouble::Salvaged);
        }
        Health { troubles, unsynced }
    }
}

/// A key that is in progress for more of its leases than this is overdue.
const OVERDUE_LEASES: u64 = 3;

/// Keys by state, and what is seen of those that somebody runs.
#[derive(Debug, Default)]
struct Entries {
    in_progress: usize,
    completed: usize,
    failed: usize,
    in_doubt: usize,
    released: usize,
    lapsed: usize,
    overdue: usize,
    oldest_ms: u64,
}

/// The snapshot.
impl Engine {
    /// Everything that is counted and measured. Takes each shard in turn, for a look at its running
    /// keys, and the tail of the journal.
    pub(crate) fn metrics(&self) -> Metrics {
        // Each opening of a store draws a key of its own.
        let run = self.hasher.hash(&[b"run"]);
        let mut metrics = Metrics::new(Duration::from_nanos(self.clock.mono_ns()), run);
        let (mut columns, entries) = self.sum_shards();
        let names = self.namespaces.lock().column_names();
        let others = columns[COLUMNS_MAX];
        // A namespace of that very name shares its series with them: labels stand there once.
        let namesake = names.iter().position(|name| **name == *OTHERS);
        if let Some(namesake) = namesake {
            columns[namesake] += others;
        }
        for (name, counters) in names.iter().zip(&columns) {
            add_namespace(&mut metrics, name, counters);
        }
        if names.len() == COLUMNS_MAX && namesake.is_none() {
            add_namespace(&mut metrics, OTHERS, &others);
        }
        self.add_calls(&mut metrics);
        add_entries(&mut metrics, &entries);
        self.add_limits(&mut metrics);
        self.add_journal(&mut metrics);
        self.add_store(&mut metrics);
        self.add_sources(&mut metrics, &names);
        metrics
    }

    /// Shows what a source counts as long as it lives.
    pub(crate) fn add_source(&self, namespace: &NamespaceCore, source: Weak<dyn MetricSource>) {
        let mut sources = self.meters.sources.lock();
        sources.retain(|(_, source)| source.strong_count() > 0);
        sources.push((namespace.column, source));
    }

    /// A source is code of a user, so no lock is held while it is asked.
    fn add_sources(&self, metrics: &mut Metrics, names: &[Arc<str>]) {
        let own = metrics.families().len();
        let sources = self.meters.sources.lock().clone();
        for (column, source) in sources {
            if let Some(source) = source.upgrade() {
                let name = names.get(column.index()).map_or(OTHERS, |name| &**name);
                metrics.add_source(own, name, source.families());
            }
        }
    }

    fn sum_shards(&self) -> (Vec<Counters>, Entries) {
        let mut columns = vec![Counters::default(); COLUMNS_MAX + 1];
        let mut entries = Entries::default();
        for shard in self.shards.all() {
            let now = self.now();
            for (column, counters) in shard.tallies.columns() {
                columns[column] += *counters;
            }
            entries.completed += shard.settled_keys(Settled::Completed);
            entries.failed += shard.settled_keys(Settled::Failed);
            entries.in_doubt += shard.settled_keys(Settled::InDoubt);
            entries.released += shard.settled_keys(Settled::Released);
            for running in shard.running() {
                entries.lapsed += usize::from(running.is_lapsed(now));
                if running.is_in_doubt(now) {
                    entries.in_doubt += 1;
                } else {
                    entries.in_progress += 1;
                    let held_ms = now.mono_ms.saturating_sub(running.holder.granted_ms);
                    entries.oldest_ms = entries.oldest_ms.max(held_ms);
                    let overdue_ms = running.holder.lease_ms.saturating_mul(OVERDUE_LEASES);
                    entries.overdue += usize::from(held_ms > overdue_ms);
                }
            }
        }
        (columns, entries)
    }

    /// Keys in doubt, as the gauge counts them: expired ones may still be among them.
    pub(super) fn count_in_doubt(&self) -> usize {
        self.sum_shards().1.in_doubt
    }

    fn add_calls(&self, metrics: &mut Metrics) {
        // Most kinds never come; a series that does stays.
        for (kind, count) in &*self.meters.errors.lock() {
            let labels = [("kind", Cow::Borrowed(*kind))];
            metrics.count("hapax_claim_errors_total", &labels, *count);
        }
        for (outcome, seen) in ClaimOutcome::ALL.iter().zip(&self.meters.claims) {
            let labels = [("outcome", Cow::Borrowed(outcome.name()))];
            metrics.distribution("hapax_claim_duration_seconds", &labels, seen.snapshot());
        }
        let meters = &self.meters;
        for (name, seen) in [
            ("hapax_settle_duration_seconds", &meters.settlements),
            ("hapax_batch_duration_seconds", &meters.batches),
            ("hapax_wait_duration_seconds", &meters.waits),
            ("hapax_compaction_duration_seconds", &meters.compactions),
        ] {
            metrics.distribution(name, &[], seen.snapshot());
        }
    }

    fn add_limits(&self, metrics: &mut Metrics) {
        let limits = &self.options.limits;
        let bounded = [
            ("running_keys", to_u64(limits.running_keys)),
            ("live_keys", to_u64(limits.live_keys)),
            ("waiters", to_u64(limits.waiters)),
            ("unwritten_bytes", to_u64(limits.unwritten_bytes)),
            ("free_disk_bytes", limits.free_disk_bytes),
        ];
        for (name, most) in bounded {
            if most < u64::MAX {
                let labels = [("limit", Cow::Borrowed(name))];
                metrics.measure("hapax_limit", &labels, as_f64(most));
            }
        }
    }

    fn add_journal(&self, metrics: &mut Metrics) {
        let meters = self.journal.meters(self.clock.mono_ms());
        for (source, reads) in [
            ("window", meters.window_reads),
            ("cache", meters.cold_reads),
            ("medium", meters.disk_reads),
        ] {
            let labels = [("source", Cow::Borrowed(source))];
            metrics.count("hapax_record_reads_total", &labels, reads);
        }
        metrics.distribution("hapax_sync_duration_seconds", &[], meters.sync_times);
        metrics.distribution("hapax_read_duration_seconds", &[], meters.read_times);
        let unsynced = seconds(meters.unsynced_ms, 1000);
        metrics.measure("hapax_unsynced_seconds", &[], unsynced);
        for (name, value) in [
            ("hapax_unwritten_bytes", to_u64(meters.unwritten_bytes)),
            ("hapax_unsynced_frames", meters.unsynced_frames),
        ] {
            metrics.measure(name, &[], as_f64(value));
        }
        let archived = as_f64(self.archive_sizes.bytes());
        metrics.measure("hapax_audit_archive_bytes", &[], archived);
        let audited = self.audit_head().number.saturating_sub(self.opened.audited);
        metrics.count("hapax_audit_entries_total", &[], audited);
        let free = self.journal.log().free_bytes().ok().flatten();
        if let Some(free) = free {
            metrics.measure("hapax_disk_free_bytes", &[], as_f64(free));
        }
    }

    fn add_store(&self, metrics: &mut Metrics) {
        let stats = self.stats();
        add_stats(metrics, &stats);
        let expired = self.journal.with_tail(|tail| tail.census.expired());
        metrics.count("hapax_expired_total", &[], expired);
        let open_ms = self.clock.mono_ms().saturating_sub(self.opened.at_ms);
        metrics.measure("hapax_open_seconds", &[], seconds(open_ms, 1000));
        let namespaces = self.namespaces.lock().manifest.namespaces.len();
        metrics.measure("hapax_namespaces", &[], as_f64(to_u64(namespaces)));
        let health = self.health();
        for trouble in Trouble::NAMES {
            let has = |met: &Trouble| met.name() == trouble;
            let healthy = !health.troubles.iter().any(has);
            let labels = [("trouble", Cow::Borrowed(trouble))];
            metrics.measure("hapax_healthy", &labels, f64::from(u8::from(healthy)));
        }
        let failures = self.journal.retries.failures();
        metrics.count("hapax_upkeep_failures_total", &[], failures);
        let version = [("version", Cow::Borrowed(env!("CARGO_PKG_VERSION")))];
        metrics.measure("hapax_build_info", &version, 1.0);
    }
}

/// The label of the namespaces that share a column.
const OTHERS: &str = "other";

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

/// The bounds of [`Holds`] in seconds: 2^0 to 2^22 milliseconds.
static HOLD_SECONDS: [f64; HOLD_BOUNDS] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
    8.192, 16.384, 32.768, 65.536, 131.072, 262.144, 524.288, 1048.576, 2097.152, 4194.304,
];

fn hold_times(holds: &Holds) -> Distribution {
    Distribution {
        bounds: &HOLD_SECONDS,
        counts: holds.counts.to_vec(),
        sum_seconds: seconds(holds.sum_ms, 1000),
    }
}

fn add_entries(metrics: &mut Metrics, entries: &Entries) {
    for (state, keys) in [
        ("in_progress", entries.in_progress),
        ("completed", entries.completed),
        ("failed", entries.failed),
        ("in_doubt", entries.in_doubt),
        ("released", entries.released),
    ] {
        let labels = [("state", Cow::Borrowed(state))];
        metrics.measure("hapax_entries", &labels, as_f64(to_u64(keys)));
    }
    let lapsed = as_f64(to_u64(entries.lapsed));
    metrics.measure("hapax_lapsed_entries", &[], lapsed);
    let overdue = as_f64(to_u64(entries.overdue));
    metrics.measure("hapax_overdue_entries", &[], overdue);
    let oldest = seconds(entries.oldest_ms, 1000);
    metrics.measure("hapax_oldest_in_progress_seconds", &[], oldest);
}

fn add_stats(metrics: &mut Metrics, stats: &Stats) {
    for (name, count) in [
        ("hapax_journal_appended_bytes_total", stats.appended_bytes()),
        ("hapax_syncs_total", stats.syncs()),
        ("hapax_compacted_segments_total", stats.segments_dropped()),
        ("hapax_carried_records_total", stats.records_carried()),
    ] {
        metrics.count(name, &[], count);
    }
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
        ("hapax_store_time_seconds", stats.store_secs()),
    ] {
        metrics.measure(name, &[], as_f64(value));
    }
    let recovery = stats.recovery().as_secs_f64();
    metrics.measure("hapax_recovery_seconds", &[], recovery);
}
