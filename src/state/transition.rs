//! The transitions of a key: pure functions of what is stored, what is asked for, and the time.

use std::time::Duration;

use crate::value::comparison::{Comparison, compare};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::State;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::{OnChange, Oversize, Policy};
use crate::value::record::{Head, Record, RecordKind, RecordRef};
use crate::value::time::{NEVER, Now, expiry};

use crate::state::running::{Guard, Running};

/// What a claim is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Grant(Basis),
    InProgress {
        compared: bool,
    },
    /// The stored outcome.
    Outcome {
        compared: bool,
    },
    InDoubt {
        compared: bool,
    },
    /// The labels that differ.
    Mismatch(Vec<String>),
    /// The last attempt that is allowed has lapsed: the key fails for good.
    Exhausted,
}

/// What a grant goes on from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    pub(crate) attempt: u32,
    /// It is the request that ran before, so its checkpoint, fingerprint and metadata are kept.
    pub(crate) same_request: bool,
    /// The key has a history: the time of its first claim and the last error are kept.
    pub(crate) continues: bool,
}

const FRESH: Basis = Basis {
    attempt: 1,
    same_request: false,
    continues: false,
};

/// Judges a claim of a key that is absent or expired.
pub(crate) fn claim_absent() -> Verdict {
    Verdict::Grant(FRESH)
}

/// Judges a claim of a key that someone runs, or ran until the lease lapsed.
pub(crate) fn claim_running<W: 'static>(
    running: &Running<W>,
    sent: Option<&Fingerprint>,
    now: Now,
) -> Verdict {
    let compared = match compare(
        running.rest.fingerprint.as_ref(),
        sent,
        running.policy.fingerprints,
    ) {
        Comparison::Differs(labels) => return Verdict::Mismatch(labels),
        Comparison::Same => true,
        Comparison::NotCompared => false,
    };
    if !running.is_lapsed(now) {
        return Verdict::InProgress { compared };
    }
    match running.guarantee() {
        Guarantee::AtMostOnce => Verdict::InDoubt { compared },
        Guarantee::AtLeastOnce if running.is_exhausted() => Verdict::Exhausted,
        Guarantee::AtLeastOnce => Verdict::Grant(Basis {
            attempt: running.attempt.saturating_add(1),
            same_request: true,
            continues: true,
        }),
    }
}

/// What a record says its key is, once nobody runs it any more.
pub(crate) fn settled_state(kind: RecordKind, guarantee: Guarantee) -> Option<State> {
    Some(match (kind, guarantee) {
        (RecordKind::Completed, _) => State::Completed,
        (RecordKind::Failed, _) => State::Failed,
        (RecordKind::InDoubt, _) | (RecordKind::InProgress, Guarantee::AtMostOnce) => {
            State::InDoubt
        }
        (RecordKind::Released, _) | (RecordKind::InProgress, Guarantee::AtLeastOnce) => {
            State::Released
        }
        (RecordKind::Forgotten, _) => return None,
    })
}

/// Judges a claim of a key that nobody runs, by its record.
pub(crate) fn claim_settled(
    record: &Record,
    sent: Option<&Fingerprint>,
    policy: &Policy,
) -> Verdict {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return Verdict::Grant(FRESH);
    };
    let comparison = compare(record.fingerprint.as_ref(), sent, policy.fingerprints);
    if state == State::Released {
        return claim_released(record, &comparison, policy);
    }
    let compared = comparison == Comparison::Same;
    match comparison {
        Comparison::Differs(_)
            if state != State::InDoubt && policy.on_change == OnChange::Rerun =>
        {
            Verdict::Grant(FRESH)
        }
        Comparison::Differs(labels) => Verdict::Mismatch(labels),
        _ if state == State::InDoubt => Verdict::InDoubt { compared },
        _ => Verdict::Outcome { compared },
    }
}

fn claim_released(record: &Record, comparison: &Comparison, policy: &Policy) -> Verdict {
    let same_request = !matches!(comparison, Comparison::Differs(_));
    if policy
        .max_attempts
        .is_some_and(|most| record.head.attempt >= most)
    {
        return Verdict::Exhausted;
    }
    Verdict::Grant(Basis {
        attempt: record.head.attempt.saturating_add(1),
        same_request,
        continues: true,
    })
}

/// What a holder does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command<'a> {
    Complete(&'a [u8]),
    /// The response is too large to be stored: that it completed is recorded all the same.
    CompleteWithout,
    Fail(&'a [u8]),
    /// A failure that may be tried again, with its reason.
    Release(&'a [u8]),
    Doubt(&'a [u8]),
    Checkpoint(&'a [u8]),
    Renew,
    /// As `Renew`, and the store goes on renewing it for so long.
    KeepAlive {
        for_ms: u64,
    },
    /// The guard went away without an outcome.
    Abandon,
    /// Makes the claim outlive this process, for a ticket.
    Record,
}

impl Command<'_> {
    /// Its name in traces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete(_) | Self::CompleteWithout => "complete",
            Self::Fail(_) => "fail",
            Self::Release(_) => "release",
            Self::Doubt(_) => "doubt",
            Self::Checkpoint(_) => "checkpoint",
            Self::Renew => "renew",
            Self::KeepAlive { .. } => "keep_alive",
            Self::Abandon => "drop",
            Self::Record => "detach",
        }
    }
}

/// Why a holder is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The token is not current any more.
    Superseded,
    /// The key is not there.
    NotHeld,
    /// It was settled under this token, differently.
    AlreadySettled,
    /// The lease has lapsed under `AtMostOnce`: only an outcome settles the doubt.
    InDoubt,
}

/// What an accepted command leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    /// A record of this kind is written.
    Write(RecordKind),
    /// The lease is extended; nothing is written.
    Extend,
    /// It was done before.
    Done,
}

/// Judges what the holder of `token` does to a running key.
pub(crate) fn act_running<W: 'static>(
    running: &Running<W>,
    token: FencingToken,
    command: Command<'_>,
    now: Now,
) -> Result<Accepted, Refusal> {
    if running.token != token {
        return Err(Refusal::Superseded);
    }
    let in_doubt = running.is_in_doubt(now);
    let retryable = if running.is_exhausted() {
        RecordKind::Failed
    } else {
        RecordKind::Released
    };
    Ok(match command {
        Command::Complete(_) | Command::CompleteWithout => Accepted::Write(RecordKind::Completed),
        Command::Fail(_) => Accepted::Write(RecordKind::Failed),
        Command::Doubt(_) => Accepted::Write(RecordKind::InDoubt),
        Command::Abandon if running.guarantee() == Guarantee::AtMostOnce => {
            Accepted::Write(RecordKind::InDoubt)
        }
        Command::Abandon => Accepted::Write(retryable),
        // The holder is there to say that it may be tried again, so there is no doubt left.
        Command::Release(_) => Accepted::Write(retryable),
        Command::Renew | Command::KeepAlive { .. } | Command::Checkpoint(_) if in_doubt => {
            return Err(Refusal::InDoubt);
        }
        Command::Renew | Command::KeepAlive { .. } => Accepted::Extend,
        // The record of a lease that came of a ticket says so, which a new ticket undoes.
        Command::Record if running.journaled && !running.attached => Accepted::Done,
        Command::Checkpoint(_) | Command::Record => Accepted::Write(RecordKind::InProgress),
    })
}

/// Judges what the holder of `token` does to a key that nobody runs, by its record.
pub(crate) fn act_settled(
    record: &Record,
    token: FencingToken,
    command: Command<'_>,
    policy: &Policy,
) -> Result<Accepted, Refusal> {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return Err(Refusal::NotHeld);
    };
    if record.head.token != token {
        return Err(Refusal::Superseded);
    }
    // Of an outcome without its bytes only this is known: they were too many, as these would be.
    let same = |bytes: &[u8]| match record.head.body_omitted {
        true => bytes.len() > policy.max_response_bytes,
        false => *record.body == *bytes,
    };
    match (state, command) {
        (State::Completed, Command::Complete(response)) if same(response) => Ok(Accepted::Done),
        (State::Completed, Command::CompleteWithout) if record.head.body_omitted => {
            Ok(Accepted::Done)
        }
        (State::Failed, Command::Fail(error)) if same(error) => Ok(Accepted::Done),
        (State::InDoubt, Command::Doubt(_) | Command::Abandon) => Ok(Accepted::Done),
        (State::InDoubt, Command::Complete(_) | Command::CompleteWithout) => {
            Ok(Accepted::Write(RecordKind::Completed))
        }
        (State::InDoubt, Command::Fail(_)) => Ok(Accepted::Write(RecordKind::Failed)),
        (State::InDoubt, _) => Err(Refusal::InDoubt),
        (State::Released, Command::Release(reason)) if *record.reason == *reason => {
            Ok(Accepted::Done)
        }
        // A key that only a crash released: what its holder knows still counts.
        (State::Released, Command::Complete(_)) if record.head.kind == RecordKind::InProgress => {
            Ok(Accepted::Write(RecordKind::Completed))
        }
        (State::Released, Command::Fail(_)) if record.head.kind == RecordKind::InProgress => {
            Ok(Accepted::Write(RecordKind::Failed))
        }
        _ => Err(Refusal::AlreadySettled),
    }
}

/// Whether a ticket becomes a lease once: where its holder may have begun an effect that must not
/// run twice, or an attempt that counts.
pub(crate) fn attaches_once(policy: &Policy) -> bool {
    policy.guarantee == Guarantee::AtMostOnce || policy.max_attempts.is_some()
}

/// Judges a ticket of a running key.
pub(crate) fn attach_running<W: 'static>(
    running: &Running<W>,
    token: FencingToken,
) -> Result<(), AttachRefusal> {
    match running.guard {
        _ if running.token != token => Err(AttachRefusal::Superseded),
        Guard::Lease => Err(AttachRefusal::Held),
        Guard::Nobody if attaches_once(&running.policy) => Err(AttachRefusal::Used),
        Guard::Ticket | Guard::Nobody => Ok(()),
    }
}

/// Judges a ticket of a key that nobody runs, by its record.
pub(crate) fn attach_settled(
    record: &Record,
    token: FencingToken,
    policy: &Policy,
) -> Result<(), AttachRefusal> {
    let Some(state) = settled_state(record.head.kind, policy.guarantee) else {
        return Err(AttachRefusal::NotHeld);
    };
    match (state, record.head.kind) {
        // Whatever brought it about: the work is done, and here is what came of it.
        (State::Completed | State::Failed, _) => Err(AttachRefusal::Settled),
        _ if record.head.token != token => Err(AttachRefusal::Superseded),
        (_, RecordKind::InProgress) if !record.head.attached || !attaches_once(policy) => Ok(()),
        (State::InDoubt, _) => Err(AttachRefusal::Used),
        _ => Err(AttachRefusal::Released),
    }
}

/// Why a ticket does not become a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AttachRefusal {
    /// The key is not there.
    NotHeld,
    /// The key has its outcome.
    Settled,
    /// Its token is not current any more.
    Superseded,
    /// Its lease is held in this process.
    Held,
    /// It became a lease before, and what came of that nobody knows.
    Used,
    /// Its holder has released the key, or died with its attempt: a claim goes on.
    Released,
}

/// The retention that the claim of a record asked for itself.
pub(crate) fn asked_retention(head: &Head) -> Option<Duration> {
    let secs = head.retention_secs;
    (secs != 0).then(|| Duration::from_secs(u64::from(secs)))
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
    pub(crate) fn of_running<W: 'static>(running: &'a Running<W>) -> Self {
        Self {
            namespace: running.namespace,
            key: &running.key,
            token: running.token,
            attempt: running.attempt,
            first_claimed_at: running.first_claimed_at,
            fingerprint: running.rest.fingerprint.as_ref(),
            metadata: &running.rest.first_metadata,
            reason: &running.rest.reason,
            checkpoint: &running.rest.checkpoint,
            retention: running.rest.retention,
            attached: running.attached,
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
    pub(crate) fn record(&self, kind: RecordKind, said: &'a [u8], now: Now) -> RecordRef<'a> {
        let (reason, body) = match kind {
            RecordKind::Completed | RecordKind::Failed => (&[][..], said),
            RecordKind::Released | RecordKind::InDoubt => (said, self.checkpoint),
            RecordKind::InProgress => (self.reason, said),
            RecordKind::Forgotten => (&[][..], &[][..]),
        };
        let outcome = matches!(kind, RecordKind::Completed | RecordKind::Failed);
        let omitted = outcome
            && body.len() > self.policy.max_response_bytes
            && self.policy.oversize == Oversize::OutcomeOnly;
        RecordRef {
            head: Head {
                kind,
                namespace: self.namespace,
                token: self.token,
                attempt: self.attempt,
                first_claimed_at: self.first_claimed_at,
                recorded_at: now.store_secs,
                expires_at: self.expires_at(kind, now),
                retention_secs: self.retention.map_or(0, whole_secs),
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
