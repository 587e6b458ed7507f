//! Tests of the reference backend, through the trait.

mod crashing;
mod failing;
mod paging;
mod processes;
mod running;
mod sleeping;
mod submitting;
mod surviving;
mod threads;

use std::sync::Arc;

use crate::backend::{
    Answered, Backend, Begins, Change, Draft, DraftRun, Ends, Expect, HolderGuard, KeyRef,
    LeaseEnd, Next, Outcome, Row, RowState,
};
use crate::runtime::sync::block_on;
use crate::value::error::Result;

pub(super) const LEASE_MS: u64 = 30_000;

pub(super) fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

pub(super) fn key(text: &str) -> KeyRef {
    key_of(1, text)
}

pub(super) fn key_of(namespace: u32, text: &str) -> KeyRef {
    let key = bytes(text);
    KeyRef { namespace, key }
}

/// A row of a claim, for a lease of a process.
pub(super) fn claimed(process: u128) -> Draft {
    Draft {
        state: RowState::InProgress,
        token: None,
        attempt: 1,
        first_claimed_at: Begins::Now,
        recorded_at: Begins::Now,
        expires: Ends::Never,
        retention_secs: 0,
        body_omitted: false,
        attached: false,
        fingerprint: bytes(""),
        metadata: bytes("a request"),
        reason: bytes(""),
        body: bytes(""),
        run: Some(DraftRun {
            process,
            guard: HolderGuard::Lease,
            lease_ms: LEASE_MS,
            lease_ends: LeaseEnd::AfterMs(LEASE_MS),
            claimed_at: Begins::Now,
            metadata: bytes("a request"),
        }),
    }
}

/// A row of an outcome, kept for so many seconds.
pub(super) fn completed(secs: u32) -> Draft {
    Draft {
        state: RowState::Completed,
        expires: Ends::After(secs),
        body: bytes("done"),
        run: None,
        ..claimed(0)
    }
}

pub(super) fn change(key: &KeyRef, nonce: u128, expect: Expect, draft: Draft) -> Change {
    Change {
        key: key.clone(),
        nonce,
        expect,
        only_leased: false,
        durable: false,
        next: Next::Row(Box::new(draft)),
    }
}

pub(super) fn removal(key: &KeyRef, nonce: u128, expect: Expect) -> Change {
    Change {
        next: Next::Absent,
        ..change(key, nonce, expect, completed(1))
    }
}

/// What became of one change.
pub(super) fn submit(backend: &impl Backend, change: Change) -> Result<Outcome> {
    let answer = block_on(backend.submit(vec![change]))?;
    let [outcome] = <[Outcome; 1]>::try_from(answer.found).expect("one change, one outcome");
    Ok(outcome)
}

/// The row that a change has written.
pub(super) fn written(backend: &impl Backend, change: Change) -> Row {
    match submit(backend, change).unwrap() {
        Outcome::Done(Some(row)) => row,
        other => panic!("{other:?}"),
    }
}

pub(super) fn read(backend: &impl Backend, key: &KeyRef) -> Option<Row> {
    let Answered { found, .. } = block_on(backend.read(vec![key.clone()])).unwrap();
    found.into_iter().next().expect("one key, one answer")
}
