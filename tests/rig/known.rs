//! The oracle: what the children have acknowledged, and what a store must therefore hold.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hapax::audit::{AuditFilter, Transition};
use hapax::{Claim, KeyState, Namespace, Resolution, Store, Ticket};

use super::child::{SPACES, body, spaces};

type Key = (usize, String);

/// What was last heard of a key that has no outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Open {
    Granted,
    /// About to be released: the release may have happened or not.
    Releasing,
    Released,
}

/// What the children have acknowledged.
#[derive(Clone, Default, Debug)]
pub(crate) struct Known {
    pub(crate) completed: HashMap<Key, i64>,
    /// The token of the newest checkpoint.
    checkpoints: HashMap<Key, i64>,
    open: HashMap<Key, Open>,
    /// Forgotten, and that was acknowledged.
    absent: HashSet<Key>,
    /// About to be forgotten: there or not.
    either: HashSet<Key>,
    tickets: Vec<Ticket>,
    /// The highest token before this round, and in it.
    before: i64,
    highest: i64,
    pub(crate) acknowledged: u64,
    checks: u64,
}

impl Known {
    pub(crate) fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (verb, first) = (words.next().unwrap(), words.next());
        let Some(first) = first else { return };
        if ["error", "dropped", "moved"].contains(&verb) {
            return;
        }
        self.acknowledged += 1;
        if verb == "ticket" {
            let ticket: Ticket = serde_json::from_str(first).unwrap();
            self.rise(ticket.token().as_i64());
            self.tickets.push(ticket);
            return;
        }
        let key: Key = (first.parse().unwrap(), words.next().unwrap().to_owned());
        let token: i64 = words.next().unwrap().parse().unwrap();
        match verb {
            "granted" => self.granted(key, token, words.next().unwrap_or("")),
            "completed" => {
                assert_eq!(
                    self.completed.insert(key.clone(), token),
                    None,
                    "{key:?} twice"
                );
                self.open.remove(&key);
            }
            "releasing" => {
                self.open.insert(key, Open::Releasing);
            }
            "released" => {
                self.open.insert(key, Open::Released);
            }
            "checkpoint" => {
                self.checkpoints.insert(key, token);
            }
            "answered" => {
                let known = self.completed.get(&key);
                assert!(
                    known.is_none_or(|known| *known == token),
                    "{key:?} has another answer"
                );
            }
            "forgetting" => {
                self.completed.remove(&key);
                self.either.insert(key);
            }
            "forgotten" => {
                self.either.remove(&key);
                self.absent.insert(key);
            }
            other => panic!("{other}"),
        }
    }

    fn granted(&mut self, key: Key, token: i64, checkpoint: &str) {
        assert!(
            !self.completed.contains_key(&key),
            "{key:?} was completed, and is granted again"
        );
        assert!(
            key.0 == 0 || self.open.get(&key) != Some(&Open::Granted),
            "the effect of {key:?} may have happened, and it is granted again"
        );
        self.rise(token);
        if let Some(known) = self.checkpoints.get(&key) {
            let got = checkpoint.parse().unwrap_or(0);
            assert!(
                *known <= got,
                "{key:?} lost the checkpoint of {known}: {checkpoint:?}"
            );
        }
        self.absent.remove(&key);
        self.either.remove(&key);
        self.open.insert(key, Open::Granted);
    }

    fn rise(&mut self, token: i64) {
        assert!(token > self.before, "token {token} after {}", self.before);
        self.highest = self.highest.max(token);
    }

    /// The child is gone: everything after this has higher tokens.
    pub(crate) fn next_round(&mut self) {
        self.before = self.highest;
    }

    /// Opens the store, looks for everything that was acknowledged, works a little, and closes it.
    pub(crate) fn check(&mut self, directory: &Path) {
        let store = Store::open(directory).unwrap_or_else(|error| panic!("it opens: {error}"));
        let spaces = spaces(&store).unwrap();
        store.validate();
        store.verify().unwrap();
        self.look(&spaces);
        self.look_at_audit(&store);
        self.settle_open(&store, &spaces);
        self.take_up(&store);
        self.work(&spaces);
        store.validate();
        store.close().unwrap();
    }

    /// Everything acknowledged is there, and nothing that was forgotten.
    fn look(&self, spaces: &[Namespace; 2]) {
        for ((which, key), token) in &self.completed {
            let info = spaces[*which].get(key).unwrap();
            let info = info.unwrap_or_else(|| panic!("{key} was acknowledged, and is missing"));
            assert_eq!(
                (info.state(), info.token().as_i64()),
                (KeyState::Completed, *token),
                "{key}"
            );
            assert!(
                info.body() == body(key, *token) || info.body() == b"resolved",
                "{key}"
            );
        }
        for (which, key) in &self.absent {
            let info = spaces[*which].get(key).unwrap();
            assert!(info.is_none(), "{key} was forgotten: {info:?}");
        }
    }

    /// With an audit log, every acknowledged change stands in it, even when its segment is gone.
    fn look_at_audit(&self, store: &Store) {
        store.verify_audit().unwrap();
        let entries = store.audit(AuditFilter::new()).unwrap();
        let told: HashSet<(Vec<u8>, i64)> = entries
            .map(Result::unwrap)
            .filter(|entry| {
                let outcomes = [Transition::Completed, Transition::ResolvedHappened];
                outcomes.contains(&entry.transition())
            })
            .map(|entry| {
                let token = entry.token().unwrap().as_i64();
                (entry.key().unwrap().to_vec(), token)
            })
            .collect();
        let audited = self.completed.iter().filter(|((which, _), _)| *which == 1);
        for ((_, key), token) in audited {
            assert!(
                told.contains(&(key.as_bytes().to_vec(), *token)),
                "{key} was acknowledged under {token}, and nothing tells of it"
            );
        }
    }

    /// A key that was granted and not heard of again is in doubt where an effect must not run
    /// twice, unless its outcome became durable without being acknowledged.
    fn settle_open(&mut self, store: &Store, spaces: &[Namespace; 2]) {
        for ((which, key), open) in std::mem::take(&mut self.open) {
            let info = spaces[which].get(&key).unwrap();
            let state = info.as_ref().map(hapax::KeyInfo::state);
            let is_fine = match (which, open) {
                (1, _) => state.is_some() && state != Some(KeyState::InProgress),
                (_, Open::Granted | Open::Releasing) => {
                    matches!(state, None | Some(KeyState::Released | KeyState::Completed))
                }
                (_, Open::Released) => {
                    matches!(state, Some(KeyState::Released | KeyState::Completed))
                }
            };
            assert!(is_fine, "{key}, last heard of as {open:?}: {state:?}");
        }
        for doubt in store.doubts().unwrap().map(Result::unwrap) {
            let key = String::from_utf8(doubt.key().to_vec()).unwrap();
            assert_eq!(doubt.namespace(), SPACES[1], "{key}");
            assert!(
                !self.completed.contains_key(&(1, key.clone())),
                "{key} was completed"
            );
            if self
                .tickets
                .iter()
                .any(|ticket| ticket.key() == key.as_bytes())
            {
                continue;
            }
            if doubt.token().as_i64() % 2 == 0 {
                doubt
                    .resolve(Resolution::Happened(b"resolved".to_vec()))
                    .unwrap();
                let token = spaces[1].get(&key).unwrap().unwrap().token().as_i64();
                self.highest = self.highest.max(token);
                self.completed.insert((1, key), token);
            } else {
                doubt.resolve(Resolution::NeverHappened).unwrap();
            }
        }
    }

    /// A ticket that was acknowledged is a lease again.
    fn take_up(&mut self, store: &Store) {
        for ticket in std::mem::take(&mut self.tickets) {
            let lease = store.attach(&ticket).unwrap();
            let key = String::from_utf8(ticket.key().to_vec()).unwrap();
            let token = lease.token().as_i64();
            lease.complete(body(&key, token)).unwrap();
            let which = SPACES
                .iter()
                .position(|space| *space == ticket.namespace())
                .unwrap();
            self.completed.insert((which, key), token);
        }
    }

    /// The store is as good as new: a key of each namespace runs, under tokens that rise.
    fn work(&mut self, spaces: &[Namespace; 2]) {
        self.checks += 1;
        for (which, space) in spaces.iter().enumerate() {
            let key = format!("check-{}", self.checks);
            let Claim::Granted(lease) = space.claim(&key).unwrap() else {
                panic!("{key} is new")
            };
            let token = lease.token().as_i64();
            assert!(
                token > self.highest,
                "token {token} of {key} after {}",
                self.highest
            );
            self.rise(token);
            lease.complete(body(&key, token)).unwrap();
            self.completed.insert((which, key), token);
        }
        self.next_round();
    }
}
