//! What holders and reconcilers do to a key of the model.

use hapax::ErrorKind;

use super::{
    Act, Asked, DROPPED, Guard, Id, Kind, LAPSED, Model, NEVER_HAPPENED, Rec, Run, Settle,
};

impl Model {
    /// The answer to a holder; `Ok(true)` when a record was written.
    pub(crate) fn act(&mut self, id: Id, token: i64, act: &Act) -> Result<bool, ErrorKind> {
        if let Act::Complete(said) | Act::Fail(said) = act {
            if said.len() > self.rules[id.0].max_response {
                return Err(ErrorKind::TooLarge);
            }
        }
        match self.run(id).cloned() {
            Some(run) => self.act_running(id, token, act, &run),
            None => match self.settled(id).cloned() {
                Some(_) if matches!(act, Act::Drop) => Ok(false),
                Some(record) => self.act_settled(id, token, act, &record),
                None => Err(ErrorKind::NotHeld),
            },
        }
    }

    fn act_running(&mut self, id: Id, token: i64, act: &Act, run: &Run) -> Result<bool, ErrorKind> {
        if run.token != token {
            return Err(ErrorKind::Superseded);
        }
        let rules = &self.rules[id.0];
        let exhausted = rules.max_attempts.is_some_and(|most| run.attempt >= most);
        let again = if exhausted {
            Kind::Failed
        } else {
            Kind::Released
        };
        let doubtful = self.in_doubt(id, run);
        let (kind, said) = match act {
            Act::Complete(said) => (Kind::Completed, said.clone()),
            Act::Fail(said) => (Kind::Failed, said.clone()),
            Act::Doubt(said) => (Kind::InDoubt, said.clone()),
            Act::Release(said) => (again, said.clone()),
            Act::Drop if rules.at_most_once => (Kind::InDoubt, DROPPED.to_vec()),
            Act::Drop => (again, DROPPED.to_vec()),
            Act::Renew | Act::Checkpoint(_) if doubtful => return Err(ErrorKind::InUse),
            Act::Checkpoint(said) => (Kind::InProgress, said.clone()),
            Act::Detach if !run.journaled || run.attached => {
                (Kind::InProgress, run.checkpoint.clone())
            }
            Act::Detach => return Ok(false),
            Act::Renew => {
                let deadline_ms = run.deadline_ms.max(self.now_ms + run.asked.lease_ms);
                let run = self.entry(id).run.as_mut().expect("the key is running");
                run.deadline_ms = deadline_ms;
                run.lapse_seen = false;
                return Ok(false);
            }
        };
        if let Act::Checkpoint(said) = act {
            let run = self.entry(id).run.as_mut().expect("the key is running");
            run.checkpoint.clone_from(said);
        }
        let mut record = self.record_of_run(id, run, kind, &said);
        record.attached &= !matches!(act, Act::Detach);
        self.write(id, Some(record));
        Ok(true)
    }

    fn act_settled(
        &mut self,
        id: Id,
        token: i64,
        act: &Act,
        record: &Rec,
    ) -> Result<bool, ErrorKind> {
        use hapax::KeyState;
        if record.token != token {
            return Err(ErrorKind::Superseded);
        }
        let (kind, said) = match (self.state(id, record.kind), act) {
            (KeyState::Completed, Act::Complete(said)) if *said == record.body => return Ok(false),
            (KeyState::Failed, Act::Fail(said)) if *said == record.body => return Ok(false),
            (KeyState::Released, Act::Release(said)) if *said == record.reason => return Ok(false),
            (KeyState::InDoubt, Act::Doubt(_)) => return Ok(false),
            (KeyState::InDoubt, Act::Complete(said)) => (Kind::Completed, said),
            (KeyState::InDoubt, Act::Fail(said)) => (Kind::Failed, said),
            (KeyState::InDoubt, _) => return Err(ErrorKind::InUse),
            (KeyState::Released, Act::Complete(said)) if record.kind == Kind::InProgress => {
                (Kind::Completed, said)
            }
            (KeyState::Released, Act::Fail(said)) if record.kind == Kind::InProgress => {
                (Kind::Failed, said)
            }
            _ => return Err(ErrorKind::AlreadySettled),
        };
        let written = self.record_of_record(id, record, kind, said);
        self.write(id, Some(written));
        Ok(true)
    }

    pub(crate) fn keep_alive(&mut self, id: Id, token: i64, for_ms: u64) -> Result<(), ErrorKind> {
        self.act(id, token, &Act::Renew)?;
        let until = self.now_ms + for_ms;
        if let Some(run) = &mut self.entry(id).run {
            run.keep_until_ms = until;
        }
        Ok(())
    }

    pub(crate) fn disarm(&mut self, id: Id, token: i64) {
        if let Some(run) = self.entry(id).run.as_mut().filter(|run| run.token == token) {
            (run.guard, run.attached) = (Guard::Ticket, false);
        }
    }

    /// The holder was refused and has gone: its lease runs out, renewed one last time where the store
    /// renewed it.
    pub(crate) fn let_run_out(&mut self, id: Id, token: i64) {
        let now_ms = self.now_ms;
        if let Some(run) = self.entry(id).run.as_mut().filter(|run| run.token == token) {
            run.guard = Guard::Nobody;
            let renewed_ms = run.keep_until_ms.min(now_ms + run.asked.lease_ms);
            run.deadline_ms = run.deadline_ms.max(renewed_ms);
            run.keep_until_ms = 0;
        }
    }

    /// The answer to a ticket shows which of the records that look alike a crash has left.
    pub(crate) fn learn(&mut self, id: Id, token: i64, answer: Result<(), ErrorKind>) {
        let settled = self.settled(id).filter(|_| self.run(id).is_none());
        let Some(record) = settled.cloned() else {
            return;
        };
        let mut alike = record.or_else.clone();
        alike.insert(0, (record.kind, record.attached));
        alike.retain(|&(kind, attached)| {
            let record = Rec {
                kind,
                attached,
                ..record.clone()
            };
            self.attach_settled(id, token, &record) == answer
        });
        if alike.is_empty() {
            return;
        }
        let (kind, attached) = alike.remove(0);
        self.entry(id).last = Some(Rec {
            kind,
            attached,
            or_else: alike,
            ..record
        });
    }

    /// What the attached lease knows: attempt and checkpoint.
    pub(crate) fn attach(&mut self, id: Id, token: i64) -> Result<(u32, Vec<u8>), ErrorKind> {
        let once = self.rules[id.0].attach_once();
        if let Some(run) = self.run(id) {
            match run.guard {
                _ if run.token != token => return Err(ErrorKind::Superseded),
                Guard::Lease => return Err(ErrorKind::InUse),
                Guard::Nobody if once => return Err(ErrorKind::InUse),
                Guard::Ticket | Guard::Nobody => {}
            }
        } else {
            let record = self.settled(id).cloned().ok_or(ErrorKind::NotHeld)?;
            self.attach_settled(id, token, &record)?;
            self.resume(id, &record);
        }
        let run = self.entry(id).run.as_mut().expect("the key is running");
        (run.guard, run.attached) = (Guard::Lease, once);
        let run = run.clone();
        if once {
            let record = self.record_of_run(id, &run, Kind::InProgress, &run.checkpoint);
            self.write(id, Some(record));
        }
        Ok((run.attempt, run.checkpoint))
    }

    /// Whether a ticket is good for a key that has this record.
    fn attach_settled(&self, id: Id, token: i64, record: &Rec) -> Result<(), ErrorKind> {
        let rules = &self.rules[id.0];
        match record.kind {
            Kind::Completed | Kind::Failed => Err(ErrorKind::AlreadySettled),
            _ if record.token != token => Err(ErrorKind::Superseded),
            Kind::InProgress if !record.attached || !rules.attach_once() => Ok(()),
            Kind::InDoubt => Err(ErrorKind::InUse),
            Kind::InProgress if rules.at_most_once => Err(ErrorKind::InUse),
            Kind::InProgress | Kind::Released => Err(ErrorKind::AlreadySettled),
        }
    }

    /// The claim of a record goes on, in another life.
    fn resume(&mut self, id: Id, record: &Rec) {
        let asked = Asked {
            print: record.print,
            metadata: record.metadata.clone(),
            lease_ms: self.rules[id.0].lease_ms,
            retention_secs: record.retention_secs,
        };
        self.grant(id, &asked, Some(record), true);
        let run = self.entry(id).run.as_mut().expect("the key was granted");
        (run.token, run.attempt, run.journaled) = (record.token, record.attempt, true);
    }

    pub(crate) fn resolve(
        &mut self,
        id: Id,
        token: i64,
        settle: &Settle,
        force: bool,
    ) -> Result<(), ErrorKind> {
        if let Settle::Happened(said) | Settle::Failed(said) = settle {
            if said.len() > self.rules[id.0].max_response {
                return Err(ErrorKind::TooLarge);
            }
        }
        let doubt = if let Some(run) = self.run(id) {
            if run.token != token {
                return Err(ErrorKind::Superseded);
            }
            let reruns = matches!(settle, Settle::Never) && run.guard == Guard::Lease && !force;
            if !self.in_doubt(id, run) || reruns {
                return Err(ErrorKind::InUse);
            }
            self.record_of_run(id, run, Kind::InDoubt, LAPSED)
        } else {
            let record = self.settled(id).ok_or(ErrorKind::NotHeld)?;
            if record.token != token || self.state(id, record.kind) != hapax::KeyState::InDoubt {
                return Err(ErrorKind::Superseded);
            }
            record.clone()
        };
        let written = match settle {
            Settle::Happened(said) => self.record_of_record(id, &doubt, Kind::Completed, said),
            Settle::Failed(said) => self.record_of_record(id, &doubt, Kind::Failed, said),
            Settle::Never => Rec {
                // Work that never happened does not count as an attempt.
                attempt: doubt.attempt.saturating_sub(1),
                ..self.record_of_record(id, &doubt, Kind::Released, NEVER_HAPPENED)
            },
        };
        self.write(
            id,
            Some(Rec {
                token: 0,
                ..written
            }),
        );
        Ok(())
    }

    pub(crate) fn forget(&mut self, id: Id, force: Option<i64>) -> Result<bool, ErrorKind> {
        let held = match (self.run(id), self.settled(id)) {
            (Some(run), _) => Some(run.token),
            (None, None) => return Ok(false),
            (None, Some(record)) => {
                (self.state(id, record.kind) == hapax::KeyState::InDoubt).then_some(record.token)
            }
        };
        match (held, force) {
            (Some(_), None) => Err(ErrorKind::InUse),
            (Some(held), Some(force)) if held != force => Err(ErrorKind::Superseded),
            _ => {
                self.write(id, None);
                Ok(true)
            }
        }
    }

    pub(crate) fn insert(&mut self, id: Id) -> bool {
        let fresh = Rec {
            kind: Kind::Completed,
            token: 0,
            attempt: 1,
            first: self.now_secs,
            at: self.now_secs,
            expires: self.expires(id, Kind::Completed, None),
            print: None,
            metadata: Vec::new(),
            reason: Vec::new(),
            body: Vec::new(),
            retention_secs: None,
            attached: false,
            or_else: Vec::new(),
        };
        let record = match (self.run(id), self.settled(id)) {
            (Some(run), _) if !self.lapsed(run) || self.rules[id.0].at_most_once => return false,
            (Some(_), _) | (None, None) => fresh,
            (None, Some(record)) if self.state(id, record.kind) == hapax::KeyState::Released => {
                let over = self.record_of_record(id, record, Kind::Completed, &[]);
                Rec { token: 0, ..over }
            }
            _ => return false,
        };
        self.write(id, Some(record));
        true
    }
}
