//! Looks at keys without claiming them, and what is told of a row.

use std::sync::Arc;

use crate::backend::{HolderGuard, KeyRef, Row, RowState, Run};
use crate::engine::description::{doubt_for, doubt_record, info_of, state_and_record, state_of};
use crate::engine::namespaces::NamespaceCore;
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{RemoteRunning, is_holder_alive, moment, record_of, running_of};
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::record::{DIED, Record};
use crate::value::time::Now;

/// A doubt: its record, and whether its holder is alive.
pub(crate) type Doubted = (Arc<Record>, bool);

impl Remote {
    pub(crate) fn get(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
    ) -> Receipt<Option<KeyInfo>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let (row, now) = remote.look_at(&key).await?;
            row.map(|row| remote.info_of(&core, &key, &row, now))
                .transpose()
        })
    }

    pub(crate) fn contains(self: &Arc<Self>, key: KeyRef) -> Receipt<bool> {
        let remote = Arc::clone(self);
        self.send(async move {
            let (row, _) = remote.look_at(&key).await?;
            Ok(row.is_some_and(|row| row.state == RowState::Completed))
        })
    }

    pub(crate) fn doubt_of(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
    ) -> Receipt<Option<Doubted>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let (row, now) = remote.look_at(&key).await?;
            row.map_or(Ok(None), |row| doubted(&core, &key, &row, now))
        })
    }

    async fn look_at(&self, key: &KeyRef) -> Result<(Option<Row>, Now)> {
        let answered = self.backend.read(vec![key.clone()]).await?;
        let row = answered.found.into_iter().next().flatten();
        Ok((row, moment(answered.now_ms)))
    }

    /// What callers learn of a key.
    pub(super) fn info_of(
        &self,
        core: &NamespaceCore,
        key: &KeyRef,
        row: &Row,
        now: Now,
    ) -> Result<KeyInfo> {
        Ok(match row.running() {
            Some(run) => {
                let running = running_of(core, key, row, run)?;
                if running.is_in_doubt(now) {
                    let record = lapsed_doubt(&running, run, now);
                    let doubt = info_of(&self.seeded, core, KeyState::InDoubt, Arc::new(record));
                    return Ok(doubt);
                }
                self.running_info(core, &running, now)
            }
            None => self.settled_info(core, record_of(key, row)?),
        })
    }

    pub(super) fn running_info(
        &self,
        core: &NamespaceCore,
        running: &RemoteRunning,
        now: Now,
    ) -> KeyInfo {
        let (state, record) = state_and_record(running, now);
        info_of(&self.seeded, core, state, Arc::new(record))
    }

    pub(super) fn settled_info(&self, core: &NamespaceCore, record: Record) -> KeyInfo {
        let state = state_of(&record, core.policy.guarantee);
        info_of(&self.seeded, core, state, Arc::new(record))
    }
}

/// The doubt that a lapse makes: of a lease that ran out, or of a process that has gone.
pub(super) fn lapsed_doubt(running: &RemoteRunning, run: &Run, now: Now) -> Record {
    let has_gone = run.guard == HolderGuard::Lease && run.alive_until_ms <= now.mono_ms;
    match has_gone {
        true => doubt_for(running, DIED, now),
        false => doubt_record(running, now),
    }
}

/// The doubt that a row is, if it is one.
pub(super) fn doubted(
    core: &NamespaceCore,
    key: &KeyRef,
    row: &Row,
    now: Now,
) -> Result<Option<Doubted>> {
    let alive = row
        .run
        .as_ref()
        .is_some_and(|run| is_holder_alive(run, now));
    match (row.state, &row.run) {
        (RowState::InProgress, Some(run)) => {
            let running = running_of(core, key, row, run)?;
            let doubt = running
                .is_in_doubt(now)
                .then(|| Arc::new(lapsed_doubt(&running, run, now)));
            Ok(doubt.map(|record| (record, alive)))
        }
        (RowState::InDoubt, _) => Ok(Some((Arc::new(record_of(key, row)?), alive))),
        _ => Ok(None),
    }
}
