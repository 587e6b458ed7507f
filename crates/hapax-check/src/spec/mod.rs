//! The sequential specification of one key: what it is, and what each call answers and leaves.
//!
//! Written from the contract, with no code of hapax. Time is what makes it more than a table: a
//! call is decided at some moment between its start and its end, so whether a lease had lapsed or an
//! outcome had expired by then may be open. Then both are tried ([`Moment`]).

mod claim;
mod holder;

use crate::history::{Answer, Call, Op, Rules, Status};

/// The least and the most that a time may be.
pub type Span = (u64, u64);

/// When a call may have been decided.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Nanoseconds of the recorder's clock.
    pub start: u64,
    /// The greatest number for a call that never returned.
    pub end: u64,
    /// The store's clock of whole seconds.
    pub secs: Span,
}

/// A fencing token, or what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tok {
    Known(i64),
    /// Not told to a caller yet; it is higher than this.
    Above(i64),
}

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

/// A key's newest record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rec<'a> {
    pub kind: Kind,
    pub tok: Tok,
    pub attempt: u32,
    /// The response, the error or the checkpoint.
    pub body: &'a str,
    pub reason: &'a str,
    pub meta: &'a str,
    pub print: Option<u8>,
    pub first: Span,
    pub at: Span,
}

/// The run of a key, which may have lapsed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run<'a> {
    pub tok: Tok,
    pub attempt: u32,
    pub lease_ns: u64,
    /// When the lease ends, in nanoseconds.
    pub ends: Span,
    /// The guard of the lease is there.
    pub alive: bool,
    pub checkpoint: &'a str,
    pub reason: &'a str,
    /// The metadata of the claim that holds the key.
    pub asked_meta: &'a str,
    /// The metadata of the first claim of this request.
    pub meta: &'a str,
    pub print: Option<u8>,
    pub first: Span,
    /// The record that the first grant went on from.
    pub before: Option<Rec<'a>>,
    /// The newest record was written under this token.
    pub journaled: bool,
    /// The claim whose future was dropped, where this is its grant.
    pub ghost: Option<usize>,
    /// The holder that this grant took over from: it is current again if the grant is taken back.
    pub lapsed: Option<Lapsed<'a>>,
}

/// A holder whose lease had lapsed when another caller was granted its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lapsed<'a> {
    tok: Tok,
    attempt: u32,
    lease_ns: u64,
    ends: Span,
    alive: bool,
    asked_meta: &'a str,
    print: Option<u8>,
    journaled: bool,
    ghost: Option<usize>,
}

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key<'a> {
    pub rec: Option<Rec<'a>>,
    pub run: Option<Run<'a>>,
    /// The highest token that a caller was told.
    pub floor: i64,
}

pub(crate) const DROPPED: &str = "the lease was dropped without an outcome";
pub(crate) const LAPSED: &str = "the lease lapsed without an outcome";
pub(crate) const DIED: &str = "the process ended without an outcome";
pub(crate) const NEVER_HAPPENED: &str = "resolved: it never happened";
pub(crate) const EXHAUSTED: &str = "no outcome within the attempts allowed";

const SECOND_NS: u64 = 1_000_000_000;
const MILLI_NS: u64 = 1_000_000;

/// The times of a key, which are known more or less exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spans([Span; 7]);

impl Spans {
    /// Whether each span of the other lies within its own: everything that is possible then is
    /// possible here.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        pairs.all(|(wide, narrow)| wide.0 <= narrow.0 && wide.1 >= narrow.1)
    }
}

/// What a call has to be answered.
#[derive(Clone, Copy, Debug)]
enum Reply<'a> {
    Granted,
    InProgress,
    /// The newest record is the answer.
    Outcome,
    InDoubt {
        reason: &'a str,
        alive: bool,
    },
    Mismatch(Status),
    Done,
    Flag(bool),
    Absent,
    Info(Status),
    Refused(crate::history::Refusal, Option<Status>),
}

/// One way in which a call may go: what it is answered, and what the key is then.
type Way<'a> = (Reply<'a>, Key<'a>);

impl<'a> Key<'a> {
    /// A key that was never seen.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            rec: None,
            run: None,
            floor: -1,
        }
    }

    /// The key without its times, and its times.
    #[must_use]
    pub fn timeless(&self) -> (Self, Spans) {
        let (mut key, mut spans) = (*self, Spans::default());
        if let Some(run) = &mut key.run {
            spans.0[0] = std::mem::take(&mut run.ends);
            spans.0[1] = std::mem::take(&mut run.first);
            if let Some(before) = &mut run.before {
                spans.0[2] = std::mem::take(&mut before.first);
                spans.0[3] = std::mem::take(&mut before.at);
            }
            if let Some(lapsed) = &mut run.lapsed {
                spans.0[6] = std::mem::take(&mut lapsed.ends);
            }
        }
        if let Some(rec) = &mut key.rec {
            spans.0[4] = std::mem::take(&mut rec.first);
            spans.0[5] = std::mem::take(&mut rec.at);
        }
        (key, spans)
    }

    /// Everything that the key may be after this call, if the call was answered as it was.
    #[must_use]
    pub fn after(&self, rules: &Rules, call: &'a Call, id: usize, at: &Moment) -> Vec<Self> {
        if matches!(&call.result, Answer::Refused(refused) if refused.kind == crate::history::Refusal::AtCapacity)
        {
            return vec![*self];
        }
        let fits = |(reply, next): Way<'a>| match &call.result {
            Answer::Unknown | Answer::Cancelled => Some(next.haunted(&reply, call, id)),
            answer => next.told(rules, &reply, answer, at),
        };
        self.ways(rules, call, at)
            .into_iter()
            .filter_map(fits)
            .collect()
    }

    fn ways(&self, rules: &Rules, call: &'a Call, at: &Moment) -> Vec<Way<'a>> {
        match &call.op {
            Op::Claim(ask) => self.claim(rules, ask, at),
            Op::Resolve { token, how, force } => self.resolve(rules, *token, how, *force, at),
            Op::Forget { force } => self.forget(rules, *force, at),
            Op::Insert => self.insert(rules, at),
            Op::Contains => self.contains(rules, at),
            Op::Get => self.get(rules, at),
            held => self.hold(rules, held, at),
        }
    }

    /// A grant whose receiver is gone.
    fn haunted(mut self, reply: &Reply<'a>, call: &Call, id: usize) -> Self {
        if let (Reply::Granted, Op::Claim(_), Some(run)) = (reply, &call.op, &mut self.run) {
            run.ghost = Some(id);
        }
        self
    }

    /// The store was closed and opened: no key runs any more.
    #[must_use]
    pub fn reopened(mut self) -> Self {
        self.run = None;
        self
    }

    /// The grant of a claim whose future was dropped is taken back.
    #[must_use]
    pub fn withdrawn(&self, id: usize, at: &Moment) -> Self {
        let Some(run) = self.run.filter(|run| run.ghost == Some(id)) else {
            return *self;
        };
        let mut key = *self;
        key.run = run.given_back();
        if run.journaled {
            let claimed = |run: Run<'a>| run.record(Kind::InProgress, run.checkpoint, at);
            key.rec = key.run.map(claimed).or(run.before);
        }
        key
    }

    /// Whether its claim is undelivered and stands.
    #[must_use]
    pub fn is_haunted_by(&self, id: usize) -> bool {
        self.run.is_some_and(|run| run.ghost == Some(id))
    }

    /// The newest record of a key that is not running: there, expired, or perhaps either.
    fn settled(&self, rules: &Rules, at: &Moment) -> Vec<Self> {
        let mut ways = Vec::new();
        let Some(rec) = self.rec else {
            return vec![*self];
        };
        match rules.life(rec.kind) {
            None => ways.push(*self),
            Some(life) => {
                if at.secs.0 < rec.at.1 + life + 1 {
                    ways.push(*self);
                }
                if at.secs.1 > rec.at.0 + life {
                    ways.push(Self { rec: None, ..*self });
                }
            }
        }
        ways
    }

    fn status(&self, rules: &Rules) -> Option<Status> {
        Some(match self.rec?.kind {
            Kind::Completed => Status::Completed,
            Kind::Failed => Status::Failed,
            Kind::InDoubt => Status::InDoubt,
            Kind::InProgress if rules.at_most_once => Status::InDoubt,
            Kind::InProgress | Kind::Released => Status::Released,
        })
    }

    /// The key after a caller was given this answer, if it fits.
    fn told(self, rules: &Rules, reply: &Reply<'a>, answer: &Answer, at: &Moment) -> Option<Self> {
        match (reply, answer) {
            (Reply::Granted, Answer::Granted(granted)) => {
                let run = self.run?;
                let fits = granted.attempt == run.attempt
                    && granted.checkpoint == run.checkpoint
                    && granted.reason == run.reason
                    && granted.token > self.floor;
                self.known(granted.token)?
                    .first(granted.first)
                    .filter(|_| fits)
            }
            (
                Reply::InProgress,
                Answer::InProgress {
                    left_ms,
                    attempt,
                    meta,
                },
            ) => {
                let run = self.run?;
                let least = at
                    .start
                    .saturating_add(left_ms.saturating_sub(1) * MILLI_NS);
                // Both what is left and when the lease ends are whole milliseconds.
                let most = at.end.saturating_add(left_ms.saturating_add(2) * MILLI_NS);
                let fits = *attempt == run.attempt
                    && meta == run.asked_meta
                    && *left_ms <= (run.lease_ns / MILLI_NS).max(1)
                    && least <= run.ends.1
                    && most >= run.ends.0;
                fits.then_some(self)
            }
            (Reply::Outcome, Answer::Completed(stored) | Answer::Failed(stored)) => {
                self.told_outcome(rules, answer, stored, at)
            }
            (Reply::InDoubt { reason, alive }, Answer::InDoubt(doubt)) => {
                let (attempt, checkpoint, meta) = match (self.run, self.rec) {
                    (Some(run), _) => (run.attempt, run.checkpoint, run.meta),
                    (None, rec) => rec.map(|rec| (rec.attempt, rec.body, rec.meta))?,
                };
                let fits = doubt.attempt == attempt
                    && doubt.checkpoint == checkpoint
                    && doubt.meta == meta
                    && doubt.reason == *reason
                    && doubt.alive == *alive;
                self.known(doubt.token).filter(|_| fits)
            }
            (Reply::Mismatch(state), Answer::Mismatch { state: told }) => {
                (state == told).then_some(self)
            }
            (Reply::Done, Answer::Done) | (Reply::Absent, Answer::Absent) => Some(self),
            (Reply::Flag(flag), Answer::Flag(told)) => (flag == told).then_some(self),
            (Reply::Info(state), Answer::Info(info)) => self.told_info(*state, info),
            (Reply::Refused(kind, state), Answer::Refused(refused)) => {
                match (refused.kind == *kind, refused.current, state) {
                    (false, ..) => None,
                    (true, Some((told, token)), Some(state)) if told == *state => self.known(token),
                    (true, Some(_), _) => None,
                    (true, None, _) => Some(self),
                }
            }
            _ => None,
        }
    }

    fn told_outcome(
        self,
        rules: &Rules,
        answer: &Answer,
        stored: &crate::history::Stored,
        at: &Moment,
    ) -> Option<Self> {
        let rec = self.rec?;
        let kind = match answer {
            Answer::Completed(_) => Kind::Completed,
            _ => Kind::Failed,
        };
        let fits = rec.kind == kind
            && stored.body == rec.body
            && stored.attempts == rec.attempt
            && stored.meta == rec.meta
            && (rec.at.0..=rec.at.1).contains(&stored.at)
            && rules.life(kind).map(|life| stored.at + life + 1) == Some(stored.expires)
            && at.secs.0 < stored.expires;
        let mut key = self.known(stored.token)?.first(stored.first)?;
        key.rec.as_mut()?.at = (stored.at, stored.at);
        fits.then_some(key)
    }

    fn told_info(self, state: Status, info: &crate::history::Info) -> Option<Self> {
        let (attempt, body, reason, meta) = match (self.run, self.rec) {
            (Some(run), _) if state == Status::InDoubt => {
                (run.attempt, run.checkpoint, LAPSED, run.meta)
            }
            (Some(run), _) => (run.attempt, run.checkpoint, run.reason, run.meta),
            (None, rec) => rec.map(|rec| (rec.attempt, rec.body, rec.told(state), rec.meta))?,
        };
        let fits = info.state == state
            && info.attempt == attempt
            && info.body == body
            && info.reason == reason
            && info.meta == meta;
        self.known(info.token).filter(|_| fits)
    }

    /// The token of the key became known.
    fn known(mut self, token: i64) -> Option<Self> {
        let tok = match (&self.run, &self.rec) {
            (Some(run), _) => run.tok,
            (None, Some(rec)) => rec.tok,
            (None, None) => return None,
        };
        let fits = match tok {
            Tok::Known(known) => known == token,
            Tok::Above(floor) => token > floor,
        };
        let known = Tok::Known(token);
        self.floor = self.floor.max(token);
        match (&mut self.run, &mut self.rec) {
            (Some(run), rec) => {
                run.tok = known;
                if let Some(rec) = rec.as_mut().filter(|_| run.journaled) {
                    rec.tok = known;
                }
            }
            (None, Some(rec)) => rec.tok = known,
            (None, None) => {}
        }
        fits.then_some(self)
    }

    /// The time of the first claim became known.
    fn first(mut self, secs: u64) -> Option<Self> {
        let first = match (&self.run, &self.rec) {
            (Some(run), _) => run.first,
            (None, rec) => rec.as_ref()?.first,
        };
        let known = (secs, secs);
        match (&mut self.run, &mut self.rec) {
            (Some(run), rec) => {
                run.first = known;
                if let Some(rec) = rec.as_mut().filter(|_| run.journaled) {
                    rec.first = known;
                }
            }
            (None, Some(rec)) => rec.first = known,
            (None, None) => {}
        }
        (first.0..=first.1).contains(&secs).then_some(self)
    }
}

impl<'a> Run<'a> {
    /// What a grant took over from, for the case that it is taken back.
    fn as_lapsed(&self) -> Lapsed<'a> {
        Lapsed {
            tok: self.tok,
            attempt: self.attempt,
            lease_ns: self.lease_ns,
            ends: self.ends,
            alive: self.alive,
            asked_meta: self.asked_meta,
            print: self.print,
            journaled: self.journaled,
            ghost: self.ghost,
        }
    }

    /// The holder from before this grant, if a lapse had made room for it.
    fn given_back(self) -> Option<Self> {
        let lapsed = self.lapsed?;
        Some(Self {
            tok: lapsed.tok,
            attempt: lapsed.attempt,
            lease_ns: lapsed.lease_ns,
            ends: lapsed.ends,
            alive: lapsed.alive,
            asked_meta: lapsed.asked_meta,
            print: lapsed.print,
            journaled: lapsed.journaled || self.journaled,
            ghost: lapsed.ghost,
            lapsed: None,
            ..self
        })
    }

    fn may_live(&self, at: &Moment) -> bool {
        at.start < self.ends.1
    }

    fn may_have_lapsed(&self, at: &Moment) -> bool {
        at.end > self.ends.0
    }

    /// A caller saw that it had lapsed.
    fn seen_lapsed(mut self, at: &Moment) -> Self {
        self.ends.1 = self.ends.1.min(at.end);
        self
    }

    fn record(&self, kind: Kind, said: &'a str, at: &Moment) -> Rec<'a> {
        let (reason, body) = match kind {
            Kind::Completed | Kind::Failed => ("", said),
            Kind::Released | Kind::InDoubt => (said, self.checkpoint),
            Kind::InProgress => (self.reason, said),
        };
        Rec {
            kind,
            tok: self.tok,
            attempt: self.attempt,
            body,
            reason,
            meta: self.meta,
            print: self.print,
            first: self.first,
            at: at.secs,
        }
    }
}

impl<'a> Rec<'a> {
    /// The reason that callers are told: a doubt never shows the reason of an earlier attempt.
    fn told(&self, state: Status) -> &'a str {
        match (state, self.kind) {
            (Status::InDoubt, Kind::InProgress) => DIED,
            _ => self.reason,
        }
    }

    /// The record that follows this one without a new claim.
    fn turned(self, kind: Kind, said: &'a str, at: &Moment) -> Self {
        let outcome = matches!(kind, Kind::Completed | Kind::Failed);
        Rec {
            kind,
            body: if outcome { said } else { self.body },
            reason: if outcome { "" } else { said },
            at: at.secs,
            ..self
        }
    }
}

impl Rules {
    /// For how many seconds a record of this kind counts; `None` for ever.
    fn life(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Completed => Some(self.retention_secs),
            Kind::Failed => Some(self.failed_secs),
            Kind::InDoubt => None,
            Kind::InProgress if self.at_most_once => None,
            Kind::InProgress | Kind::Released => Some(self.attempt_secs),
        }
    }

    fn is_last(&self, attempt: u32) -> bool {
        self.max_attempts.is_some_and(|most| attempt >= most)
    }
}

fn differs(stored: Option<u8>, sent: Option<u8>) -> bool {
    matches!((stored, sent), (Some(stored), Some(sent)) if stored != sent)
}
