//! The names of all metrics, and what each means. `docs/metrics.md` says more; a test holds the two
//! together.

use crate::observe::metrics::family::{Family, MetricKind};

use MetricKind::{Counter, Gauge, Histogram};

/// Name, kind, and meaning, in the order in which they are shown.
const CATALOGUE: &[(&str, MetricKind, &str)] = &[
    (
        "hapax_claims_total",
        Counter,
        "Claims, by the outcome that they were answered with.",
    ),
    (
        "hapax_claim_errors_total",
        Counter,
        "Claims that ended in an error, by the kind of error.",
    ),
    (
        "hapax_settlements_total",
        Counter,
        "Keys that were given an outcome, by that outcome.",
    ),
    (
        "hapax_reruns_total",
        Counter,
        "Runs of a key that had run before without an outcome.",
    ),
    (
        "hapax_reclaims_total",
        Counter,
        "Runs that took the place of a holder that lapsed or died.",
    ),
    (
        "hapax_dropped_leases_total",
        Counter,
        "Leases that were dropped without an outcome, or taken away by an operator, so that their key can run again.",
    ),
    (
        "hapax_lapses_total",
        Counter,
        "Leases that ended without an outcome and without being renewed.",
    ),
    (
        "hapax_doubts_total",
        Counter,
        "Keys that their holder or a lapse put in doubt.",
    ),
    (
        "hapax_doubts_resolved_total",
        Counter,
        "Doubts that were resolved.",
    ),
    (
        "hapax_superseded_total",
        Counter,
        "Calls of holders that were refused because their token was no longer current.",
    ),
    (
        "hapax_superseded_completions_total",
        Counter,
        "Completions and final failures that were superseded: work that was done under a lost token.",
    ),
    (
        "hapax_not_held_total",
        Counter,
        "Calls of holders that were refused because their key was absent.",
    ),
    (
        "hapax_withdrawn_grants_total",
        Counter,
        "Grants that were taken back because they could not be delivered.",
    ),
    (
        "hapax_renewals_total",
        Counter,
        "Leases that were renewed by their holder.",
    ),
    (
        "hapax_checkpoints_total",
        Counter,
        "Checkpoints that were stored.",
    ),
    (
        "hapax_forgotten_total",
        Counter,
        "Keys that were forgotten on request.",
    ),
    (
        "hapax_waits_total",
        Counter,
        "Waits for a key in progress, by how they ended.",
    ),
    (
        "hapax_waits_refused_total",
        Counter,
        "Claims that were answered at once because too many others waited.",
    ),
    (
        "hapax_expired_total",
        Counter,
        "Keys whose retention ended.",
    ),
    (
        "hapax_claim_duration_seconds",
        Histogram,
        "Time that claims took, by outcome, without waits for a key; a sample.",
    ),
    (
        "hapax_settle_duration_seconds",
        Histogram,
        "Time that settling a key took; a sample, with every call that waited for the medium.",
    ),
    (
        "hapax_batch_duration_seconds",
        Histogram,
        "Time that batches of claims took.",
    ),
    (
        "hapax_hold_duration_seconds",
        Histogram,
        "Time from the grant of a key to its outcome.",
    ),
    (
        "hapax_wait_duration_seconds",
        Histogram,
        "Time that callers waited for a key in progress.",
    ),
    (
        "hapax_entries",
        Gauge,
        "Keys by state; expired ones count until a sweep meets them.",
    ),
    (
        "hapax_lapsed_entries",
        Gauge,
        "Keys whose lease has lapsed and that are neither taken over nor settled.",
    ),
    (
        "hapax_overdue_entries",
        Gauge,
        "Keys in progress whose grant is older than three of its lease times, renewed or not.",
    ),
    (
        "hapax_oldest_in_progress_seconds",
        Gauge,
        "Age of the oldest grant that has no outcome; 0 when nothing is in progress.",
    ),
    ("hapax_waiters", Gauge, "Callers that wait for a key."),
    (
        "hapax_limit",
        Gauge,
        "Limits of the store, by what they limit; no series for what has no limit.",
    ),
    (
        "hapax_table_bytes",
        Gauge,
        "Memory of the tables of settled keys.",
    ),
    ("hapax_journal_segments", Gauge, "Segments of the journal."),
    (
        "hapax_journal_bytes",
        Gauge,
        "Bytes of records in the journal, dead ones included.",
    ),
    (
        "hapax_journal_live_bytes",
        Gauge,
        "An estimate of the bytes of live records in the journal.",
    ),
    (
        "hapax_journal_live_records",
        Gauge,
        "Records that are the newest of their key and have not expired.",
    ),
    (
        "hapax_journal_appended_bytes_total",
        Counter,
        "Bytes of records that were appended, carried ones included.",
    ),
    (
        "hapax_journal_window_bytes",
        Gauge,
        "Memory of the frames that are kept for retries.",
    ),
    (
        "hapax_unwritten_bytes",
        Gauge,
        "Bytes of changes that wait to be written.",
    ),
    (
        "hapax_unsynced_seconds",
        Gauge,
        "Age of the oldest change that is not on the medium; 0 when all are.",
    ),
    (
        "hapax_unsynced_frames",
        Gauge,
        "Frames that hold changes and are not on the medium.",
    ),
    (
        "hapax_syncs_total",
        Counter,
        "Commits that were made durable.",
    ),
    (
        "hapax_sync_duration_seconds",
        Histogram,
        "Time that the medium took to make a commit durable.",
    ),
    (
        "hapax_record_reads_total",
        Counter,
        "Records that were read to answer a call, by where they were found.",
    ),
    (
        "hapax_read_duration_seconds",
        Histogram,
        "Time that reading a frame from the medium took.",
    ),
    (
        "hapax_compacted_segments_total",
        Counter,
        "Segments that compaction has dropped.",
    ),
    (
        "hapax_carried_records_total",
        Counter,
        "Records that compaction has carried to the end of the journal.",
    ),
    (
        "hapax_compaction_duration_seconds",
        Histogram,
        "Time that a step of compaction took.",
    ),
    (
        "hapax_disk_bytes",
        Gauge,
        "Bytes that the journal occupies on its medium.",
    ),
    (
        "hapax_disk_free_bytes",
        Gauge,
        "Bytes that are free on the medium; no series where the medium has no limit.",
    ),
    (
        "hapax_audit_entries_total",
        Counter,
        "Entries of the audit log that were written.",
    ),
    (
        "hapax_audit_archive_bytes",
        Gauge,
        "Bytes of the archives of the audit log, which the bytes of the journal leave out.",
    ),
    (
        "hapax_recovery_seconds",
        Gauge,
        "Time that recovery took when the store was opened.",
    ),
    (
        "hapax_recovered_records",
        Gauge,
        "Records that recovery read when the store was opened.",
    ),
    (
        "hapax_torn_frames",
        Gauge,
        "Frames after the end of the journal that recovery discarded; none of them was acknowledged.",
    ),
    (
        "hapax_open_seconds",
        Gauge,
        "Time since the store was opened.",
    ),
    (
        "hapax_store_time_seconds",
        Gauge,
        "Store time, since 1970: what retention is counted in.",
    ),
    ("hapax_namespaces", Gauge, "Namespaces of the store."),
    (
        "hapax_healthy",
        Gauge,
        "Whether the store is free of this trouble: 1, or 0 while it has it.",
    ),
    (
        "hapax_upkeep_failures_total",
        Counter,
        "Failures of work beside the writes of the log; all such work is tried again.",
    ),
    (
        "hapax_build_info",
        Gauge,
        "Always 1; the version of hapax is its label.",
    ),
];

/// All metrics, without a number.
pub(super) fn families() -> Vec<Family> {
    let family = |&(name, kind, help): &(&'static str, MetricKind, &'static str)| Family {
        name,
        help,
        kind,
        series: Vec::new(),
    };
    CATALOGUE.iter().map(family).collect()
}
