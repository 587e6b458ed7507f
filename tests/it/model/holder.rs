//! What holders and reconcilers do to a key of the model.

use hapax::ErrorKind;

use super::{Act, Asked, DROPPED, Id, Kind, LAPSED, Model, NEVER_HAPPENED, Rec, Run, Settle};

impl Model {
    /// What a holder is answered; `Ok(true)` when a record was written.
    pub(crate) fn act(&mut self, id: Id, token: i64, act: &Act) -> Result<bool, ErrorKind> {
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
            Act::Detach if !run.journaled => (Kind::InProgress, run.checkpoint.clone()),
            Act::Detach => return Ok(false),
            Act::Renew => {
                let deadline_ms = run.deadline_ms.max(self.now_ms + run.asked.lease_ms);
                let run = self.entry(id).run.as_mut().expect("the key is running");
                run.deadline_ms = deadline_ms;
                run.lapse_seen_ms = None;
                return Ok(false);
            }
        };
        if let Act::Checkpoint(said) = act {
            let run = self.entry(id).run.as_mut().expect("the key is running");
            run.checkpoint.clone_from(said);
        }
        let record = self.record_of_run(id, run, kind, &said);
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
        use hapax::State;
        if record.token != token {
            return Err(ErrorKind::Superseded);
        }
        let (kind, said) = match (self.state(id, record.kind), act) {
            (State::Completed, Act::Complete(said)) if *said == record.body => return Ok(false),
            (State::Failed, Act::Fail(said)) if *said == record.body => return Ok(false),
            (State::Released, Act::Release(said)) if *said == record.reason => return Ok(false),
            (State::InDoubt, Act::Doubt(_)) => return Ok(false),
            (State::InDoubt, Act::Complete(said)) => (Kind::Completed, said),
            (State::InDoubt, Act::Fail(said)) => (Kind::Failed, said),
            (State::InDoubt, _) => return Err(ErrorKind::InUse),
            (State::Released, Act::Complete(said)) if record.kind == Kind::InProgress => {
                (Kind::Completed, said)
            }
            (State::Released, Act::Fail(said)) if record.kind == Kind::InProgress => {
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
            run.guard_alive = false;
        }
    }

    /// What the attached lease knows: attempt and checkpoint.
    pub(crate) fn attach(&mut self, id: Id, token: i64) -> Result<(u32, Vec<u8>), ErrorKind> {
        if let Some(run) = &mut self.entry(id).run {
            if run.token != token {
                return Err(ErrorKind::Superseded);
            }
            if run.guard_alive {
                return Err(ErrorKind::InUse);
            }
            run.guard_alive = true;
            return Ok((run.attempt, run.checkpoint.clone()));
        }
        let record = self.settled(id).cloned().ok_or(ErrorKind::NotHeld)?;
        if record.token != token {
            return Err(ErrorKind::Superseded);
        }
        let resumes = match record.kind {
            Kind::InProgress => true,
            Kind::InDoubt => self.rules[id.0].at_most_once,
            _ => false,
        };
        if !resumes {
            return Ok((record.attempt, Vec::new()));
        }
        let asked = Asked {
            print: record.print,
            metadata: record.metadata.clone(),
            lease_ms: self.rules[id.0].lease_ms,
            retention_secs: record.retention_secs,
        };
        self.grant(id, &asked, Some(&record), true);
        let run = self.entry(id).run.as_mut().expect("the key was granted");
        (run.token, run.attempt, run.journaled) = (token, record.attempt, true);
        Ok((record.attempt, record.body))
    }

    pub(crate) fn resolve(
        &mut self,
        id: Id,
        token: i64,
        settle: &Settle,
        force: bool,
    ) -> Result<(), ErrorKind> {
        let doubt = if let Some(run) = self.run(id) {
            if run.token != token {
                return Err(ErrorKind::Superseded);
            }
            let reruns = matches!(settle, Settle::Never) && run.guard_alive && !force;
            if !self.in_doubt(id, run) || reruns {
                return Err(ErrorKind::InUse);
            }
            self.record_of_run(id, run, Kind::InDoubt, LAPSED)
        } else {
            let record = self.settled(id).ok_or(ErrorKind::NotHeld)?;
            if record.token != token || self.state(id, record.kind) != hapax::State::InDoubt {
                return Err(ErrorKind::Superseded);
            }
            record.clone()
        };
        let written = match settle {
            Settle::Happened(said) => self.record_of_record(id, &doubt, Kind::Completed, said),
            Settle::Failed(said) => self.record_of_record(id, &doubt, Kind::Failed, said),
            Settle::Never => self.record_of_record(id, &doubt, Kind::Released, NEVER_HAPPENED),
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
                (self.state(id, record.kind) == hapax::State::InDoubt).then_some(record.token)
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
        };
        let record = match (self.run(id), self.settled(id)) {
            (Some(run), _) if !self.lapsed(run) || self.rules[id.0].at_most_once => return false,
            (Some(_), _) | (None, None) => fresh,
            (None, Some(record)) if self.state(id, record.kind) == hapax::State::Released => {
                let over = self.record_of_record(id, record, Kind::Completed, &[]);
                Rec { token: 0, ..over }
            }
            _ => return false,
        };
        self.write(id, Some(record));
        true
    }
}
