//! What a claim is answered, and looking without claiming.

use super::{
    EXHAUSTED, Key, Kind, LAPSED, MILLI_NS, Moment, Rec, Reply, Run, SECOND_NS, Tok, Way, differs,
};
use crate::history::{Ask, Call, Op, Rules, Status};

impl<'a> Key<'a> {
    pub(super) fn claim(&self, rules: &Rules, ask: &'a Ask, at: &Moment) -> Vec<Way<'a>> {
        let Some(run) = self.run else {
            return self.claim_unheld(rules, ask, at);
        };
        let mut ways = Vec::new();
        let lapsed = Self {
            run: Some(run.seen_lapsed(at)),
            ..*self
        };
        let mismatch = differs(run.print, ask.print);
        if run.may_live(at) {
            let reply = if mismatch {
                Reply::Mismatch(Status::InProgress)
            } else {
                Reply::InProgress
            };
            ways.push((reply, *self));
        }
        if !run.may_have_lapsed(at) {
            return ways;
        }
        match (mismatch, rules.at_most_once) {
            (true, true) => ways.push((Reply::Mismatch(Status::InDoubt), lapsed)),
            (true, false) => ways.push((Reply::Mismatch(Status::InProgress), lapsed)),
            (false, true) => {
                let reply = Reply::InDoubt {
                    reason: LAPSED,
                    alive: run.alive,
                };
                ways.push((reply, lapsed));
            }
            (false, false) if rules.is_last(run.attempt) => {
                let said = or_exhausted(run.reason);
                let failed = run.record(Kind::Failed, said, at);
                ways.push((Reply::Outcome, self.written(failed)));
            }
            (false, false) => ways.push((Reply::Granted, self.taken_over(rules, &run, ask, at))),
        }
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.claim_unheld(rules, ask, at));
        }
        ways
    }

    /// The key once a claim has found that no attempt is left, before it has been answered.
    #[must_use]
    pub(crate) fn exhausted(&self, rules: &Rules, call: &Call, at: &Moment) -> Option<Self> {
        let Op::Claim(_) = call.op else { return None };
        rules.max_attempts?;
        if let Some(run) = self.run {
            let over = rules.is_last(run.attempt) && run.may_have_lapsed(at) && !rules.at_most_once;
            let failed = run.record(Kind::Failed, or_exhausted(run.reason), at);
            return over.then_some(self.written(failed));
        }
        let rec = self.rec.filter(|rec| rules.is_last(rec.attempt))?;
        let released = self.status(rules) == Some(Status::Released);
        let failed = rec.turned(Kind::Failed, or_exhausted(rec.reason), at);
        released.then_some(self.written(failed))
    }

    /// The key once its retention after the lapse has passed without a claim, if that is possible.
    pub(super) fn lapse_forgotten(&self, rules: &Rules, at: &Moment) -> Option<Self> {
        let run = self.run.filter(|_| !rules.at_most_once)?;
        let gone = run.ends.0.saturating_add(rules.attempt_secs * SECOND_NS);
        (at.end > gone).then_some(Self { run: None, ..*self })
    }

    /// The key with a newer record, and no run.
    pub(super) fn written(&self, rec: Rec<'a>) -> Self {
        Self {
            rec: Some(rec),
            run: None,
            ..*self
        }
    }

    fn claim_unheld(&self, rules: &Rules, ask: &'a Ask, at: &Moment) -> Vec<Way<'a>> {
        let ways = self.settled(rules, at).into_iter();
        ways.map(|key| key.claim_settled(rules, ask, at)).collect()
    }

    fn claim_settled(&self, rules: &Rules, ask: &'a Ask, at: &Moment) -> Way<'a> {
        let (Some(rec), Some(status)) = (self.rec, self.status(rules)) else {
            return (Reply::Granted, self.granted(rules, None, ask, at));
        };
        let mismatch = differs(rec.print, ask.print);
        match status {
            Status::Released if rules.is_last(rec.attempt) => {
                let failed = rec.turned(Kind::Failed, or_exhausted(rec.reason), at);
                let key = self.written(failed);
                if mismatch {
                    (Reply::Mismatch(Status::Failed), key)
                } else {
                    (Reply::Outcome, key)
                }
            }
            Status::Released => (Reply::Granted, self.granted(rules, Some(rec), ask, at)),
            _ if mismatch => (Reply::Mismatch(status), *self),
            Status::InDoubt => {
                let reply = Reply::InDoubt {
                    reason: rec.told(status),
                    alive: false,
                };
                (reply, *self)
            }
            _ => (Reply::Outcome, *self),
        }
    }

    fn granted(&self, rules: &Rules, from: Option<Rec<'a>>, ask: &'a Ask, at: &Moment) -> Self {
        let same = from.filter(|from| !differs(from.print, ask.print));
        let run = Run {
            tok: Tok::Above(self.floor),
            attempt: from.map_or(1, |from| from.attempt + 1),
            lease_ns: ask.lease_ms * MILLI_NS,
            ends: lease_from(ask, at),
            alive: true,
            checkpoint: same.map_or("", |from| from.body),
            reason: from.map_or("", |from| from.reason),
            asked_meta: &ask.meta,
            meta: same.map_or(&ask.meta, |from| from.meta),
            print: same.and_then(|from| from.print).or(ask.print),
            first: from.map_or(at.secs, |from| from.first),
            before: from,
            journaled: false,
            ghost: None,
            lapsed: None,
        };
        self.running(rules, run, at)
    }

    fn taken_over(&self, rules: &Rules, from: &Run<'a>, ask: &'a Ask, at: &Moment) -> Self {
        let run = Run {
            tok: Tok::Above(self.floor),
            attempt: from.attempt + 1,
            lease_ns: ask.lease_ms * MILLI_NS,
            ends: lease_from(ask, at),
            alive: true,
            asked_meta: &ask.meta,
            print: from.print.or(ask.print),
            journaled: false,
            ghost: None,
            lapsed: Some(from.as_lapsed()),
            ..*from
        };
        self.running(rules, run, at)
    }

    /// The key with this run; the claim is written where it has to be.
    fn running(&self, rules: &Rules, mut run: Run<'a>, at: &Moment) -> Self {
        let mut key = *self;
        if rules.at_most_once || rules.max_attempts.is_some() {
            run.journaled = true;
            key.rec = Some(run.record(Kind::InProgress, run.checkpoint, at));
        }
        key.run = Some(run);
        key
    }

    pub(super) fn get(&self, rules: &Rules, at: &Moment) -> Vec<Way<'a>> {
        let mut ways = Vec::new();
        let info = |key: Self| match key.status(rules) {
            Some(status) => (Reply::Info(status), key),
            None => (Reply::Absent, key),
        };
        let Some(run) = self.run else {
            return self.settled(rules, at).into_iter().map(info).collect();
        };
        if run.may_live(at) || !rules.at_most_once {
            ways.push((Reply::Info(Status::InProgress), *self));
        }
        if run.may_have_lapsed(at) && rules.at_most_once {
            let lapsed = Self {
                run: Some(run.seen_lapsed(at)),
                ..*self
            };
            ways.push((Reply::Info(Status::InDoubt), lapsed));
        }
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.settled(rules, at).into_iter().map(info));
        }
        ways
    }

    pub(super) fn contains(&self, rules: &Rules, at: &Moment) -> Vec<Way<'a>> {
        let mut ways = Vec::new();
        let told = |key: Self| {
            let completed = key.rec.is_some_and(|rec| rec.kind == Kind::Completed);
            (Reply::Flag(completed), key)
        };
        if self.run.is_none() {
            return self.settled(rules, at).into_iter().map(told).collect();
        }
        ways.push((Reply::Flag(false), *self));
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.settled(rules, at).into_iter().map(told));
        }
        ways
    }

    pub(super) fn insert(&self, rules: &Rules, at: &Moment) -> Vec<Way<'a>> {
        let Some(run) = self.run else {
            let ways = self.settled(rules, at).into_iter();
            return ways.map(|key| key.insert_settled(rules, at)).collect();
        };
        let mut ways = Vec::new();
        if run.may_live(at) || rules.at_most_once {
            ways.push((Reply::Flag(false), *self));
        }
        if run.may_have_lapsed(at) && !rules.at_most_once {
            ways.push((Reply::Flag(true), self.written(self.inserted(at))));
        }
        if let Some(forgotten) = self.lapse_forgotten(rules, at) {
            ways.extend(forgotten.insert(rules, at));
        }
        ways
    }

    fn insert_settled(&self, rules: &Rules, at: &Moment) -> Way<'a> {
        match (self.rec, self.status(rules)) {
            (Some(rec), Some(Status::Released)) => {
                let over = Rec {
                    tok: Tok::Above(self.floor),
                    ..rec.turned(Kind::Completed, "", at)
                };
                (Reply::Flag(true), self.written(over))
            }
            (Some(_), _) => (Reply::Flag(false), *self),
            (None, _) => (Reply::Flag(true), self.written(self.inserted(at))),
        }
    }

    fn inserted(&self, at: &Moment) -> Rec<'a> {
        Rec {
            kind: Kind::Completed,
            tok: Tok::Above(self.floor),
            attempt: 1,
            body: "",
            reason: "",
            meta: "",
            print: None,
            first: at.secs,
            at: at.secs,
        }
    }
}

/// When a lease ends that is granted or renewed now. The store counts whole milliseconds, so it may
/// end up to one earlier.
pub(super) fn lease_span(lease_ns: u64, at: &Moment) -> (u64, u64) {
    let least = (at.start + lease_ns).saturating_sub(MILLI_NS);
    (least, at.end.saturating_add(lease_ns))
}

fn lease_from(ask: &Ask, at: &Moment) -> (u64, u64) {
    lease_span(ask.lease_ms * MILLI_NS, at)
}

fn or_exhausted(reason: &str) -> &str {
    if reason.is_empty() { EXHAUSTED } else { reason }
}
