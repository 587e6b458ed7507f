//! Claims: one answer per call, decided under the lock of the key's shard.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::call::answer::{Answer, Looked};
use crate::engine::call::grant::is_journaled;
use crate::engine::call::waiter::WaitEnd;
use crate::engine::call::waiting::Waiting;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Read};
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::turn::Turn;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::begun::Begun;
use crate::state::request::Request;
use crate::value::audit::AuditLevel;
use crate::value::comparison::{Comparison, compare};
use crate::value::error::Result;
use crate::value::policy::Policy;
use crate::value::record::Record;
use crate::value::time::millis;

impl Engine {
    /// Claims a key, up to the first wait. A thread that may block reads a record from disk by itself: it has
    /// nothing else to do.
    #[inline]
    pub(crate) fn start_claim<'a>(
        &'a self,
        named: Named<'a>,
        request: &'a Request,
        wait_until_ms: Option<u64>,
        may_block: bool,
    ) -> Begun<Result<Answer>, impl Future<Output = Result<Answer>> + 'a> {
        let began_ns = self.begin_claim(named);
        match self.look_first(named, request, wait_until_ms, may_block) {
            Ok(Looked::Tried(Look::Done((answer, None)))) => {
                self.end_claim(named, began_ns, &answer);
                Begun::Ready(Ok(answer))
            }
            Ok(looked) => Begun::Waits(self.go_on(named, request, wait_until_ms, looked, began_ns)),
            Err(error) => Begun::Ready(Err(error)),
        }
    }

    #[inline]
    fn look_first(
        &self,
        named: Named<'_>,
        request: &Request,
        wait_until_ms: Option<u64>,
        may_block: bool,
    ) -> Result<Looked> {
        self.check_change()?;
        if is_written(&named.namespace.policy) {
            // It will be journaled, so it waits for room first, as any change does.
            if let Some(frame) = self.congestion() {
                return Ok(Looked::Congested(frame));
            }
        }
        let looked = self.look_to_claim(named, request, None, wait_until_ms, None)?;
        let Looked::Tried(Look::Read(locator)) = looked else {
            return Ok(looked);
        };
        let record = if may_block { self.read(locator)? } else { None };
        match record {
            Some(record) => {
                let record = Arc::new(record);
                let read = Read { locator, record };
                self.look_to_claim(named, request, Some(&read), wait_until_ms, None)
            }
            None => Ok(looked),
        }
    }

    /// The moment at which a wait of this length ends.
    #[inline]
    pub(crate) fn wait_until_ms(&self, wait: Option<Duration>) -> Option<u64> {
        wait.map(|wait| self.now().mono_ms.saturating_add(millis(wait)))
    }

    /// Goes on from a first look until there is an answer that may be given.
    async fn go_on(
        &self,
        named: Named<'_>,
        request: &Request,
        mut wait_until_ms: Option<u64>,
        mut looked: Looked,
        mut began_ns: Option<u64>,
    ) -> Result<Answer> {
        let mut read: Option<Read> = None;
        let mut place = None;
        loop {
            let answered = match looked {
                Looked::Tried(Look::Done((answer, None))) => Some(answer),
                Looked::Tried(Look::Done((answer, rests_on))) => {
                    // A call that waits for the medium is timed, in the sample or not.
                    began_ns = began_ns.or_else(|| self.clock_ns());
                    self.hand_out(named, request, answer, rests_on).await?
                }
                Looked::Tried(Look::Read(locator)) => {
                    read = self.fetch(locator).await?;
                    None
                }
                Looked::Congested(frame) => {
                    self.wait(frame).await?;
                    None
                }
                Looked::Wait(waiter, timer) => {
                    // The time that another holder takes has its own distribution.
                    began_ns = None;
                    place = Some(waiter.place);
                    let waiting = Waiting {
                        engine: self,
                        digest: named.digest,
                        column: named.namespace.column,
                        began_ns: self.clock_ns(),
                        waiter: Some(waiter),
                        timer,
                    };
                    let outcome = waiting.await;
                    if matches!(outcome, Some(WaitEnd::TimedOut)) {
                        wait_until_ms = None;
                    }
                    let answered = self.waited(named, request, outcome).await?;
                    if answered.is_none() {
                        self.check_alive()?;
                    }
                    answered
                }
            };
            if let Some(answer) = answered {
                self.end_claim(named, began_ns, &answer);
                return Ok(answer);
            }
            looked = self.look_to_claim(named, request, read.as_ref(), wait_until_ms, place)?;
        }
    }

    /// The answer after a wait; `None` if the key has to be looked at again.
    async fn waited(
        &self,
        named: Named<'_>,
        request: &Request,
        outcome: Option<WaitEnd>,
    ) -> Result<Option<Answer>> {
        match outcome {
            Some(WaitEnd::Granted(granted)) => {
                let rests_on = granted.rests_on();
                self.hand_out(named, request, Answer::Granted(granted), rests_on)
                    .await
            }
            Some(WaitEnd::Settled(state, record, locator)) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                let compared = was_compared(&record, request, named.namespace);
                self.count_claim(named, ClaimOutcome::of_settled(state));
                Ok(Some(Answer::Settled {
                    state,
                    record,
                    compared,
                }))
            }
            Some(WaitEnd::InDoubt {
                record,
                locator,
                holder_alive,
            }) => {
                let rests_on = locator.and_then(|at| self.rests_on(named.namespace, at));
                self.rest(rests_on).await?;
                let compared = was_compared(&record, request, named.namespace);
                self.count_claim(named, ClaimOutcome::InDoubt);
                Ok(Some(Answer::InDoubt {
                    record,
                    holder_alive,
                    compared,
                }))
            }
            Some(WaitEnd::TimedOut | WaitEnd::Again) | None => Ok(None),
        }
    }

    /// Looks at a key once, and counts an answer that rests on nothing, and so is given as it is; a grant
    /// among them is handed out with that.
    #[inline]
    fn look_to_claim(
        &self,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
        wait_until_ms: Option<u64>,
        place: Option<u64>,
    ) -> Result<Looked> {
        let mut turn = self.turn(named.digest);
        let looked = match turn.decide_or_wait(named, request, read, wait_until_ms, place)? {
            Looked::Tried(Look::Read(locator)) if read.is_none() => {
                Looked::Tried(match turn.read_at_hand(locator)? {
                    Some(read) => turn.decide_settled(named, request, &read)?,
                    None => Look::Read(locator),
                })
            }
            looked => looked,
        };
        if let Looked::Tried(Look::Done((answer, None))) = &looked {
            let outcome = answer.outcome();
            turn.count(named.namespace.column, |counters| {
                *counters.claims(outcome) += 1;
            });
            turn.hand_out_now(named.digest, request, answer);
        }
        Ok(looked)
    }
}

impl Turn<'_> {
    /// As [`decide`](Self::decide); puts a caller in line who waits for a key in progress.
    #[inline]
    fn decide_or_wait(
        &mut self,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
        wait_until_ms: Option<u64>,
        place: Option<u64>,
    ) -> Result<Looked> {
        let tried = self.decide(named, request, read)?;
        let until_ms = wait_until_ms.filter(|until| *until > self.now.mono_ms);
        let (Look::Done((Answer::InProgress { .. }, _)), Some(until_ms)) = (&tried, until_ms)
        else {
            return Ok(Looked::Tried(tried));
        };
        // Under the lock: `close` wakes the callers in line before it takes the lock again.
        self.engine.check_alive()?;
        self.engine.check_can_wait()?;
        Ok(match self.enqueue(named, request, until_ms, place) {
            Some((waiter, timer)) => Looked::Wait(waiter, timer),
            None => Looked::Tried(tried),
        })
    }
}

/// Whether a claim is written to the log: its record, or its audit entry.
#[inline]
fn is_written(policy: &Policy) -> bool {
    is_journaled(policy) || policy.audit != AuditLevel::Off
}

fn was_compared(record: &Record, request: &Request, namespace: &NamespaceCore) -> bool {
    let (stored, sent) = (record.fingerprint.as_ref(), request.fingerprint());
    compare(stored, sent, namespace.policy.fingerprints) == Comparison::Same
}
