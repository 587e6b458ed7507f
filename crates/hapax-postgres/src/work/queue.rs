//! [`Queue`]: changes that wait, and the calls that they belong to.

use std::collections::{HashMap, VecDeque};

use hapax::backend::{Answered, Change, KeyRef, Next, Outcome};

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
}

/// Changes that wait, and the calls that they belong to. Of each key at most one change is ready or under way; the
/// others wait behind it, in the order in which they came.
#[derive(Default)]
pub(crate) struct Queue {
    ready: VecDeque<Pending>,
    /// Every key with a change that is ready or under way, and what waits behind that.
    behind: HashMap<KeyRef, VecDeque<Pending>>,
    calls: HashMap<u64, Call>,
    last_call: u64,
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
            let place = Place { call, at };
            let pending = Pending { place, change };
            if let Some(behind) = self.behind.get_mut(&pending.change.key) {
                behind.push_back(pending);
            } else {
                let key = pending.change.key.clone();
                self.behind.insert(key, VecDeque::new());
                self.ready.push_back(pending);
            }
        }
    }

    /// What goes out next, sorted by key: all who write rows meet their locks in one order.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let (mut taken, mut bytes) = (Vec::new(), 0_usize);
        while let Some(next) = self.ready.front() {
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
        let (places, changes) = taken
            .into_iter()
            .map(|pending| (pending.place, pending.change))
            .unzip();
        Some(Batch { changes, places })
    }

    /// Takes the answers of a batch in; what waited behind its keys becomes ready.
    pub(crate) fn finish(&mut self, batch: &Batch, answers: Vec<Answer>) {
        for (place, answer) in batch.places.iter().zip(answers) {
            self.settle(*place, answer);
        }
        for change in &batch.changes {
            let waits = self.behind.get_mut(&change.key);
            match waits.and_then(VecDeque::pop_front) {
                Some(next) => self.ready.push_back(next),
                None => drop(self.behind.remove(&change.key)),
            }
        }
    }

    fn settle(&mut self, place: Place, answer: Answer) {
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

    use super::{BATCH_MAX, Queue};
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
        let batch = queue.take().unwrap();
        assert_eq!(nonces(&batch.changes), [2, 1], "sorted by key");
        assert!(queue.take().is_none(), "the second of b waits");
        queue.finish(
            &batch,
            vec![Ok((5, Outcome::Done(None))), Ok((6, Outcome::Other(None)))],
        );
        let batch = queue.take().unwrap();
        assert_eq!(nonces(&batch.changes), [3]);
        assert!(answer.try_recv().is_err());
        queue.finish(&batch, vec![Ok((4, Outcome::Done(None)))]);
        let answered = answer.try_recv().unwrap().unwrap();
        assert_eq!(answered.now_ms, 6);
        let other = Outcome::Other(None);
        let done = Outcome::Done(None);
        assert_eq!(answered.found, [other, done.clone(), done]);
        assert!(queue.is_empty() && queue.behind.is_empty());
    }

    #[test]
    fn a_call_of_which_a_part_stands_is_unknown() {
        let mut queue = Queue::default();
        let (reply, mut answer) = oneshot::channel();
        queue.push(vec![change("a", 1), change("b", 2)], reply);
        let batch = queue.take().unwrap();
        queue.finish(
            &batch,
            vec![
                Ok((5, Outcome::Done(None))),
                Err(Fault::unavailable("later")),
            ],
        );
        let error = answer.try_recv().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
    }

    #[test]
    fn a_batch_has_a_limit() {
        let mut queue = Queue::default();
        let (reply, _answer) = oneshot::channel();
        let many = (0..600).map(|at| change(&at.to_string(), at));
        queue.push(many.collect(), reply);
        assert_eq!(
            queue.take().map(|batch| batch.changes.len()),
            Some(BATCH_MAX)
        );
        assert_eq!(
            queue.take().map(|batch| batch.changes.len()),
            Some(600 - BATCH_MAX)
        );
    }
}
