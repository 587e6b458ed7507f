//! The names of all metrics, and what each means. `docs/metrics.md` says more; a test holds the two
//! together.

use crate::observe::metrics::family::{Family, MetricKind};

macro_rules! catalogue {
    ($($kind:ident $name:ident: $help:literal;)*) => {
        /// All metrics, without a number.
        pub(super) fn families() -> Vec<Family> {
            vec![$(Family {
                name: stringify!($name),
                help: $help,
                kind: MetricKind::$kind,
                series: Vec::new(),
            },)*]
        }
    };
}

// Kind, name, and meaning, in the order in which they are shown.
catalogue! {
    Counter hapax_claims_total: "Claims, by the outcome that they were answered with.";
    Counter hapax_claim_errors_total: "Claims that ended in an error, by the kind of error.";
    Counter hapax_settlements_total: "Keys that were given an outcome, by that outcome.";
    Counter hapax_reruns_total: "Runs of a key that had run before without an outcome.";
    Counter hapax_reclaims_total: "Runs that took the place of a holder that lapsed or died.";
    Counter hapax_dropped_leases_total:
        "Leases that were dropped without an outcome, or taken away by an operator, so that their key can run again.";
    Counter hapax_lapses_total: "Leases that ended without an outcome and without being renewed.";
    Counter hapax_doubts_total: "Keys that their holder or a lapse put in doubt.";
    Counter hapax_doubts_resolved_total: "Doubts that were resolved.";
    Counter hapax_superseded_total:
        "Calls of holders that were refused because their token was no longer current.";
    Counter hapax_superseded_completions_total:
        "Completions and final failures that were superseded: work that was done under a lost token.";
    Counter hapax_not_held_total:
        "Calls of holders that were refused because their key was absent.";
    Counter hapax_withdrawn_grants_total:
        "Grants that were taken back because they could not be delivered.";
    Counter hapax_renewals_total: "Leases that were renewed by their holder.";
    Counter hapax_checkpoints_total: "Checkpoints that were stored.";
    Counter hapax_forgotten_total: "Keys that were forgotten on request.";
    Counter hapax_waits_total: "Waits for a key in progress, by how they ended.";
    Counter hapax_waits_refused_total:
        "Claims that were answered at once because too many others waited.";
    Counter hapax_expired_total: "Keys whose retention ended.";
    Histogram hapax_claim_duration_seconds:
        "Time that claims took, by outcome, without waits for a key; a sample.";
    Histogram hapax_settle_duration_seconds:
        "Time that settling a key took; a sample, with every call that waited for the medium.";
    Histogram hapax_batch_duration_seconds: "Time that batches of claims took.";
    Histogram hapax_hold_duration_seconds: "Time from the grant of a key to its outcome.";
    Histogram hapax_wait_duration_seconds: "Time that callers waited for a key in progress.";
    Gauge hapax_entries: "Keys by state; expired ones count until a sweep meets them.";
    Gauge hapax_lapsed_entries:
        "Keys whose lease has lapsed and that are neither taken over nor settled.";
    Gauge hapax_overdue_entries:
        "Keys in progress whose grant is older than three of its lease times, renewed or not.";
    Gauge hapax_oldest_in_progress_seconds:
        "Age of the oldest grant that has no outcome; 0 when nothing is in progress.";
    Gauge hapax_waiters: "Callers that wait for a key.";
    Gauge hapax_limit: "Limits of the store, by what they limit; no series for what has no limit.";
    Gauge hapax_table_bytes: "Memory of the tables of settled keys.";
    Gauge hapax_journal_segments: "Segments of the journal.";
    Gauge hapax_journal_bytes: "Bytes of records in the journal, dead ones included.";
    Gauge hapax_journal_live_bytes: "An estimate of the bytes of live records in the journal.";
    Gauge hapax_journal_live_records:
        "Records that are the newest of their key and have not expired.";
    Counter hapax_journal_appended_bytes_total:
        "Bytes of records that were appended, carried ones included.";
    Gauge hapax_journal_window_bytes: "Memory of the frames that are kept for retries.";
    Gauge hapax_unwritten_bytes: "Bytes of changes that wait to be written.";
    Gauge hapax_unsynced_seconds:
        "Age of the oldest change that is not on the medium; 0 when all are.";
    Gauge hapax_unsynced_frames: "Frames that hold changes and are not on the medium.";
    Counter hapax_syncs_total: "Commits that were made durable.";
    Histogram hapax_sync_duration_seconds: "Time that the medium took to make a commit durable.";
    Counter hapax_record_reads_total:
        "Records that were read to answer a call, by where they were found.";
    Histogram hapax_read_duration_seconds: "Time that reading a frame from the medium took.";
    Counter hapax_compacted_segments_total: "Segments that compaction has dropped.";
    Counter hapax_carried_records_total:
        "Records that compaction has carried to the end of the journal.";
    Histogram hapax_compaction_duration_seconds: "Time that a step of compaction took.";
    Gauge hapax_disk_bytes: "Bytes that the journal occupies on its medium.";
    Gauge hapax_disk_free_bytes:
        "Bytes that are free on the medium; no series where the medium has no limit.";
    Counter hapax_audit_entries_total: "Entries of the audit log that were written.";
    Gauge hapax_audit_archive_bytes:
        "Bytes of the archives of the audit log, which the bytes of the journal leave out.";
    Gauge hapax_recovery_seconds: "Time that recovery took when the store was opened.";
    Gauge hapax_recovered_records: "Records that recovery read when the store was opened.";
    Gauge hapax_torn_frames:
        "Frames after the end of the journal that recovery discarded; none of them was acknowledged.";
    Gauge hapax_open_seconds: "Time since the store was opened.";
    Gauge hapax_store_time_seconds: "Store time, since 1970: what retention is counted in.";
    Gauge hapax_namespaces: "Namespaces of the store.";
    Gauge hapax_healthy: "Whether the store is free of this trouble: 1, or 0 while it has it.";
    Counter hapax_upkeep_failures_total:
        "Failures of work beside the writes of the log; all such work is tried again.";
    Gauge hapax_build_info: "Always 1; the version of hapax is its label.";
}
