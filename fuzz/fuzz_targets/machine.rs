//! The store under test, and what is done to it.

use std::time::Duration;

use hapax::operator::{Attribution, Operator};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    BatchClaim, Claim, ClaimOptions, Durability, ErrorKind, FencingToken, KeyState, Lease, Limits,
    Namespace, Policy, Resolution, Result, Store, Ticket, fuzzing,
};

use crate::line::Line;
use crate::model::{AT_MOST_ONCE, LEASE, Model, Place, RETENTION};
use crate::operation::{How, KEYS, Operation, Settling, Setup, Unit};

const LEASES_MAX: usize = 32;
const WINDOW: Duration = Duration::from_millis(50);
const NAMES: [&str; 2] = ["at-least-once", "at-most-once"];

/// A store on a log in memory, the leases that it has granted, and what the model knows of it.
pub struct Machine {
    clock: ManualClock,
    log: MemoryLog,
    setup: Setup,
    interval: bool,
    store: Store,
    namespaces: [Namespace; 2],
    leases: Vec<(Place, Lease)>,
    line: Line,
    tickets: Vec<(Place, Ticket)>,
    model: Model,
    bodies: u64,
}

/// Opens the store, and accepts a jump of the clock if it has to.
fn open(
    clock: &ManualClock,
    log: &MemoryLog,
    setup: Setup,
    refused: &mut bool,
) -> (Store, [Namespace; 2]) {
    let durability = if setup.interval {
        Durability::Interval(WINDOW)
    } else {
        Durability::Sync
    };
    let limits = if setup.tight {
        Limits::new()
            .live_keys(5)
            .running_keys(3)
            .waiters_per_key(2)
    } else {
        Limits::new()
    };
    let builder = Store::in_memory().log(log).clock(clock).shards(2);
    let builder = builder.durability(durability).limits(limits);
    let opened = builder.clone().open();
    *refused = opened.is_err();
    let store = opened.unwrap_or_else(|error| {
        assert_eq!(error.kind(), ErrorKind::ClockJump, "{error}");
        builder.accept_clock_jump().open().expect("it opens")
    });
    let namespaces = [
        Policy::at_least_once().max_attempts(3),
        Policy::at_most_once(),
    ];
    let mut index = 0;
    let namespaces = namespaces.map(|policy| {
        let policy = policy.lease(LEASE).retention(RETENTION);
        let policy = policy.attempt_retention(RETENTION / 2);
        index += 1;
        let namespace = store.namespace(NAMES[index - 1], policy);
        namespace.expect("the policy is the same every time")
    });
    (store, namespaces)
}

impl Machine {
    pub fn new(setup: Setup) -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let mut refused = false;
        let (store, namespaces) = open(&clock, &log, setup, &mut refused);
        assert!(!refused, "a new store has seen no time");
        Self {
            clock,
            log,
            setup,
            interval: setup.interval,
            line: Line::default(),
            store,
            namespaces,
            leases: Vec::new(),
            tickets: Vec::new(),
            model: Model::default(),
            bodies: 0,
        }
    }

    /// Carries out an operation, and hears the answers of the waiters.
    pub fn step(&mut self, operation: &Operation) {
        self.act(operation);
        self.hear();
    }

    fn hear(&mut self) {
        for (place, answer) in self.line.poll(&self.model) {
            match answer {
                Ok(claim) => self.claimed(place, claim),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}"),
            }
        }
    }

    fn act(&mut self, operation: &Operation) {
        match *operation {
            Operation::Claim { key, fingerprint } => self.claim(key.place(), fingerprint),
            Operation::Complete { lease, size } => self.settle(lease, size, KeyState::Completed),
            Operation::Fail { lease, size } => self.settle(lease, size, KeyState::Failed),
            Operation::Release { lease } => self.give_up(lease, false),
            Operation::Doubt { lease } => self.give_up(lease, true),
            Operation::Renew { lease } => self.renew(lease),
            Operation::Checkpoint { lease, size } => self.checkpoint(lease, size),
            Operation::Drop { lease } => {
                if let Some((place, lease)) = self.take_lease(lease) {
                    self.model.abandoned(place, lease.token());
                }
            }
            Operation::Detach { lease } => self.detach(lease),
            Operation::Attach { ticket } => self.attach(ticket),
            Operation::Advance { hundredths } => {
                let by = Duration::from_millis(u64::from(hundredths) * 10);
                self.clock.advance(by);
                self.model.advance(by);
                if by >= WINDOW {
                    self.model.synced();
                    self.check();
                }
            }
            Operation::Forget { key, force } => self.forget(key.place(), force),
            Operation::Resolve { doubt, how, force } => self.resolve(doubt, how, force),
            Operation::Wait { key, seconds } => self.wait(key.place(), seconds),
            Operation::Cancel { waiters, ref then } => {
                if !matches!(**then, Operation::Cancel { .. }) {
                    self.act(then);
                    self.line.cancel(usize::from(waiters % 4));
                }
            }
            Operation::ClaimMany {
                at_most_once,
                ref keys,
            } => {
                self.claim_many(usize::from(at_most_once), keys);
            }
            Operation::SettleMany {
                at_most_once,
                leases,
                size,
                how,
            } => {
                self.settle_many(usize::from(at_most_once), leases % 4, size, how);
            }
            Operation::InsertMany {
                at_most_once,
                ref keys,
            } => {
                self.insert_many(usize::from(at_most_once), keys);
            }
            Operation::StepWall { by, unit } => {
                let seconds = i64::from(by)
                    * match unit {
                        Unit::Second => 1,
                        Unit::Hour => 3600,
                        Unit::Week => 7 * 86_400,
                        Unit::Year => 365 * 86_400,
                    };
                if self.model.time.may_step(seconds) {
                    self.clock.step_wall(seconds);
                    self.model.time.step(seconds);
                }
            }
            Operation::Verify => {
                let report = self.store.verify().expect("nothing is damaged");
                assert!(report.live_records() <= report.records());
            }
            Operation::FailMedium {
                append,
                key,
                size,
                keep,
            } => self.fail(append, key.place(), size, keep),
            Operation::Sync => {
                self.store.sync().expect("the log does not fail");
                self.model.synced();
            }
            Operation::Crash { keep } => self.crash(usize::from(keep % 4)),
            Operation::Reopen => {
                self.store.close().expect("the log does not fail");
                self.model.synced();
                self.reopen(true);
            }
        }
    }

    /// Recounts what the store keeps in memory.
    pub fn validate(&self) {
        self.store.validate();
    }

    /// Asks for every outcome that is owed. Not after every step: asking for an outcome makes it
    /// durable, and would hide that it had been acknowledged too early.
    fn check(&self) {
        self.check_while(false);
    }

    fn check_while(&self, poisoned: bool) {
        self.model.check(poisoned, |(namespace, key)| {
            let info = self.namespaces[namespace].get([key]);
            info.expect("the log does not fail")
        });
    }

    /// Cuts the power, and starts again with what the medium has.
    pub fn crash(&mut self, unsynced_frames: usize) {
        self.log.crash_keeping(unsynced_frames);
        self.reopen(false);
    }

    fn reopen(&mut self, closed: bool) {
        self.leases.clear();
        self.line = Line::default();
        let mut refused = false;
        let opened = open(&self.clock, &self.log, self.setup, &mut refused);
        (self.store, self.namespaces) = opened;
        self.model.time.check_opened(refused);
        self.model.crashed(closed);
        self.check();
    }

    fn claim(&mut self, place: Place, fingerprint: Option<bool>) {
        let namespace = &self.namespaces[place.0];
        let mut options = ClaimOptions::new();
        if let Some(body) = fingerprint {
            let fingerprint = namespace.fingerprint_of([u8::from(body)]);
            options = options.fingerprint(fingerprint.expect("one part"));
        }
        match namespace.claim_with([place.1], options) {
            Ok(claim) => self.claimed(place, claim),
            Err(error) => self.at_capacity(error.kind()),
        }
    }

    /// A grant may be refused where there is little room.
    fn at_capacity(&self, kind: ErrorKind) {
        assert!(self.setup.tight, "there is room");
        assert_eq!(kind, ErrorKind::AtCapacity);
    }

    fn claimed(&mut self, place: Place, claim: Claim) {
        self.model.claimed(place, &claim);
        if let Claim::Granted(lease) = claim {
            if self.leases.len() == LEASES_MAX {
                let (place, oldest) = self.leases.remove(0);
                self.model.abandoned(place, oldest.token());
            }
            self.leases.push((place, lease));
        }
    }

    fn wait(&mut self, place: Place, seconds: u8) {
        let wait = Duration::from_secs(u64::from(seconds));
        let options = ClaimOptions::new().wait(wait);
        let pending = self.namespaces[place.0].claim_async([place.1], options);
        self.line.push(place, self.model.now + wait, pending);
    }

    fn claim_many(&mut self, namespace: usize, keys: &[u8]) {
        let keys: Vec<[u8; 1]> = keys.iter().take(6).map(|key| [key % KEYS]).collect();
        let answers = self.namespaces[namespace].claim_many(&keys);
        let answers = answers.expect("a small batch");
        assert_eq!(answers.len(), keys.len());
        let mut answers: Vec<_> = answers.into_iter().enumerate().collect();
        // The store deals with the items shard by shard: the tokens tell in which order.
        answers.sort_by_key(|(_, answer)| match answer {
            BatchClaim::Claim(Claim::Granted(lease)) => (0, lease.token().as_i64()),
            BatchClaim::Claim(_) => (0, 0),
            _ => (1, 0),
        });
        for (at, answer) in answers {
            let first = keys.iter().position(|key| *key == keys[at]);
            match answer {
                BatchClaim::Claim(claim) => {
                    assert_eq!(first, Some(at));
                    self.claimed((namespace, keys[at][0]), claim);
                }
                BatchClaim::RepeatOf { index, .. } => assert_eq!(first, Some(index)),
                BatchClaim::Refused(error) => self.at_capacity(error.kind()),
            }
        }
    }

    fn insert_many(&mut self, namespace: usize, keys: &[u8]) {
        let keys: Vec<[u8; 1]> = keys.iter().take(6).map(|key| [key % KEYS]).collect();
        let inserted = self.namespaces[namespace].insert_many(&keys);
        let inserted = inserted.expect("a small batch");
        assert_eq!(inserted.len(), keys.len());
        for (key, inserted) in keys.iter().zip(inserted) {
            match inserted {
                Ok(is_new) => {
                    let place = (namespace, key[0]);
                    self.model.inserted(place, is_new, !self.interval);
                }
                Err(error) => self.at_capacity(error.kind()),
            }
        }
    }

    fn settle_many(&mut self, namespace: usize, leases: u8, size: u8, how: Settling) {
        let (mut places, mut items) = (Vec::new(), Vec::new());
        for _ in 0..leases {
            let at = self
                .leases
                .iter()
                .position(|(place, _)| place.0 == namespace);
            let Some(at) = at else { break };
            let (place, lease) = self.leases.remove(at);
            let body = self.body(size.min(6));
            places.push((place, lease.token(), body.clone()));
            items.push((lease, body));
        }
        let space = &self.namespaces[namespace];
        let results = match how {
            Settling::Completed => space.complete_many(items),
            Settling::Failed => space.fail_many(items),
            Settling::Released => space.release_many(items),
        };
        assert_eq!(results.len(), places.len());
        for ((place, token, body), result) in places.into_iter().zip(results) {
            let durable = !self.interval;
            match (result, how) {
                (Err(refused), _) => self.refused(place, token, &refused),
                (Ok(()), Settling::Completed) => {
                    self.model
                        .settled(place, KeyState::Completed, body, durable);
                }
                (Ok(()), Settling::Failed) => {
                    self.model.settled(place, KeyState::Failed, body, durable)
                }
                (Ok(()), Settling::Released) => self.model.freed(place),
            }
        }
    }

    /// Lets a write or a sync fail under a completion, or under the next sync: from then on nothing
    /// is granted or acknowledged, and what was durable is answered.
    fn fail(&mut self, append: bool, place: Place, size: u8, keep: u8) {
        if self.leases.is_empty() {
            self.claim(place, None);
        }
        let Some((place, lease)) = self.take_lease(size) else {
            return;
        };
        if append {
            fuzzing::fail_next_append(&self.log);
        } else {
            fuzzing::fail_next_sync(&self.log);
        }
        let (token, body) = (lease.token(), self.body(size));
        let completed: Result<()> = lease.complete(&body);
        match (completed, self.store.sync()) {
            (_, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
                let refused = self.namespaces[0].claim("new").expect_err("poisoned");
                assert_eq!(refused.kind(), ErrorKind::Poisoned, "{refused}");
                self.validate();
                self.model.unknown(place, body);
                self.check_while(true);
            }
            (Err(refused), Ok(())) => self.refused(place, token, &refused),
            (Ok(()), Ok(())) => panic!("acknowledged by a medium that fails"),
        }
        self.crash(usize::from(keep % 4));
    }

    fn settle(&mut self, lease: u8, size: u8, state: KeyState) {
        let body = self.body(size);
        let Some((place, lease)) = self.take_lease(lease) else {
            return;
        };
        let token = lease.token();
        let settled = match state {
            KeyState::Completed => lease.complete(&body),
            _ => lease.fail(&body),
        };
        match settled {
            Ok(()) => self.model.settled(place, state, body, !self.interval),
            Err(refused) => self.refused(place, token, &refused),
        }
    }

    fn give_up(&mut self, lease: u8, doubt: bool) {
        let Some((place, lease)) = self.take_lease(lease) else {
            return;
        };
        let token = lease.token();
        let given_up = if doubt {
            lease.doubt("unknown")
        } else {
            lease.release("busy")
        };
        match given_up {
            Ok(()) if doubt => self.model.doubted(place, !self.interval),
            Ok(()) => self.model.freed(place),
            Err(refused) => self.refused(place, token, &refused),
        }
    }

    /// Only a holder that has lost its key may be refused.
    fn refused(&self, place: Place, token: FencingToken, refused: &hapax::Error) {
        let lost = [
            ErrorKind::Superseded,
            ErrorKind::NotHeld,
            ErrorKind::AlreadySettled,
        ];
        assert!(lost.contains(&refused.kind()), "{refused}");
        assert!(!self.model.is_held(place, token), "{refused}");
    }

    fn renew(&mut self, lease: u8) {
        let Some((place, lease)) = pick(&self.leases, lease) else {
            return;
        };
        match lease.renew() {
            Ok(()) => self.model.renewed(*place, lease.token()),
            Err(error) => assert!(!self.model.is_held(*place, lease.token()), "{error}"),
        }
    }

    fn checkpoint(&mut self, lease: u8, size: u8) {
        let Some((place, lease)) = pick(&self.leases, lease) else {
            return;
        };
        if let Err(error) = lease.checkpoint(vec![size; usize::from(size) * 64]) {
            assert!(!self.model.is_held(*place, lease.token()), "{error}");
        }
    }

    fn detach(&mut self, lease: u8) {
        let Some((place, lease)) = self.take_lease(lease) else {
            return;
        };
        let token = lease.token();
        match lease.detach() {
            Ok(ticket) => self.tickets.push((place, ticket)),
            Err(refused) => self.refused(place, token, &refused),
        }
    }

    fn attach(&mut self, ticket: u8) {
        if self.tickets.is_empty() {
            return;
        }
        let (place, ticket) = self
            .tickets
            .remove(usize::from(ticket) % self.tickets.len());
        match self.store.attach(&ticket) {
            Ok(lease) => {
                assert_eq!(lease.token(), ticket.token());
                // After a restart the ticket makes its bearer the holder again.
                if !lease.is_lost() && !self.model.is_held(place, lease.token()) {
                    self.model.renewed(place, lease.token());
                }
                self.leases.push((place, lease));
            }
            Err(error) => assert!(!self.model.is_held(place, ticket.token()), "{error}"),
        }
    }

    fn operator(&self) -> Operator {
        let by = Attribution::new("fuzz", "by force").expect("it is short");
        self.store.operator(by)
    }

    fn forget(&mut self, place: Place, force: bool) {
        let namespace = &self.namespaces[place.0];
        let info = namespace.get([place.1]).expect("the log does not fail");
        let forgotten = match info {
            Some(info) if force => {
                let operator = self.operator();
                operator.forget_forced(namespace.name(), [place.1], info.token())
            }
            _ => {
                let forgotten = namespace.forget([place.1]);
                let held = self.model.holder(place).is_some();
                assert!(!held || forgotten.is_err(), "forgotten while it is held");
                forgotten
            }
        };
        match forgotten {
            Ok(_) => self.model.freed(place),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InUse, "{error}"),
        }
    }

    fn resolve(&mut self, doubt: u8, how: How, force: bool) {
        let doubts = self.store.doubts().expect("the log does not fail");
        let doubts: Vec<_> = doubts.map(|doubt| doubt.expect("it is read")).collect();
        let Some(doubt) = pick(&doubts, doubt) else {
            return;
        };
        let at_most_once = doubt.namespace() == NAMES[AT_MOST_ONCE];
        let place = (usize::from(at_most_once), doubt.key()[0]);
        let body = self.body(0);
        let resolution = match how {
            How::Happened => Resolution::Happened(body.clone()),
            How::Failed => Resolution::Failed(body.clone()),
            How::NeverHappened => Resolution::NeverHappened,
        };
        let resolved = if force {
            self.operator().resolve_forced(doubt, resolution)
        } else {
            doubt.resolve(resolution)
        };
        let reruns = how == How::NeverHappened;
        let mut leases = self.leases.iter();
        let alive = leases.any(|(at, lease)| *at == place && lease.token() == doubt.token());
        match resolved {
            Ok(()) if reruns => {
                assert!(
                    force || !alive,
                    "it may run again while its holder is alive"
                );
                self.model.freed(place);
            }
            Ok(()) => {
                let state = if how == How::Happened {
                    KeyState::Completed
                } else {
                    KeyState::Failed
                };
                self.model.settled(place, state, body, !self.interval);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InUse, "{error}");
                assert!(reruns && alive && !force, "{error}");
            }
        }
    }

    fn take_lease(&mut self, index: u8) -> Option<(Place, Lease)> {
        let len = self.leases.len();
        (len > 0).then(|| self.leases.remove(usize::from(index) % len))
    }

    /// A response or an error that was not used before, sometimes larger than a frame.
    fn body(&mut self, size: u8) -> Vec<u8> {
        self.bodies += 1;
        let mut body = self.bodies.to_be_bytes().to_vec();
        body.resize(8 + usize::from(size) * 600, size);
        body
    }
}

fn pick<T>(items: &[T], index: u8) -> Option<&T> {
    items.get(usize::from(index).checked_rem(items.len())?)
}
