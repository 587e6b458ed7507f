//! [`Hold`]: what a holder knows of its key, and [`Grant`]: a hold that is on its way to its caller.

use std::sync::Arc;

use crate::backend::{KeyRef, Row};
use crate::engine::call::granted::Granted;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::remote::Remote;
use crate::runtime::sync::Mutex;
use crate::value::record::Record;

/// What a holder knows of its key.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) core: Arc<NamespaceCore>,
    pub(crate) key: KeyRef,
    pub(crate) granted: Granted,
    state: Mutex<HoldState>,
}

#[derive(Debug)]
pub(super) struct HoldState {
    /// The row as this holder wrote it last, which saves a look before the next change.
    pub(super) row: Option<Row>,
    /// What the key was before the grant.
    pub(super) before: Option<Row>,
    /// Until when the lease runs for sure, on the monotonic clock of this process: it was asked for by then.
    pub(super) until_ms: u64,
    /// When the last change of the holder was sent that was carried out, on the same clock.
    pub(super) sent_ms: u64,
    /// The key was seen under another token, or settled.
    pub(super) ended: bool,
}

impl HoldState {
    /// The holder has changed its row. `kept_ms` is the span of a lease that is kept alive from now on.
    pub(super) fn follow(&mut self, row: Option<Row>, sent_ms: u64, kept_ms: Option<u64>) {
        match row.as_ref().and_then(|row| row.run.as_ref()) {
            None => self.ended = true,
            Some(run) => {
                let before = self.row.as_ref().and_then(|row| row.run.as_ref());
                // A checkpoint leaves the lease as it is.
                let is_extended =
                    before.is_none_or(|before| before.lease_until_ms != run.lease_until_ms);
                let renewed_ms = sent_ms.saturating_add(run.lease_ms);
                self.until_ms = match kept_ms {
                    Some(span_ms) => sent_ms.saturating_add(span_ms.max(run.lease_ms)),
                    None if is_extended => self.until_ms.max(renewed_ms),
                    None => self.until_ms,
                };
            }
        }
        self.sent_ms = self.sent_ms.max(sent_ms);
        self.row = row;
    }
}

impl Hold {
    pub(super) fn new(
        core: &Arc<NamespaceCore>,
        key: &KeyRef,
        granted: Granted,
        state: HoldState,
    ) -> Arc<Self> {
        Arc::new(Self {
            core: Arc::clone(core),
            key: key.clone(),
            granted,
            state: Mutex::new(state),
        })
    }

    /// That of a doubt, which runs nothing.
    pub(crate) fn of_doubt(core: &Arc<NamespaceCore>, record: &Record) -> Arc<Self> {
        let key = Remote::key(core, &record.key);
        let state = HoldState {
            row: None,
            before: None,
            until_ms: 0,
            sent_ms: 0,
            ended: true,
        };
        Self::new(core, &key, Granted::of_record(record), state)
    }

    pub(super) fn with_state<T>(&self, change: impl FnOnce(&mut HoldState) -> T) -> T {
        change(&mut self.state.lock())
    }
}

/// A grant on its way to its caller. Dropped, it is taken back: nothing has run.
#[derive(Debug)]
pub(crate) struct Grant {
    remote: Arc<Remote>,
    hold: Option<Arc<Hold>>,
}

impl Grant {
    pub(super) fn new(remote: &Arc<Remote>, hold: Arc<Hold>) -> Self {
        Self {
            remote: Arc::clone(remote),
            hold: Some(hold),
        }
    }

    /// The caller has it: from now on only the holder ends it.
    pub(crate) fn hand_out(mut self) -> Arc<Hold> {
        self.hold.take().expect("a grant is handed out once")
    }

    /// Whether its lease has ended before its caller got it.
    pub(crate) fn is_overdue(&self) -> bool {
        let hold = self.hold.as_ref();
        hold.is_some_and(|hold| self.remote.is_lost(hold))
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.remote.withdraw(&hold);
        }
    }
}
