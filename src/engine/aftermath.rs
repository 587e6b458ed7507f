//! [`Aftermath`]: the work that is left once every lock has been released.

use std::sync::Arc;

use crate::engine::call::waiter::{WaitEnd, Waiter};
use crate::engine::shards::EngineRunning;
use crate::observe::trace::Lapse;
use crate::runtime::sync::{Wakes, contain};
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;

/// The work that is left once every lock has been released; dropping it carries that out.
#[derive(Debug, Default)]
pub(in crate::engine) struct Aftermath {
    pub(in crate::engine) wakes: Wakes,
    /// Dropped outside of the lock: user code may hang on their wakers.
    ended: Option<EngineRunning>,
    /// Where one call ends several.
    more: Vec<EngineRunning>,
    /// Leases that have lapsed, with their namespaces and keys.
    pub(in crate::engine) lapses: Vec<(NamespaceId, Arc<[u8]>, Lapse)>,
}

impl Aftermath {
    /// Wakes the watchers of an entry that has ended.
    pub(in crate::engine) fn end(&mut self, mut running: EngineRunning) {
        self.wakes.extend(running.rest.take_watchers());
        self.more.extend(self.ended.replace(running));
    }

    /// A wait has ended.
    pub(in crate::engine) fn deliver(&mut self, waiter: &Waiter, end: WaitEnd) {
        if let Ok(waker) = waiter.mailbox.deliver(end) {
            self.wakes.add(waker);
        }
    }

    /// These waits have ended without an answer: each decides again.
    pub(in crate::engine) fn send_back(&mut self, waiters: impl IntoIterator<Item = Arc<Waiter>>) {
        for waiter in waiters {
            self.deliver(&waiter, WaitEnd::Again);
        }
    }

    /// Notes that the lease of a key has lapsed, for traces.
    pub(in crate::engine) fn note_lapse(&mut self, running: &EngineRunning) {
        if cfg!(feature = "tracing") {
            let state = match running.guarantee() {
                Guarantee::AtMostOnce => KeyState::InDoubt,
                Guarantee::AtLeastOnce => KeyState::InProgress,
            };
            let lapse = Lapse {
                token: running.holder.token,
                attempt: running.holder.attempt,
                state,
            };
            self.lapses
                .push((running.namespace, Arc::clone(&running.key), lapse));
        }
    }
}

impl Drop for Aftermath {
    fn drop(&mut self) {
        std::mem::take(&mut self.wakes).wake();
        for ended in self.ended.take().into_iter().chain(self.more.drain(..)) {
            contain(|| drop(ended));
        }
    }
}
