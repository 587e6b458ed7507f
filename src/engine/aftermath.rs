//! [`Aftermath`]: what is left to do once every lock has been released.

use std::sync::Arc;

use crate::engine::call::waiter::{Outcome, Waiter};
use crate::observe::trace::Lapse;
use crate::runtime::sync::{Wakes, contain};
use crate::state::running::Running;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;

/// What is left to do once every lock has been released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    pub(in crate::engine) wakes: Wakes,
    /// Dropped outside of the lock: user code may hang on their wakers.
    ended: Option<Running<Arc<Waiter>>>,
    /// Where one call ends several.
    more: Vec<Running<Arc<Waiter>>>,
    /// Leases that have lapsed, with their namespaces and keys.
    pub(in crate::engine) lapses: Vec<(NamespaceId, Arc<[u8]>, Lapse)>,
}

impl Aftermath {
    pub(in crate::engine) fn end(&mut self, mut running: Running<Arc<Waiter>>) {
        self.wakes.extend(running.rest.take_watchers());
        self.more.extend(self.ended.replace(running));
    }

    /// Takes down that the lease of a key has lapsed, for those who trace the store.
    pub(in crate::engine) fn note_lapse(&mut self, running: &Running<Arc<Waiter>>) {
        if cfg!(feature = "tracing") {
            self.lapses.push(lapse_of(running));
        }
    }

    pub(crate) fn carry_out(self) {
        self.wakes.wake();
        for ended in self.ended.into_iter().chain(self.more) {
            contain(|| drop(ended));
        }
    }
}

pub(crate) fn deliver(waiter: &Waiter, outcome: Outcome, aftermath: &mut Aftermath) {
    if let Ok(waker) = waiter.mailbox.deliver(outcome) {
        aftermath.wakes.add(waker);
    }
}

fn lapse_of<W: 'static>(running: &Running<W>) -> (NamespaceId, Arc<[u8]>, Lapse) {
    let state = match running.guarantee() {
        Guarantee::AtMostOnce => KeyState::InDoubt,
        Guarantee::AtLeastOnce => KeyState::InProgress,
    };
    let lapse = Lapse {
        token: running.holder.token,
        attempt: running.holder.attempt,
        state,
    };
    (running.namespace, Arc::clone(&running.key), lapse)
}
