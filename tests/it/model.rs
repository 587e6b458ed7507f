//! The store as a single map: plain state, no slots, no wheel, no journal, no threads.
//!
//! It is written from the contract and kept as naive as possible: a key has the newest record that
//! was written for it and, while it runs, a holder. A crash leaves a prefix of the list of records.

mod holder;

use std::collections::BTreeMap;

/// What the tests know of a namespace's policy.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) at_most_once: bool,
    pub(crate) lease_ms: u64,
    pub(crate) retention_secs: u64,
    pub(crate) failed_secs: u64,
    pub(crate) attempt_secs: u64,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) rerun: bool,
    /// Most bytes of an outcome; more is refused.
    pub(crate) max_response: usize,
}

impl Rules {
    /// A ticket becomes a lease once.
    pub(crate) fn attach_once(&self) -> bool {
        self.at_most_once || self.max_attempts.is_some()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

/// A key's whole state after one transition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rec {
    pub(crate) kind: Kind,
    /// Zero until the token has been seen.
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) first: u64,
    pub(crate) at: u64,
    pub(crate) expires: Option<u64>,
    /// Two bits, one for each part of the fingerprint.
    pub(crate) print: Option<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) reason: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// What the claim asked for.
    pub(crate) retention_secs: Option<u64>,
    /// Its ticket has become a lease, and the lease has not become a ticket again.
    pub(crate) attached: bool,
    /// What else a crash may have left, that only a ticket tells from this: kind and `attached`.
    pub(crate) or_else: Vec<(Kind, bool)>,
}

/// What a claim asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) print: Option<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) lease_ms: u64,
    pub(crate) retention_secs: Option<u64>,
}

/// What will give a key its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    Lease,
    Ticket,
    Nobody,
}

/// The run of a key, which may have lapsed.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) first: u64,
    pub(crate) claimed: u64,
    pub(crate) asked: Asked,
    /// The metadata of the first claim of this request: what is written and answered.
    pub(crate) first_metadata: Vec<u8>,
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) reason: Vec<u8>,
    pub(crate) deadline_ms: u64,
    pub(crate) keep_until_ms: u64,
    pub(crate) guard: Guard,
    pub(crate) lapse_seen: bool,
    /// The newest record was written under this token.
    pub(crate) journaled: bool,
    /// The lease was made from a ticket.
    pub(crate) attached: bool,
}

impl Run {
    pub(crate) fn end_ms(&self) -> u64 {
        self.deadline_ms.max(self.keep_until_ms)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) last: Option<Rec>,
    pub(crate) run: Option<Run>,
    /// How many records had been written when `last` was.
    pub(crate) written: usize,
}

/// The expected answer to a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    Granted {
        attempt: u32,
        checkpoint: Vec<u8>,
        reason: Vec<u8>,
        first: u64,
    },
    InProgress {
        left_ms: u64,
        attempt: u32,
        metadata: Vec<u8>,
        compared: bool,
    },
    Completed(Rec, bool),
    Failed(Rec, bool),
    InDoubt {
        record: Rec,
        holder_alive: bool,
        compared: bool,
    },
    Mismatch(Vec<&'static str>, hapax::KeyState),
}

/// What a holder does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Complete(Vec<u8>),
    Fail(Vec<u8>),
    Release(Vec<u8>),
    Doubt(Vec<u8>),
    Checkpoint(Vec<u8>),
    Renew,
    Detach,
    Drop,
}

/// How a doubt is settled.
#[derive(Clone, Debug)]
pub(crate) enum Settle {
    Happened(Vec<u8>),
    Failed(Vec<u8>),
    Never,
}

/// Namespace and key.
pub(crate) type Id = (usize, usize);

pub(crate) const DROPPED: &[u8] = b"the lease was dropped without an outcome";
pub(crate) const LAPSED: &[u8] = b"the lease lapsed without an outcome";
pub(crate) const DIED: &[u8] = b"the process ended without an outcome";
pub(crate) const NEVER_HAPPENED: &[u8] = b"resolved: it never happened";
pub(crate) const EXHAUSTED: &[u8] = b"no outcome within the attempts allowed";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) rules: Vec<Rules>,
    pub(crate) keys: BTreeMap<Id, Entry>,
    pub(crate) now_ms: u64,
    pub(crate) now_secs: u64,
    /// What the store held when it was opened.
    base: Survivor,
    /// Every record since then; `None` for a removal.
    written: Vec<(Id, Option<Rec>)>,
    /// How many of them were acknowledged.
    acked: usize,
}

pub(crate) fn compare(stored: Option<u8>, sent: Option<u8>) -> Result<bool, Vec<&'static str>> {
    let (Some(stored), Some(sent)) = (stored, sent) else {
        return Ok(false);
    };
    let differing = [("amount", 1), ("to", 2)]
        .into_iter()
        .filter_map(|(label, bit)| ((stored ^ sent) & bit != 0).then_some(label));
    let labels: Vec<_> = differing.collect();
    if labels.is_empty() {
        Ok(true)
    } else {
        Err(labels)
    }
}

impl Model {
    pub(crate) fn new(rules: Vec<Rules>, keys: usize) -> Self {
        let ids = (0..rules.len()).flat_map(|ns| (0..keys).map(move |key| (ns, key)));
        Self {
            keys: ids.map(|id| (id, Entry::default())).collect(),
            rules,
            now_ms: 0,
            now_secs: 0,
            base: BTreeMap::new(),
            written: Vec::new(),
            acked: 0,
        }
    }

    fn entry(&mut self, id: Id) -> &mut Entry {
        self.keys.get_mut(&id).expect("every key is there")
    }

    pub(crate) fn run(&self, id: Id) -> Option<&Run> {
        self.keys[&id].run.as_ref()
    }

    pub(crate) fn lapsed(&self, run: &Run) -> bool {
        run.end_ms() <= self.now_ms
    }

    fn in_doubt(&self, id: Id, run: &Run) -> bool {
        self.rules[id.0].at_most_once && self.lapsed(run)
    }

    /// The newest record of a key that is not running, unless it has expired.
    pub(crate) fn settled(&self, id: Id) -> Option<&Rec> {
        let last = self.keys[&id].last.as_ref()?;
        last.expires
            .is_none_or(|at| at > self.now_secs)
            .then_some(last)
    }

    pub(crate) fn state(&self, id: Id, kind: Kind) -> hapax::KeyState {
        match kind {
            Kind::Completed => hapax::KeyState::Completed,
            Kind::Failed => hapax::KeyState::Failed,
            Kind::InDoubt => hapax::KeyState::InDoubt,
            Kind::InProgress if self.rules[id.0].at_most_once => hapax::KeyState::InDoubt,
            Kind::InProgress | Kind::Released => hapax::KeyState::Released,
        }
    }

    fn expires(&self, id: Id, kind: Kind, asked: Option<u64>) -> Option<u64> {
        let rules = &self.rules[id.0];
        let secs = match kind {
            Kind::Completed => asked.unwrap_or(rules.retention_secs),
            Kind::Failed => asked.unwrap_or(rules.failed_secs),
            Kind::InDoubt => return None,
            Kind::InProgress if rules.at_most_once => return None,
            Kind::InProgress | Kind::Released => rules.attempt_secs,
        };
        Some(self.now_secs + secs + 1)
    }

    fn record_of_run(&self, id: Id, run: &Run, kind: Kind, said: &[u8]) -> Rec {
        let (reason, body) = match kind {
            Kind::Completed | Kind::Failed => (Vec::new(), said.to_vec()),
            Kind::Released | Kind::InDoubt => (said.to_vec(), run.checkpoint.clone()),
            Kind::InProgress => (run.reason.clone(), said.to_vec()),
        };
        Rec {
            kind,
            token: run.token,
            attempt: run.attempt,
            first: run.first,
            at: self.now_secs,
            expires: self.expires(id, kind, run.asked.retention_secs),
            print: run.asked.print,
            metadata: run.first_metadata.clone(),
            reason,
            body,
            retention_secs: run.asked.retention_secs,
            attached: kind == Kind::InProgress && run.attached,
            or_else: Vec::new(),
        }
    }

    fn record_of_record(&self, id: Id, from: &Rec, kind: Kind, said: &[u8]) -> Rec {
        let outcome = matches!(kind, Kind::Completed | Kind::Failed);
        Rec {
            kind,
            at: self.now_secs,
            expires: self.expires(id, kind, from.retention_secs),
            reason: if outcome { Vec::new() } else { said.to_vec() },
            body: if outcome {
                said.to_vec()
            } else {
                from.body.clone()
            },
            attached: false,
            or_else: Vec::new(),
            ..from.clone()
        }
    }

    fn write(&mut self, id: Id, record: Option<Rec>) {
        self.written.push((id, record.clone()));
        let written = self.written.len();
        let entry = self.entry(id);
        entry.written = written;
        if record
            .as_ref()
            .is_none_or(|record| record.kind != Kind::InProgress)
        {
            entry.run = None;
        } else if let Some(run) = &mut entry.run {
            run.journaled = true;
        }
        entry.last = record;
    }

    /// What was written so far has been acknowledged.
    pub(crate) fn acknowledge(&mut self) {
        self.acked = self.written.len();
    }

    /// A caller was told of the newest record of this key.
    pub(crate) fn told(&mut self, id: Id) {
        self.acked = self.acked.max(self.keys[&id].written);
    }

    /// The expected answer to `get`.
    pub(crate) fn get(&self, id: Id) -> Option<(hapax::KeyState, Rec)> {
        let Some(run) = self.run(id) else {
            let record = self.settled(id)?.clone();
            let state = self.state(id, record.kind);
            return Some((state, told(state, record)));
        };
        // Its last transition is the claim.
        let at = run.claimed;
        if self.in_doubt(id, run) {
            let doubt = self.record_of_run(id, run, Kind::InDoubt, LAPSED);
            return Some((hapax::KeyState::InDoubt, Rec { at, ..doubt }));
        }
        let record = self.record_of_run(id, run, Kind::InProgress, &run.checkpoint);
        Some((hapax::KeyState::InProgress, Rec { at, ..record }))
    }

    /// The token of a record became known.
    pub(crate) fn adopt(&mut self, id: Id, token: i64) {
        if let Some(last) = &mut self.entry(id).last {
            last.token = token;
        }
        let known = self
            .written
            .iter_mut()
            .rev()
            .find(|(other, _)| *other == id);
        if let Some((_, Some(record))) = known {
            record.token = token;
        }
    }

    fn grant(
        &mut self,
        id: Id,
        asked: &Asked,
        from: Option<&Rec>,
        keeps_checkpoint: bool,
    ) -> Expected {
        let run = Run {
            token: 0,
            attempt: from.map_or(1, |from| from.attempt + 1),
            first: from.map_or(self.now_secs, |from| from.first),
            claimed: self.now_secs,
            asked: Asked {
                // Where it is not compared, the one that is stored stays.
                print: from
                    .filter(|_| keeps_checkpoint)
                    .and_then(|from| from.print)
                    .or(asked.print),
                ..asked.clone()
            },
            first_metadata: from
                .filter(|_| keeps_checkpoint)
                .map_or(asked.metadata.clone(), |from| from.metadata.clone()),
            checkpoint: from
                .filter(|_| keeps_checkpoint)
                .map_or(Vec::new(), |from| from.body.clone()),
            reason: from.map_or(Vec::new(), |from| from.reason.clone()),
            deadline_ms: self.now_ms + asked.lease_ms,
            keep_until_ms: 0,
            guard: Guard::Lease,
            lapse_seen: false,
            journaled: false,
            attached: false,
        };
        let expected = granted(&run);
        self.entry(id).run = Some(run);
        expected
    }

    /// Stores the token of a grant, and writes the claim where it is journaled. Returns whether the
    /// grant rests on that record.
    pub(crate) fn granted(&mut self, id: Id, token: i64) -> bool {
        let rules = self.rules[id.0].clone();
        let run = self.entry(id).run.as_mut().expect("the key was granted");
        run.token = token;
        let run = run.clone();
        if rules.at_most_once || rules.max_attempts.is_some() {
            let record = self.record_of_run(id, &run, Kind::InProgress, &run.checkpoint);
            self.write(id, Some(record));
        }
        rules.at_most_once
    }

    pub(crate) fn claim(&mut self, id: Id, asked: &Asked) -> Expected {
        match self.run(id).cloned() {
            Some(run) => self.claim_running(id, asked, &run),
            None => match self.settled(id).cloned() {
                Some(record) => self.claim_settled(id, asked, &record),
                None => self.grant(id, asked, None, false),
            },
        }
    }

    fn claim_running(&mut self, id: Id, asked: &Asked, run: &Run) -> Expected {
        let rules = self.rules[id.0].clone();
        let compared = match compare(run.asked.print, asked.print) {
            Ok(compared) => compared,
            Err(labels) => {
                let (state, _) = self.get(id).expect("the key is running");
                return Expected::Mismatch(labels, state);
            }
        };
        if !self.lapsed(run) {
            return Expected::InProgress {
                left_ms: (run.end_ms() - self.now_ms).min(run.asked.lease_ms),
                attempt: run.attempt,
                metadata: run.asked.metadata.clone(),
                compared,
            };
        }
        if rules.at_most_once {
            return Expected::InDoubt {
                record: Rec {
                    at: run.claimed,
                    ..self.record_of_run(id, run, Kind::InDoubt, LAPSED)
                },
                holder_alive: run.guard == Guard::Lease,
                compared,
            };
        }
        if rules.max_attempts.is_some_and(|most| run.attempt >= most) {
            let said = if run.reason.is_empty() {
                EXHAUSTED.to_vec()
            } else {
                run.reason.clone()
            };
            let record = self.record_of_run(id, run, Kind::Failed, &said);
            self.write(id, Some(record.clone()));
            return self.claim_settled(id, asked, &record);
        }
        let again = Run {
            token: 0,
            attempt: run.attempt + 1,
            claimed: self.now_secs,
            asked: Asked {
                print: run.asked.print.or(asked.print),
                ..asked.clone()
            },
            deadline_ms: self.now_ms + asked.lease_ms,
            keep_until_ms: 0,
            guard: Guard::Lease,
            lapse_seen: false,
            journaled: false,
            attached: false,
            ..run.clone()
        };
        let expected = granted(&again);
        self.entry(id).run = Some(again);
        expected
    }

    fn claim_settled(&mut self, id: Id, asked: &Asked, record: &Rec) -> Expected {
        use hapax::KeyState;
        let rules = self.rules[id.0].clone();
        let state = self.state(id, record.kind);
        let comparison = compare(record.print, asked.print);
        if state == KeyState::Released {
            if rules
                .max_attempts
                .is_some_and(|most| record.attempt >= most)
            {
                let said = if record.reason.is_empty() {
                    EXHAUSTED
                } else {
                    &record.reason
                };
                let failed = self.record_of_record(id, record, Kind::Failed, said);
                self.write(id, Some(failed.clone()));
                return self.claim_settled(id, asked, &failed);
            }
            return self.grant(id, asked, Some(record), comparison.is_ok());
        }
        let compared = match comparison {
            Ok(compared) => compared,
            Err(_) if rules.rerun && state != KeyState::InDoubt => {
                return self.grant(id, asked, None, false);
            }
            Err(labels) => return Expected::Mismatch(labels, state),
        };
        match state {
            KeyState::Completed => Expected::Completed(record.clone(), compared),
            KeyState::Failed => Expected::Failed(record.clone(), compared),
            _ => Expected::InDoubt {
                record: told(state, record.clone()),
                holder_alive: false,
                compared,
            },
        }
    }

    /// Whether a claim would make a holder, and change nothing else.
    pub(crate) fn would_grant(&self, id: Id, asked: &Asked) -> bool {
        let rules = &self.rules[id.0];
        let is_over = |attempt| rules.max_attempts.is_some_and(|most| attempt >= most);
        if let Some(run) = self.run(id) {
            let same = compare(run.asked.print, asked.print).is_ok();
            return same && self.lapsed(run) && !rules.at_most_once && !is_over(run.attempt);
        }
        let Some(record) = self.settled(id) else {
            return true;
        };
        match self.state(id, record.kind) {
            hapax::KeyState::Released => !is_over(record.attempt),
            hapax::KeyState::InDoubt => false,
            _ => rules.rerun && compare(record.print, asked.print).is_err(),
        }
    }

    /// A grant is taken back before its caller learns of it: the key is as it was before.
    pub(crate) fn withdraw(&mut self, id: Id, before: Entry) {
        if !self.run(id).expect("the key was granted").journaled {
            *self.entry(id) = before;
            return;
        }
        let settled = before
            .last
            .clone()
            .filter(|last| last.expires.is_none_or(|at| at > self.now_secs));
        let record = match &before.run {
            Some(run) => Some(self.record_of_run(id, run, Kind::InProgress, &run.checkpoint)),
            None => settled,
        };
        *self.entry(id) = before;
        self.write(id, record);
    }

    /// The clock has moved: leases lapse, and lapsed keys that no caller wanted are forgotten.
    pub(crate) fn moved(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let rules = self.rules.clone();
        for (id, entry) in &mut self.keys {
            let Some(run) = &mut entry.run else { continue };
            if run.end_ms() > now_ms {
                continue;
            }
            let rules = &rules[id.0];
            let kept_ms = run.end_ms() + rules.attempt_secs * 1000;
            if run.lapse_seen && !rules.at_most_once && now_ms >= kept_ms {
                entry.run = None;
            } else {
                run.lapse_seen = true;
            }
        }
    }

    /// Every state that a crash may have left, newest first: at least what was acknowledged.
    pub(crate) fn survivors(&self) -> Vec<Survivor> {
        let mut state = self.base.clone();
        let mut survivors = Vec::new();
        for at in 0..=self.written.len() {
            if at >= self.acked {
                survivors.push(state.clone());
            }
            if let Some((id, record)) = self.written.get(at) {
                state.insert(*id, record.clone());
            }
        }
        survivors.reverse();
        survivors
    }

    /// Goes on from what a crash or a restart has left.
    pub(crate) fn reopen(&mut self, state: Survivor) {
        for (id, entry) in &mut self.keys {
            *entry = Entry {
                last: state.get(id).cloned().flatten(),
                ..Entry::default()
            };
        }
        self.base = state;
        self.written.clear();
        self.acked = 0;
    }
}

/// A state that a crash or a restart may have left.
pub(crate) type Survivor = BTreeMap<Id, Option<Rec>>;

/// A record as a caller sees it: a doubt shows its own reason, not that of an earlier attempt.
fn told(state: hapax::KeyState, record: Rec) -> Rec {
    if state == hapax::KeyState::InDoubt && record.kind == Kind::InProgress {
        return Rec {
            reason: DIED.to_vec(),
            ..record
        };
    }
    record
}

fn granted(run: &Run) -> Expected {
    Expected::Granted {
        attempt: run.attempt,
        checkpoint: run.checkpoint.clone(),
        reason: run.reason.clone(),
        first: run.first,
    }
}
