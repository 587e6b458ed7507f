//! The description of a key for callers: its state, and its newest record or a record that stands for it.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::state::running::Running;
use crate::state::transition::Subject;
use crate::value::digest::Hasher128;
use crate::value::guarantee::Guarantee;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::record::{Record, RecordKind, RecordRef};
use crate::value::time::Now;

impl Engine {
    pub(crate) fn info(
        &self,
        namespace: &NamespaceCore,
        state: KeyState,
        record: Arc<Record>,
    ) -> KeyInfo {
        info_of(&self.seeded, namespace, state, record)
    }

    pub(crate) fn running_info<W: 'static>(
        &self,
        named: Named<'_>,
        running: &Running<W>,
        now: Now,
    ) -> KeyInfo {
        let (state, record) = state_and_record(running, now);
        self.info(named.namespace, state, Arc::new(record))
    }
}

/// What callers learn of a key, under the secret of its store.
pub(crate) fn info_of(
    seeded: &Hasher128,
    namespace: &NamespaceCore,
    state: KeyState,
    record: Arc<Record>,
) -> KeyInfo {
    let record = match state {
        KeyState::InDoubt => record.into_doubt(),
        _ => record,
    };
    KeyInfo {
        namespace: Arc::clone(&namespace.name),
        digest: seeded.key_digest(namespace.id, &record.key),
        state,
        record,
    }
}

/// The record that stands for a lapsed at-most-once key.
pub(crate) fn doubt_record<W: 'static>(running: &Running<W>, now: Now) -> Record {
    doubt_for(running, b"the lease lapsed without an outcome", now)
}

/// The same, for this reason.
pub(crate) fn doubt_for<W: 'static>(running: &Running<W>, reason: &[u8], now: Now) -> Record {
    let record = Subject::of_running(running).record(RecordKind::InDoubt, reason, now);
    since_claim(running, record)
}

/// The state of a running or lapsed key, and the record that stands for it.
pub(crate) fn state_and_record<W: 'static>(running: &Running<W>, now: Now) -> (KeyState, Record) {
    if running.is_in_doubt(now) {
        return (KeyState::InDoubt, doubt_record(running, now));
    }
    let checkpoint = &running.rest.holder.checkpoint;
    let record = Subject::of_running(running).record(RecordKind::InProgress, checkpoint, now);
    (KeyState::InProgress, since_claim(running, record))
}

/// Dates the record of a running key from its claim, which is its last transition.
fn since_claim<W: 'static>(running: &Running<W>, mut record: RecordRef<'_>) -> Record {
    record.head.recorded_at = running.holder.claimed_at;
    record.to_record()
}

pub(crate) fn state_of(record: &Record, guarantee: Guarantee) -> KeyState {
    crate::state::transition::settled_state(record.head.kind, guarantee)
        .unwrap_or(KeyState::Released)
}
