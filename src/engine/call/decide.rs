//! One look at a key on behalf of a claim, under the lock of its shard.

use std::sync::Arc;

use crate::engine::call::answer::{Answer, Tried};
use crate::engine::call::waiter::Waiter;
use crate::engine::description::doubt_record;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::runtime::sync::Mailbox;
use crate::state::found::Found;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, claim_running, claim_settled,
};
use crate::value::error::Result;
use crate::value::record::Record;
use crate::wheel::TimerKey;

impl Turn<'_> {
    /// Decides a claim, or says which record has to be read first.
    #[inline]
    pub(in crate::engine) fn decide(
        &mut self,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
    ) -> Result<Tried> {
        match self.meet(named, read)? {
            Met::Absent => self.grant(named, request, Basis::FRESH, None, None),
            Met::Forgotten(locator) => {
                let rests_on = self.engine.rests_on(named.namespace, locator);
                self.grant(named, request, Basis::FRESH, None, rests_on)
            }
            Met::Settled(_, locator, None) => Ok(Look::Read(locator)),
            Met::Settled(_, locator, Some(record)) => {
                let rests_on = self.engine.rests_on(named.namespace, locator);
                self.answer_settled(named, request, record, rests_on)
            }
            Met::Running(at) if self.is_overdue(at) => {
                self.take_back(at);
                self.decide(named, request, read)
            }
            Met::Running(at) => self.answer_running(named, request, at),
        }
    }

    #[inline]
    fn answer_settled(
        &mut self,
        named: Named<'_>,
        request: &Request,
        record: &Arc<Record>,
        rests_on: Option<u64>,
    ) -> Result<Tried> {
        let (sent, policy) = (request.fingerprint(), &named.namespace.policy);
        let answer = match claim_settled(record, sent, policy) {
            SettledVerdict::Grant(basis) => {
                return self.grant(named, request, basis, Some(record), rests_on);
            }
            SettledVerdict::Exhausted => return self.exhaust_settled(named, record),
            SettledVerdict::Outcome { state, compared } => Answer::Settled {
                state,
                record: Arc::clone(record),
                compared,
            },
            SettledVerdict::InDoubt { compared } => Answer::InDoubt {
                record: Arc::clone(record),
                holder_alive: self.engine.doubted_guards.is_alive(record.head.token),
                compared,
            },
            SettledVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        Ok(Look::Done((answer, rests_on)))
    }

    #[inline]
    fn answer_running(
        &mut self,
        named: Named<'_>,
        request: &Request,
        at: SlabRef,
    ) -> Result<Tried> {
        let (running, now) = (self.running(at), self.now);
        let answer = match claim_running(running, request.fingerprint(), now) {
            RunningVerdict::TakeOver(basis) => return self.take_over_now(at, request, &basis),
            RunningVerdict::Exhausted => return self.exhaust_running(named, at),
            RunningVerdict::InProgress { compared } => Answer::InProgress {
                lease_left_ms: running.lease_left_ms(now),
                attempt: running.holder.attempt,
                metadata: running.rest.holder.metadata.clone(),
                compared,
            },
            RunningVerdict::InDoubt { compared } => Answer::InDoubt {
                record: Arc::new(doubt_record(running, now)),
                holder_alive: running.is_guarded(),
                compared,
            },
            RunningVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        Ok(Look::Done((answer, None)))
    }

    /// Puts a caller in line for a key in progress; `None` when the line is full.
    pub(in crate::engine) fn enqueue(
        &mut self,
        named: Named<'_>,
        request: &Request,
        until_ms: u64,
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
            place: line.join(),
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
