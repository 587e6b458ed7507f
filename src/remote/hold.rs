//! [`Hold`]: what a holder knows of its key.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::backend::{KeyRef, Row, Task};
use crate::engine::call::granted::Granted;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::rows::key_ref;
use crate::runtime::sync::{Mutex, wake};
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
    /// When the grant was known to this process.
    pub(super) known_ms: u64,
    /// The key was seen under another token, or settled.
    pub(super) ended: bool,
    /// The watchers of the lease.
    pub(super) watchers: Vec<Waker>,
}

impl HoldState {
    /// The holder has changed its row. `kept_ms` is the span of a lease that is kept alive from now on.
    pub(super) fn follow(&mut self, row: Option<Row>, sent_ms: u64, kept_ms: Option<u64>) {
        match row.as_ref().and_then(|row| row.run.as_ref()) {
            // It is settled: the watchers are told by the one who did that.
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
        let key = key_ref(core, &record.key);
        let state = HoldState {
            row: None,
            before: None,
            until_ms: 0,
            sent_ms: 0,
            known_ms: 0,
            ended: true,
            watchers: Vec::new(),
        };
        Self::new(core, &key, Granted::of_record(record), state)
    }

    /// The lease is no longer current: its watchers are told.
    pub(super) fn end(&self) {
        let watchers = self.with_state(|state| {
            state.ended = true;
            std::mem::take(&mut state.watchers)
        });
        watchers.into_iter().for_each(wake);
    }

    /// Ends when the lease is seen to be no longer current.
    pub(super) fn ended(self: &Arc<Self>) -> Task {
        let hold = Arc::clone(self);
        Box::pin(poll_fn(move |context| {
            let waker = context.waker().clone();
            hold.with_state(|state| {
                if state.ended {
                    return Poll::Ready(());
                }
                state.watchers.push(waker);
                Poll::Pending
            })
        }))
    }

    pub(super) fn with_state<T>(&self, change: impl FnOnce(&mut HoldState) -> T) -> T {
        change(&mut self.state.lock())
    }
}
