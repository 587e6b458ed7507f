//! What holders and reconcilers are answered.

use super::claim::lease_span;
use super::{DROPPED, Key, Kind, LAPSED, Moment, NEVER_HAPPENED, Rec, Reply, Run, Tok, Way};
use crate::history::{How, Op, Refusal, Rules, Status};

const IN_DOUBT: Reply<'static> = Reply::Refused(Refusal::InUse, Some(Status::InDoubt));

impl<'a> Key<'a> {
    /// What a holder does under its token.
    pub(super) fn hold(&self, rules: &Rules, op: &'a Op, at: &Moment) -> Vec<Way<'a>> {
        let Some(token) = token_of(op) else {
            return Vec::new();
        };
        let Some(run) = self.run else {
            return self.hold_unheld(rules, op, token, at);
        };
        let mut ways = if run.tok == Tok::Known(token) {
            self.hold_running(rules, &run, op, at)
        } else {
            self.superseded(rules, &run, op, at)
        };
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.hold_unheld(rules, op, token, at));
        }
        ways
    }

    fn superseded(&self, rules: &Rules, run: &Run<'a>, op: &Op, at: &Moment) -> Vec<Way<'a>> {
        if matches!(op, Op::Drop { .. } | Op::LetGo { .. }) {
            return vec![(Reply::Done, *self)];
        }
        let refused = |state| Reply::Refused(Refusal::Superseded, Some(state));
        self.by_lapse(rules, run, at, refused)
    }

    /// One way for a lease that is alive, one for a doubt, each where it may be.
    fn by_lapse(
        &self,
        rules: &Rules,
        run: &Run<'a>,
        at: &Moment,
        reply: impl Fn(Status) -> Reply<'a>,
    ) -> Vec<Way<'a>> {
        let mut ways = Vec::new();
        if run.may_live(at) || !rules.at_most_once {
            ways.push((reply(Status::InProgress), *self));
        }
        if run.may_have_lapsed(at) && rules.at_most_once {
            let lapsed = Self {
                run: Some(run.seen_lapsed(at)),
                ..*self
            };
            ways.push((reply(Status::InDoubt), lapsed));
        }
        ways
    }

    fn hold_running(&self, rules: &Rules, run: &Run<'a>, op: &'a Op, at: &Moment) -> Vec<Way<'a>> {
        let again = if rules.is_last(run.attempt) {
            Kind::Failed
        } else {
            Kind::Released
        };
        let (kind, said) = match op {
            Op::Complete { body, .. } => (Kind::Completed, body.as_str()),
            Op::Fail { body, .. } => (Kind::Failed, body.as_str()),
            Op::Doubt { reason, .. } => (Kind::InDoubt, reason.as_str()),
            Op::Release { reason, .. } => (again, reason.as_str()),
            Op::Drop { .. } if rules.at_most_once => (Kind::InDoubt, DROPPED),
            Op::Drop { .. } => (again, DROPPED),
            Op::LetGo { .. } => {
                let run = Some(Run {
                    alive: false,
                    ..*run
                });
                return vec![(Reply::Done, Self { run, ..*self })];
            }
            _ => return self.prolong(rules, run, op, at),
        };
        vec![(Reply::Done, self.written(run.record(kind, said, at)))]
    }

    /// Renewals and checkpoints: refused once the lease has lapsed under at-most-once.
    fn prolong(&self, rules: &Rules, run: &Run<'a>, op: &'a Op, at: &Moment) -> Vec<Way<'a>> {
        let mut ways = Vec::new();
        let mut key = *self;
        let mut next = *run;
        if let Op::Checkpoint { body, .. } = op {
            next.checkpoint = body;
            next.journaled = true;
            key.rec = Some(next.record(Kind::InProgress, body, at));
        } else {
            let renewed = lease_span(run.lease_ns, at);
            next.ends = (run.ends.0.max(renewed.0), run.ends.1.max(renewed.1));
        }
        key.run = Some(next);
        if run.may_live(at) || !rules.at_most_once {
            ways.push((Reply::Done, key));
        }
        if run.may_have_lapsed(at) && rules.at_most_once {
            let lapsed = Self {
                run: Some(run.seen_lapsed(at)),
                ..*self
            };
            ways.push((IN_DOUBT, lapsed));
        }
        ways
    }

    fn hold_unheld(&self, rules: &Rules, op: &'a Op, token: i64, at: &Moment) -> Vec<Way<'a>> {
        if matches!(op, Op::Drop { .. } | Op::LetGo { .. }) {
            return vec![(Reply::Done, *self)];
        }
        let ways = self.settled(rules, at).into_iter();
        ways.map(|key| match key.rec {
            None => (Reply::Refused(Refusal::NotHeld, None), key),
            Some(rec) => key.hold_settled(rules, &rec, op, token, at),
        })
        .collect()
    }

    fn hold_settled(
        &self,
        rules: &Rules,
        rec: &Rec<'a>,
        op: &'a Op,
        token: i64,
        at: &Moment,
    ) -> Way<'a> {
        let status = self.status(rules);
        if rec.tok != Tok::Known(token) {
            return (Reply::Refused(Refusal::Superseded, status), *self);
        }
        let orphan = rec.kind == Kind::InProgress;
        let done = (Reply::Done, *self);
        match (status, op) {
            (Some(Status::Completed), Op::Complete { body, .. }) if body == rec.body => done,
            (Some(Status::Failed), Op::Fail { body, .. }) if body == rec.body => done,
            (Some(Status::Released), Op::Release { reason, .. }) if reason == rec.reason => done,
            (Some(Status::InDoubt), Op::Doubt { .. }) => done,
            (Some(Status::InDoubt), Op::Complete { body, .. }) => (
                Reply::Done,
                self.written(rec.turned(Kind::Completed, body, at)),
            ),
            (Some(Status::InDoubt), Op::Fail { body, .. }) => (
                Reply::Done,
                self.written(rec.turned(Kind::Failed, body, at)),
            ),
            (Some(Status::InDoubt), _) => (IN_DOUBT, *self),
            (Some(Status::Released), Op::Complete { body, .. }) if orphan => (
                Reply::Done,
                self.written(rec.turned(Kind::Completed, body, at)),
            ),
            (Some(Status::Released), Op::Fail { body, .. }) if orphan => (
                Reply::Done,
                self.written(rec.turned(Kind::Failed, body, at)),
            ),
            _ => (Reply::Refused(Refusal::AlreadySettled, status), *self),
        }
    }

    pub(super) fn resolve(
        &self,
        rules: &Rules,
        token: i64,
        how: &'a How,
        force: bool,
        at: &Moment,
    ) -> Vec<Way<'a>> {
        let Some(run) = self.run else {
            let ways = self.settled(rules, at).into_iter();
            return ways
                .map(|key| key.resolve_settled(rules, token, how, at))
                .collect();
        };
        if run.tok != Tok::Known(token) {
            let refused = |state| Reply::Refused(Refusal::Superseded, Some(state));
            return self.by_lapse(rules, &run, at, refused);
        }
        let mut ways = Vec::new();
        if run.may_live(at) || !rules.at_most_once {
            let reply = Reply::Refused(Refusal::InUse, Some(Status::InProgress));
            ways.push((reply, *self));
        }
        if run.may_have_lapsed(at) && rules.at_most_once {
            let lapsed = Self {
                run: Some(run.seen_lapsed(at)),
                ..*self
            };
            if *how == How::NeverHappened && run.alive && !force {
                ways.push((IN_DOUBT, lapsed));
            } else {
                let doubt = run.record(Kind::InDoubt, LAPSED, at);
                ways.push((Reply::Done, self.resolved(&doubt, how, at)));
            }
        }
        ways
    }

    fn resolve_settled(&self, rules: &Rules, token: i64, how: &'a How, at: &Moment) -> Way<'a> {
        match (self.rec, self.status(rules)) {
            (None, _) => (Reply::Refused(Refusal::NotHeld, None), *self),
            (Some(rec), Some(Status::InDoubt)) if rec.tok == Tok::Known(token) => {
                (Reply::Done, self.resolved(&rec, how, at))
            }
            (Some(_), status) => (Reply::Refused(Refusal::Superseded, status), *self),
        }
    }

    fn resolved(&self, doubt: &Rec<'a>, how: &'a How, at: &Moment) -> Self {
        let rec = match how {
            How::Happened(body) => doubt.turned(Kind::Completed, body, at),
            How::Failed(body) => doubt.turned(Kind::Failed, body, at),
            // What never happened is not an attempt.
            How::NeverHappened => Rec {
                attempt: doubt.attempt.saturating_sub(1),
                ..doubt.turned(Kind::Released, NEVER_HAPPENED, at)
            },
        };
        self.written(Rec {
            tok: Tok::Above(self.floor),
            ..rec
        })
    }

    pub(super) fn forget(&self, rules: &Rules, force: Option<i64>, at: &Moment) -> Vec<Way<'a>> {
        let gone = Self {
            rec: None,
            run: None,
            ..*self
        };
        let unforced = match force {
            None => Refusal::InUse,
            Some(_) => Refusal::Superseded,
        };
        let Some(run) = self.run else {
            let forget = |key: Self| match (key.rec, key.status(rules)) {
                (None, _) => (Reply::Flag(false), key),
                (Some(rec), Some(Status::InDoubt)) if force.map(Tok::Known) != Some(rec.tok) => {
                    (Reply::Refused(unforced, Some(Status::InDoubt)), key)
                }
                _ => (Reply::Flag(true), gone),
            };
            return self.settled(rules, at).into_iter().map(forget).collect();
        };
        let mut ways = if force.map(Tok::Known) == Some(run.tok) {
            vec![(Reply::Flag(true), gone)]
        } else {
            self.by_lapse(rules, &run, at, |state| {
                Reply::Refused(unforced, Some(state))
            })
        };
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.forget(rules, force, at));
        }
        ways
    }
}

fn token_of(op: &Op) -> Option<i64> {
    match op {
        Op::Complete { token, .. }
        | Op::Fail { token, .. }
        | Op::Release { token, .. }
        | Op::Doubt { token, .. }
        | Op::Checkpoint { token, .. }
        | Op::Renew { token }
        | Op::Drop { token }
        | Op::LetGo { token } => Some(*token),
        _ => None,
    }
}
