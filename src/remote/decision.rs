//! [`Decision`]: one call on one key, as rounds of a look, a verdict, and a row that is compared and set.

use crate::backend::{Change, KeyRef, Next, Outcome, Row};
use crate::remote::remote::Remote;
use crate::remote::seen::Look;
use crate::value::error::{Error, ErrorKind, Result};

/// What a call does after a look.
pub(super) enum Step<T> {
    Answer(T),
    Change(Box<Proposal>),
}

/// A change that a call wants after a look.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) next: Next,
    pub(super) only_leased: bool,
    pub(super) durable: bool,
}

impl<T> Step<T> {
    pub(super) fn change(next: Next, durable: bool) -> Self {
        Self::Change(Box::new(Proposal {
            next,
            only_leased: false,
            durable,
        }))
    }
}

/// A change that was carried out.
pub(super) struct Carried {
    pub(super) row: Option<Row>,
    /// The row that it took the place of.
    pub(super) before: Option<Row>,
    /// The monotonic clock of this process before the change was sent.
    pub(super) sent_ms: u64,
}

/// One call on one key: pure verdicts between the rounds.
pub(super) trait Decision {
    type Answer;

    /// The verdict on a look.
    fn decide(&self, key: &KeyRef, look: &Look) -> Result<Step<Self::Answer>>;

    /// The answer once the change of the last verdict was carried out.
    fn carried(&self, key: &KeyRef, carried: Carried) -> Result<Self::Answer>;

    /// Whether a change whose fate is unknown is taken back, for its caller goes away without an answer.
    fn is_taken_back(&self) -> bool {
        false
    }
}

/// A call that has no answer yet.
pub(super) struct Open<D> {
    pub(super) key: KeyRef,
    pub(super) look: Look,
    pub(super) decision: D,
}

/// Rounds after which a call gives up: each means that others have changed the key in between.
const ROUNDS_MAX: u32 = 64;

/// A change that was sent, and whose call it is.
struct Sent {
    index: usize,
    nonce: u128,
}

impl Remote {
    /// Carries out one call.
    pub(super) async fn decide<D: Decision>(&self, open: Open<D>) -> Result<D::Answer> {
        let mut answers = self.decide_all(vec![open]).await;
        answers.pop().expect("one call has one answer")
    }

    /// Carries out calls on different keys; answers come in their order. The changes of a round go out together.
    pub(super) async fn decide_all<D: Decision>(
        &self,
        mut opens: Vec<Open<D>>,
    ) -> Vec<Result<D::Answer>> {
        let mut answers: Vec<Option<Result<D::Answer>>> = Vec::new();
        answers.resize_with(opens.len(), || None);
        let mut left: Vec<usize> = (0..opens.len()).collect();
        for _ in 0..ROUNDS_MAX {
            if let Err(error) = self.look_again(&mut opens, &left).await {
                answer_all(&mut answers, &left, &error);
                left.clear();
            }
            let (sent, changes) = self.verdicts(&mut opens, &mut left, &mut answers);
            if !changes.is_empty() {
                let sent_ms = self.backend.mono_ms();
                match self.submit(changes).await {
                    Ok(answered) => {
                        let done = answered.found.into_iter().zip(sent);
                        for (outcome, sent) in done {
                            let open = &mut opens[sent.index];
                            let (Outcome::Done(row) | Outcome::Other(row)) = &outcome;
                            self.holds.note(&open.key, row.as_ref(), sent_ms);
                            let answer = take_outcome(open, outcome, sent_ms, answered.now_ms);
                            answers[sent.index] = answer;
                        }
                    }
                    Err(error) => {
                        if error.kind() == ErrorKind::Unknown {
                            self.take_back_unknown(&opens, &sent);
                        }
                        let asked: Vec<_> = sent.iter().map(|sent| sent.index).collect();
                        answer_all(&mut answers, &asked, &error);
                    }
                }
            }
            left.retain(|index| answers[*index].is_none());
            if left.is_empty() {
                break;
            }
        }
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(contended())))
            .collect()
    }

    /// Has grants taken back that may have been made, and whose callers get an error.
    fn take_back_unknown<D: Decision>(&self, opens: &[Open<D>], sent: &[Sent]) {
        for sent in sent {
            let open = &opens[sent.index];
            if open.decision.is_taken_back() {
                let before = open.look.row.as_ref();
                self.take_back_later(&open.key, sent.nonce, before);
            }
        }
    }

    /// Looks at the keys of calls whose verdict may not rest on what they assume.
    async fn look_again<D: Decision>(&self, opens: &mut [Open<D>], left: &[usize]) -> Result<()> {
        let mut asked = Vec::new();
        for &index in left {
            let open = &mut opens[index];
            let has_to_look = open.look.assumed
                && !matches!(
                    open.decision.decide(&open.key, &open.look),
                    Ok(Step::Change(_))
                );
            if has_to_look {
                asked.push(index);
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let keys = asked
            .iter()
            .map(|index| opens[*index].key.clone())
            .collect();
        let answered = self.backend.read(keys).await?;
        for (index, row) in asked.into_iter().zip(answered.found) {
            opens[index].look = Look::seen(row, answered.now_ms);
        }
        Ok(())
    }

    /// Takes the verdict of each call: answers go to their place, changes are to be sent.
    fn verdicts<D: Decision>(
        &self,
        opens: &mut [Open<D>],
        left: &mut Vec<usize>,
        answers: &mut [Option<Result<D::Answer>>],
    ) -> (Vec<Sent>, Vec<Change>) {
        let (mut sent, mut changes) = (Vec::new(), Vec::new());
        left.retain(|&index| {
            let open = &mut opens[index];
            let proposal = match open.decision.decide(&open.key, &open.look) {
                Ok(Step::Change(proposal)) => *proposal,
                Ok(Step::Answer(answer)) => {
                    answers[index] = Some(Ok(answer));
                    return false;
                }
                Err(error) => {
                    answers[index] = Some(Err(error));
                    return false;
                }
            };
            let nonce = self.nonces.draw();
            changes.push(Change {
                key: open.key.clone(),
                nonce,
                expect: open.look.expects(),
                only_leased: proposal.only_leased,
                durable: proposal.durable,
                next: proposal.next,
            });
            sent.push(Sent { index, nonce });
            true
        });
        (sent, changes)
    }
}

/// The answer of a call whose change was carried out; else it has seen what is there instead.
fn take_outcome<D: Decision>(
    open: &mut Open<D>,
    outcome: Outcome,
    sent_ms: u64,
    now_ms: u64,
) -> Option<Result<D::Answer>> {
    match outcome {
        Outcome::Done(row) => {
            let carried = Carried {
                row,
                before: open.look.row.take(),
                sent_ms,
            };
            Some(open.decision.carried(&open.key, carried))
        }
        Outcome::Other(row) => {
            open.look = Look::seen(row, now_ms);
            None
        }
    }
}

fn answer_all<T>(answers: &mut [Option<Result<T>>], of: &[usize], error: &Error) {
    for &index in of {
        answers[index].get_or_insert_with(|| Err(error.again()));
    }
}

fn contended() -> Error {
    let text = format!(
        "other processes changed the key {ROUNDS_MAX} times while this call looked at it: nothing was done, try again"
    );
    Error::new(ErrorKind::Unavailable, text)
}
