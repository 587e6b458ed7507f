//! One sync for all who wait for one at the same time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::outcome::Outcome;

/// Callers that arrive while a sync runs gather in a group; one of them leads it and syncs for all.
///
/// Up to two groups sync at the same time, because syncs of one file overlap in the device.
#[derive(Debug, Default)]
pub(super) struct GroupCommit {
    state: Mutex<State>,
    /// Members of a group wait at the place of its number.
    groups: [Condvar; GROUPS],
}

/// Groups that may be waited for at a time: two that sync, and the one that gathers.
const GROUPS: usize = 4;
const SYNCING_MAX: usize = 2;

#[derive(Debug, Default)]
struct State {
    /// The number of the group that gathers.
    gathering: u64,
    /// Groups before this one are on the medium.
    durable: u64,
    /// Groups that are being synced, oldest first, and whether each is done.
    syncing: Vec<(u64, bool)>,
    /// A sync has failed: nothing after it can be trusted.
    failed: bool,
}

impl GroupCommit {
    /// Returns when a `sync` that began after this call has ended.
    pub(super) fn wait(&self, sync: impl Fn() -> Outcome<()>) -> Outcome<()> {
        let mut state = self.lock();
        let group = state.gathering;
        loop {
            if state.failed {
                return Err("a sync of another caller has failed".into());
            }
            if state.durable > group {
                return Ok(());
            }
            if state.gathering == group && state.syncing.len() < SYNCING_MAX {
                return self.lead(state, group, &sync);
            }
            state = self.groups[place(group)]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lead(
        &self,
        mut state: MutexGuard<'_, State>,
        group: u64,
        sync: &impl Fn() -> Outcome<()>,
    ) -> Outcome<()> {
        state.gathering += 1;
        state.syncing.push((group, false));
        drop(state);
        let synced = sync();

        let mut state = self.lock();
        state.failed |= synced.is_err();
        for (number, done) in &mut state.syncing {
            *done |= *number == group;
        }
        // What this sync has covered includes every group before it: their records were appended.
        let covered: Vec<u64> = state.syncing.iter().map(|(number, _)| *number).collect();
        state.syncing.retain(|(_, done)| !done);
        if !state.failed {
            state.durable = state.durable.max(group + 1);
        }
        let (next, failed) = (state.gathering, state.failed);
        drop(state);
        if failed {
            self.groups.iter().for_each(Condvar::notify_all);
        }
        for number in covered.into_iter().filter(|number| *number <= group) {
            self.groups[place(number)].notify_all();
        }
        // Its first member leads it; the others see that it gathers no more, and wait again.
        self.groups[place(next)].notify_one();
        synced
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(group: u64) -> usize {
    usize::try_from(group % GROUPS as u64).unwrap_or(0)
}
