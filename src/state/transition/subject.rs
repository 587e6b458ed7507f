//! [`Subject`]: what stays the same of a key, and the record that its next transition writes.

use std::time::Duration;

use crate::state::running::Running;
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::guarantee::Guarantee;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Head, Record, RecordKind, RecordRef};
use crate::value::time::{NEVER, Now, expiry};

/// The retention that the claim of a record asked for itself.
pub(crate) fn asked_retention(head: &Head) -> Option<Duration> {
    let secs = head.retention_secs;
    (secs != 0).then(|| Duration::from_secs(u64::from(secs)))
}

/// As [`asked_retention`], the other way round: zero where the claim says nothing.
pub(crate) fn retention_secs(asked: Option<Duration>) -> u32 {
    asked.map_or(0, whole_secs)
}

/// Seconds, rounded up so that nothing is forgotten early.
fn whole_secs(span: Duration) -> u32 {
    let secs = span
        .as_secs()
        .saturating_add(u64::from(span.subsec_nanos() != 0));
    u32::try_from(secs).unwrap_or(u32::MAX)
}

/// What does not change from one record of a key to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) key: &'a [u8],
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) first_claimed_at: u32,
    pub(crate) fingerprint: Option<&'a Fingerprint>,
    pub(crate) metadata: &'a [u8],
    pub(crate) reason: &'a [u8],
    pub(crate) checkpoint: &'a [u8],
    pub(crate) retention: Option<Duration>,
    /// As [`Head::attached`].
    pub(crate) attached: bool,
    pub(crate) policy: &'a Policy,
}

impl<'a> Subject<'a> {
    #[inline]
    pub(crate) fn of_running<W: 'static>(running: &'a Running<W>) -> Self {
        let rest = &*running.rest;
        Self {
            namespace: running.namespace,
            key: &running.key,
            token: running.holder.token,
            attempt: running.holder.attempt,
            first_claimed_at: running.first_claimed_at,
            fingerprint: rest.holder.fingerprint.as_ref(),
            metadata: &rest.holder.first_metadata,
            reason: &rest.reason,
            checkpoint: &rest.holder.checkpoint,
            retention: rest.holder.retention,
            attached: running.holder.attached,
            policy: &running.policy,
        }
    }

    pub(crate) fn of_record(record: &'a Record, policy: &'a Policy) -> Self {
        let unfinished = matches!(
            record.head.kind,
            RecordKind::InProgress | RecordKind::InDoubt | RecordKind::Released
        );
        Self {
            namespace: record.head.namespace,
            key: &record.key,
            token: record.head.token,
            attempt: record.head.attempt,
            first_claimed_at: record.head.first_claimed_at,
            fingerprint: record.fingerprint.as_ref(),
            metadata: &record.metadata,
            reason: &record.reason,
            checkpoint: if unfinished { &record.body } else { &[] },
            retention: asked_retention(&record.head),
            attached: record.head.attached,
            policy,
        }
    }

    /// The record of this kind. `said` is the response, the error, the reason or the checkpoint.
    #[inline]
    pub(crate) fn record(&self, kind: RecordKind, said: &'a [u8], now: Now) -> RecordRef<'a> {
        let (reason, body) = match kind {
            RecordKind::Completed | RecordKind::Failed => (&[][..], said),
            RecordKind::Released | RecordKind::InDoubt => (said, self.checkpoint),
            RecordKind::InProgress => (self.reason, said),
            RecordKind::Forgotten => (&[][..], &[][..]),
        };
        let outcome = matches!(kind, RecordKind::Completed | RecordKind::Failed);
        let omitted = outcome && self.policy.omits(body);
        RecordRef {
            head: Head {
                kind,
                namespace: self.namespace,
                token: self.token,
                attempt: self.attempt,
                first_claimed_at: self.first_claimed_at,
                recorded_at: now.store_secs,
                expires_at: self.expires_at(kind, now),
                retention_secs: retention_secs(self.retention),
                body_omitted: omitted,
                attached: kind == RecordKind::InProgress && self.attached,
            },
            key: self.key,
            fingerprint: self.fingerprint,
            metadata: self.metadata,
            reason,
            body: if omitted { &[] } else { body },
        }
    }

    #[inline]
    fn expires_at(&self, kind: RecordKind, now: Now) -> u32 {
        let policy = self.policy;
        match kind {
            RecordKind::Completed => expiry(now, self.retention.unwrap_or(policy.retention)),
            RecordKind::Failed => expiry(
                now,
                self.retention
                    .unwrap_or(policy.failed_retention_or_default()),
            ),
            RecordKind::InDoubt => NEVER,
            RecordKind::InProgress if policy.guarantee == Guarantee::AtMostOnce => NEVER,
            RecordKind::InProgress | RecordKind::Released => expiry(now, policy.attempt_retention),
            // A removal lives as long as what it removes lies in the log; it is never live itself.
            RecordKind::Forgotten => now.store_secs,
        }
    }
}
