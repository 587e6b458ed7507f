//! [`Watchers`]: who is told when a row changes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::backend::KeyRef;
use crate::runtime::sync::{Mutex, Wakes};

/// Who is told when a row changes.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The watches of each key, by their numbers.
    by_key: BTreeMap<KeyRef, BTreeSet<u64>>,
    /// Those that were not told yet.
    open: BTreeMap<u64, Open>,
    given: u64,
}

#[derive(Debug)]
struct Open {
    keys: Vec<KeyRef>,
    waker: Option<Waker>,
}

/// Ends when one of its rows has changed since it was made.
#[derive(Debug)]
pub(super) struct Watch {
    watchers: Arc<Watchers>,
    number: u64,
}

impl Watchers {
    pub(super) fn watch(self: &Arc<Self>, keys: Vec<KeyRef>) -> Watch {
        let mut state = self.state.lock();
        state.given += 1;
        let number = state.given;
        for key in &keys {
            let at = state.by_key.entry(key.clone()).or_default();
            at.insert(number);
        }
        state.open.insert(number, Open { keys, waker: None });
        Watch {
            watchers: Arc::clone(self),
            number,
        }
    }

    /// Tells those that watch one of these keys. Call it under no lock: it wakes.
    pub(super) fn tell<'a>(&self, keys: impl IntoIterator<Item = &'a KeyRef>) {
        let mut wakes = Wakes::default();
        {
            let mut state = self.state.lock();
            for key in keys {
                for number in state.by_key.remove(key).unwrap_or_default() {
                    wakes.add(state.close(number));
                }
            }
        }
        wakes.wake();
    }

    /// Tells them all.
    pub(super) fn tell_all(&self) {
        let open = {
            let mut state = self.state.lock();
            state.by_key.clear();
            std::mem::take(&mut state.open)
        };
        let mut wakes = Wakes::default();
        wakes.extend(open.into_values().filter_map(|open| open.waker));
        wakes.wake();
    }
}

impl State {
    fn close(&mut self, number: u64) -> Option<Waker> {
        let open = self.open.remove(&number)?;
        for key in &open.keys {
            let is_empty = self.by_key.get_mut(key).is_some_and(|at| {
                at.remove(&number);
                at.is_empty()
            });
            if is_empty {
                self.by_key.remove(key);
            }
        }
        open.waker
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        let mut state = self.watchers.state.lock();
        let Some(open) = state.open.get_mut(&self.number) else {
            drop(state);
            drop(waker);
            return Poll::Ready(());
        };
        let unused = open.waker.replace(waker);
        drop(state);
        drop(unused);
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let unused = self.watchers.state.lock().close(self.number);
        drop(unused);
    }
}
