//! One thread: it claims, holds, settles, looks and forgets at random, and records each call.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::{BatchClaim, Claim, ClaimItem, ClaimOptions, Doubt, Lease, Namespace};
use hapax_check::history::{Answer, Ask, Call, How, Op};

use crate::answer::{self, Left, text};
use crate::random::Random;
use crate::session::{Open, Session};

/// Leases, or doubts, in hand at most.
const IN_HAND_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Worker<'a> {
    session: &'a Session<'a>,
    number: u32,
    random: Random,
    serial: u64,
    generation: u64,
    leases: Vec<(At, Lease)>,
    doubts: Vec<(At, Doubt)>,
}

/// A key of a namespace.
#[derive(Clone, Debug)]
struct At {
    ns: usize,
    key: String,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(session: &'a Session<'a>, number: u64) -> Self {
        let seed = session.plan.seed.wrapping_mul(0x1_0000_0001);
        Self {
            session,
            number: u32::try_from(number).unwrap_or(u32::MAX),
            random: Random::new(seed ^ number.wrapping_mul(0x9e37_79b9)),
            serial: 0,
            generation: 0,
            leases: Vec::new(),
            doubts: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            let guard = self.session.open.read().expect("no thread panics with it");
            let open = Arc::clone(&guard);
            if self.generation != open.generation {
                // Their store is closed: letting them go has no effect.
                self.leases.clear();
                self.doubts.clear();
                self.generation = open.generation;
            }
            if self.session.is_over() {
                break self.let_all_go(&open);
            }
            self.act(&open);
            let closing = open.closing.load(Ordering::Acquire);
            drop(guard);
            if closing {
                self.session.await_next(open.generation);
            }
        }
    }

    fn act(&mut self, open: &Open) {
        let full = self.leases.len() >= IN_HAND_MAX;
        match self.random.below(100) {
            0..36 if !full => self.claim(open),
            36..41 if !full => self.claim_many(open),
            41..47 => self.claim_and_cancel(open),
            47..51 => self.get(open),
            51..54 => self.contains(open),
            54..57 => self.insert(open),
            57..63 => self.forget(open),
            63..70 if !self.doubts.is_empty() => self.resolve(open),
            _ if self.leases.is_empty() => self.claim(open),
            70..74 if self.leases.len() > 1 => self.complete_many(open),
            _ => self.hold(open),
        }
    }

    fn somewhere(&mut self) -> At {
        let ns = self.random.index(3);
        let key = format!("k{}", self.random.below(self.session.plan.keys));
        At { ns, key }
    }

    /// A text that no other call has.
    fn unique(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}{}-{}", self.number, self.serial)
    }

    /// As [`unique`](Self::unique), and sometimes larger than a frame.
    fn body(&mut self, what: &str) -> String {
        let body = self.unique(what);
        match self.random.below(100) {
            0 => body.repeat(20_000),
            1..5 => body.repeat(200),
            _ => body,
        }
    }

    fn record(&self, open: &Open, at: &At, start: u64, op: Op, result: Answer) {
        let end = self.session.recorder.stamp();
        let closing = open.closing.load(Ordering::Acquire);
        // Calls that were not acknowledged.
        let silent =
            matches!(op, Op::Drop { .. } | Op::LetGo { .. }) || result == Answer::Cancelled;
        let result = if closing && silent {
            Answer::Unknown
        } else {
            result
        };
        self.session.recorder.call(Call {
            ns: at.ns,
            key: at.key.clone(),
            thread: self.number,
            start,
            end: Some(end),
            op,
            result,
        });
    }

    fn stamp(&self) -> u64 {
        self.session.recorder.stamp()
    }

    /// The fault that is planted this time.
    fn fault(&mut self) -> Option<crate::fault::Fault> {
        let fault = self.session.plan.fault?;
        self.random.percent(fault.percent()).then_some(fault)
    }

    fn ask(&mut self) -> (Ask, Vec<u8>) {
        let print = match self.random.below(20) {
            0 => Some(1),
            1 => None,
            _ => Some(0),
        };
        let ask = Ask {
            lease_ms: 5 + self.random.below(60),
            wait_ms: self.random.percent(25).then(|| 1 + self.random.below(40)),
            print,
            meta: self.unique("m"),
        };
        let request = print.map(|print| vec![print]).unwrap_or_default();
        (ask, request)
    }

    fn options(on: &Namespace, ask: &Ask, request: &[u8]) -> ClaimOptions {
        let mut options = ClaimOptions::new()
            .lease(Duration::from_millis(ask.lease_ms))
            .metadata(ask.meta.as_bytes());
        if let Some(wait_ms) = ask.wait_ms {
            options = options.wait(Duration::from_millis(wait_ms));
        }
        if ask.print.is_some() {
            let print = on
                .fingerprint_of(request)
                .expect("one part is within the limits");
            options = options.fingerprint(print);
        }
        options
    }

    fn claim(&mut self, open: &Open) {
        let at = self.somewhere();
        let on = &open.namespaces[at.ns];
        let (ask, request) = self.ask();
        let fault = self.fault();
        let start = self.stamp();
        let mut claimed = on.claim_with(&at.key, Self::options(on, &ask, &request));
        if let Some(fault) = fault {
            claimed = claimed.and_then(|claim| fault.claimed(&open.operator, on, &at.key, claim));
        }
        self.claimed(open, &at, start, ask, claimed, fault);
    }

    fn claimed(
        &mut self,
        open: &Open,
        at: &At,
        start: u64,
        ask: Ask,
        claimed: hapax::Result<Claim>,
        fault: Option<crate::fault::Fault>,
    ) {
        let (answer, left) = match claimed {
            Ok(claim) => answer::of_claim(claim),
            Err(error) => (answer::of_error(&error), Left::Nothing),
        };
        let answer = fault.map_or(answer.clone(), |fault| fault.told(answer));
        self.record(open, at, start, Op::Claim(ask), answer);
        match left {
            Left::Lease(lease) => self.leases.push((at.clone(), lease)),
            Left::Doubt(doubt) if self.doubts.len() < IN_HAND_MAX => {
                self.doubts.push((at.clone(), doubt));
            }
            _ => {}
        }
    }

    fn claim_many(&mut self, open: &Open) {
        let first = self.somewhere();
        let on = &open.namespaces[first.ns];
        let more = 1 + self.random.below(self.session.plan.keys.min(4));
        let from = self.random.below(self.session.plan.keys);
        let asked: Vec<(At, Ask, Vec<u8>)> = (from..from + more)
            .map(|key| {
                let key = format!("k{}", key % self.session.plan.keys);
                let (mut ask, request) = self.ask();
                ask.wait_ms = None;
                (At { ns: first.ns, key }, ask, request)
            })
            .collect();
        let items: Vec<ClaimItem> = asked
            .iter()
            .map(|(at, ask, request)| {
                ClaimItem::new(&at.key).options(Self::options(on, ask, request))
            })
            .collect();
        let start = self.stamp();
        match on.claim_many(items) {
            Ok(answers) => {
                for ((at, ask, _), answer) in asked.into_iter().zip(answers) {
                    let claimed = match answer {
                        BatchClaim::Claim(claim) => Ok(claim),
                        BatchClaim::Refused(error) => Err(error),
                        BatchClaim::RepeatOf { .. } => continue,
                    };
                    self.claimed(open, &at, start, ask, claimed, None);
                }
            }
            Err(error) => {
                for (at, ask, _) in asked {
                    let answer = answer::of_error(&error);
                    self.record(open, &at, start, Op::Claim(ask), answer);
                }
            }
        }
    }

    /// Drops the future of a claim after a few looks at it, unless it is ready by then.
    fn claim_and_cancel(&mut self, open: &Open) {
        let at = self.somewhere();
        let on = &open.namespaces[at.ns];
        let (ask, request) = self.ask();
        let looks = 1 + self.random.below(30);
        let start = self.stamp();
        let claimed = {
            let mut claim = pin!(on.claim_async(&at.key, Self::options(on, &ask, &request)));
            let mut context = Context::from_waker(Waker::noop());
            let mut looked = None;
            for _ in 0..looks {
                if let Poll::Ready(claimed) = claim.as_mut().poll(&mut context) {
                    looked = Some(claimed);
                    break;
                }
                std::thread::yield_now();
            }
            looked
        };
        match claimed {
            Some(claimed) => self.claimed(open, &at, start, ask, claimed, None),
            None => self.record(open, &at, start, Op::Claim(ask), Answer::Cancelled),
        }
    }

    /// Does something with one of the leases in hand.
    fn hold(&mut self, open: &Open) {
        let (at, lease) = self
            .leases
            .swap_remove(self.random.index(self.leases.len()));
        let token = lease.token().as_i64();
        match self.random.below(100) {
            0..30 => {
                let body = self.body("c");
                let start = self.stamp();
                let done = lease.complete(&body);
                if let (Ok(()), Some(fault)) = (&done, self.fault()) {
                    fault.completed(&open.namespaces[at.ns], &at.key);
                }
                let body = text(body.as_bytes());
                self.settled(open, &at, start, Op::Complete { token, body }, done);
            }
            30..38 => {
                let body = self.body("f");
                let start = self.stamp();
                let done = lease.fail(&body);
                let body = text(body.as_bytes());
                self.settled(open, &at, start, Op::Fail { token, body }, done);
            }
            38..54 => {
                let reason = self.unique("r");
                let start = self.stamp();
                let done = lease.release(&reason);
                self.settled(open, &at, start, Op::Release { token, reason }, done);
            }
            54..60 => {
                let reason = self.unique("d");
                let start = self.stamp();
                let done = lease.doubt(&reason);
                self.settled(open, &at, start, Op::Doubt { token, reason }, done);
            }
            60..70 => {
                let body = self.unique("p");
                let start = self.stamp();
                let done = lease.checkpoint(&body);
                self.prolonged(open, at, lease, start, Op::Checkpoint { token, body }, done);
            }
            70..82 => {
                let start = self.stamp();
                let done = lease.renew();
                self.prolonged(open, at, lease, start, Op::Renew { token }, done);
            }
            82..90 => {
                let start = self.stamp();
                drop(lease);
                self.record(open, &at, start, Op::Drop { token }, Answer::Done);
            }
            // Kept, so that it lapses.
            _ => {
                self.leases.push((at, lease));
                self.get(open);
            }
        }
    }

    fn settled(&mut self, open: &Open, at: &At, start: u64, op: Op, done: hapax::Result<()>) {
        let Err(refused) = done else {
            return self.record(open, at, start, op, Answer::Done);
        };
        let token = token_of(&op);
        let answer = answer::of_error(&refused);
        let answer = self
            .fault()
            .map_or(answer.clone(), |fault| fault.told(answer));
        self.record(open, at, start, op, answer);
        let start = if self.random.percent(50) {
            match refused.into_lease() {
                Ok(lease) => return self.leases.push((at.clone(), lease)),
                Err(_) => start,
            }
        } else {
            let start = self.stamp();
            drop(refused);
            start
        };
        self.record(open, at, start, Op::LetGo { token }, Answer::Done);
    }

    fn let_go(&mut self, open: &Open, at: &At, lease: Lease) {
        let token = lease.token().as_i64();
        let start = self.stamp();
        drop(lease);
        self.record(open, at, start, Op::Drop { token }, Answer::Done);
    }

    fn prolonged(
        &mut self,
        open: &Open,
        at: At,
        lease: Lease,
        start: u64,
        op: Op,
        done: hapax::Result<()>,
    ) {
        let answer = match done {
            Ok(()) => Answer::Done,
            Err(error) => answer::of_error(&error),
        };
        let answer = self
            .fault()
            .map_or(answer.clone(), |fault| fault.told(answer));
        self.record(open, &at, start, op, answer);
        self.leases.push((at, lease));
    }

    fn complete_many(&mut self, open: &Open) {
        let ns = self.leases[0].0.ns;
        let (now, later): (Vec<_>, Vec<_>) = self.leases.drain(..).partition(|(at, _)| at.ns == ns);
        self.leases = later;
        let asked: Vec<(At, Op)> = now
            .iter()
            .map(|(at, lease)| {
                let token = lease.token().as_i64();
                let body = self.unique("b");
                (at.clone(), Op::Complete { token, body })
            })
            .collect();
        let items = now.into_iter().zip(&asked).map(|((_, lease), (_, op))| {
            let body = match op {
                Op::Complete { body, .. } => body.clone(),
                _ => String::new(),
            };
            (lease, body)
        });
        let start = self.stamp();
        let done = open.namespaces[ns].complete_many(items.collect::<Vec<_>>());
        for ((at, op), done) in asked.into_iter().zip(done) {
            self.settled(open, &at, start, op, done);
        }
    }

    fn get(&mut self, open: &Open) {
        let at = self.somewhere();
        let start = self.stamp();
        let answer = match open.namespaces[at.ns].get(&at.key) {
            Ok(info) => answer::of_info(info),
            Err(error) => answer::of_error(&error),
        };
        self.record(open, &at, start, Op::Get, answer);
    }

    fn contains(&mut self, open: &Open) {
        let at = self.somewhere();
        let start = self.stamp();
        let answer = flag(open.namespaces[at.ns].contains(&at.key));
        self.record(open, &at, start, Op::Contains, answer);
    }

    fn insert(&mut self, open: &Open) {
        let at = self.somewhere();
        let start = self.stamp();
        let answer = flag(open.namespaces[at.ns].insert(&at.key));
        self.record(open, &at, start, Op::Insert, answer);
    }

    fn forget(&mut self, open: &Open) {
        let forced = self.random.percent(30) && !self.leases.is_empty();
        if forced {
            let (at, lease) = &self.leases[self.random.index(self.leases.len())];
            let (at, token) = (at.clone(), lease.token());
            let start = self.stamp();
            let answer = flag(open.operator.forget_forced(
                open.namespaces[at.ns].name(),
                &at.key,
                token,
            ));
            let force = Some(token.as_i64());
            return self.record(open, &at, start, Op::Forget { force }, answer);
        }
        let at = self.somewhere();
        let on = &open.namespaces[at.ns];
        let fault = self.fault();
        let start = self.stamp();
        let answer = flag(match fault {
            Some(fault) => fault.forget(on, &at.key),
            None => on.forget(&at.key),
        });
        self.record(open, &at, start, Op::Forget { force: None }, answer);
    }

    fn resolve(&mut self, open: &Open) {
        let (at, doubt) = self
            .doubts
            .swap_remove(self.random.index(self.doubts.len()));
        let token = doubt.token().as_i64();
        let force = self.random.percent(20);
        let (how, resolution) = match self.random.below(3) {
            0 => {
                let body = self.unique("h");
                let resolution = hapax::Resolution::Happened(body.clone().into_bytes());
                (How::Happened(body), resolution)
            }
            1 => {
                let body = self.unique("e");
                let resolution = hapax::Resolution::Failed(body.clone().into_bytes());
                (How::Failed(body), resolution)
            }
            _ => (How::NeverHappened, hapax::Resolution::NeverHappened),
        };
        let start = self.stamp();
        let done = if force {
            open.operator.resolve_forced(&doubt, resolution)
        } else {
            doubt.resolve(resolution)
        };
        let answer = match done {
            Ok(()) => Answer::Done,
            Err(error) => answer::of_error(&error),
        };
        self.record(open, &at, start, Op::Resolve { token, how, force }, answer);
    }

    fn let_all_go(&mut self, open: &Open) {
        for (at, lease) in std::mem::take(&mut self.leases) {
            self.let_go(open, &at, lease);
        }
    }
}

fn flag(answer: hapax::Result<bool>) -> Answer {
    match answer {
        Ok(flag) => Answer::Flag(flag),
        Err(error) => answer::of_error(&error),
    }
}

fn token_of(op: &Op) -> i64 {
    match op {
        Op::Complete { token, .. }
        | Op::Fail { token, .. }
        | Op::Release { token, .. }
        | Op::Doubt { token, .. } => *token,
        _ => unreachable!("only these take a lease"),
    }
}
