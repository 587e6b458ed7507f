//! Claims: one answer per call, decided under the lock of the key's shard.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::call::grant::is_journaled;
use crate::engine::call::queued::Waiting;
use crate::engine::call::waiting::{Outcome, Waiter, doubt_record};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::shards::Locked;
use crate::engine::{Engine, Turn};
use crate::journal::tail::Replaced;
use crate::observe::claim_outcome::ClaimOutcome;
use crate::runtime::sync::{Mailbox, Ordering, block_on};
use crate::state::last_record::LastRecord;
use crate::state::request::Request;
use crate::state::running::Running;
use crate::state::shard::Found;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, Subject, claim_running, claim_settled,
};
use crate::value::audit::AuditLevel;
use crate::value::blob::Blob;
use crate::value::comparison::{Comparison, compare};
use crate::value::digest::Digest;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::policy::Policy;
use crate::value::record::{Record, RecordKind};
use crate::value::time::millis;
use crate::wheel::TimerKey;

/// A grant that is on its way to its holder.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) key: Arc<[u8]>,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) checkpoint: Blob,
    pub(crate) reason: Blob,
    pub(crate) first_claimed_at: u32,
    /// The frame to wait for before it may be handed out.
    pub(crate) rests_on: Option<u64>,
    /// It is on its way: [`Engine::start_lease`] hands it out.
    pub(crate) undelivered: bool,
}

/// What a claim is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Granted(Granted),
    InProgress {
        lease_left_ms: u64,
        attempt: u32,
        metadata: Blob,
        compared: bool,
    },
    Settled {
        state: KeyState,
        record: Arc<Record>,
        compared: bool,
    },
    InDoubt {
        record: Arc<Record>,
        holder_alive: bool,
        compared: bool,
    },
    Mismatch {
        labels: Vec<String>,
        state: KeyState,
    },
}

impl Answer {
    pub(crate) fn outcome(&self) -> ClaimOutcome {
        match self {
            Self::Granted(_) => ClaimOutcome::Granted,
            Self::InProgress { .. } => ClaimOutcome::InProgress,
            Self::Settled { state, .. } => ClaimOutcome::of_settled(*state),
            Self::InDoubt { .. } => ClaimOutcome::InDoubt,
            Self::Mismatch { .. } => ClaimOutcome::Mismatch,
        }
    }
}

/// One look at a key.
#[derive(Debug)]
pub(crate) enum Tried {
    /// The answer, and the frame that it rests on.
    Answer(Answer, Option<u64>),
    /// The record that lies here decides; it has to be read without the lock.
    Read(Locator),
}

/// One look at a key by a caller that may wait for it.
#[derive(Debug)]
enum Looked {
    Tried(Tried),
    Wait(Arc<Waiter>, TimerKey),
}

/// A key, as a call names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) namespace: &'a Arc<NamespaceCore>,
    pub(crate) digest: Digest,
    pub(crate) key: &'a [u8],
}

/// A record that was read for a decision, and where it lay.
pub(crate) type Read = (Locator, Arc<Record>);

impl Engine {
    pub(crate) fn digest(&self, namespace: &NamespaceCore, key: &[u8]) -> Digest {
        self.hasher.digest(namespace.id, key)
    }

    /// Claims a key on a thread that may block. Most claims have nothing to wait for, and take no
    /// future.
    pub(crate) fn claim_blocking(
        &self,
        named: Named<'_>,
        request: &Request,
        wait: Option<Duration>,
    ) -> Result<Answer> {
        let began_ns = self.begin_claim(named);
        self.check_change()?;
        if is_written(&named.namespace.policy) {
            self.make_room_blocking()?;
        }
        let wait_until_ms = self.deadline(wait);
        let mut looked = self.try_counted(named, request, None, wait_until_ms)?;
        if let Looked::Tried(Tried::Read(locator)) = looked {
            // From disk too, if need be: the thread has nothing else to do.
            let Some(record) = self.read(locator)? else {
                return block_on(self.go_on(named, request, wait_until_ms, looked, began_ns));
            };
            let read = (locator, Arc::new(record));
            looked = self.try_counted(named, request, Some(&read), wait_until_ms)?;
        }
        match looked {
            Looked::Tried(Tried::Answer(answer, None)) => {
                self.end_claim(named, began_ns, &answer);
                Ok(answer)
            }
            looked => block_on(self.go_on(named, request, wait_until_ms, looked, began_ns)),
        }
    }

    /// Claims a key; waits for it for as long as the caller asked for.
    pub(crate) async fn claim(
        &self,
        named: Named<'_>,
        request: &Request,
        wait: Option<Duration>,
    ) -> Result<Answer> {
        self.claim_until(named, request, self.deadline(wait)).await
    }

    /// As [`claim`](Self::claim), with the moment at which the wait ends.
    pub(crate) async fn claim_until(
        &self,
        named: Named<'_>,
        request: &Request,
        wait_until_ms: Option<u64>,
    ) -> Result<Answer> {
        let began_ns = self.begin_claim(named);
        self.check_change()?;
        if is_written(&named.namespace.policy) {
            // It will be journaled, so it waits for room first, as any change does.
            self.make_room().await?;
        }
        let looked = self.try_counted(named, request, None, wait_until_ms)?;
        self.go_on(named, request, wait_until_ms, looked, began_ns)
            .await
    }

    fn deadline(&self, wait: Option<Duration>) -> Option<u64> {
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
        loop {
            let answered = match looked {
                Looked::Tried(Tried::Answer(answer, None)) => Some(answer),
                Looked::Tried(Tried::Answer(answer, rests_on)) => {
                    // What waits for the medium is timed, whether it is one of the sample or not.
                    began_ns = began_ns.or_else(|| self.clock_ns());
                    self.hand_out(named, request, answer, rests_on).await?
                }
                Looked::Tried(Tried::Read(locator)) => {
                    read = self.fetch(locator).await?.map(|record| (locator, record));
                    None
                }
                Looked::Wait(waiter, timer) => {
                    // How long somebody else takes has a distribution of its own.
                    began_ns = None;
                    let waiting = Waiting {
                        engine: self,
                        digest: named.digest,
                        column: named.namespace.column,
                        began_ns: self.clock_ns(),
                        waiter: Some(waiter),
                        timer,
                    };
                    let outcome = waiting.await;
                    if matches!(outcome, Some(Outcome::TimedOut)) {
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
            looked = self.try_counted(named, request, read.as_ref(), wait_until_ms)?;
        }
    }

    /// What a wait came to; `None` when the key has to be looked at again.
    async fn waited(
        &self,
        named: Named<'_>,
        request: &Request,
        outcome: Option<Outcome>,
    ) -> Result<Option<Answer>> {
        match outcome {
            Some(Outcome::Granted(granted)) => {
                let rests_on = granted.rests_on;
                self.hand_out(named, request, Answer::Granted(granted), rests_on)
                    .await
            }
            Some(Outcome::Settled(state, record, locator)) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                let compared = was_compared(&record, request, named.namespace);
                self.count_claim(named, ClaimOutcome::of_settled(state));
                Ok(Some(Answer::Settled {
                    state,
                    record,
                    compared,
                }))
            }
            Some(Outcome::InDoubt {
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
            Some(Outcome::TimedOut | Outcome::Again) | None => Ok(None),
        }
    }

    /// Looks at a key once, and answers, or says what has to be read.
    pub(crate) fn try_claim(
        &self,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
    ) -> Result<Tried> {
        let mut turn = self.turn_at(self.shards.index(named.digest));
        let tried = self.decide(&mut turn, named, request, read);
        turn.end();
        tried
    }

    /// As [`try_claim`](Self::try_claim), for a call with one key: counts an answer that rests on
    /// nothing, and so is given as it is; a grant among them is handed out with that.
    fn try_counted(
        &self,
        named: Named<'_>,
        request: &Request,
        read: Option<&Read>,
        wait_until_ms: Option<u64>,
    ) -> Result<Looked> {
        let mut turn = self.turn_at(self.shards.index(named.digest));
        let looked = self.decide_or_wait(&mut turn, named, request, read, wait_until_ms);
        if let Ok(Looked::Tried(Tried::Answer(answer, None))) = &looked {
            let column = named.namespace.column;
            let outcome = answer.outcome();
            let tallies = &mut turn.shard.tallies;
            tallies.count(column, |counters| *counters.claims(outcome) += 1);
            self.hand_out_now(&mut turn, named, request, answer);
        }
        turn.end();
        looked
    }

    /// As [`decide`](Self::decide); puts a caller in line who waits for a key in progress.
    fn decide_or_wait(
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
        // Under the lock: `close` wakes whoever is in line before it takes the lock again.
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
                holder_alive: self.outlived.is_alive(record.head.token),
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
        if in_line >= limits.waiters_per_key
            || self.waiters.load(Ordering::Relaxed) >= limits.waiters
        {
            let tallies = &mut shard.tallies;
            tallies.count(column, |counters| counters.waits_refused += 1);
            return None;
        }
        let waiter = Arc::new(Waiter {
            place: self.places.fetch_add(1, Ordering::Relaxed),
            request: request.clone(),
            mailbox: Mailbox::new(),
        });
        let rest = shard.running_at_mut(at).rest.to_mut();
        rest.waiters.insert(waiter.place, Arc::clone(&waiter));
        let timer = shard.arm_wait(Arc::clone(&waiter), until_ms);
        self.waiters.fetch_add(1, Ordering::Relaxed);
        self.hint_timer(until_ms);
        let tallies = &mut shard.tallies;
        tallies.count(column, |counters| counters.waited += 1);
        Some(Looked::Wait(waiter, timer))
    }
}

/// Whether a claim is written to the log: its record, or its audit entry.
fn is_written(policy: &Policy) -> bool {
    is_journaled(policy) || policy.audit != AuditLevel::Off
}

fn found_at(shard: &Locked<'_>, digest: Digest) -> Locator {
    shard
        .last_record(digest)
        .expect("a settled key has a record")
        .locator
}

pub(crate) fn state_of(record: &Record, guarantee: Guarantee) -> KeyState {
    crate::state::transition::settled_state(record.head.kind, guarantee)
        .unwrap_or(KeyState::Released)
}

pub(crate) fn replaced(last: Option<LastRecord>) -> Option<Replaced> {
    last.map(|last| Replaced {
        locator: last.locator,
        expires_at: last.expires_at,
    })
}

fn was_compared(record: &Record, request: &Request, namespace: &NamespaceCore) -> bool {
    let (stored, sent) = (record.fingerprint.as_ref(), request.fingerprint.as_ref());
    compare(stored, sent, namespace.policy.fingerprints) == Comparison::Same
}

/// Refuses a key that shares its digest with another one. Whatever has the stored key at hand asks;
/// what reads no record trusts the digest (`docs/decisions/0004-identity-of-keys.md`).
pub(crate) fn check_same_key(stored: &[u8], asked: &[u8]) -> Result<()> {
    if stored == asked {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InUse,
        "another key has the same digest in this process: reopen the store, which draws a new secret",
    ))
}

/// The running key of this token, whoever asks.
pub(crate) fn held(
    shard: &Locked<'_>,
    digest: Digest,
    token: FencingToken,
    store_secs: u32,
) -> Option<SlabRef> {
    match shard.find(digest, store_secs) {
        Found::Running(at) => shard
            .get(at)
            .filter(|running: &&Running<_>| running.holder.token == token)
            .map(|_| at),
        _ => None,
    }
}
