//! Claims: who may run a key, decided by its row.

use std::sync::Arc;

use crate::backend::{
    Begins, Draft, DraftRun, Ends, HolderGuard, KeyRef, LeaseEnd, Next, Row, RowState, Run,
};
use crate::engine::call::answer::Answer;
use crate::engine::call::grant::exhausted;
use crate::engine::call::granted::Granted;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::answer::RemoteAnswer;
use crate::remote::decision::{Carried, Decision, Open, Step};
use crate::remote::grant::Grant;
use crate::remote::hold::{Hold, HoldState};
use crate::remote::look::lapsed_doubt;
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::{
    DRAFTED, RemoteRunning, draft_of, encoded, is_holder_alive, record_of, running_of,
};
use crate::remote::seen::Look;
use crate::remote::waits::{Attendance, Wait};
use crate::state::request::Request;
use crate::state::transition::{
    Basis, RunningVerdict, SettledVerdict, Subject, claim_running, claim_settled, retention_secs,
};
use crate::value::comparison::{Comparison, compare};
use crate::value::error::Result;
use crate::value::guarantee::Guarantee;
use crate::value::key_state::KeyState;
use crate::value::time::{NEVER, Now, expiry};

/// A claim of one key.
pub(super) struct Claiming {
    remote: Arc<Remote>,
    core: Arc<NamespaceCore>,
    request: Request,
}

/// The answer to a look, and the version of the row that it rests on, which a caller that waits has to see change.
pub(super) struct Claimed {
    answer: RemoteAnswer,
    version: u128,
    /// How long the lease that it met still lasted.
    left_ms: u64,
}

impl Claimed {
    fn of(answer: RemoteAnswer, version: u128) -> Self {
        Self {
            answer,
            version,
            left_ms: 0,
        }
    }
}

impl Decision for Claiming {
    type Answer = Claimed;

    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<Claimed>> {
        match &look.row {
            None => Ok(self.grant(&Basis::FRESH, None)),
            Some(row) => match row.running() {
                Some(run) => {
                    let running = running_of(&self.core, key, row, run)?;
                    Ok(self.judge_running(row, &running, run, look))
                }
                None => self.judge_settled(key, row, look),
            },
        }
    }

    fn carried(&self, key: &KeyRef, carried: Carried) -> Result<Claimed> {
        let row = carried.row.ok_or_else(lost_row)?;
        let (record, version) = (record_of(key, &row)?, row.nonce);
        if row.state != RowState::InProgress {
            let (stored, sent) = (record.fingerprint.as_ref(), self.request.fingerprint());
            let comparison = compare(stored, sent, self.core.policy.fingerprints);
            if let Comparison::Differs(labels) = comparison {
                let state = KeyState::Failed;
                let answer = RemoteAnswer::Other(Answer::Mismatch { labels, state });
                return Ok(Claimed::of(answer, version));
            }
            let answer = RemoteAnswer::Other(Answer::Settled {
                state: KeyState::Failed,
                record: Arc::new(record),
                compared: comparison == Comparison::Same,
            });
            return Ok(Claimed::of(answer, version));
        }
        self.remote.count(&self.core, |counters| {
            counters.reruns += u64::from(row.attempt > 1);
            let before = carried.before.as_ref();
            let took_over = before.is_some_and(|before| before.state == RowState::InProgress);
            counters.reclaimed += u64::from(took_over);
        });
        let state = HoldState {
            row: Some(row),
            before: carried.before,
            until_ms: carried.sent_ms.saturating_add(self.lease_ms()),
            sent_ms: carried.sent_ms,
            known_ms: self.remote.backend.mono_ms(),
            ended: false,
            watchers: Vec::new(),
        };
        let granted = Granted::of_record(&record);
        let hold = Hold::new(&self.core, key, granted, state);
        let answer = RemoteAnswer::Granted(Grant::new(&self.remote, hold));
        Ok(Claimed::of(answer, version))
    }

    fn is_taken_back(&self) -> bool {
        true
    }
}

impl Claiming {
    fn lease_ms(&self) -> u64 {
        self.request.lease_ms.max(self.request.keep_alive_ms)
    }

    fn judge_running(
        &self,
        row: &Row,
        running: &RemoteRunning,
        run: &Run,
        look: &Look,
    ) -> Step<Claimed> {
        let answer = match claim_running(running, self.request.fingerprint(), look.now) {
            RunningVerdict::TakeOver(basis) => return self.grant(&basis, Some(row)),
            RunningVerdict::Exhausted => {
                let subject = Subject {
                    policy: &self.core.policy,
                    ..Subject::of_running(running)
                };
                return self.exhaust(subject);
            }
            RunningVerdict::InProgress { compared } => Answer::InProgress {
                lease_left_ms: lease_left_ms(run, look.now),
                attempt: running.holder.attempt,
                metadata: running.rest.holder.metadata.clone(),
                compared,
            },
            RunningVerdict::InDoubt { compared } => Answer::InDoubt {
                record: Arc::new(lapsed_doubt(running, run, look.now)),
                holder_alive: is_holder_alive(run, look.now),
                compared,
            },
            RunningVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        answered(answer, row)
    }

    fn judge_settled(&self, key: &KeyRef, row: &Row, look: &Look) -> Result<Step<Claimed>> {
        let record = record_of(key, row)?;
        let policy = &self.core.policy;
        let answer = match claim_settled(&record, self.request.fingerprint(), policy) {
            SettledVerdict::Grant(basis) => return Ok(self.grant(&basis, Some(row))),
            SettledVerdict::Exhausted => {
                return Ok(self.exhaust(Subject::of_record(&record, policy)));
            }
            SettledVerdict::Outcome { state, compared } => Answer::Settled {
                state,
                record: Arc::new(record),
                compared,
            },
            SettledVerdict::InDoubt { compared } => Answer::InDoubt {
                record: Arc::new(record),
                holder_alive: row
                    .run
                    .as_ref()
                    .is_some_and(|run| is_holder_alive(run, look.now)),
                compared,
            },
            SettledVerdict::Mismatch { labels, state } => Answer::Mismatch { labels, state },
        };
        Ok(answered(answer, row))
    }

    /// The last attempt that is allowed has gone without an outcome: the key fails for good.
    fn exhaust(&self, subject: Subject<'_>) -> Step<Claimed> {
        let failed = exhausted(subject, DRAFTED);
        let draft = draft_of(&failed, Some(subject.token), None);
        Step::change(
            Next::Row(Box::new(draft)),
            self.remote.is_sync(&self.core.policy),
        )
    }

    /// Makes the caller the holder, under a token that the server draws.
    fn grant(&self, basis: &Basis, before: Option<&Row>) -> Step<Claimed> {
        let (policy, request) = (&self.core.policy, &self.request);
        let parts = request.parts.as_deref();
        let sent_metadata: Arc<[u8]> =
            parts.map_or_else(Arc::default, |parts| (&*parts.metadata).into());
        let same = before.filter(|_| basis.same_request);
        let earlier = before.filter(|_| basis.continues);
        let expires = match policy.guarantee {
            Guarantee::AtMostOnce => Ends::Never,
            Guarantee::AtLeastOnce => match expiry(DRAFTED, policy.attempt_retention) {
                NEVER => Ends::Never,
                secs => Ends::AfterLease(secs),
            },
        };
        let stored_print = same.map(|row| Arc::clone(&row.fingerprint));
        let draft = Draft {
            state: RowState::InProgress,
            token: None,
            attempt: basis.attempt,
            first_claimed_at: earlier.map_or(Begins::Now, |row| Begins::At(row.first_claimed_at)),
            recorded_at: Begins::Now,
            expires,
            retention_secs: retention_secs(parts.and_then(|parts| parts.retention)),
            body_omitted: false,
            attached: false,
            fingerprint: stored_print
                .filter(|print| !print.is_empty())
                .unwrap_or_else(|| encoded(request.fingerprint())),
            metadata: same.map_or_else(
                || Arc::clone(&sent_metadata),
                |row| Arc::clone(&row.metadata),
            ),
            reason: earlier.map_or_else(Arc::default, |row| Arc::clone(&row.reason)),
            body: same.map_or_else(Arc::default, |row| Arc::clone(&row.body)),
            run: Some(DraftRun {
                process: self.remote.process,
                guard: HolderGuard::Lease,
                lease_ms: request.lease_ms,
                lease_ends: LeaseEnd::AfterMs(self.lease_ms()),
                claimed_at: Begins::Now,
                metadata: sent_metadata,
            }),
        };
        let is_promise = policy.guarantee == Guarantee::AtMostOnce;
        Step::change(
            Next::Row(Box::new(draft)),
            is_promise || self.remote.is_sync(policy),
        )
    }
}

/// The wait after which a caller should come back: a process that lives goes on giving signs of life, so its lease
/// counts.
fn lease_left_ms(run: &Run, now: Now) -> u64 {
    let left_ms = run.lease_until_ms.saturating_sub(now.mono_ms);
    left_ms.min(run.lease_ms.max(1))
}

fn answered(answer: Answer, row: &Row) -> Step<Claimed> {
    let left_ms = match &answer {
        Answer::InProgress { lease_left_ms, .. } => *lease_left_ms,
        _ => 0,
    };
    Step::Answer(Claimed {
        left_ms,
        ..Claimed::of(RemoteAnswer::Other(answer), row.nonce)
    })
}

fn lost_row() -> crate::value::error::Error {
    crate::backend::unknown(
        "the backend says that it wrote a row, and has none: this is a fault of the backend",
    )
}

impl Remote {
    /// Claims a key; waits for it until a moment of this process's monotonic clock.
    pub(crate) fn claim(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        key: KeyRef,
        request: Request,
        wait_until_ms: Option<u64>,
    ) -> Receipt<RemoteAnswer> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        let attendance = Arc::new(Attendance::default());
        let (caller, waits) = (Arc::clone(&attendance), Arc::clone(self));
        let sent = self.send(async move {
            let mut look = Look::assume(None);
            let mut wait_until_ms = wait_until_ms;
            let mut place = None;
            loop {
                let decision = Claiming {
                    remote: Arc::clone(&remote),
                    core: Arc::clone(&core),
                    request: request.clone(),
                };
                let open = Open {
                    key: key.clone(),
                    look,
                    decision,
                };
                let claimed = remote.decide(open).await?;
                let waits = matches!(
                    claimed.answer,
                    RemoteAnswer::Other(Answer::InProgress { .. })
                );
                let Some(until_ms) = wait_until_ms.filter(|_| waits) else {
                    remote.count_claim(&core, claimed.answer.outcome());
                    return Ok(claimed.answer);
                };
                let wait = Wait {
                    version: claimed.version,
                    lapses_ms: remote.backend.mono_ms().saturating_add(claimed.left_ms),
                    until_ms,
                };
                match remote.wait_for(&key, wait, &mut place, &attendance).await? {
                    Some(seen) => look = seen,
                    None => {
                        // Its time has come, or the line is full: what is there now is the answer.
                        wait_until_ms = None;
                        look = Look::assume(None);
                    }
                }
            }
        });
        match wait_until_ms {
            Some(_) => sent.on_drop(move || caller.leave(&waits.waits)),
            None => sent,
        }
    }

    /// Claims many different keys, without waiting for any of them. Each has an answer of its own.
    pub(crate) fn claim_all(
        self: &Arc<Self>,
        core: &Arc<NamespaceCore>,
        items: Vec<(KeyRef, Request)>,
    ) -> Receipt<Vec<Result<RemoteAnswer>>> {
        let (remote, core) = (Arc::clone(self), Arc::clone(core));
        self.send(async move {
            let opens = items.into_iter().map(|(key, request)| Open {
                key,
                look: Look::assume(None),
                decision: Claiming {
                    remote: Arc::clone(&remote),
                    core: Arc::clone(&core),
                    request,
                },
            });
            let claimed = remote.decide_all(opens.collect()).await;
            let answered = claimed.into_iter().map(|claimed| {
                let answer = claimed?.answer;
                remote.count_claim(&core, answer.outcome());
                Ok(answer)
            });
            Ok(answered.collect())
        })
    }
}
