//! The checks after every step.

use std::iter;
use std::time::Duration;

use hapax::{Claim, FencingToken, KeyInfo, KeyState};

use super::world::{WATCH_KEPT, World, name};
use crate::contract_support::secs;
use crate::model::{Id, Survivor};

impl World {
    pub(super) fn told(&mut self, id: Id) {
        if self.is_sync() && self.model.run(id).is_none() {
            self.model.told(id);
        }
    }

    /// Takes the token of a record that the model has written but does not know.
    pub(super) fn adopt(&mut self, id: Id) {
        if self.model.keys[&id]
            .last
            .as_ref()
            .is_some_and(|last| last.token == 0)
        {
            if let Some(info) = self.look(id) {
                assert!(
                    info.token().as_i64() > self.highest,
                    "a new transition has a higher token"
                );
                self.model.adopt(id, info.token().as_i64());
            }
        }
    }

    pub(super) fn check_all(&mut self) {
        self.store.validate();
        let fresh: Vec<Id> = self.ids();
        for id in &fresh {
            self.adopt(*id);
        }
        for id in fresh {
            let info = self.look(id);
            self.highest = self
                .highest
                .max(info.as_ref().map_or(0, |info| info.token().as_i64()));
            self.check_info(id, info.as_ref());
            self.told(id);
            let completed = self.spaces[id.0].contains(name(id.1)).unwrap();
            assert_eq!(
                completed,
                info.is_some_and(|info| info.state() == KeyState::Completed),
                "{id:?}"
            );
        }
        for (id, lease) in &self.leases {
            let run = self
                .model
                .run(*id)
                .filter(|run| run.token == lease.token().as_i64());
            let left = run.map_or(0, |run| run.end_ms().saturating_sub(self.model.now_ms));
            assert_eq!(
                (lease.is_lost(), lease.lease_left()),
                (left == 0, Duration::from_millis(left)),
                "{id:?}"
            );
        }
    }

    pub(super) fn check_info(&self, id: Id, info: Option<&KeyInfo>) {
        if let Err(text) = self.fits(id, info) {
            panic!("{text}");
        }
    }

    pub(super) fn fits(&self, id: Id, info: Option<&KeyInfo>) -> Result<(), String> {
        let expected = self.model.get(id);
        let print = |bits: u8| self.fingerprint(id, bits);
        let (Some(info), Some((state, record))) = (info, &expected) else {
            return if info.is_none() && expected.is_none() {
                Ok(())
            } else {
                Err(format!("{id:?}: expected {expected:?}, got {info:?}"))
            };
        };
        let same = info.state() == *state
            && (info.token().as_i64(), info.attempt()) == (record.token, record.attempt)
            && (secs(info.first_claimed_at()), secs(info.recorded_at()))
                == (record.first, record.at)
            && info.expires_at().map(secs) == record.expires
            && (info.metadata(), info.reason()) == (&record.metadata[..], &record.reason[..])
            && info.body() == record.body
            && info.fingerprint().cloned() == record.print.map(print);
        if same {
            Ok(())
        } else {
            Err(format!(
                "{id:?}: expected {state:?} {record:?}, got {info:?}"
            ))
        }
    }

    pub(super) fn look(&self, id: Id) -> Option<KeyInfo> {
        self.spaces[id.0].get(name(id.1)).unwrap()
    }

    pub(super) fn ids(&self) -> Vec<Id> {
        self.model.keys.keys().copied().collect()
    }

    /// Finds which of the possible states the crash has left.
    pub(super) fn survive(&mut self) {
        let ids = self.ids();
        let seen: Vec<_> = ids.iter().map(|id| self.look(*id)).collect();
        let survivors = self.model.survivors();
        let mut fitting: Option<(usize, Survivor)> = None;
        for (lost, survivor) in survivors.into_iter().enumerate() {
            self.model.keys.values_mut().for_each(|entry| {
                (entry.run, entry.last) = (None, None);
            });
            for (id, record) in &survivor {
                self.model.keys.get_mut(id).unwrap().last.clone_from(record);
            }
            let fits = ids
                .iter()
                .zip(&seen)
                .all(|(id, info)| self.fits(*id, info.as_ref()).is_ok());
            match &mut fitting {
                Some((_, first)) if fits => put_in_question(first, &survivor),
                None if fits => fitting = Some((lost, survivor)),
                _ => {}
            }
        }
        let Some((lost, survivor)) = fitting else {
            panic!("what was acknowledged is missing: {seen:#?}")
        };
        self.met.lost += u64::from(lost > 0);
        self.model.reopen(survivor);
    }

    /// A change was acknowledged.
    pub(super) fn wrote(&mut self, wrote: bool) {
        if wrote && self.is_sync() {
            self.model.acknowledge();
        }
    }

    /// A token that was drawn just now.
    pub(super) fn see(&mut self, token: FencingToken) -> i64 {
        let token = token.as_i64();
        assert!(
            token > self.highest,
            "tokens rise: {token} after {}",
            self.highest
        );
        self.highest = token;
        token
    }

    pub(super) fn look_at_time(&mut self) -> u64 {
        match self.watch.claim("watch").unwrap() {
            Claim::Granted(lease) => {
                self.see(lease.token());
                self.forgotten.push(lease);
            }
            Claim::InProgress(_) => {}
            other => panic!("the watch runs: {other:?}"),
        }
        let info = self.watch.get("watch").unwrap().expect("the watch runs");
        // What would be kept if the watch lapsed now ends a second after its retention: from now.
        secs(info.expires_at().expect("the watch would expire")) - WATCH_KEPT.as_secs() - 1
    }
}

/// Notes what each key may be instead, which looks the same to all but a ticket.
fn put_in_question(one: &mut Survivor, other: &Survivor) {
    for (id, record) in one {
        let other = other.get(id).and_then(Option::as_ref);
        let (Some(record), Some(other)) = (record, other) else {
            continue;
        };
        for alike in iter::once(&(other.kind, other.attached)).chain(&other.or_else) {
            if *alike != (record.kind, record.attached) && !record.or_else.contains(alike) {
                record.or_else.push(*alike);
            }
        }
    }
}

pub(super) fn id_of(namespace: &str, key: &[u8]) -> Id {
    let number = |text: &str| text.rsplit('-').next().unwrap().parse().unwrap();
    (number(namespace), number(std::str::from_utf8(key).unwrap()))
}
