//! One line of the table: what the process and the store hold, and what was done.

use std::time::Duration;

use hapax::Store;
use serde_json::{Value, json};

use crate::load::Tally;
use crate::process::{number_in, resident_bytes};

/// The measurements over an interval, and at its end.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) elapsed: Duration,
    pub(crate) pairs_per_second: u64,
    pub(crate) replays: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) segments: u64,
    pub(crate) live_keys: u64,
    pub(crate) segments_dropped: u64,
    pub(crate) records_carried: u64,
    /// Bytes written to the disk for each hundred bytes of records; `None` where the system does
    /// not say, as on a file system in memory.
    pub(crate) amplification_percent: Option<u64>,
    pub(crate) claim: [Duration; 4],
    pub(crate) complete: [Duration; 4],
}

/// What is counted from the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    written_bytes: u64,
    record_bytes: u64,
}

impl Totals {
    pub(crate) fn of(store: &Store) -> Self {
        Self {
            written_bytes: number_in("/proc/self/io", "write_bytes:").unwrap_or(0),
            record_bytes: (store.metrics()).total("hapax_journal_appended_bytes_total", &[]),
        }
    }
}

fn percentiles(of: &crate::histogram::Histogram) -> [Duration; 4] {
    [
        of.per_mille(500),
        of.per_mille(990),
        of.per_mille(999),
        of.max(),
    ]
}

impl Sample {
    pub(crate) fn take(
        store: &Store,
        tally: &Tally,
        before: Totals,
        elapsed: Duration,
        lasted: Duration,
    ) -> Self {
        let (stats, metrics) = (store.stats(), store.metrics());
        let now = Totals::of(store);
        let written = now.written_bytes.saturating_sub(before.written_bytes);
        let records = now.record_bytes.saturating_sub(before.record_bytes);
        let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            elapsed,
            pairs_per_second: tally.completes.count() * 1000 / millis,
            replays: tally.replays,
            memory_bytes: resident_bytes(),
            disk_bytes: stats.disk_bytes(),
            segments: stats.segments(),
            live_keys: stats.keys(),
            segments_dropped: metrics.total("hapax_compacted_segments_total", &[]),
            records_carried: metrics.total("hapax_carried_records_total", &[]),
            amplification_percent: (written * 100).checked_div(records).filter(|_| written > 0),
            claim: percentiles(&tally.claims),
            complete: percentiles(&tally.completes),
        }
    }

    pub(crate) const HEAD: &'static str = "   elapsed   pairs/s  RSS MiB  disk MiB  segs  live keys  written  carried  \
         claim us  p50    p99   p99.9      max | complete us  p50    p99   p99.9      max";

    pub(crate) fn line(&self) -> String {
        let mib = |bytes: u64| bytes / (1024 * 1024);
        let amplification = self
            .amplification_percent
            .map_or("     ?".to_owned(), |percent| {
                format!("{:3}.{:02}", percent / 100, percent % 100)
            });
        let us = |[p50, p99, p999, max]: [Duration; 4]| {
            let us = |latency: Duration| latency.as_secs_f64() * 1e6;
            format!(
                "{:8.1} {:6.1} {:7.1} {:8.0}",
                us(p50),
                us(p99),
                us(p999),
                us(max)
            )
        };
        format!(
            "{:8} s {:9} {:8} {:9} {:5} {:10} {amplification} x {:8}      {} |      {}",
            self.elapsed.as_secs(),
            self.pairs_per_second,
            mib(self.memory_bytes),
            mib(self.disk_bytes),
            self.segments,
            self.live_keys,
            self.records_carried,
            us(self.claim),
            us(self.complete),
        )
    }

    pub(crate) fn json(&self) -> Value {
        let us = |latencies: [Duration; 4]| latencies.map(|latency| latency.as_secs_f64() * 1e6);
        json!({
            "elapsed_s": self.elapsed.as_secs_f64(),
            "pairs_per_second": self.pairs_per_second,
            "replays": self.replays,
            "memory_bytes": self.memory_bytes,
            "disk_bytes": self.disk_bytes,
            "segments": self.segments,
            "live_keys": self.live_keys,
            "segments_dropped": self.segments_dropped,
            "records_carried": self.records_carried,
            "written_percent_of_records": self.amplification_percent,
            "claim_us_p50_p99_p999_max": us(self.claim),
            "complete_us_p50_p99_p999_max": us(self.complete),
        })
    }
}
