//! The recount of what a server keeps.

use std::collections::BTreeMap;

use crate::backend::{Row, RowState};
use crate::sim::reference::rows::Rows;
use crate::value::fencing_token::FencingToken;
use crate::value::time::LAST_EXPIRY;

impl Rows {
    /// Checks each row by itself, and all of them together.
    ///
    /// # Panics
    /// When something does not hold.
    pub(super) fn validate(&self) {
        let mut nonces = BTreeMap::new();
        let mut tokens = BTreeMap::new();
        for (key, row) in &self.by_key {
            validate_row(row);
            assert!(
                row.token < self.next_token(),
                "the token {} of {key:?} was never drawn",
                row.token
            );
            if let Some(other) = nonces.insert(row.nonce, key) {
                panic!("{key:?} and {other:?} were written by one change");
            }
            // Nothing is granted under the first one, so that rows without a grant may share it.
            if row.token != FencingToken::FIRST {
                if let Some(other) = tokens.insert(row.token, key) {
                    panic!("{key:?} and {other:?} have one token");
                }
            }
        }
        assert!(
            !self.processes.contains_key(&0),
            "the process zero is none, and gives no sign of life"
        );
        let revision = self.manifest.as_ref().map(|newest| newest.revision);
        assert_ne!(revision, Some(0), "revisions rise from 1");
    }
}

fn validate_row(row: &Row) {
    assert_ne!(row.nonce, 0, "a nonce is never zero: {row:?}");
    let may_have_run = match row.state {
        RowState::InProgress => row.run.is_some(),
        RowState::InDoubt => true,
        RowState::Completed | RowState::Failed | RowState::Released => row.run.is_none(),
    };
    assert!(
        may_have_run,
        "a row in progress has a run, and a settled one has none: {row:?}"
    );
    assert!(
        row.expires_at.is_none_or(|second| second <= LAST_EXPIRY),
        "no row expires so late: {row:?}"
    );
    assert!(
        row.state != RowState::InDoubt || row.expires_at.is_none(),
        "a doubt never expires: {row:?}"
    );
    assert!(
        !row.body_omitted || row.body.is_empty(),
        "its body was omitted, and is there: {row:?}"
    );
    if let Some(run) = &row.run {
        assert!(row.attempt > 0, "its run is no attempt: {row:?}");
        assert!(run.lease_ms > 0, "its lease has no length: {row:?}");
    }
}
