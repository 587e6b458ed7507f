//! [`Look`]: what a call takes the row of its key to be.

use crate::backend::{Expect, Row};
use crate::remote::rows::{DRAFTED, moment};
use crate::value::time::Now;

/// What a call takes the row of its key to be.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) row: Option<Row>,
    /// The moment of the server; for an assumption the one of drafts, at which no lease has lapsed.
    pub(super) now: Now,
    /// It was not looked at: the caller supposes it, and a change finds out.
    pub(super) assumed: bool,
}

impl Look {
    pub(super) fn assume(row: Option<Row>) -> Self {
        Self {
            row,
            now: DRAFTED,
            assumed: true,
        }
    }

    pub(super) fn seen(row: Option<Row>, now_ms: u64) -> Self {
        Self {
            row,
            now: moment(now_ms),
            assumed: false,
        }
    }

    pub(super) fn expects(&self) -> Expect {
        self.row
            .as_ref()
            .map_or(Expect::Absent, |row| Expect::Row(row.nonce))
    }
}
