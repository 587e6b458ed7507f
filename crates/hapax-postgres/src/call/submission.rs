//! One statement of many changes, and what became of each.

use std::collections::VecDeque;
use std::ops::Range;

use hapax::backend::{Change, Outcome};
use tokio::time::Instant;
use tokio_postgres::Row as Tuple;

use crate::call::lane::{LOCK_MS, Lane, has_time};
use crate::fault::{Fault, Trouble};
use crate::wire::answers;
use crate::wire::columns::Columns;

/// What became of a change.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// And the clock of the server then.
    Of(u64, Outcome),
    Fault(Fault),
    /// Its key is locked, alone: it can be sent again. The fault is for one that has no time left.
    Again(Fault),
}

/// Carries out changes of different keys, sorted by key, and answers each. A statement that meets a lock is cut into
/// halves, so that one key that is locked for long does not hold up the others.
pub(crate) async fn carry_out(lane: &mut Lane, changes: &[Change]) -> Vec<Answer> {
    let until = lane.deadline();
    let not_sent = Fault::unavailable("the call was not sent");
    let mut answers = vec![Answer::Fault(not_sent); changes.len()];
    // What met a lock goes to the end: the others come first.
    let mut parts = VecDeque::new();
    parts.push_back(0..changes.len());
    while let Some(part) = parts.pop_front() {
        let sent = send(lane, &changes[part.clone()], until).await;
        let trouble = match sent {
            Ok(tuples) => {
                read(&tuples, &changes[part.clone()], &mut answers[part]);
                continue;
            }
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::Conflict(fault) if part.len() == 1 => {
                answers[part.start] = Answer::Again(fault);
            }
            trouble if has_time(until) && may_go_again(&trouble, part.len()) => {
                if let Trouble::Recovered(_) = &trouble {
                    if let Err(trouble) = lane.settle_epoch(until).await {
                        fail(&mut answers[part], &trouble.of_a_look());
                        continue;
                    }
                }
                split(part, &trouble, &mut parts);
            }
            trouble => fail(&mut answers[part], &trouble.of_a_change()),
        }
    }
    answers
}

/// Whether this number of changes can be sent again; the server has carried out none of them.
fn may_go_again(trouble: &Trouble, changes: usize) -> bool {
    match trouble {
        Trouble::Conflict(_) | Trouble::Recovered(_) => true,
        // One of them is to blame.
        Trouble::BadData(_) => changes > 1,
        Trouble::NotSent(_) | Trouble::Refused(_) | Trouble::Lost(_) => false,
    }
}

fn split(part: Range<usize>, trouble: &Trouble, parts: &mut VecDeque<Range<usize>>) {
    let middle = part.start + part.len() / 2;
    if part.len() == 1 || matches!(trouble, Trouble::Recovered(_)) {
        parts.push_back(part);
        return;
    }
    parts.push_back(part.start..middle);
    parts.push_back(middle..part.end);
}

async fn send(lane: &mut Lane, changes: &[Change], until: Instant) -> Result<Vec<Tuple>, Trouble> {
    let columns = Columns::of(changes, LOCK_MS);
    lane.rows(|all| &all.submit, &columns.params(), until).await
}

fn read(tuples: &[Tuple], changes: &[Change], answers: &mut [Answer]) {
    let missing = Fault::unknown("PostgreSQL answered too few changes");
    for (at, (change, answer)) in changes.iter().zip(answers).enumerate() {
        let outcome = tuples.get(at).ok_or_else(|| missing.clone());
        *answer = match outcome.and_then(|tuple| answers::outcome(tuple, change)) {
            Ok((now_ms, outcome)) => Answer::Of(now_ms, outcome),
            Err(fault) => Answer::Fault(fault),
        };
    }
}

fn fail(answers: &mut [Answer], fault: &Fault) {
    for answer in answers {
        *answer = Answer::Fault(fault.clone());
    }
}
