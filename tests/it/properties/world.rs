//! The engine and the model side by side: each step is done to both, and every answer compared.

use std::time::Duration;

use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    Claim, ClaimOptions, Durability, ErrorKind, Lease, Namespace, OnChange, Policy, Store, Ticket,
};

use super::steps::{Body, Setup, Step};
use crate::contract_support::total;
use crate::model::{Asked, Id, Model, Rules};

pub(crate) const KEYS: usize = 4;
pub(super) const SECOND: u64 = 1000;
const MONTH_MS: u64 = 30 * 24 * 3600 * SECOND;
/// Where a new manual clock stands.
const WALL_START_MS: u64 = 1_767_225_600_000;

/// What the steps have met, so that a run can show that it met everything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) dropped: u64,
    pub(crate) carried: u64,
    pub(crate) crashes: u64,
    pub(crate) lost: u64,
    pub(crate) jumps: u64,
    /// Waits that ended with a grant, and grants of waiters that had given up.
    pub(crate) handed_on: u64,
    pub(crate) withdrawn: u64,
    /// Holders that were refused and dropped their leases, and tickets by their outcome.
    pub(crate) let_go: u64,
    pub(crate) attached: u64,
    pub(crate) refused_tickets: u64,
}

/// How long the key that shows the store's time is remembered: ten years.
pub(super) const WATCH_KEPT: Duration = Duration::from_secs(3600 * 24 * 365 * 10);

pub(crate) struct World {
    pub(super) setup: Setup,
    pub(super) clock: ManualClock,
    pub(super) log: MemoryLog,
    pub(crate) store: Store,
    pub(super) spaces: Vec<Namespace>,
    /// A key that always runs: looking at it tells the time of the store.
    pub(super) watch: Namespace,
    pub(super) model: Model,
    pub(super) leases: Vec<(Id, Lease)>,
    /// Leases that are never settled.
    pub(super) forgotten: Vec<Lease>,
    pub(super) tickets: Vec<(Id, Ticket)>,
    pub(super) wall_ms: u64,
    pub(super) highest: i64,
    pub(super) churned: u64,
    pub(crate) met: Met,
}

fn rules() -> Vec<Rules> {
    let plain = Rules {
        at_most_once: false,
        lease_ms: 10 * SECOND,
        retention_secs: 3600,
        failed_secs: 1800,
        attempt_secs: 2400,
        max_attempts: None,
        rerun: false,
        max_response: 1 << 20,
    };
    vec![
        plain.clone(),
        Rules {
            at_most_once: true,
            max_response: 20_000,
            ..plain.clone()
        },
        Rules {
            max_response: 20_000,
            max_attempts: Some(3),
            rerun: true,
            failed_secs: 60,
            attempt_secs: 100,
            ..plain.clone()
        },
        Rules {
            at_most_once: true,
            rerun: true,
            max_attempts: Some(2),
            retention_secs: 200,
            ..plain
        },
    ]
}

fn policy(rules: &Rules) -> Policy {
    let secs = Duration::from_secs;
    let mut policy = if rules.at_most_once {
        Policy::at_most_once()
    } else {
        Policy::at_least_once()
    }
    .lease(Duration::from_millis(rules.lease_ms))
    .retention(secs(rules.retention_secs))
    .failed_retention(secs(rules.failed_secs))
    .attempt_retention(secs(rules.attempt_secs))
    .max_response(rules.max_response);
    if let Some(most) = rules.max_attempts {
        policy = policy.max_attempts(most);
    }
    if rules.rerun {
        policy = policy.on_change(OnChange::Rerun);
    }
    policy
}

pub(super) fn name(key: usize) -> String {
    format!("key-{key}")
}

pub(super) fn bytes(body: Body) -> Vec<u8> {
    vec![body.seed; body.size]
}

fn open(setup: &Setup, clock: &ManualClock, log: &MemoryLog, accept: bool) -> hapax::Result<Store> {
    let durability = match setup.interval_ms {
        None => Durability::Sync,
        Some(ms) => Durability::Interval(Duration::from_millis(ms)),
    };
    let builder = Store::in_memory()
        .log(log)
        .clock(clock)
        .durability(durability)
        .shards(setup.shards);
    if accept {
        builder.accept_clock_jump().open()
    } else {
        builder.open()
    }
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let store = open(&setup, &clock, &log, false).unwrap();
        let (spaces, watch) = namespaces(&store);
        let mut world = Self {
            setup,
            clock,
            log,
            store,
            spaces,
            watch,
            model: Model::new(rules(), KEYS),
            leases: Vec::new(),
            forgotten: Vec::new(),
            tickets: Vec::new(),
            wall_ms: WALL_START_MS,
            highest: 0,
            churned: 0,
            met: Met::default(),
        };
        world.model.now_secs = world.look_at_time();
        world
    }

    pub(super) fn is_sync(&self) -> bool {
        self.setup.interval_ms.is_none()
    }

    pub(super) fn options(&self, id: Id, asked: &Asked) -> ClaimOptions {
        let mut options = ClaimOptions::new().metadata(asked.metadata.clone());
        if let Some(print) = asked.print {
            options = options.fingerprint(self.fingerprint(id, print));
        }
        if asked.lease_ms != self.model.rules[id.0].lease_ms {
            options = options.lease(Duration::from_millis(asked.lease_ms));
        }
        if let Some(secs) = asked.retention_secs {
            options = options.retention(Duration::from_secs(secs));
        }
        options
    }

    pub(super) fn fingerprint(&self, id: Id, print: u8) -> hapax::Fingerprint {
        let builder = self.spaces[id.0].fingerprint(1);
        builder
            .part("amount", [print & 1])
            .part("to", [print & 2])
            .build()
            .unwrap()
    }

    /// Does one step to both, and looks at everything afterwards.
    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Claim { id, asked } => {
                let asked = asked.under(&self.model.rules[id.0]);
                let answer = self.spaces[id.0].claim_with(name(id.1), self.options(*id, &asked));
                self.check_claim(*id, &asked, answer.unwrap());
            }
            Step::Act {
                lease,
                act,
                lets_go,
            } => self.act(*lease, act, *lets_go),
            Step::Wait {
                id,
                asked,
                meanwhile,
                cancelled,
            } => self.wait(*id, asked, *meanwhile, *cancelled),
            Step::KeepAlive { lease, ms } => self.keep_alive(*lease, *ms),
            Step::ForgetLease { lease } => {
                if let Some((_, lease)) = self.take_lease(*lease) {
                    self.forgotten.push(lease);
                }
            }
            Step::Attach { ticket } => self.attach(*ticket),
            Step::Resolve {
                id,
                settle,
                stale,
                force,
            } => self.resolve(*id, settle, *stale, *force),
            Step::Forget { id, force } => self.forget(*id, *force),
            Step::Insert { id } => {
                let inserted = self.spaces[id.0].insert(name(id.1)).unwrap();
                assert_eq!(inserted, self.model.insert(*id), "insert");
                self.wrote(inserted);
            }
            Step::ClaimMany { space, keys, asked } => self.claim_many(*space, keys, asked),
            Step::CompleteMany { space, body } => self.complete_many(*space, *body),
            Step::Scan { space, state } => self.scan(*space, *state),
            Step::InDoubt => self.in_doubt(),
            Step::Advance { ms } => self.advance(*ms),
            Step::Wall { secs } => self.step_wall(*secs),
            Step::Sync => {
                self.store.sync().unwrap();
                self.model.acknowledge();
            }
            Step::Reopen => self.reopen(),
            Step::Crash { keeping } => self.crash(*keeping),
            Step::Churn { mib } => self.churn(*mib),
            Step::Verify => {
                self.store.verify().unwrap();
            }
        }
        self.check_all();
    }

    pub(super) fn advance(&mut self, ms: u64) {
        let before = self.model.now_secs;
        self.wall_ms += ms;
        self.clock.advance(Duration::from_millis(ms));
        self.model.moved(self.model.now_ms + ms);
        let after = self.look_at_time();
        let (least, most) = (ms / 1000 * 15 / 16, ms / 1000 * 17 / 16 + 2);
        assert!(
            (before + least).saturating_sub(1) <= after && after <= before + most,
            "store time keeps its pace: {before} to {after} in {ms} ms"
        );
        self.model.now_secs = after;
    }

    pub(super) fn step_wall(&mut self, secs: i64) {
        self.clock.step_wall(secs);
        let by = secs.unsigned_abs() * SECOND;
        self.wall_ms = if secs < 0 {
            self.wall_ms.saturating_sub(by)
        } else {
            self.wall_ms + by
        };
        let now_ms = self.model.now_ms;
        self.model.moved(now_ms);
        assert_eq!(
            self.look_at_time(),
            self.model.now_secs,
            "no time has passed"
        );
    }

    pub(super) fn reopen(&mut self) {
        self.store.close().unwrap();
        self.model.acknowledge();
        self.open_again(true);
    }

    pub(super) fn crash(&mut self, keeping: usize) {
        self.log.crash_keeping(keeping);
        self.met.crashes += 1;
        self.open_again(false);
    }

    pub(super) fn open_again(&mut self, closed: bool) {
        self.met.dropped += total(&self.store, "hapax_compacted_segments_total");
        self.met.carried += total(&self.store, "hapax_carried_records_total");
        self.leases.clear();
        self.forgotten.clear();
        let store = match open(&self.setup, &self.clock, &self.log, false) {
            Ok(store) => store,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ClockJump, "{error}");
                let offline_ms = self.wall_ms.saturating_sub(self.model.now_secs * SECOND);
                assert!(
                    !closed || offline_ms + SECOND > MONTH_MS,
                    "{offline_ms} ms offline: {error}"
                );
                self.met.jumps += 1;
                open(&self.setup, &self.clock, &self.log, true).unwrap()
            }
        };
        self.store = store;
        (self.spaces, self.watch) = namespaces(&self.store);
        let before = self.model.now_secs;
        let now = self.look_at_time();
        if closed {
            assert!(
                now == before.max(self.wall_ms / SECOND),
                "store time goes on: {before} to {now}"
            );
        } else {
            assert!(
                now >= self.wall_ms / SECOND,
                "store time is not behind the wall clock"
            );
        }
        self.model.now_secs = now;
        self.survive();
    }

    /// Fills segments with bodies of a separate key, so that there is something to compact.
    pub(super) fn churn(&mut self, mib: usize) {
        for _ in 0..mib {
            self.churned += 1;
            let key = format!("churn-{}", self.churned);
            let Claim::Granted(lease) = self.watch.claim(&key).unwrap() else {
                panic!("granted")
            };
            self.see(lease.token());
            lease.complete(vec![7; 1 << 20]).unwrap();
            if self.churned % 8 != 0 {
                assert!(self.watch.forget(&key).unwrap());
            }
        }
    }
}

fn namespaces(store: &Store) -> (Vec<Namespace>, Namespace) {
    let spaces = rules().into_iter().enumerate().map(|(at, rules)| {
        store
            .namespace(&format!("space-{at}"), policy(&rules))
            .unwrap()
    });
    let watch = Policy::at_least_once()
        .lease(WATCH_KEPT / 10 * 9)
        .retention(WATCH_KEPT)
        .attempt_retention(WATCH_KEPT);
    (spaces.collect(), store.namespace("watch", watch).unwrap())
}
