//! [`Aftermath`]: the work that is left once every lock has been released.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::call::waiter::{WaitEnd, Waiter};
use crate::engine::shards::{EngineEnded, EngineRunning};
use crate::observe::trace::Lapse;
use crate::runtime::sync::{Wakes, contain};
use crate::state::running::Rare;
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;

/// The work that is left once every lock has been released; dropping it carries that out.
#[derive(Debug, Default)]
pub(in crate::engine) struct Aftermath(Option<Box<Leftover>>);

/// What most calls leave nothing of.
#[derive(Debug, Default)]
struct Leftover {
    wakes: Wakes,
    /// What the keys that have ended kept. Dropped outside of the lock: user code may hang on their wakers.
    ended: Vec<Rare<Arc<Waiter>>>,
    /// Leases that have lapsed, with their namespaces and keys.
    lapses: Vec<(NamespaceId, KeyBytes, Lapse)>,
}

impl Aftermath {
    fn left(&mut self) -> &mut Leftover {
        self.0.get_or_insert_default()
    }

    /// These wakers are woken.
    pub(in crate::engine) fn wake(&mut self, wakers: Vec<Waker>) {
        if !wakers.is_empty() {
            self.left().wakes.extend(wakers);
        }
    }

    /// Takes the leases that have lapsed, with their namespaces and keys.
    pub(in crate::engine) fn take_lapses(&mut self) -> Vec<(NamespaceId, KeyBytes, Lapse)> {
        let left = self.0.as_mut();
        left.map(|left| std::mem::take(&mut left.lapses))
            .unwrap_or_default()
    }

    /// This key has ended: those who watch its lease hear of it.
    #[inline]
    pub(in crate::engine) fn end(&mut self, mut ended: EngineEnded) {
        if !ended.rest.is_empty() {
            self.wake(ended.rest.take_watchers());
            self.left().ended.push(ended.rest);
        }
    }

    /// A wait has ended.
    pub(in crate::engine) fn deliver(&mut self, waiter: &Waiter, end: WaitEnd) {
        if let Ok(waker) = waiter.mailbox.deliver(end) {
            self.left().wakes.add(waker);
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
            self.left()
                .lapses
                .push((running.namespace, running.key.clone(), lapse));
        }
    }
}

impl Drop for Aftermath {
    #[inline]
    fn drop(&mut self) {
        if let Some(left) = self.0.take() {
            left.carry_out();
        }
    }
}

impl Leftover {
    #[cold]
    fn carry_out(self) {
        self.wakes.wake();
        for ended in self.ended {
            contain(|| drop(ended));
        }
    }
}
