//! [`Ask`]: every call but a submission.

use std::sync::Arc;

use hapax::backend::{
    Answered, Filter, KeyRef, ManifestEdit, PageQuery, Row, Stored, StoredManifest,
};
use tokio::sync::oneshot::Sender;
use tokio_postgres::Row as Tuple;
use tokio_postgres::types::Type;

use crate::call::lane::{LOCK_MS, Lane};
use crate::fault::{Fault, Trouble};
use crate::wire::answers;
use crate::wire::codes::{narrow, widen};
use crate::wire::columns::Param;
use crate::wire::uuid::Uuid;

/// Where an answer goes.
pub(crate) type ReplyTo<T> = Sender<hapax::Result<T>>;

/// How much of the heap one step of the sweep sees.
const SWEEP_BLOCKS: i64 = 128;

/// How long a row stays after it has expired or was removed: longer than any statement may take that drew a token
/// before.
const SWEEP_GRACE_SECS: i64 = 300;

/// One step of the sweep.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Swept {
    /// Rows that went; `None` while another process sweeps.
    pub removed: Option<u64>,
    /// It was the last step through the table.
    pub wrapped: bool,
}

/// Every call but a submission.
pub(crate) enum Ask {
    Now(ReplyTo<u64>),
    Look(Vec<KeyRef>, ReplyTo<Answered<Vec<Option<Row>>>>),
    Page(PageQuery, ReplyTo<Answered<Vec<Stored>>>),
    Manifest(Option<ManifestEdit>, ReplyTo<Option<StoredManifest>>),
    Beat(u128, u64, ReplyTo<u64>),
    Leave(u128, ReplyTo<()>),
    /// With or without the list of unsettled keys.
    Sweep(bool, ReplyTo<Swept>),
}

/// Gives an answer, if its caller still waits.
fn reply<T>(to: ReplyTo<T>, answer: Result<T, Fault>) {
    let _caller_is_gone = to.send(answer.map_err(hapax::Error::from));
}

impl Ask {
    /// Carries it out and answers it.
    pub(crate) async fn carry_out(self, lane: &mut Lane) {
        match self {
            Self::Now(to) => reply(to, now(lane).await),
            Self::Look(keys, to) => reply(to, look(lane, &keys).await),
            Self::Page(query, to) => reply(to, page(lane, &query).await),
            Self::Manifest(None, to) => reply(to, read_manifest(lane).await),
            Self::Manifest(Some(edit), to) => reply(to, edit_manifest(lane, &edit).await),
            Self::Beat(process, for_ms, to) => reply(to, beat(lane, process, for_ms).await),
            Self::Leave(process, to) => reply(to, leave(lane, process).await),
            Self::Sweep(tidy, to) => reply(to, sweep(lane, tidy).await),
        }
    }

    /// Answers that the store is closed.
    pub(crate) fn refuse(self, fault: Fault) {
        match self {
            Self::Now(to) | Self::Beat(_, _, to) => reply(to, Err(fault)),
            Self::Look(_, to) => reply(to, Err(fault)),
            Self::Page(_, to) => reply(to, Err(fault)),
            Self::Manifest(_, to) => reply(to, Err(fault)),
            Self::Leave(_, to) => reply(to, Err(fault)),
            Self::Sweep(_, to) => reply(to, Err(fault)),
        }
    }
}

fn first(tuples: &[Tuple]) -> Result<&Tuple, Fault> {
    let missing = || Fault::damaged("PostgreSQL gave no answer");
    tuples.first().ok_or_else(missing)
}

fn clock(tuples: &[Tuple]) -> Result<u64, Fault> {
    let now = first(tuples)?.try_get(0);
    now.map(widen)
        .map_err(|error| Fault::damaged(format!("the clock of the server: {error}")))
}

async fn now(lane: &mut Lane) -> Result<u64, Fault> {
    let tuples = lane.rows_in_the_end(|all| &all.now, &[]).await;
    clock(&tuples.map_err(Trouble::of_a_look)?)
}

async fn look(lane: &mut Lane, keys: &[KeyRef]) -> Result<Answered<Vec<Option<Row>>>, Fault> {
    if keys.is_empty() {
        let (now_ms, found) = (now(lane).await?, Vec::new());
        return Ok(Answered { now_ms, found });
    }
    let namespaces: Vec<i64> = keys.iter().map(|key| i64::from(key.namespace)).collect();
    let names: Vec<&[u8]> = keys.iter().map(|key| &*key.key).collect();
    let params: [Param<'_>; 2] = [(&namespaces, Type::INT8_ARRAY), (&names, Type::BYTEA_ARRAY)];
    let tuples = lane.rows_in_the_end(|all| &all.look, &params).await;
    let tuples = tuples.map_err(Trouble::of_a_look)?;
    if tuples.len() != keys.len() {
        return Err(Fault::damaged("PostgreSQL answered too few keys"));
    }
    let found: Result<_, _> = tuples.iter().map(answers::found).collect();
    let now_ms = answers::now_ms(first(&tuples)?)?;
    Ok(Answered {
        now_ms,
        found: found?,
    })
}

/// The key behind which a page starts.
fn start_of(query: &PageQuery) -> (i64, &[u8]) {
    let of_namespace = query
        .namespace
        .map_or((-1, &[][..]), |number| (i64::from(number), &[][..]));
    let after = query.after.as_ref();
    let after = after.map_or((-1, &[][..]), |key| (i64::from(key.namespace), &*key.key));
    of_namespace.max(after)
}

async fn page(lane: &mut Lane, query: &PageQuery) -> Result<Answered<Vec<Stored>>, Fault> {
    let unsettled = query.filter == Filter::Unsettled;
    let (namespace, key) = start_of(query);
    let last = query.namespace.map_or(i64::MAX, i64::from);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let params: [Param<'_>; 5] = [
        (&unsettled, Type::BOOL),
        (&namespace, Type::INT8),
        (&key, Type::BYTEA),
        (&last, Type::INT8),
        (&limit, Type::INT8),
    ];
    let tuples = lane.rows_in_the_end(|all| &all.page, &params).await;
    let tuples = tuples.map_err(Trouble::of_a_look)?;
    let now_ms = answers::now_ms(first(&tuples)?)?;
    // The first has the clock and no row.
    let found: Result<_, _> = tuples.iter().skip(1).map(answers::stored).collect();
    Ok(Answered {
        now_ms,
        found: found?,
    })
}

fn manifest(tuples: &[Tuple]) -> Result<Option<StoredManifest>, Fault> {
    let damaged = |error| Fault::damaged(format!("the manifest: {error}"));
    let Some(tuple) = tuples.first() else {
        return Ok(None);
    };
    let revision: i64 = tuple.try_get(0).map_err(damaged)?;
    let bytes: &[u8] = tuple.try_get(1).map_err(damaged)?;
    Ok(Some(StoredManifest {
        revision: widen(revision),
        bytes: Arc::from(bytes),
    }))
}

async fn read_manifest(lane: &mut Lane) -> Result<Option<StoredManifest>, Fault> {
    let tuples = lane.rows_in_the_end(|all| &all.read_manifest, &[]).await;
    manifest(&tuples.map_err(Trouble::of_a_look)?)
}

async fn edit_manifest(
    lane: &mut Lane,
    edit: &ManifestEdit,
) -> Result<Option<StoredManifest>, Fault> {
    let expect = narrow(edit.expect);
    let bytes = &*edit.bytes;
    // For people: a text of PostgreSQL has no zero. The manifest has the name as it is.
    let (ids, names): (Vec<i64>, Vec<String>) = edit
        .names
        .iter()
        .map(|(id, name)| (i64::from(*id), name.replace('\0', "\u{fffd}")))
        .unzip();
    let params: [Param<'_>; 5] = [
        (&LOCK_MS, Type::INT4),
        (&expect, Type::INT8),
        (&bytes, Type::BYTEA),
        (&ids, Type::INT8_ARRAY),
        (&names, Type::TEXT_ARRAY),
    ];
    let tuples = lane
        .rows_in_the_end(|all| &all.edit_manifest, &params)
        .await;
    manifest(&tuples.map_err(Trouble::of_a_change)?)
}

async fn beat(lane: &mut Lane, process: u128, for_ms: u64) -> Result<u64, Fault> {
    let (process, for_ms) = (Uuid(process), narrow(for_ms));
    let params: [Param<'_>; 3] = [
        (&LOCK_MS, Type::INT4),
        (&process, Type::UUID),
        (&for_ms, Type::INT8),
    ];
    let tuples = lane.rows_in_the_end(|all| &all.beat, &params).await;
    clock(&tuples.map_err(Trouble::of_a_change)?)
}

async fn leave(lane: &mut Lane, process: u128) -> Result<(), Fault> {
    let process = Uuid(process);
    let params: [Param<'_>; 2] = [(&LOCK_MS, Type::INT4), (&process, Type::UUID)];
    let tuples = lane.rows_in_the_end(|all| &all.leave, &params).await;
    tuples.map(drop).map_err(Trouble::of_a_change)
}

async fn sweep(lane: &mut Lane, tidy: bool) -> Result<Swept, Fault> {
    let params: [Param<'_>; 4] = [
        (&LOCK_MS, Type::INT4),
        (&SWEEP_BLOCKS, Type::INT8),
        (&SWEEP_GRACE_SECS, Type::INT8),
        (&tidy, Type::BOOL),
    ];
    let tuples = lane.rows_in_the_end(|all| &all.sweep, &params).await;
    let tuples = tuples.map_err(Trouble::of_a_look)?;
    let damaged = |error| Fault::damaged(format!("the sweep: {error}"));
    let tuple = first(&tuples)?;
    let removed: Option<i64> = tuple.try_get(0).map_err(damaged)?;
    let wrapped: Option<bool> = tuple.try_get(1).map_err(damaged)?;
    Ok(Swept {
        removed: removed.map(widen),
        wrapped: wrapped.unwrap_or(true),
    })
}
