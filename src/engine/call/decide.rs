//! One look at a key on behalf of a claim, under the lock of its shard.

use std::sync::Arc;

use crate::engine::call::answer::{Answer, Looked, Read, Tried};
use crate::engine::call::waiter::Waiter;
use crate::engine::engine::{Engine, Turn};
use crate::engine::named::{Named, check_same_key};
use crate::engine::shards::Locked;
use crate::engine::told::doubt_record;
use crate::runtime::sync::Mailbox;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, Subject, claim_running, claim_settled,
};
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::{Record, RecordKind};

impl Engine {
    /// As [`decide`](Self::decide); puts a caller in line who waits for a key in progress.
    pub(in crate::engine) fn decide_or_wait(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
        wait_until_ms: Option<u64>,
    ) -> Result<Looked> {
        let tried = self.decide(turn, named, request, read)?;
        let until_ms = wait_until_ms.filter(|until| *until > turn.now.mono_ms);
        let (Tried::Answer(Answer::InProgress { .. }, _), Some(until_ms)) = (&tried, until_ms)
        else {
            return Ok(Looked::Tried(tried));
        };
        // Under the lock: `close` wakes the callers in line before it takes the lock again.
        self.check_alive()?;
        self.check_can_wait()?;
        let waits = self.enqueue(turn, named.digest, request, until_ms);
        Ok(waits.unwrap_or(Looked::Tried(tried)))
    }

    /// As [`try_claim`](Self::try_claim), in a turn at the shard of the key.
    pub(crate) fn decide(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
    ) -> Result<Tried> {
        let sent = request.fingerprint.as_ref();
        let policy = &*named.namespace.policy;
        match turn.shard.find(named.digest, turn.now.store_secs) {
            Found::Absent => self.grant(turn, named, request, Basis::FRESH, None, None),
            Found::Forgotten(locator) => {
                let rests_on = self.rests_on(named.namespace, locator);
                self.grant(turn, named, request, Basis::FRESH, None, rests_on)
            }
            Found::Settled(_, _, locator) => {
                let Some((_, record)) = read.filter(|(at, _)| *at == locator) else {
                    return Ok(Tried::Read(locator));
                };
                check_same_key(&record.key, named.key)?;
                let rests_on = self.rests_on(named.namespace, locator);
                let verdict = claim_settled(record, sent, policy);
                self.answer_settled(turn, named, request, verdict, record, rests_on)
            }
            Found::Running(at) => {
                let running = turn.shard.running_at(at);
                check_same_key(&running.key, named.key)?;
                if self.is_overdue(running, turn.now) {
                    self.take_back(&mut turn.shard, at, turn.now, &mut turn.aftermath);
                    return self.decide(turn, named, request, read);
                }
                let verdict = claim_running(running, sent, turn.now);
                self.answer_running(turn, at, named, request, verdict)
            }
        }
    }

    fn answer_settled(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        verdict: SettledVerdict,
        record: &Arc<Record>,
        rests_on: Option<u64>,
    ) -> Result<Tried> {
        let answer = match verdict {
            SettledVerdict::Grant(basis) => {
                return self.grant(turn, named, request, basis, Some(record), rests_on);
            }
            SettledVerdict::Exhausted => {
                let subject = Subject::of_record(record, &named.namespace.policy);
                let last = LastRecord {
                    locator: found_at(&turn.shard, named.digest),
                    expires_at: record.head.expires_at,
                };
                return self.exhaust(turn, named, subject, Some(last));
            }
            SettledVerdict::Outcome { state, compared } => Answer::Settled {
                state,
                record: Arc::clone(record),
                compared,
            },
            SettledVerdict::InDoubt { compared } => Answer::InDoubt {
                record: Arc::clone(record),
                holder_alive: self.doubted_guards.is_alive(record.head.token),
                compared,
            },
            SettledVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        Ok(Tried::Answer(answer, rests_on))
    }

    fn answer_running(
        &self,
        turn: &mut Turn<'_>,
        at: SlabRef,
        named: Named<'_>,
        request: &Request,
        verdict: RunningVerdict,
    ) -> Result<Tried> {
        let answer = match verdict {
            RunningVerdict::TakeOver(basis) => {
                return self.take_over_now(turn, at, request, &basis);
            }
            RunningVerdict::Exhausted => {
                let running = turn.shard.running_at(at);
                let last = running.rest.last_record;
                let record = Arc::new(
                    Subject::of_running(running)
                        .record(RecordKind::Released, &running.rest.reason, turn.now)
                        .to_record(),
                );
                return self.exhaust(
                    turn,
                    named,
                    Subject::of_record(&record, &named.namespace.policy),
                    last,
                );
            }
            RunningVerdict::InProgress { compared } => {
                let running = turn.shard.running_at(at);
                Answer::InProgress {
                    lease_left_ms: running.lease_left_ms(turn.now),
                    attempt: running.holder.attempt,
                    metadata: running.rest.holder.metadata.clone(),
                    compared,
                }
            }
            RunningVerdict::InDoubt { compared } => {
                let running = turn.shard.running_at(at);
                let record = Arc::new(doubt_record(running, turn.now));
                Answer::InDoubt {
                    record,
                    holder_alive: running.is_guarded(),
                    compared,
                }
            }
            RunningVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        Ok(Tried::Answer(answer, None))
    }

    /// Puts a caller in line; `None` when the line is full.
    fn enqueue(
        &self,
        turn: &mut Turn<'_>,
        digest: Digest,
        request: &Request,
        until_ms: u64,
    ) -> Option<Looked> {
        let limits = &self.options.limits;
        let shard = &mut turn.shard;
        let Found::Running(at) = shard.find(digest, turn.now.store_secs) else {
            return None;
        };
        let running = shard.running_at(at);
        let (in_line, column) = (running.rest.waiters.len(), running.column);
        if in_line >= limits.waiters_per_key || self.line.waiters() >= limits.waiters {
            let tallies = &mut shard.tallies;
            tallies.count(column, |counters| counters.waits_refused += 1);
            return None;
        }
        let waiter = Arc::new(Waiter {
            place: self.line.join(),
            request: request.clone(),
            mailbox: Mailbox::new(),
        });
        let rest = shard.running_at_mut(at).rest.to_mut();
        rest.waiters.insert(waiter.place, Arc::clone(&waiter));
        let timer = shard.arm_wait(Arc::clone(&waiter), until_ms);
        self.alarm.hint(until_ms);
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.waited += 1);
        Some(Looked::Wait(waiter, timer))
    }
}

fn found_at(shard: &Locked<'_>, digest: Digest) -> Locator {
    shard
        .last_record(digest)
        .expect("a settled key has a record")
        .locator
}
