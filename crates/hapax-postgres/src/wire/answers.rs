//! Rows of an answer, as rows of a store.

use std::sync::Arc;

use hapax::FencingToken;
use hapax::backend::{Change, KeyRef, Next, Outcome, Row, Run, Stamps, Stored};
use tokio_postgres::Row as Tuple;
use tokio_postgres::types::FromSql;

use crate::fault::Fault;
use crate::wire::codes::{FLAG_ATTACHED, FLAG_BODY_OMITTED, guard_of, narrow, state_of, widen};
use crate::wire::uuid::Uuid;

/// What a statement selects from a function that answers. The constants below name these columns by number.
pub(crate) const COLUMNS: &str = "a.kind, a.now_ms, a.token, a.beat_until, \
    (a.found).ns, (a.found).key, (a.found).nonce, (a.found).state, (a.found).token, (a.found).attempt, \
    (a.found).first_at, (a.found).recorded_at, (a.found).expires_at, (a.found).retention_secs, (a.found).flags, \
    (a.found).fingerprint, (a.found).metadata, (a.found).reason, (a.found).body, \
    (a.found).process, (a.found).guard, (a.found).lease_ms, (a.found).lease_until, (a.found).claimed_at, \
    (a.found).holder_metadata";

const KIND: usize = 0;
const NOW_MS: usize = 1;
const DRAWN: usize = 2;
const BEAT_UNTIL: usize = 3;
const NAMESPACE: usize = 4;
const KEY: usize = 5;
const NONCE: usize = 6;
const STATE: usize = 7;
const TOKEN: usize = 8;
const ATTEMPT: usize = 9;
const FIRST_AT: usize = 10;
const RECORDED_AT: usize = 11;
const EXPIRES_AT: usize = 12;
const RETENTION: usize = 13;
const FLAGS: usize = 14;
const FINGERPRINT: usize = 15;
const METADATA: usize = 16;
const REASON: usize = 17;
const BODY: usize = 18;
const PROCESS: usize = 19;
const GUARD: usize = 20;
const LEASE_MS: usize = 21;
const LEASE_UNTIL: usize = 22;
const CLAIMED_AT: usize = 23;
const HOLDER_METADATA: usize = 24;

const CARRIED_OUT: i16 = 0;
const CARRIED_OUT_BEFORE: i16 = 1;
const OTHER: i16 = 2;
const NO_ROW: i16 = 3;
const REMOVED: i16 = 4;

fn column<'a, T: FromSql<'a>>(tuple: &'a Tuple, at: usize) -> Result<T, Fault> {
    tuple
        .try_get(at)
        .map_err(|error| Fault::damaged(format!("column {at} of an answer: {error}")))
}

/// A number that has no sign and fewer bits than its column.
fn small(tuple: &Tuple, at: usize) -> Result<u32, Fault> {
    let value: i64 = column(tuple, at)?;
    u32::try_from(value).map_err(|_| Fault::damaged(format!("column {at} has {value}")))
}

fn bytes(tuple: &Tuple, at: usize) -> Result<Arc<[u8]>, Fault> {
    Ok(Arc::from(column::<&[u8]>(tuple, at)?))
}

fn token(tuple: &Tuple, at: usize) -> Result<FencingToken, Fault> {
    let value: i64 = column(tuple, at)?;
    FencingToken::from_i64(value).ok_or_else(|| Fault::damaged(format!("the token {value}")))
}

/// The clock of the server when it answered.
pub(crate) fn now_ms(tuple: &Tuple) -> Result<u64, Fault> {
    Ok(widen(column(tuple, NOW_MS)?))
}

/// When the process of a row ends without a sign of life; a run without a process does not end with one.
fn alive_until_ms(tuple: &Tuple) -> Result<u64, Fault> {
    let until: Option<i64> = column(tuple, BEAT_UNTIL)?;
    Ok(until.map_or(u64::MAX, widen))
}

fn run(tuple: &Tuple) -> Result<Option<Run>, Fault> {
    let Some(code) = column::<Option<i16>>(tuple, GUARD)? else {
        return Ok(None);
    };
    let process: Option<Uuid> = column(tuple, PROCESS)?;
    Ok(Some(Run {
        process: process.map_or(0, |process| process.0),
        guard: guard_of(code).ok_or_else(|| Fault::damaged(format!("the guard {code}")))?,
        lease_ms: widen(column(tuple, LEASE_MS)?),
        lease_until_ms: widen(column(tuple, LEASE_UNTIL)?),
        alive_until_ms: alive_until_ms(tuple)?,
        claimed_at: small(tuple, CLAIMED_AT)?,
        metadata: bytes(tuple, HOLDER_METADATA)?,
    }))
}

fn row(tuple: &Tuple) -> Result<Row, Fault> {
    let state: i16 = column(tuple, STATE)?;
    let flags: i16 = column(tuple, FLAGS)?;
    let expires_at: Option<i64> = column(tuple, EXPIRES_AT)?;
    Ok(Row {
        nonce: column::<Uuid>(tuple, NONCE)?.0,
        state: state_of(state).ok_or_else(|| Fault::damaged(format!("the state {state}")))?,
        token: token(tuple, TOKEN)?,
        attempt: small(tuple, ATTEMPT)?,
        first_claimed_at: small(tuple, FIRST_AT)?,
        recorded_at: small(tuple, RECORDED_AT)?,
        expires_at: match expires_at {
            None => None,
            Some(_) => Some(small(tuple, EXPIRES_AT)?),
        },
        retention_secs: small(tuple, RETENTION)?,
        body_omitted: flags & FLAG_BODY_OMITTED != 0,
        attached: flags & FLAG_ATTACHED != 0,
        fingerprint: bytes(tuple, FINGERPRINT)?,
        metadata: bytes(tuple, METADATA)?,
        reason: bytes(tuple, REASON)?,
        body: bytes(tuple, BODY)?,
        run: run(tuple)?,
    })
}

/// The row that a change has written just now. The server sent only what it had to say of it.
fn written(tuple: &Tuple, change: &Change) -> Result<Option<Row>, Fault> {
    let Next::Row(draft) = &change.next else {
        return Err(Fault::damaged("a removal was answered with a row"));
    };
    let stamps = Stamps {
        now_ms: now_ms(tuple)?,
        token: token(tuple, DRAWN)?,
        alive_until_ms: alive_until_ms(tuple)?,
    };
    let mut row = draft.stamped(change.nonce, stamps);
    if let Some(run) = &mut row.run {
        // As a later look finds it: a column has one bit less.
        run.lease_ms = widen(narrow(run.lease_ms));
        run.lease_until_ms = widen(narrow(run.lease_until_ms));
    }
    Ok(Some(row))
}

/// What became of a change, and when.
pub(crate) fn outcome(tuple: &Tuple, change: &Change) -> Result<(u64, Outcome), Fault> {
    let kind: i16 = column(tuple, KIND)?;
    let outcome = match kind {
        CARRIED_OUT => Outcome::Done(written(tuple, change)?),
        CARRIED_OUT_BEFORE => Outcome::Done(Some(row(tuple)?)),
        OTHER => Outcome::Other(Some(row(tuple)?)),
        NO_ROW => Outcome::Other(None),
        REMOVED => Outcome::Done(None),
        _ => return Err(Fault::damaged(format!("an answer of the kind {kind}"))),
    };
    Ok((now_ms(tuple)?, outcome))
}

/// The row that a look found.
pub(crate) fn found(tuple: &Tuple) -> Result<Option<Row>, Fault> {
    let kind: i16 = column(tuple, KIND)?;
    if kind == NO_ROW {
        return Ok(None);
    }
    row(tuple).map(Some)
}

/// The row that a look found, and its key.
pub(crate) fn stored(tuple: &Tuple) -> Result<Stored, Fault> {
    let key = KeyRef {
        namespace: small(tuple, NAMESPACE)?,
        key: bytes(tuple, KEY)?,
    };
    Ok((key, row(tuple)?))
}
