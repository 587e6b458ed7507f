//! One look at a key on behalf of a claim, under the lock of its shard.

use std::sync::Arc;

use crate::engine::call::answer::{Answer, Tried};
use crate::engine::description::doubt_record;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, claim_running, claim_settled,
};
use crate::value::error::Result;
use crate::value::record::Record;

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

    /// As [`decide`](Self::decide), by the record that it asked for, under the same lock.
    #[inline]
    pub(in crate::engine) fn decide_settled(
        &mut self,
        named: Named<'_>,
        request: &Request,
        read: &Read,
    ) -> Result<Tried> {
        named.check_same_key(&read.record.key)?;
        let rests_on = self.engine.rests_on(named.namespace, read.locator);
        self.answer_settled(named, request, &read.record, rests_on)
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
}
