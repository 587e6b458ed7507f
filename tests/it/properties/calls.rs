//! One call each: made on the store and on the model, and the answers compared.

use std::collections::BTreeMap;
use std::time::Duration;

use hapax::scan::KeyFilter;
use hapax::{
    BatchClaim, Claim, ClaimItem, Doubt, ErrorKind, FencingToken, KeyInfo, KeyState, Lease,
    Resolution,
};

use super::checks::id_of;
use super::steps::{Asking, Body, Doing, Held, Settling};
use super::world::{World, bytes, name};
use crate::contract_support::{operator, secs};
use crate::model::{Act, Asked, Expected, Guard, Id, Rec, Settle};

/// A stored response or error, compared in full.
macro_rules! check_settled {
    ($id:expr, $answer:expr, $body:expr, $record:expr, $compared:expr) => {
        let (id, answer, record) = ($id, &$answer, &$record);
        assert_eq!($body, record.body, "{id:?}");
        let seen = (
            answer.attempts(),
            answer.token().as_i64(),
            answer.metadata(),
        );
        assert_eq!(
            seen,
            (record.attempt, record.token, &record.metadata[..]),
            "{id:?}"
        );
        let times = (
            secs(answer.first_claimed_at()),
            secs(answer.settled_at()),
            secs(answer.expires_at()),
        );
        assert_eq!(
            times,
            (record.first, record.at, record.expires.unwrap()),
            "{id:?}"
        );
        assert_eq!(answer.fingerprint_compared(), $compared, "{id:?}");
    };
}

impl World {
    pub(super) fn check_claim(&mut self, id: Id, asked: &Asked, answer: Claim) {
        let expected = self.model.claim(id, asked);
        let held = self.answered(id, expected, answer);
        self.leases.extend(held.map(|lease| (id, lease)));
    }

    pub(super) fn answered(&mut self, id: Id, expected: Expected, answer: Claim) -> Option<Lease> {
        match (answer, expected) {
            (Claim::Granted(lease), expected @ Expected::Granted { .. }) => {
                let seen = Expected::Granted {
                    attempt: lease.attempt(),
                    checkpoint: lease.last_checkpoint().to_vec(),
                    reason: lease.last_reason().to_vec(),
                    first: secs(lease.first_claimed_at()),
                };
                assert_eq!(seen, expected, "the grant of {id:?}");
                let token = self.see(lease.token());
                if self.model.granted(id, token) {
                    self.model.acknowledge();
                }
                // A counted attempt is as durable as any other change.
                let is_counted = self.model.rules[id.0].max_attempts.is_some();
                self.wrote(is_counted);
                return Some(lease);
            }
            (Claim::InProgress(busy), expected @ Expected::InProgress { .. }) => {
                let seen = Expected::InProgress {
                    left_ms: u64::try_from(busy.lease_left().as_millis()).unwrap(),
                    attempt: busy.attempt(),
                    metadata: busy.metadata().to_vec(),
                    compared: busy.fingerprint_compared(),
                };
                assert_eq!(seen, expected, "{id:?}");
            }
            (Claim::Completed(answer), Expected::Completed(record, compared)) => {
                check_settled!(id, answer, answer.response(), record, compared);
                self.told(id);
            }
            (Claim::Failed(answer), Expected::Failed(record, compared)) => {
                check_settled!(id, answer, answer.error(), record, compared);
                self.told(id);
            }
            (
                Claim::InDoubt(doubt),
                Expected::InDoubt {
                    record,
                    holder_alive,
                    compared,
                },
            ) => {
                let seen = (doubt.holder_alive(), doubt.fingerprint_compared());
                assert_eq!(seen, (holder_alive, compared), "{id:?}");
                check_doubt(id, &doubt, &record);
            }
            (Claim::Mismatch(other), Expected::Mismatch(labels, state)) => {
                assert_eq!(other.labels(), labels, "{id:?} mismatch");
                assert_eq!(other.state(), state, "{id:?} mismatch");
            }
            (answer, expected) => panic!("{id:?}: expected {expected:?}, got {answer:?}"),
        }
        None
    }

    pub(super) fn act(&mut self, lease: Held, act: &Doing, lets_go: bool) {
        if let Some((id, lease)) = self.take_lease(lease) {
            self.act_with(id, lease, act, lets_go);
        }
    }

    pub(super) fn act_with(&mut self, id: Id, lease: Lease, act: &Doing, lets_go: bool) {
        let token = lease.token().as_i64();
        let act = act.act();
        let expected = self.model.act(id, token, &act);
        let result: hapax::Result<()> = match &act {
            Act::Complete(said) => lease.complete(said),
            Act::Fail(said) => lease.fail(said),
            Act::Release(said) => lease.release(said),
            Act::Doubt(said) => lease.doubt(said),
            Act::Checkpoint(_) | Act::Renew => {
                let result = match &act {
                    Act::Checkpoint(said) => lease.checkpoint(said),
                    _ => lease.renew(),
                };
                self.leases.push((id, lease));
                let kinds = result.map_err(|error| error.kind());
                assert_eq!(kinds, expected.map(drop), "{id:?} {act:?}");
                self.wrote(expected == Ok(true));
                return;
            }
            Act::Detach => lease.detach().map(|ticket| {
                self.model.disarm(id, token);
                self.tickets.push((id, ticket));
            }),
            Act::Drop => {
                drop(lease);
                return;
            }
        };
        match result {
            Ok(()) => assert!(
                expected.is_ok(),
                "{id:?} {act:?}: accepted, expected {expected:?}"
            ),
            Err(error) => {
                assert_eq!(Err(error.kind()), expected, "{id:?} {act:?}: {error}");
                if lets_go {
                    drop(error);
                    self.model.let_run_out(id, token);
                    self.met.let_go += 1;
                } else {
                    self.leases.push((id, error.into_lease().unwrap()));
                }
            }
        }
        self.wrote(expected == Ok(true));
        if expected.is_ok() && self.is_sync() {
            self.model.told(id);
        }
    }

    pub(super) fn keep_alive(&mut self, lease: Held, ms: u64) {
        let Some((id, lease)) = self.take_lease(lease) else {
            return;
        };
        let expected = self.model.keep_alive(id, lease.token().as_i64(), ms);
        let result = lease.keep_alive(Duration::from_millis(ms));
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} keep_alive"
        );
        self.leases.push((id, lease));
    }

    pub(super) fn attach(&mut self, ticket: usize) {
        if self.tickets.is_empty() {
            return;
        }
        let (id, ticket) = self.tickets[ticket % self.tickets.len()].clone();
        let token = ticket.token().as_i64();
        let answer = self.store.attach(&ticket);
        let kinds = answer.as_ref().map(drop).map_err(hapax::Error::kind);
        self.model.learn(id, token, kinds);
        let expected = self.model.attach(id, token);
        match answer {
            Ok(lease) => {
                let seen = (lease.attempt(), lease.last_checkpoint().to_vec());
                assert_eq!(Ok(seen), expected, "{id:?} attach");
                self.leases.push((id, lease));
                self.met.attached += 1;
                let rules = &self.model.rules[id.0];
                if rules.at_most_once || (rules.attach_once() && self.is_sync()) {
                    self.model.acknowledge();
                }
            }
            Err(error) => {
                assert_eq!(Err(error.kind()), expected, "{id:?} attach: {error}");
                self.met.refused_tickets += 1;
                let there = error.current().is_some();
                assert_eq!(there, error.kind() != ErrorKind::NotHeld, "{id:?} {error}");
                self.check_info(id, error.current());
            }
        }
    }

    pub(super) fn in_doubt(&mut self) {
        let doubts = self.doubts();
        for id in self.ids() {
            let expected = self
                .model
                .get(id)
                .filter(|(state, _)| *state == KeyState::InDoubt);
            match (doubts.get(&id), expected) {
                (None, None) => {}
                (Some(doubt), Some((_, record))) => {
                    let run = self.model.run(id);
                    assert_eq!(
                        doubt.holder_alive(),
                        run.is_some_and(|run| run.guard == Guard::Lease),
                        "{id:?}"
                    );
                    check_doubt(id, doubt, &record);
                }
                (found, expected) => panic!("{id:?}: expected {expected:?}, found {found:?}"),
            }
        }
    }

    pub(super) fn resolve(&mut self, id: Id, settle: &Settling, stale: bool, force: bool) {
        let Some(doubt) = self.doubts().remove(&id) else {
            return;
        };
        let settle = settle.settle();
        if stale {
            // Another caller settles the key first, so this doubt is stale.
            let first = self
                .model
                .resolve(id, doubt.token().as_i64(), &Settle::Never, true);
            first.expect("a forced resolution");
            let forced = operator(&self.store).resolve_forced(&doubt, Resolution::NeverHappened);
            forced.unwrap();
            self.wrote(true);
            self.adopt(id);
        }
        let expected = self
            .model
            .resolve(id, doubt.token().as_i64(), &settle, force);
        let resolution = match settle {
            Settle::Happened(said) => Resolution::Happened(said),
            Settle::Failed(said) => Resolution::Failed(said),
            Settle::Never => Resolution::NeverHappened,
        };
        let result = if force {
            operator(&self.store).resolve_forced(&doubt, resolution)
        } else {
            doubt.resolve(resolution)
        };
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} resolve"
        );
        self.wrote(expected.is_ok());
    }

    pub(super) fn forget(&mut self, id: Id, force: Option<bool>) {
        let current = self.model.get(id).map_or(1, |(_, record)| record.token);
        let token = force.map(|right| if right { current } else { current - 1 });
        let result = match token.map(|token| FencingToken::from_i64(token).unwrap()) {
            None => self.spaces[id.0].forget(name(id.1)),
            Some(token) => {
                let space = self.spaces[id.0].name();
                operator(&self.store).forget_forced(space, name(id.1), token)
            }
        };
        let expected = self.model.forget(id, token);
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} forget {force:?}"
        );
        self.wrote(expected == Ok(true));
    }

    pub(super) fn claim_many(&mut self, space: usize, keys: &[usize], asked: &Asking) {
        let asked = asked.under(&self.model.rules[space]);
        let items = keys
            .iter()
            .map(|key| ClaimItem::new(name(*key)).options(self.options((space, *key), &asked)));
        let answers = self.spaces[space]
            .claim_many(items.collect::<Vec<_>>())
            .unwrap();
        assert_eq!(answers.len(), keys.len());
        let mut answers: Vec<_> = keys.iter().zip(answers).enumerate().collect();
        // The store handles the items shard by shard: the tokens show the order.
        answers.sort_by_key(|(_, (_, answer))| match answer {
            BatchClaim::Claim(Claim::Granted(lease)) => lease.token().as_i64(),
            _ => 0,
        });
        for (at, (key, answer)) in answers {
            let first = keys
                .iter()
                .position(|other| other == key)
                .expect("it is there");
            match answer {
                BatchClaim::Claim(answer) if first == at => {
                    self.check_claim((space, *key), &asked, answer);
                }
                BatchClaim::RepeatOf { index, mismatch } => {
                    assert_eq!((index, mismatch), (first, false));
                    assert_ne!(first, at);
                }
                other => panic!("item {at}: {other:?}"),
            }
        }
    }

    pub(super) fn complete_many(&mut self, space: usize, body: Body) {
        let leases = std::mem::take(&mut self.leases);
        let (ours, others): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|(id, _)| id.0 == space);
        self.leases = others;
        let act = Act::Complete(bytes(body));
        let mut expected = Vec::new();
        for (id, lease) in &ours {
            expected.push((*id, self.model.act(*id, lease.token().as_i64(), &act)));
        }
        let wrote = expected.iter().any(|(_, expected)| *expected == Ok(true));
        let items = ours.into_iter().map(|(_, lease)| (lease, bytes(body)));
        let results = self.spaces[space].complete_many(items.collect::<Vec<_>>());
        for ((id, expected), result) in expected.into_iter().zip(results) {
            let kinds = result.as_ref().map(drop).map_err(hapax::Error::kind);
            assert_eq!(kinds, expected.map(drop), "{id:?} complete_many");
            if let Err(error) = result {
                self.leases.push((id, error.into_lease().unwrap()));
            }
        }
        self.wrote(wrote);
    }

    pub(super) fn scan(&mut self, space: usize, state: Option<KeyState>) {
        let filter = state.map_or(KeyFilter::new(), |state| KeyFilter::new().state(state));
        let found: Vec<KeyInfo> = self.spaces[space]
            .scan(filter)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut ids: Vec<Id> = found
            .iter()
            .map(|info| id_of(info.namespace(), info.key()))
            .collect();
        for info in &found {
            self.check_info(id_of(info.namespace(), info.key()), Some(info));
        }
        ids.sort_unstable();
        let wanted = |id: &Id| {
            let there = self.model.get(*id);
            id.0 == space && there.is_some_and(|(is, _)| state.is_none_or(|state| state == is))
        };
        let expected: Vec<Id> = self.ids().into_iter().filter(wanted).collect();
        assert_eq!(ids, expected, "scan for {state:?}");
    }

    pub(super) fn take_lease(&mut self, lease: Held) -> Option<(Id, Lease)> {
        if self.leases.is_empty() {
            return None;
        }
        let at = lease.0 % self.leases.len();
        Some(self.leases.swap_remove(at))
    }

    pub(super) fn doubts(&self) -> BTreeMap<Id, Doubt> {
        let doubts = self.store.doubts().unwrap().map(Result::unwrap);
        let found: Vec<_> = doubts
            .map(|doubt| (id_of(doubt.namespace(), doubt.key()), doubt))
            .collect();
        let (count, map) = (found.len(), found.into_iter().collect::<BTreeMap<_, _>>());
        assert_eq!(count, map.len(), "each doubt is listed once");
        map
    }
}

fn check_doubt(id: Id, doubt: &Doubt, record: &Rec) {
    assert_eq!(
        (doubt.token().as_i64(), doubt.attempt()),
        (record.token, record.attempt),
        "{id:?} in doubt"
    );
    let seen = (
        doubt.reason(),
        doubt.checkpoint(),
        doubt.metadata(),
        secs(doubt.since()),
    );
    let wanted = (
        &record.reason[..],
        &record.body[..],
        &record.metadata[..],
        record.at,
    );
    assert_eq!(seen, wanted, "{id:?} in doubt");
}
