//! [`Waiting`]: a caller in line for a key, as a future that leaves the line when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::engine::call::waiter::{WaitEnd, Waiter};
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::observe::tallies::Column;
use crate::runtime::sync::Mailbox;
use crate::state::found::Found;
use crate::state::request::Request;
use crate::value::digest::Digest;
use crate::wheel::TimerKey;

/// Waits for a key. Dropped early, it leaves the line; a grant that was under way is taken back.
pub(crate) struct Waiting<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) digest: Digest,
    pub(crate) column: Column,
    /// When the wait began; `None` where nothing is measured.
    pub(crate) began_ns: Option<u64>,
    pub(crate) waiter: Option<Arc<Waiter>>,
    pub(crate) timer: TimerKey,
}

impl Future for Waiting<'_> {
    type Output = Option<WaitEnd>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WaitEnd>> {
        let Some(waiter) = &self.waiter else {
            return Poll::Ready(None);
        };
        match waiter.mailbox.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => {
                self.leave(Some(&outcome));
                Poll::Ready(Some(outcome))
            }
        }
    }
}

impl Waiting<'_> {
    /// Leaves the line with what was fetched, if anything was; gives what was delivered but not
    /// fetched.
    fn leave(&mut self, fetched: Option<&WaitEnd>) -> Option<WaitEnd> {
        let waiter = self.waiter.take()?;
        let engine = self.engine;
        // A thread that only the parent has may hold the lock.
        if engine.is_forked() {
            return None;
        }
        let mut turn = engine.turn(self.digest);
        let (outcome, waker) = waiter.mailbox.shut();
        turn.shard.disarm(self.timer);
        if let Found::Running(at) = turn.find(self.digest) {
            if let Some(rest) = turn.running_mut(at).rest.get_mut() {
                rest.waiters.remove(&waiter.place);
            }
        }
        turn.count(self.column, |counters| match fetched {
            Some(WaitEnd::Granted(_)) => counters.waits_granted += 1,
            Some(WaitEnd::Settled(..) | WaitEnd::InDoubt { .. }) => counters.waits_answered += 1,
            Some(WaitEnd::TimedOut) => counters.wait_timeouts += 1,
            Some(WaitEnd::Again) => counters.waits_retried += 1,
            None => counters.waits_abandoned += 1,
        });
        drop(turn);
        // Foreign code: outside of the lock.
        drop(waker);
        engine.line.leave();
        engine.end_wait(self.began_ns);
        outcome
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(WaitEnd::Granted(granted)) = self.leave(None) {
            self.engine.withdraw(self.digest, granted.token);
        }
    }
}

impl Turn<'_> {
    /// Puts a caller in line for a key in progress, at the place that it had before; `None` when the line is
    /// full.
    pub(in crate::engine) fn enqueue(
        &mut self,
        named: Named<'_>,
        request: &Request,
        until_ms: u64,
        place: Option<u64>,
    ) -> Option<(Arc<Waiter>, TimerKey)> {
        let Found::Running(at) = self.find(named.digest) else {
            return None;
        };
        let (limits, line) = (&self.engine.options.limits, &self.engine.line);
        let running = self.running(at);
        let (in_line, column) = (running.rest.waiters.len(), running.column);
        if in_line >= limits.waiters_per_key || line.waiters() >= limits.waiters {
            self.count(column, |counters| counters.waits_refused += 1);
            return None;
        }
        let waiter = Arc::new(Waiter {
            place: line.join(place),
            request: request.clone(),
            mailbox: Mailbox::new(),
        });
        let rest = self.running_mut(at).rest.to_mut();
        rest.waiters.insert(waiter.place, Arc::clone(&waiter));
        let timer = self.shard.arm_wait(Arc::clone(&waiter), until_ms);
        self.engine.alarm.hint(until_ms);
        Some((waiter, timer))
    }
}
