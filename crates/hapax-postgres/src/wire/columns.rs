//! [`Columns`]: changes as the arrays of one statement.

use hapax::backend::{Begins, Change, Draft, Ends, Expect, LeaseEnd, Next};
use tokio_postgres::types::{ToSql, Type};

use crate::wire::codes::{
    FLAG_ATTACHED, FLAG_BODY_OMITTED, REMOVED, guard_code, narrow, state_code,
};
use crate::wire::uuid::Uuid;

/// A parameter of a statement, with its type.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// How many parameters a submission has.
pub(crate) const SUBMIT_PARAMS: usize = 27;

/// Changes as the arrays of one statement.
#[derive(Default, Debug)]
pub(crate) struct Columns<'a> {
    durable: bool,
    lock_ms: i32,
    ns: Vec<i64>,
    key: Vec<&'a [u8]>,
    nonce: Vec<Uuid>,
    expect: Vec<Option<Uuid>>,
    only_leased: Vec<bool>,
    state: Vec<i16>,
    token: Vec<Option<i64>>,
    attempt: Vec<i64>,
    first_at: Vec<Option<i64>>,
    recorded_at: Vec<Option<i64>>,
    ends: Vec<i16>,
    ends_at: Vec<i64>,
    retention: Vec<i64>,
    flags: Vec<i16>,
    fingerprint: Vec<&'a [u8]>,
    metadata: Vec<&'a [u8]>,
    reason: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
    process: Vec<Option<Uuid>>,
    guard: Vec<Option<i16>>,
    lease_ms: Vec<Option<i64>>,
    lease_after: Vec<Option<i64>>,
    lease_at: Vec<Option<i64>>,
    claimed_at: Vec<Option<i64>>,
    holder_metadata: Vec<Option<&'a [u8]>>,
}

fn second(begins: Begins) -> Option<i64> {
    match begins {
        Begins::Now => None,
        Begins::At(second) => Some(i64::from(second)),
    }
}

fn ends(ends: Ends) -> (i16, i64) {
    match ends {
        Ends::Never => (0, 0),
        Ends::At(second) => (1, i64::from(second)),
        Ends::After(secs) => (2, i64::from(secs)),
        Ends::AfterLease(secs) => (3, i64::from(secs)),
    }
}

/// The span from now on, and the moment, at the later of which a lease ends.
fn lease_ends(ends: LeaseEnd) -> (Option<i64>, Option<i64>) {
    match ends {
        LeaseEnd::AfterMs(span) => (Some(narrow(span)), None),
        LeaseEnd::AfterMsOrAt(span, at) => (Some(narrow(span)), Some(narrow(at))),
        LeaseEnd::At(at) => (None, Some(narrow(at))),
    }
}

/// A process in a column; no row has the process zero.
pub(crate) fn process(id: u128) -> Option<Uuid> {
    (id != 0).then_some(Uuid(id))
}

impl<'a> Columns<'a> {
    /// These changes, which wait at most so long for a lock.
    pub(crate) fn of(changes: &'a [Change], lock_ms: i32) -> Self {
        let mut columns = Self {
            lock_ms,
            durable: changes.iter().any(|change| change.durable),
            ..Self::default()
        };
        for change in changes {
            columns.push(change);
        }
        columns
    }

    fn push(&mut self, change: &'a Change) {
        self.ns.push(i64::from(change.key.namespace));
        self.key.push(&change.key.key);
        self.nonce.push(Uuid(change.nonce));
        self.expect.push(match change.expect {
            Expect::Absent => None,
            Expect::Row(nonce) => Some(Uuid(nonce)),
        });
        self.only_leased.push(change.only_leased);
        match &change.next {
            Next::Absent => self.push_removal(),
            Next::Row(draft) => self.push_draft(draft),
        }
    }

    /// A removed row is an empty one that has expired long ago: a later claim of the key changes it under its lock,
    /// and so draws a higher token.
    fn push_removal(&mut self) {
        self.state.push(REMOVED);
        self.token.push(None);
        self.attempt.push(0);
        self.first_at.push(None);
        self.recorded_at.push(None);
        self.ends.push(1);
        self.ends_at.push(0);
        self.retention.push(0);
        self.flags.push(0);
        for column in [
            &mut self.fingerprint,
            &mut self.metadata,
            &mut self.reason,
            &mut self.body,
        ] {
            column.push(&[]);
        }
        self.push_no_run();
    }

    fn push_draft(&mut self, draft: &'a Draft) {
        self.state.push(state_code(draft.state));
        self.token.push(draft.token.map(|token| token.as_i64()));
        self.attempt.push(i64::from(draft.attempt));
        self.first_at.push(second(draft.first_claimed_at));
        self.recorded_at.push(second(draft.recorded_at));
        let (kind, at) = ends(draft.expires);
        self.ends.push(kind);
        self.ends_at.push(at);
        self.retention.push(i64::from(draft.retention_secs));
        let omitted = i16::from(draft.body_omitted) * FLAG_BODY_OMITTED;
        self.flags
            .push(omitted | (i16::from(draft.attached) * FLAG_ATTACHED));
        self.fingerprint.push(&draft.fingerprint);
        self.metadata.push(&draft.metadata);
        self.reason.push(&draft.reason);
        self.body.push(&draft.body);
        let Some(run) = &draft.run else {
            self.push_no_run();
            return;
        };
        self.process.push(process(run.process));
        self.guard.push(Some(guard_code(run.guard)));
        self.lease_ms.push(Some(narrow(run.lease_ms)));
        let (after, at) = lease_ends(run.lease_ends);
        self.lease_after.push(after);
        self.lease_at.push(at);
        self.claimed_at.push(second(run.claimed_at));
        self.holder_metadata.push(Some(&run.metadata));
    }

    fn push_no_run(&mut self) {
        self.process.push(None);
        self.guard.push(None);
        self.lease_ms.push(None);
        self.lease_after.push(None);
        self.lease_at.push(None);
        self.claimed_at.push(None);
        self.holder_metadata.push(None);
    }

    /// The parameters of the statement, in its order.
    pub(crate) fn params(&self) -> [Param<'_>; SUBMIT_PARAMS] {
        [
            (&self.durable, Type::BOOL),
            (&self.lock_ms, Type::INT4),
            (&self.ns, Type::INT8_ARRAY),
            (&self.key, Type::BYTEA_ARRAY),
            (&self.nonce, Type::UUID_ARRAY),
            (&self.expect, Type::UUID_ARRAY),
            (&self.only_leased, Type::BOOL_ARRAY),
            (&self.state, Type::INT2_ARRAY),
            (&self.token, Type::INT8_ARRAY),
            (&self.attempt, Type::INT8_ARRAY),
            (&self.first_at, Type::INT8_ARRAY),
            (&self.recorded_at, Type::INT8_ARRAY),
            (&self.ends, Type::INT2_ARRAY),
            (&self.ends_at, Type::INT8_ARRAY),
            (&self.retention, Type::INT8_ARRAY),
            (&self.flags, Type::INT2_ARRAY),
            (&self.fingerprint, Type::BYTEA_ARRAY),
            (&self.metadata, Type::BYTEA_ARRAY),
            (&self.reason, Type::BYTEA_ARRAY),
            (&self.body, Type::BYTEA_ARRAY),
            (&self.process, Type::UUID_ARRAY),
            (&self.guard, Type::INT2_ARRAY),
            (&self.lease_ms, Type::INT8_ARRAY),
            (&self.lease_after, Type::INT8_ARRAY),
            (&self.lease_at, Type::INT8_ARRAY),
            (&self.claimed_at, Type::INT8_ARRAY),
            (&self.holder_metadata, Type::BYTEA_ARRAY),
        ]
    }
}
