//! The store under test, and what is done to it.

use std::time::Duration;

use arbitrary::Arbitrary;
use hapax::{
    Claim, ClaimOptions, Durability, ErrorKind, FencingToken, Lease, LeaseError, ManualClock,
    MemoryLog, Namespace, Policy, Resolution, State, Store, Ticket,
};

use crate::model::{AT_MOST_ONCE, LEASE, Model, Place, RETENTION};

const KEYS: u8 = 4;
const LEASES_MAX: usize = 32;
const WINDOW: Duration = Duration::from_millis(50);
const NAMES: [&str; 2] = ["at-least-once", "at-most-once"];

#[derive(Arbitrary, Debug)]
pub enum Operation {
    Claim {
        key: AnyKey,
        fingerprint: Option<bool>,
    },
    Complete {
        lease: u8,
        size: u8,
    },
    Fail {
        lease: u8,
        size: u8,
    },
    Release {
        lease: u8,
    },
    Doubt {
        lease: u8,
    },
    Renew {
        lease: u8,
    },
    Checkpoint {
        lease: u8,
        size: u8,
    },
    Drop {
        lease: u8,
    },
    Detach {
        lease: u8,
    },
    Attach {
        ticket: u8,
    },
    Advance {
        hundredths: u16,
    },
    Forget {
        key: AnyKey,
        force: bool,
    },
    Resolve {
        doubt: u8,
        how: How,
        force: bool,
    },
    Sync,
    Crash {
        keep: u8,
    },
    Reopen,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct AnyKey {
    at_most_once: bool,
    number: u8,
}

impl AnyKey {
    fn place(self) -> Place {
        (usize::from(self.at_most_once), self.number % KEYS)
    }
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
pub enum How {
    Happened,
    Failed,
    NeverHappened,
}

/// A store on a log in memory, the leases that it has granted, and what the model knows of it.
pub struct Machine {
    clock: ManualClock,
    log: MemoryLog,
    interval: bool,
    store: Store,
    namespaces: [Namespace; 2],
    leases: Vec<(Place, Lease)>,
    tickets: Vec<(Place, Ticket)>,
    model: Model,
    bodies: u64,
}

fn open(clock: &ManualClock, log: &MemoryLog, interval: bool) -> (Store, [Namespace; 2]) {
    let durability = if interval {
        Durability::Interval(WINDOW)
    } else {
        Durability::Sync
    };
    let builder = Store::in_memory().log(log).clock(clock).shards(2);
    let store = builder.durability(durability).open().expect("it opens");
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
    pub fn new(interval: bool) -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let (store, namespaces) = open(&clock, &log, interval);
        Self {
            clock,
            log,
            interval,
            store,
            namespaces,
            leases: Vec::new(),
            tickets: Vec::new(),
            model: Model::default(),
            bodies: 0,
        }
    }

    pub fn step(&mut self, operation: &Operation) {
        match *operation {
            Operation::Claim { key, fingerprint } => self.claim(key.place(), fingerprint),
            Operation::Complete { lease, size } => self.settle(lease, size, State::Completed),
            Operation::Fail { lease, size } => self.settle(lease, size, State::Failed),
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
                self.model.now += by;
                if by >= WINDOW {
                    self.model.synced();
                    self.check();
                }
            }
            Operation::Forget { key, force } => self.forget(key.place(), force),
            Operation::Resolve { doubt, how, force } => self.resolve(doubt, how, force),
            Operation::Sync => {
                self.store.sync().expect("the log does not fail");
                self.model.synced();
            }
            Operation::Crash { keep } => self.crash(usize::from(keep % 4)),
            Operation::Reopen => {
                self.store.close().expect("the log does not fail");
                self.model.synced();
                self.crash(0);
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
        self.model.check(|(namespace, key)| {
            let info = self.namespaces[namespace].get([key]);
            info.expect("the log does not fail")
        });
    }

    /// Cuts the power, and starts again with what the medium has.
    pub fn crash(&mut self, unsynced_frames: usize) {
        self.log.crash_keeping(unsynced_frames);
        self.leases.clear();
        self.model.crashed();
        (self.store, self.namespaces) = open(&self.clock, &self.log, self.interval);
        self.check();
    }

    fn claim(&mut self, place: Place, fingerprint: Option<bool>) {
        let namespace = &self.namespaces[place.0];
        let mut options = ClaimOptions::new();
        if let Some(body) = fingerprint {
            let fingerprint = namespace.fingerprint_of([u8::from(body)]);
            options = options.fingerprint(fingerprint.expect("one part"));
        }
        let claim = namespace.claim_with([place.1], options);
        let claim = claim.expect("the store is not at a limit");
        self.model.claimed(place, &claim);
        if let Claim::Granted(lease) = claim {
            if self.leases.len() == LEASES_MAX {
                let (place, oldest) = self.leases.remove(0);
                self.model.abandoned(place, oldest.token());
            }
            self.leases.push((place, lease));
        }
    }

    fn settle(&mut self, lease: u8, size: u8, state: State) {
        let body = self.body(size);
        let Some((place, lease)) = self.take_lease(lease) else {
            return;
        };
        let token = lease.token();
        let settled = match state {
            State::Completed => lease.complete(&body),
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
    fn refused(&self, place: Place, token: FencingToken, refused: &LeaseError) {
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
                self.leases.push((place, lease));
            }
            Err(error) => assert!(!self.model.is_held(place, ticket.token()), "{error}"),
        }
    }

    fn forget(&mut self, place: Place, force: bool) {
        let namespace = &self.namespaces[place.0];
        let info = namespace.get([place.1]).expect("the log does not fail");
        let forgotten = match info {
            Some(info) if force => namespace.forget_forced([place.1], info.token()),
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
        let doubts = self.store.in_doubt().expect("the log does not fail");
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
            doubt.resolve_forced(resolution)
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
                    State::Completed
                } else {
                    State::Failed
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
        body.resize(8 + usize::from(size) * 300, size);
        body
    }
}

fn pick<T>(items: &[T], index: u8) -> Option<&T> {
    items.get(usize::from(index).checked_rem(items.len())?)
}
