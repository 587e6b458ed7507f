//! What a store over a backend counts, and whether it serves.

use std::sync::Weak;
use std::time::Duration;

use crate::engine::metrics::families::{OTHERS, add_namespaces};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::sizes::to_u64;
use crate::observe::counters::Counters;
use crate::observe::health::{Health, Trouble};
use crate::observe::metrics::{MetricSource, Metrics, as_f64};
use crate::observe::stats::Stats;
use crate::observe::tallies::COLUMNS_MAX;
use crate::remote::remote::Remote;
use crate::value::time::NEVER;

impl Remote {
    /// All counters of this process, at this moment.
    pub(crate) fn metrics(&self) -> Metrics {
        let run = self.seeded.hash(&[b"run", &self.process.to_le_bytes()]);
        let mut metrics = Metrics::new(Duration::from_millis(self.backend.mono_ms()), run);
        let names = self.namespaces.lock().namespaces.column_names();
        let mut columns = vec![Counters::default(); COLUMNS_MAX + 1];
        self.with_tallies(|tallies| {
            for (column, counters) in tallies.columns() {
                columns[column] += *counters;
            }
        });
        add_namespaces(&mut metrics, &names, columns);
        metrics.measure("hapax_waiters", &[], as_f64(to_u64(self.waits.len())));
        let own = metrics.families().len();
        let sources = self.sources.lock().clone();
        for (column, source) in sources {
            if let Some(source) = source.upgrade() {
                let name = names.get(column.index()).map_or(OTHERS, |name| &**name);
                metrics.add_source(own, name, source.families());
            }
        }
        metrics
    }

    /// Shows the counters of a source for as long as it lives.
    pub(crate) fn add_source(&self, core: &NamespaceCore, source: Weak<dyn MetricSource>) {
        let mut sources = self.sources.lock();
        sources.retain(|(_, source)| source.strong_count() > 0);
        sources.push((core.column, source));
    }

    /// What this process knows without asking the backend: its waiting callers, and the time of the server.
    pub(crate) fn stats(&self) -> Stats {
        let now_ms = self.server_estimate_ms();
        Stats {
            store_secs: u32::try_from(now_ms / 1000).unwrap_or(NEVER - 1),
            waiters: to_u64(self.waits.len()),
            ..Stats::default()
        }
    }

    /// Whether the backend has heard of this process of late.
    pub(crate) fn health(&self) -> Health {
        let mut troubles = Vec::new();
        if self.is_closed() {
            troubles.push(Trouble::Closed);
        }
        let now_ms = self.backend.mono_ms();
        let alive_until_ms = self.beats.alive_until_ms();
        if alive_until_ms <= now_ms {
            let silent_ms = now_ms - alive_until_ms + self.options.beat_ms;
            troubles.push(Trouble::Unreachable {
                since: Duration::from_millis(silent_ms),
            });
        }
        Health {
            troubles,
            unsynced: Duration::ZERO,
        }
    }
}
