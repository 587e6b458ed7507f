//! The snapshot of all counters and measurements.

use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::engine::engine::Engine;
use crate::engine::metrics::entries::{Entries, OVERDUE_LEASES, add_entries};
use crate::engine::metrics::families::{OTHERS, add_namespaces, add_stats};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::sizes::to_u64;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::observe::counters::Counters;
use crate::observe::health::Trouble;
use crate::observe::metrics::{MetricSource, Metrics, as_f64, seconds};
use crate::observe::tallies::COLUMNS_MAX;
use crate::state::slot::Settled;

impl Engine {
    /// All counters and measurements. Locks each shard in turn to look at its running keys, and then the tail
    /// of the journal.
    pub(crate) fn metrics(&self) -> Metrics {
        // Each opening of a store draws a key of its own.
        let run = self.hasher.hash(&[b"run"]);
        let mut metrics = Metrics::new(Duration::from_nanos(self.time.clock.mono_ns()), run);
        let (columns, entries) = self.sum_shards();
        let names = self.namespaces.lock().column_names();
        add_namespaces(&mut metrics, &names, columns);
        self.add_calls(&mut metrics);
        add_entries(&mut metrics, &entries);
        self.add_limits(&mut metrics);
        self.add_journal(&mut metrics);
        self.add_store(&mut metrics);
        self.add_sources(&mut metrics, &names);
        metrics
    }

    /// Shows the counters of a source for as long as it lives.
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
    pub(in crate::engine) fn count_in_doubt(&self) -> usize {
        self.sum_shards().1.in_doubt
    }

    fn add_calls(&self, metrics: &mut Metrics) {
        // Most kinds never occur; a series that has begun stays.
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
        let meters = self.journal.meters(self.time.mono_ms());
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
        let (expired, appended_bytes) = self
            .journal
            .with_tail(|tail| (tail.census.expired(), tail.appended_bytes()));
        let compaction = &self.compaction;
        for (name, count) in [
            ("hapax_expired_total", expired),
            ("hapax_journal_appended_bytes_total", appended_bytes),
            ("hapax_syncs_total", self.journal.syncs()),
            (
                "hapax_compacted_segments_total",
                compaction.segments_dropped(),
            ),
            ("hapax_carried_records_total", compaction.records_carried()),
            (
                "hapax_upkeep_failures_total",
                self.journal.retries.failures(),
            ),
        ] {
            metrics.count(name, &[], count);
        }
        let open_ms = self.time.mono_ms().saturating_sub(self.opened.at_ms);
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
        let version = [("version", Cow::Borrowed(env!("CARGO_PKG_VERSION")))];
        metrics.measure("hapax_build_info", &version, 1.0);
    }
}
