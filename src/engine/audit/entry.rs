//! Entries: one for each transition that the policy wants in the audit log.

use crate::engine::audit::initiator::Initiator;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::journal::Journal;
use crate::journal::format::audit::entry::{Draft, Facts};
use crate::state::running::Running;
use crate::state::transition::Subject;
use crate::value::attribution::Attribution;
use crate::value::audit::{AuditLevel, Origin, Transition};
use crate::value::digest::Hasher128;
use crate::value::fingerprint::Fingerprint;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{AUDIT_RETENTION, Policy};
use crate::value::record::{RecordKind, RecordRef};
use crate::value::time::{Now, expiry};

/// The digest that stands for a response or an error, under the secret of a store.
pub(crate) fn outcome_digest(seeded: &Hasher128, outcome: &[u8]) -> u128 {
    seeded.hash(&[b"audit outcome", outcome])
}

impl Engine {
    /// The audit entry of a transition with a record; `None` if the policy wants none.
    #[inline]
    pub(in crate::engine) fn audit_record(
        &self,
        (transition, by): (Transition, Initiator<'_>),
        policy: &Policy,
        record: &RecordRef<'_>,
        outcome: Option<u128>,
        now: Now,
    ) -> Option<Draft> {
        by.writes(policy).then(|| {
            // For example, a release at the limit of attempts becomes an error only here.
            let failed = outcome.is_none() && record.head.kind == RecordKind::Failed;
            let outcome = if failed {
                Some(self.outcome_digest(record.body))
            } else {
                outcome
            };
            self.draft((transition, by), policy, record, outcome, now)
        })
    }

    /// The audit entry of a transition of a running key.
    #[inline]
    pub(crate) fn audit_running<W: 'static>(
        &self,
        transition: Transition,
        by: Initiator<'_>,
        running: &Running<W>,
        now: Now,
    ) -> Option<Draft> {
        let policy = &running.policy;
        by.writes(policy).then(|| {
            let record = Subject::of_running(running).record(RecordKind::InProgress, &[], now);
            self.draft((transition, by), policy, &record, None, now)
        })
    }

    /// Appends the entry of a transition without a record. Returns its frame.
    pub(crate) fn append_audit(&self, draft: Option<Draft>, now: Now) -> Option<u64> {
        draft.map(|draft| self.journal.append_audit(&draft, now.mono_ms))
    }

    #[cold]
    fn draft(
        &self,
        (transition, by): (Transition, Initiator<'_>),
        policy: &Policy,
        record: &RecordRef<'_>,
        outcome: Option<u128>,
        now: Now,
    ) -> Draft {
        let head = &record.head;
        let (origin, actor, reason) = by.who();
        Draft::new(&Facts {
            expires_at: expiry(now, policy.audit_retention),
            namespace: head.namespace,
            token: Some(head.token),
            attempt: head.attempt,
            key_digest: self.seeded.key_digest(head.namespace, record.key),
            fingerprint: record.fingerprint.map(|print| self.print_digest(print)),
            outcome,
            key: (policy.audit == AuditLevel::Keys).then_some(record.key),
            ..store_facts(transition, origin, (actor, reason), now)
        })
    }

    fn print_digest(&self, print: &Fingerprint) -> u128 {
        let mut bytes = print.scheme.to_le_bytes().to_vec();
        for part in &print.parts {
            bytes.extend_from_slice(&crate::engine::sizes::to_u64(part.label.len()).to_le_bytes());
            bytes.extend_from_slice(part.label.as_bytes());
            bytes.extend_from_slice(&part.digest.to_le_bytes());
        }
        self.seeded.hash(&[b"audit fingerprint", &bytes])
    }

    /// The digest that stands for a response or an error in audit entries.
    pub(crate) fn outcome_digest(&self, outcome: &[u8]) -> u128 {
        outcome_digest(&self.seeded, outcome)
    }

    /// As [`outcome_digest`](Self::outcome_digest), if an entry will be written. It reads all of the body, so
    /// it comes before the lock.
    pub(crate) fn outcome_for(
        &self,
        by: Initiator<'_>,
        policy: &Policy,
        outcome: &[u8],
    ) -> Option<u128> {
        by.writes(policy).then(|| self.outcome_digest(outcome))
    }

    /// The work that reads all of an outcome, before the lock.
    pub(in crate::engine) fn prepare_outcome(
        &self,
        by: Initiator<'_>,
        policy: &Policy,
        outcome: &[u8],
    ) -> Prepared {
        let parts = if policy.keeps(outcome) {
            Journal::split(outcome)
        } else {
            Vec::new()
        };
        Prepared::new(parts, self.outcome_for(by, policy, outcome))
    }

    /// Appends the entry of an operator's action on the whole store. Returns its frame.
    pub(crate) fn audit_store(&self, transition: Transition, by: &Attribution) -> u64 {
        let now = self.now();
        let who = (by.actor(), by.reason());
        let draft = Draft::new(&store_facts(transition, Origin::Operator, who, now));
        self.journal.append_audit(&draft, now.mono_ms)
    }
}

/// The facts of an entry about the whole store; an entry about a key adds to them.
pub(crate) fn store_facts<'a>(
    transition: Transition,
    origin: Origin,
    (actor, reason): (&'a str, &'a str),
    now: Now,
) -> Facts<'a> {
    Facts {
        transition,
        origin,
        at: now.store_secs,
        expires_at: expiry(now, AUDIT_RETENTION),
        namespace: NamespaceId(0),
        token: None,
        attempt: 0,
        key_digest: KeyDigest::from_bytes([0; 16]),
        fingerprint: None,
        outcome: None,
        key: None,
        actor,
        reason,
    }
}
