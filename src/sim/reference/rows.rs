//! [`Rows`]: what a server keeps, and how it compares and sets.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::backend::{
    Change, Expect, Filter, KeyRef, ManifestEdit, Next, Outcome, PageQuery, Row, RowState, Stamps,
    Stored, StoredManifest,
};
use crate::value::error::{Error, Result};
use crate::value::fencing_token::{COUNTER_END, FencingToken};

/// What a server keeps. Time is a parameter.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) by_key: BTreeMap<KeyRef, Row>,
    pub(super) manifest: Option<StoredManifest>,
    pub(super) names: Vec<(u32, String)>,
    pub(super) processes: BTreeMap<u128, Life>,
    /// The next token: its epoch, and its counter.
    epoch: u32,
    counter: u64,
    /// What was there before each change that may go with the memory of the server, the oldest first.
    undo: Vec<(KeyRef, Option<Row>)>,
}

/// What a server knows of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    AliveUntil(u64),
    /// For good: a sign of life that arrives late does not bring it back.
    Left,
}

/// A moment of a [`Server`](crate::sim::Server), with all that it kept then.
#[derive(Clone, Debug)]
#[must_use]
pub struct Mark(pub(super) Rows);

/// What became of changes, and of which keys the row is another one now.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) changed: Vec<KeyRef>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            manifest: None,
            names: Vec::new(),
            processes: BTreeMap::new(),
            epoch: 1,
            counter: 0,
            undo: Vec::new(),
        }
    }

    /// Carries out each change by itself, or not.
    pub(super) fn submit(&mut self, changes: &[Change], now_ms: u64) -> Result<Submitted> {
        check(changes)?;
        let mut changed = Vec::new();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let (outcome, is_changed) = self.apply(change, now_ms);
            changed.extend(is_changed.then(|| change.key.clone()));
            outcomes.push(outcome);
        }
        // What a durable change is written with is everything before it too.
        if changes.iter().any(|change| change.durable) && !changed.is_empty() {
            self.undo.clear();
        }
        Ok(Submitted { outcomes, changed })
    }

    /// The outcome, and whether the row is another one now.
    fn apply(&mut self, change: &Change, now_ms: u64) -> (Outcome, bool) {
        let before = self.by_key.get(&change.key);
        if let Some(row) = before.filter(|row| row.nonce == change.nonce) {
            return (Outcome::Done(Some(self.shown(row))), false);
        }
        let alive = before.filter(|row| row.is_alive(now_ms));
        let alive = alive.map(|row| self.shown(row));
        let is_expected = match change.expect {
            Expect::Absent => alive.is_none(),
            Expect::Row(nonce) => alive.as_ref().is_some_and(|row| row.nonce == nonce),
        };
        let run = alive.as_ref().and_then(|row| row.run.as_ref());
        let is_leased = run.is_some_and(|run| run.ends_ms() > now_ms);
        if !is_expected || (change.only_leased && !is_leased) {
            return (Outcome::Other(alive), false);
        }
        let next = match &change.next {
            Next::Absent => None,
            Next::Row(draft) => {
                let process = draft.run.as_ref().map_or(0, |run| run.process);
                let stamps = Stamps {
                    now_ms,
                    token: draft.token.unwrap_or_else(|| self.draw()),
                    alive_until_ms: self.alive_until_ms(process),
                };
                Some(draft.stamped(change.nonce, stamps))
            }
        };
        let is_changed = next.is_some() || self.by_key.contains_key(&change.key);
        let before = self.set(&change.key, next.clone());
        self.undo.push((change.key.clone(), before));
        (Outcome::Done(next), is_changed)
    }

    /// The row that was there before.
    fn set(&mut self, key: &KeyRef, row: Option<Row>) -> Option<Row> {
        match row {
            Some(row) => self.by_key.insert(key.clone(), row),
            None => self.by_key.remove(key),
        }
    }

    /// The next token, which was never drawn before.
    fn draw(&mut self) -> FencingToken {
        let token = self.next_token();
        self.counter += 1;
        if self.counter == COUNTER_END {
            self.raise_epoch(self.epoch);
        }
        token
    }

    /// Higher than every token that was drawn.
    pub(super) fn next_token(&self) -> FencingToken {
        FencingToken::new(self.epoch, self.counter)
    }

    /// Goes on with the tokens of the epoch after this one.
    fn raise_epoch(&mut self, epoch: u32) {
        self.epoch = epoch + 1;
        self.counter = 0;
    }

    /// The row as it stands now: a process may have given a sign of life since it was written, or have left.
    fn shown(&self, row: &Row) -> Row {
        let mut row = row.clone();
        if let Some(run) = &mut row.run {
            run.alive_until_ms = self.alive_until_ms(run.process);
        }
        row
    }

    fn alive_until_ms(&self, process: u128) -> u64 {
        match self.processes.get(&process) {
            _ if process == 0 => u64::MAX,
            Some(Life::AliveUntil(moment_ms)) => *moment_ms,
            Some(Life::Left) | None => 0,
        }
    }

    /// The unexpired row of a key.
    pub(super) fn read(&self, key: &KeyRef, now_ms: u64) -> Option<Row> {
        let row = self.by_key.get(key).filter(|row| row.is_alive(now_ms));
        row.map(|row| self.shown(row))
    }

    pub(super) fn page(&self, query: &PageQuery, now_ms: u64) -> Vec<Stored> {
        let first = query.namespace.map(|namespace| KeyRef {
            namespace,
            key: Arc::from([]),
        });
        let from = match (&query.after, &first) {
            (Some(after), Some(first)) if after < first => Bound::Included(first),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        let is_meant = |key: &KeyRef| query.namespace.is_none_or(|meant| meant == key.namespace);
        let is_filtered = |row: &Row| match query.filter {
            Filter::All => true,
            Filter::Unsettled => matches!(row.state, RowState::InProgress | RowState::InDoubt),
        };
        let range = self.by_key.range::<KeyRef, _>((from, Bound::Unbounded));
        let rows = range
            .take_while(|(key, _)| is_meant(key))
            .filter(|(_, row)| row.is_alive(now_ms) && is_filtered(row));
        let shown = rows.map(|(key, row)| (key.clone(), self.shown(row)));
        shown.take(query.limit).collect()
    }

    /// The newest manifest, after an edit that came in time.
    pub(super) fn manifest(&mut self, edit: Option<&ManifestEdit>) -> Option<StoredManifest> {
        let newest = self.manifest.as_ref().map_or(0, |newest| newest.revision);
        if let Some(edit) = edit.filter(|edit| edit.expect == newest) {
            self.names.clone_from(&edit.names);
            self.manifest = Some(StoredManifest {
                revision: newest + 1,
                bytes: Arc::clone(&edit.bytes),
            });
        }
        self.manifest.clone()
    }

    /// A sign of life. The last one counts, even if it gives a shorter span than the one before.
    pub(super) fn beat(&mut self, process: u128, for_ms: u64, now_ms: u64) {
        let until_ms = now_ms.saturating_add(for_ms);
        let life = self.processes.entry(process);
        let life = life.or_insert(Life::AliveUntil(until_ms));
        if *life != Life::Left {
            *life = Life::AliveUntil(until_ms);
        }
    }

    /// Ends the leases of a process; gives the keys that it ran.
    pub(super) fn leave(&mut self, process: u128) -> Vec<KeyRef> {
        self.processes.insert(process, Life::Left);
        let is_its = |row: &Row| row.run.as_ref().is_some_and(|run| run.process == process);
        let its = self.by_key.iter().filter(|(_, row)| is_its(row));
        its.map(|(key, _)| key.clone()).collect()
    }

    /// Becomes what it was then, but for the tokens: those of the next epoch were never drawn.
    pub(super) fn return_to(&mut self, mark: &Mark) {
        let epoch = self.epoch;
        *self = mark.0.clone();
        self.raise_epoch(epoch);
    }

    /// Takes back the changes behind the last durable one.
    pub(super) fn lose_memory(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            self.set(&key, before);
        }
        self.raise_epoch(self.epoch);
    }

    /// Removes expired rows; gives how many.
    pub(super) fn sweep(&mut self, now_ms: u64) -> usize {
        let before = self.by_key.len();
        self.by_key.retain(|_, row| row.is_alive(now_ms));
        before - self.by_key.len()
    }
}

/// Refuses what no sender may send.
fn check(changes: &[Change]) -> Result<()> {
    if changes.iter().any(|change| change.nonce == 0) {
        return Err(Error::invalid("a change has the nonce zero"));
    }
    let keys: BTreeSet<_> = changes.iter().map(|change| &change.key).collect();
    if keys.len() < changes.len() {
        return Err(Error::invalid("two changes of one call name one key"));
    }
    Ok(())
}
