//! Rows as what the transitions judge, and what they decide as drafts of rows.

use std::convert::Infallible;
use std::sync::Arc;

use crate::backend::{Begins, Draft, DraftRun, Ends, KeyRef, LeaseEnd, Row, RowState, Run};
use crate::engine::namespaces::NamespaceCore;
use crate::journal::format::codec::{fingerprint_from, fingerprint_to};
use crate::state::holder::{Awaits, Guard, Holder, HolderRest};
use crate::state::running::{Armed, Rare, Running};
use crate::state::transition::asked_retention;
use crate::value::blob::Blob;
use crate::value::digest::Digest;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::Fingerprint;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, Record, RecordKind, RecordRef};
use crate::value::time::{NEVER, Now};

/// The moment of a look, by the clock of the server. Leases and retention run on that one clock.
pub(super) fn moment(now_ms: u64) -> Now {
    Now {
        mono_ms: now_ms,
        store_secs: u32::try_from(now_ms / 1000).unwrap_or(NEVER - 1),
    }
}

/// The moment at which drafts are made: what the server adds to them counts from zero.
pub(super) const DRAFTED: Now = Now {
    mono_ms: 0,
    store_secs: 0,
};

/// A running key of a backend, which has no waiting callers in this process.
pub(super) type RemoteRunning = Running<Infallible>;

/// Names a key of a namespace.
pub(super) fn key_ref(core: &NamespaceCore, key: &[u8]) -> KeyRef {
    KeyRef {
        namespace: core.id.0,
        key: key.into(),
    }
}

pub(super) fn record_of(key: &KeyRef, row: &Row) -> Result<Record> {
    Ok(Record {
        head: Head {
            kind: kind_of(row.state),
            namespace: NamespaceId(key.namespace),
            token: row.token,
            attempt: row.attempt,
            first_claimed_at: row.first_claimed_at,
            recorded_at: row.recorded_at,
            expires_at: row.expires_at.unwrap_or(NEVER),
            retention_secs: row.retention_secs,
            body_omitted: row.body_omitted,
            attached: row.attached,
        },
        key: (&*key.key).into(),
        fingerprint: fingerprint_of(row)?,
        metadata: Blob::from(Arc::clone(&row.metadata)),
        reason: Blob::from(Arc::clone(&row.reason)),
        body: Blob::from(Arc::clone(&row.body)),
    })
}

/// A row in progress as the running key that it is; times are those of the server.
pub(super) fn running_of(
    core: &NamespaceCore,
    key: &KeyRef,
    row: &Row,
    run: &Run,
) -> Result<RemoteRunning> {
    let mut rest = Rare::EMPTY;
    let kept = rest.to_mut();
    kept.reason = Blob::from(Arc::clone(&row.reason));
    let record = record_of(key, row)?;
    kept.holder = HolderRest {
        fingerprint: record.fingerprint,
        metadata: Blob::from(Arc::clone(&run.metadata)),
        actor: Blob::EMPTY,
        first_metadata: record.metadata,
        retention: asked_retention(&record.head),
        checkpoint: record.body,
        keep_alive_until_ms: 0,
    };
    Ok(Running {
        digest: Digest::NONE,
        key: record.key,
        policy: Arc::clone(&core.policy),
        holder: Holder {
            token: row.token,
            lease_ms: run.lease_ms,
            deadline_ms: run.ends_ms(),
            granted_ms: u64::from(run.claimed_at).saturating_mul(1000),
            attempt: row.attempt,
            claimed_at: run.claimed_at,
            guard: guard_of(run),
            awaits: Awaits::Lapse,
            // That of a ticket says so; that of a lease has to be written before it is one.
            journaled: run.guard == crate::backend::HolderGuard::Ticket,
            attached: row.attached,
            undelivered: false,
        },
        timer: Armed::No,
        namespace: core.id,
        first_claimed_at: row.first_claimed_at,
        column: core.column,
        rest,
    })
}

fn guard_of(run: &Run) -> Guard {
    match run.guard {
        crate::backend::HolderGuard::Lease => Guard::Lease,
        crate::backend::HolderGuard::Ticket => Guard::Ticket,
        crate::backend::HolderGuard::Gone => Guard::Gone,
    }
}

/// Whether the process of a run still gives signs of life.
pub(super) fn is_holder_alive(run: &Run, now: Now) -> bool {
    run.guard == crate::backend::HolderGuard::Lease && run.alive_until_ms > now.mono_ms
}

fn kind_of(state: RowState) -> RecordKind {
    match state {
        RowState::InProgress => RecordKind::InProgress,
        RowState::Completed => RecordKind::Completed,
        RowState::Failed => RecordKind::Failed,
        RowState::InDoubt => RecordKind::InDoubt,
        RowState::Released => RecordKind::Released,
    }
}

fn state_of(kind: RecordKind) -> RowState {
    match kind {
        RecordKind::InProgress => RowState::InProgress,
        RecordKind::Completed => RowState::Completed,
        RecordKind::Failed => RowState::Failed,
        RecordKind::InDoubt => RowState::InDoubt,
        RecordKind::Released => RowState::Released,
        RecordKind::Forgotten => unreachable!("a forgotten key has no row"),
    }
}

pub(super) fn fingerprint_of(row: &Row) -> Result<Option<Fingerprint>> {
    if row.fingerprint.is_empty() {
        return Ok(None);
    }
    let read = fingerprint_from(&row.fingerprint).ok_or_else(|| {
        let text = "the fingerprint of a key in the backend is no fingerprint: restore it from a backup of the backend";
        Error::new(ErrorKind::Damaged, text)
    })?;
    Ok(Some(read))
}

pub(super) fn encoded(fingerprint: Option<&Fingerprint>) -> Arc<[u8]> {
    fingerprint.map_or_else(Arc::default, |print| fingerprint_to(print).into())
}

/// The draft of a record that was made at [`DRAFTED`]: the server dates it. A token is drawn where none is given.
pub(super) fn draft_of(
    record: &RecordRef<'_>,
    token: Option<FencingToken>,
    run: Option<DraftRun>,
) -> Draft {
    let head = &record.head;
    let expires = match (head.expires_at, head.kind) {
        (NEVER, _) => Ends::Never,
        (secs, RecordKind::InProgress) => Ends::AfterLease(secs),
        (secs, _) => Ends::After(secs),
    };
    Draft {
        state: state_of(head.kind),
        token,
        attempt: head.attempt,
        first_claimed_at: match head.first_claimed_at {
            0 => Begins::Now,
            second => Begins::At(second),
        },
        recorded_at: Begins::Now,
        expires,
        retention_secs: head.retention_secs,
        body_omitted: head.body_omitted,
        attached: head.attached,
        fingerprint: encoded(record.fingerprint),
        metadata: record.metadata.into(),
        reason: record.reason.into(),
        body: record.body.into(),
        run,
    }
}

/// The draft of a row as it was: every time stays.
pub(super) fn draft_again(row: &Row) -> Draft {
    Draft {
        state: row.state,
        token: Some(row.token),
        attempt: row.attempt,
        first_claimed_at: Begins::At(row.first_claimed_at),
        recorded_at: Begins::At(row.recorded_at),
        expires: row.expires_at.map_or(Ends::Never, Ends::At),
        retention_secs: row.retention_secs,
        body_omitted: row.body_omitted,
        attached: row.attached,
        fingerprint: Arc::clone(&row.fingerprint),
        metadata: Arc::clone(&row.metadata),
        reason: Arc::clone(&row.reason),
        body: Arc::clone(&row.body),
        run: row
            .run
            .as_ref()
            .map(|run| run_again(run, LeaseEnd::At(run.lease_until_ms))),
    }
}

/// The draft of a run that goes on, with another end of its lease.
pub(super) fn run_again(run: &Run, lease_ends: LeaseEnd) -> DraftRun {
    DraftRun {
        process: run.process,
        guard: run.guard,
        lease_ms: run.lease_ms,
        lease_ends,
        claimed_at: Begins::At(run.claimed_at),
        metadata: Arc::clone(&run.metadata),
    }
}
