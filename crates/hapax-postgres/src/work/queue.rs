//! [`Queue`]: changes that wait, and the calls that they belong to.

use std::collections::{HashMap, HashSet, VecDeque};

use hapax::backend::{Answered, Change, KeyRef, Next, Outcome};
use tokio::time::Instant;

use crate::call::ask::ReplyTo;
use crate::call::submission::Answer;
use crate::fault::Fault;

/// At most so many changes go out as one statement.
pub(crate) const BATCH_MAX: usize = 512;

/// And no more bytes than these, unless one change alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The call of a change, and its place there.
#[derive(Clone, Copy)]
struct Place {
    call: u64,
    at: usize,
    /// Of this change; they rise.
    number: u64,
    /// When it was first sent.
    sent: Option<Instant>,
}

struct Pending {
    place: Place,
    change: Change,
}

/// A call that waits for its changes.
struct Call {
    outcomes: Vec<Option<Outcome>>,
    left: usize,
    now_ms: u64,
    fault: Option<Fault>,
    /// Changes that may have been carried out.
    done: usize,
    reply: ReplyTo<Answered<Vec<Outcome>>>,
}

/// Changes that go out as one statement: of different keys, in their order.
pub(crate) struct Batch {
    pub(crate) changes: Vec<Change>,
    places: Vec<Place>,
    tries_lock: bool,
}

/// A key with a change that is ready or under way.
struct Busy {
    /// The number of that change.
    number: u64,
    behind: VecDeque<Pending>,
}

/// Changes that wait, and the calls that they belong to. Of each key at most one change is ready or under way; the
/// others wait behind it, in the order in which they came.
#[derive(Default)]
pub(crate) struct Queue {
    ready: VecDeque<Pending>,
    /// Changes whose keys were locked. Each goes alone, one at a time.
    locked: VecDeque<Pending>,
    lock_is_tried: bool,
    lock_went_last: bool,
    /// Every key with a change that is ready or under way, and what waits behind that.
    busy: HashMap<KeyRef, Busy>,
    calls: HashMap<u64, Call>,
    /// The numbers of changes that have no answer yet.
    open: HashSet<u64>,
    last_call: u64,
    last_number: u64,
}

fn size(change: &Change) -> usize {
    let draft = match &change.next {
        Next::Absent => 0,
        Next::Row(draft) => {
            let run = draft.run.as_ref().map_or(0, |run| run.metadata.len());
            let texts = [
                &draft.fingerprint,
                &draft.metadata,
                &draft.reason,
                &draft.body,
            ];
            texts.iter().map(|text| text.len()).sum::<usize>() + run
        }
    };
    change.key.key.len() + draft
}

impl Queue {
    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many changes could go out.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The changes of these keys that have no answer yet.
    pub(crate) fn changes_of(&self, keys: &[KeyRef]) -> HashSet<u64> {
        let busy = keys.iter().filter_map(|key| self.busy.get(key));
        busy.flat_map(|busy| {
            let behind = busy.behind.iter().map(|pending| pending.place.number);
            behind.chain([busy.number])
        })
        .collect()
    }

    /// All changes that have no answer yet.
    pub(crate) fn changes(&self) -> HashSet<u64> {
        self.open.clone()
    }

    /// Whether this change has no answer yet.
    pub(crate) fn is_open(&self, change: u64) -> bool {
        self.open.contains(&change)
    }

    /// Takes a call in; it has a change.
    pub(crate) fn push(&mut self, changes: Vec<Change>, reply: ReplyTo<Answered<Vec<Outcome>>>) {
        self.last_call += 1;
        let call = self.last_call;
        self.calls.insert(
            call,
            Call {
                outcomes: vec![None; changes.len()],
                left: changes.len(),
                now_ms: 0,
                fault: None,
                done: 0,
                reply,
            },
        );
        for (at, change) in changes.into_iter().enumerate() {
            self.last_number += 1;
            let number = self.last_number;
            self.open.insert(number);
            let place = Place {
                call,
                at,
                number,
                sent: None,
            };
            let pending = Pending { place, change };
            if let Some(busy) = self.busy.get_mut(&pending.change.key) {
                busy.behind.push_back(pending);
            } else {
                let behind = VecDeque::new();
                let key = pending.change.key.clone();
                self.busy.insert(key, Busy { number, behind });
                self.ready.push_back(pending);
            }
        }
    }

    /// What goes out next, sorted by key: all who write rows meet their locks in one order.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Batch> {
        let (mut taken, mut bytes) = (Vec::new(), 0_usize);
        // By turns, so that neither kind holds up the other.
        let tries_lock = self.may_try_lock() && (self.ready.is_empty() || !self.lock_went_last);
        self.lock_went_last = tries_lock;
        if tries_lock {
            taken.extend(self.locked.pop_front());
            self.lock_is_tried = true;
        }
        while let (false, Some(next)) = (tries_lock, self.ready.front()) {
            bytes = bytes.saturating_add(size(&next.change));
            if taken.len() == BATCH_MAX || (bytes > BATCH_BYTES_MAX && !taken.is_empty()) {
                break;
            }
            taken.extend(self.ready.pop_front());
        }
        if taken.is_empty() {
            return None;
        }
        taken.sort_unstable_by(|a, b| a.change.key.cmp(&b.change.key));
        let (mut places, changes): (Vec<Place>, _) = taken
            .into_iter()
            .map(|pending| (pending.place, pending.change))
            .unzip();
        for place in &mut places {
            place.sent.get_or_insert(now);
        }
        Some(Batch {
            changes,
            places,
            tries_lock,
        })
    }

    /// Whether a change whose key was locked can be tried again.
    pub(crate) fn may_try_lock(&self) -> bool {
        !self.lock_is_tried && !self.locked.is_empty()
    }

    /// Takes the answers of a batch in; what waited behind its keys becomes ready. Changes that were first sent before
    /// `since` are not tried again.
    pub(crate) fn finish(&mut self, batch: &Batch, answers: Vec<Answer>, since: Option<Instant>) {
        self.lock_is_tried &= !batch.tries_lock;
        let changes = batch.places.iter().zip(&batch.changes);
        for ((place, change), answer) in changes.zip(answers) {
            let (place, change) = (*place, change.clone());
            match answer {
                Answer::Again(_) if place.sent >= since => {
                    self.locked.push_back(Pending { place, change });
                    continue;
                }
                Answer::Of(now_ms, outcome) => self.settle(place, Ok((now_ms, outcome))),
                Answer::Again(fault) | Answer::Fault(fault) => self.settle(place, Err(fault)),
            }
            let Some(busy) = self.busy.get_mut(&change.key) else {
                continue;
            };
            if let Some(next) = busy.behind.pop_front() {
                busy.number = next.place.number;
                self.ready.push_back(next);
            } else {
                self.busy.remove(&change.key);
            }
        }
    }

    fn settle(&mut self, place: Place, answer: Result<(u64, Outcome), Fault>) {
        self.open.remove(&place.number);
        let Some(call) = self.calls.get_mut(&place.call) else {
            return;
        };
        match answer {
            Ok((now_ms, outcome)) => {
                call.now_ms = call.now_ms.max(now_ms);
                call.done += 1;
                if let Some(slot) = call.outcomes.get_mut(place.at) {
                    *slot = Some(outcome);
                }
            }
            Err(fault) => {
                call.done += usize::from(fault.kind == hapax::ErrorKind::Unknown);
                // Of several faults, the one that leaves most open.
                let worse = call.fault.is_none() || fault.kind == hapax::ErrorKind::Unknown;
                if worse {
                    call.fault = Some(fault);
                }
            }
        }
        call.left -= 1;
        if call.left == 0 {
            if let Some(call) = self.calls.remove(&place.call) {
                call.answer();
            }
        }
    }
}

impl Call {
    fn answer(self) {
        let answer = match self.fault {
            None => Ok(Answered {
                now_ms: self.now_ms,
                found: self.outcomes.into_iter().flatten().collect(),
            }),
            // Some of its changes stand, so the call as a whole is open: its sender sends it again.
            Some(fault) if self.done > 0 => Err(Fault::unknown(fault.text).into()),
            Some(fault) => Err(fault.into()),
        };
        let _caller_is_gone = self.reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hapax::ErrorKind;
    use hapax::backend::{Change, Expect, KeyRef, Next, Outcome};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{BATCH_MAX, Queue};
    use crate::call::submission::Answer;
    use crate::fault::Fault;

    fn change(key: &str, nonce: u128) -> Change {
        Change {
            key: KeyRef {
                namespace: 1,
                key: Arc::from(key.as_bytes()),
            },
            nonce,
            expect: Expect::Absent,
            only_leased: false,
            durable: false,
            next: Next::Absent,
        }
    }

    fn nonces(changes: &[Change]) -> Vec<u128> {
        changes.iter().map(|change| change.nonce).collect()
    }

    #[test]
    fn changes_of_one_key_go_one_after_the_other() {
        let mut queue = Queue::default();
        let (reply, mut answer) = oneshot::channel();
        queue.push(vec![change("b", 1), change("a", 2), change("b", 3)], reply);
        let batch = queue.take(Instant::now()).unwrap();
        assert_eq!(nonces(&batch.changes), [2, 1], "sorted by key");
        assert!(
            queue.take(Instant::now()).is_none(),
            "the second of b waits"
        );
        queue.finish(
            &batch,
            vec![
                Answer::Of(5, Outcome::Done(None)),
                Answer::Of(6, Outcome::Other(None)),
            ],
            None,
        );
        let batch = queue.take(Instant::now()).unwrap();
        assert_eq!(nonces(&batch.changes), [3]);
        assert!(answer.try_recv().is_err());
        queue.finish(&batch, vec![Answer::Of(4, Outcome::Done(None))], None);
        let answered = answer.try_recv().unwrap().unwrap();
        assert_eq!(answered.now_ms, 6);
        let other = Outcome::Other(None);
        let done = Outcome::Done(None);
        assert_eq!(answered.found, [other, done.clone(), done]);
        assert!(queue.is_empty() && queue.busy.is_empty());
    }

    #[test]
    fn a_call_of_which_a_part_stands_is_unknown() {
        let mut queue = Queue::default();
        let (reply, mut answer) = oneshot::channel();
        queue.push(vec![change("a", 1), change("b", 2)], reply);
        let batch = queue.take(Instant::now()).unwrap();
        queue.finish(
            &batch,
            vec![
                Answer::Of(5, Outcome::Done(None)),
                Answer::Fault(Fault::unavailable("later")),
            ],
            None,
        );
        let error = answer.try_recv().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
    }

    #[test]
    fn the_changes_of_a_key_are_known_until_they_are_answered() {
        let mut queue = Queue::default();
        let (reply, _answers) = oneshot::channel();
        queue.push(vec![change("a", 1)], reply);
        let (reply, _answers) = oneshot::channel();
        queue.push(vec![change("a", 2), change("b", 3)], reply);
        let keys = [change("a", 0).key];
        assert_eq!(
            (queue.changes_of(&keys).len(), queue.changes().len()),
            (2, 3)
        );
        assert!(queue.changes_of(&[change("c", 0).key]).is_empty());
        let all = queue.changes();
        for left in [1, 0] {
            let batch = queue.take(Instant::now()).unwrap();
            let answers = vec![Answer::Of(5, Outcome::Done(None)); batch.changes.len()];
            queue.finish(&batch, answers, None);
            assert_eq!(queue.changes_of(&keys).len(), left);
        }
        assert!(!all.into_iter().any(|change| queue.is_open(change)));
    }

    #[test]
    fn a_change_of_a_locked_key_goes_again_alone_until_its_time_is_over() {
        let mut queue = Queue::default();
        let (reply, mut answer) = oneshot::channel();
        queue.push(vec![change("a", 1), change("b", 2)], reply);
        let start = Instant::now();
        let batch = queue.take(start).unwrap();
        let locked = Answer::Again(Fault::unavailable("locked"));
        let answers = vec![locked.clone(), Answer::Of(5, Outcome::Done(None))];
        queue.finish(&batch, answers, Some(start));
        assert_eq!(queue.changes().len(), 1);
        let batch = queue.take(start).unwrap();
        assert_eq!(nonces(&batch.changes), [1]);
        assert!(!queue.may_try_lock());
        let late = start + std::time::Duration::from_secs(1);
        queue.finish(&batch, vec![locked], Some(late));
        let error = answer.try_recv().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "the other one stands");
        assert!(queue.is_empty() && queue.busy.is_empty());
    }

    #[test]
    fn a_batch_has_a_limit() {
        let mut queue = Queue::default();
        let (reply, _answer) = oneshot::channel();
        let many = (0..600).map(|at| change(&at.to_string(), at));
        queue.push(many.collect(), reply);
        assert_eq!(
            queue.take(Instant::now()).map(|batch| batch.changes.len()),
            Some(BATCH_MAX)
        );
        assert_eq!(
            queue.take(Instant::now()).map(|batch| batch.changes.len()),
            Some(600 - BATCH_MAX)
        );
    }
}
