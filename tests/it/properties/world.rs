//! The engine and the model side by side: each step is done to both, and every answer compared.

use std::collections::BTreeMap;
use std::time::Duration;

use hapax::{
    BatchClaim, Claim, ClaimItem, ClaimOptions, Doubt, Durability, ErrorKind, FencingToken, Filter,
    KeyInfo, Lease, LeaseError, ManualClock, MemoryLog, Namespace, OnChange, Policy, Resolution,
    State, Store, Ticket,
};

use super::steps::{Body, Held, Setup, Step};
use crate::model::{Act, Asked, Expected, Id, Kind, Model, Rec, Rules, Settle};

pub(crate) const KEYS: usize = 4;
const SECOND: u64 = 1000;
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
}

pub(crate) struct World {
    setup: Setup,
    clock: ManualClock,
    log: MemoryLog,
    pub(crate) store: Store,
    spaces: Vec<Namespace>,
    /// A key that always runs: looking at it tells the time of the store.
    watch: Namespace,
    model: Model,
    leases: Vec<(Id, Lease)>,
    /// Leases that nobody will ever settle.
    forgotten: Vec<Lease>,
    tickets: Vec<(Id, Ticket)>,
    wall_ms: u64,
    highest: i64,
    churned: u64,
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
    };
    vec![
        plain.clone(),
        Rules {
            at_most_once: true,
            ..plain.clone()
        },
        Rules {
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
    .attempt_retention(secs(rules.attempt_secs));
    if let Some(most) = rules.max_attempts {
        policy = policy.max_attempts(most);
    }
    if rules.rerun {
        policy = policy.on_change(OnChange::Rerun);
    }
    policy
}

fn name(key: usize) -> String {
    format!("key-{key}")
}

fn bytes(body: Body) -> Vec<u8> {
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

    fn is_sync(&self) -> bool {
        self.setup.interval_ms.is_none()
    }

    fn look_at_time(&mut self) -> u64 {
        match self.watch.claim("watch").unwrap() {
            Claim::Granted(lease) => {
                self.see(lease.token());
                self.forgotten.push(lease);
            }
            Claim::InProgress(_) => {}
            other => panic!("the watch runs: {other:?}"),
        }
        let info = self.watch.get("watch").unwrap().expect("the watch runs");
        info.recorded_at()
    }

    /// A token that was drawn just now.
    fn see(&mut self, token: FencingToken) -> i64 {
        let token = token.as_i64();
        assert!(
            token > self.highest,
            "tokens rise: {token} after {}",
            self.highest
        );
        self.highest = token;
        token
    }

    fn options(&self, id: Id, asked: &Asked) -> ClaimOptions {
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

    fn fingerprint(&self, id: Id, print: u8) -> hapax::Fingerprint {
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
            Step::Act { lease, act } => self.act(*lease, act),
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
                self.wrote(true);
            }
            Step::ClaimMany { space, keys, asked } => self.claim_many(*space, keys, asked),
            Step::CompleteMany { space, body } => self.complete_many(*space, *body),
            Step::Scan { space, state } => self.scan(*space, *state),
            Step::InDoubt => self.in_doubt(),
            Step::Advance { ms } => self.advance(*ms),
            Step::StepWall { secs } => self.step_wall(*secs),
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

    /// A change was acknowledged.
    fn wrote(&mut self, wrote: bool) {
        if wrote && self.is_sync() {
            self.model.acknowledge();
        }
    }

    fn check_claim(&mut self, id: Id, asked: &Asked, answer: Claim) {
        let expected = self.model.claim(id, asked);
        let held = self.answered(id, expected, answer);
        self.leases.extend(held.map(|lease| (id, lease)));
    }

    fn answered(&mut self, id: Id, expected: Expected, answer: Claim) -> Option<Lease> {
        match (answer, expected) {
            (
                Claim::Granted(lease),
                Expected::Granted {
                    attempt,
                    checkpoint,
                    reason,
                    first,
                },
            ) => {
                let seen = (
                    lease.attempt(),
                    lease.last_checkpoint(),
                    lease.last_reason(),
                    lease.first_claimed_at(),
                );
                assert_eq!(
                    seen,
                    (attempt, &checkpoint[..], &reason[..], first),
                    "the grant of {id:?}"
                );
                let token = self.see(lease.token());
                if self.model.granted(id, token) {
                    self.model.acknowledge();
                }
                return Some(lease);
            }
            (
                Claim::InProgress(busy),
                Expected::InProgress {
                    left_ms,
                    attempt,
                    metadata,
                    compared,
                },
            ) => {
                let left = Duration::from_millis(left_ms);
                let seen = (
                    busy.lease_left(),
                    busy.attempt(),
                    busy.metadata(),
                    busy.fingerprint_compared(),
                );
                assert_eq!(
                    seen,
                    (left, attempt, &metadata[..], compared),
                    "{id:?} in progress"
                );
            }
            (Claim::Completed(answer), Expected::Completed(record, compared)) => {
                let seen = (
                    answer.response(),
                    answer.attempts(),
                    answer.token().as_i64(),
                    answer.first_claimed_at(),
                );
                assert_eq!(
                    seen,
                    (&record.body[..], record.attempt, record.token, record.first),
                    "{id:?} completed"
                );
                let seen = (
                    answer.settled_at(),
                    Some(answer.expires_at()),
                    answer.metadata(),
                    answer.fingerprint_compared(),
                );
                assert_eq!(
                    seen,
                    (record.at, record.expires, &record.metadata[..], compared),
                    "{id:?} completed"
                );
                self.told(id);
            }
            (Claim::Failed(answer), Expected::Failed(record, compared)) => {
                let seen = (
                    answer.error(),
                    answer.attempts(),
                    answer.token().as_i64(),
                    answer.first_claimed_at(),
                );
                assert_eq!(
                    seen,
                    (&record.body[..], record.attempt, record.token, record.first),
                    "{id:?} failed"
                );
                let seen = (
                    answer.settled_at(),
                    Some(answer.expires_at()),
                    answer.metadata(),
                    answer.fingerprint_compared(),
                );
                assert_eq!(
                    seen,
                    (record.at, record.expires, &record.metadata[..], compared),
                    "{id:?} failed"
                );
                self.told(id);
            }
            (
                Claim::InDoubt(doubt),
                Expected::InDoubt {
                    record,
                    holder_alive,
                    compared,
                },
            ) => {
                assert_eq!(
                    (doubt.holder_alive(), doubt.fingerprint_compared()),
                    (holder_alive, compared),
                    "{id:?}"
                );
                check_doubt(id, &doubt, &record);
            }
            (Claim::Mismatch(other), Expected::Mismatch(labels, state)) => {
                assert_eq!(other.labels(), labels, "{id:?} mismatch");
                assert_eq!(other.state(), state, "{id:?} mismatch");
            }
            (answer, expected) => panic!("{id:?}: expected {expected:?}, got {answer:?}"),
        }
        None
    }

    fn told(&mut self, id: Id) {
        if self.is_sync() && self.model.run(id).is_none() {
            self.model.told(id);
        }
    }

    fn take_lease(&mut self, lease: Held) -> Option<(Id, Lease)> {
        if self.leases.is_empty() {
            return None;
        }
        let at = lease.0 % self.leases.len();
        Some(self.leases.swap_remove(at))
    }

    fn act(&mut self, lease: Held, act: &super::steps::Doing) {
        let Some((id, lease)) = self.take_lease(lease) else {
            return;
        };
        let token = lease.token().as_i64();
        let act = act.act();
        let expected = self.model.act(id, token, &act);
        let result: Result<(), LeaseError> = match &act {
            Act::Complete(said) => lease.complete(said),
            Act::Fail(said) => lease.fail(said),
            Act::Release(said) => lease.release(said),
            Act::Doubt(said) => lease.doubt(said),
            Act::Checkpoint(_) | Act::Renew => {
                let result = match &act {
                    Act::Checkpoint(said) => lease.checkpoint(said),
                    _ => lease.renew(),
                };
                self.leases.push((id, lease));
                let kinds = result.map_err(|error| error.kind());
                assert_eq!(kinds, expected.map(drop), "{id:?} {act:?}");
                self.wrote(expected == Ok(true));
                return;
            }
            Act::Detach => lease.detach().map(|ticket| {
                self.model.disarm(id, token);
                self.tickets.push((id, ticket));
            }),
            Act::Drop => {
                drop(lease);
                return;
            }
        };
        match result {
            Ok(()) => assert!(
                expected.is_ok(),
                "{id:?} {act:?}: accepted, expected {expected:?}"
            ),
            Err(error) => {
                assert_eq!(Err(error.kind()), expected, "{id:?} {act:?}: {error}");
                self.leases.push((id, error.into_lease()));
            }
        }
        self.wrote(expected == Ok(true));
    }

    fn keep_alive(&mut self, lease: Held, ms: u64) {
        let Some((id, lease)) = self.take_lease(lease) else {
            return;
        };
        let expected = self.model.keep_alive(id, lease.token().as_i64(), ms);
        let result = lease.keep_alive(Duration::from_millis(ms));
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} keep_alive"
        );
        self.leases.push((id, lease));
    }

    fn attach(&mut self, ticket: usize) {
        if self.tickets.is_empty() {
            return;
        }
        let (id, ticket) = self.tickets[ticket % self.tickets.len()].clone();
        let expected = self.model.attach(id, ticket.token().as_i64());
        match self.store.attach(&ticket) {
            Ok(lease) => {
                let seen = (lease.attempt(), lease.last_checkpoint().to_vec());
                assert_eq!(Ok(seen), expected, "{id:?} attach");
                self.leases.push((id, lease));
            }
            Err(error) => assert_eq!(Err(error.kind()), expected, "{id:?} attach: {error}"),
        }
    }

    fn doubts(&self) -> BTreeMap<Id, Doubt> {
        let doubts = self.store.in_doubt().unwrap().into_iter();
        let found: Vec<_> = doubts
            .map(|doubt| (id_of(doubt.namespace(), doubt.key()), doubt))
            .collect();
        let (count, map) = (found.len(), found.into_iter().collect::<BTreeMap<_, _>>());
        assert_eq!(count, map.len(), "each doubt is listed once");
        map
    }

    fn in_doubt(&mut self) {
        let doubts = self.doubts();
        for id in self.ids() {
            let expected = self
                .model
                .get(id)
                .filter(|(state, _)| *state == State::InDoubt);
            match (doubts.get(&id), expected) {
                (None, None) => {}
                (Some(doubt), Some((_, record))) => {
                    let run = self.model.run(id);
                    assert_eq!(
                        doubt.holder_alive(),
                        run.is_some_and(|run| run.guard_alive),
                        "{id:?}"
                    );
                    assert_eq!(doubt.token().as_i64(), record.token, "{id:?}");
                }
                (found, expected) => panic!("{id:?}: expected {expected:?}, found {found:?}"),
            }
        }
    }

    fn resolve(&mut self, id: Id, settle: &super::steps::Settling, stale: bool, force: bool) {
        let Some(doubt) = self.doubts().remove(&id) else {
            return;
        };
        let settle = settle.settle();
        if stale {
            // Somebody settles it first: the doubt is of no use any more.
            let first = self
                .model
                .resolve(id, doubt.token().as_i64(), &Settle::Never, true);
            first.expect("a forced resolution");
            doubt.resolve_forced(Resolution::NeverHappened).unwrap();
            self.wrote(true);
            self.adopt(id);
        }
        let expected = self
            .model
            .resolve(id, doubt.token().as_i64(), &settle, force);
        let resolution = match settle {
            Settle::Happened(said) => Resolution::Happened(said),
            Settle::Failed(said) => Resolution::Failed(said),
            Settle::Never => Resolution::NeverHappened,
        };
        let result = if force {
            doubt.resolve_forced(resolution)
        } else {
            doubt.resolve(resolution)
        };
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} resolve"
        );
        self.wrote(expected.is_ok());
    }

    fn forget(&mut self, id: Id, force: Option<bool>) {
        let current = self.model.get(id).map_or(1, |(_, record)| record.token);
        let token = force.map(|right| if right { current } else { current - 1 });
        let result = match token.map(|token| FencingToken::from_i64(token).unwrap()) {
            None => self.spaces[id.0].forget(name(id.1)),
            Some(token) => self.spaces[id.0].forget_forced(name(id.1), token),
        };
        let expected = self.model.forget(id, token);
        assert_eq!(
            result.map_err(|error| error.kind()),
            expected,
            "{id:?} forget {force:?}"
        );
        self.wrote(expected == Ok(true));
    }

    fn claim_many(&mut self, space: usize, keys: &[usize], asked: &super::steps::Asking) {
        let asked = asked.under(&self.model.rules[space]);
        let items = keys
            .iter()
            .map(|key| ClaimItem::new(name(*key)).options(self.options((space, *key), &asked)));
        let answers = self.spaces[space]
            .claim_many(items.collect::<Vec<_>>())
            .unwrap();
        assert_eq!(answers.len(), keys.len());
        for (at, (key, answer)) in keys.iter().zip(answers).enumerate() {
            let first = keys
                .iter()
                .position(|other| other == key)
                .expect("it is there");
            match answer {
                BatchClaim::Claim(answer) if first == at => {
                    self.check_claim((space, *key), &asked, answer)
                }
                BatchClaim::RepeatOf { index, mismatch } => {
                    assert_eq!((index, mismatch), (first, false));
                    assert_ne!(first, at);
                }
                other => panic!("item {at}: {other:?}"),
            }
        }
    }

    fn complete_many(&mut self, space: usize, body: Body) {
        let leases = std::mem::take(&mut self.leases);
        let (ours, others): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|(id, _)| id.0 == space);
        self.leases = others;
        let act = Act::Complete(bytes(body));
        let mut expected = Vec::new();
        for (id, lease) in &ours {
            expected.push((*id, self.model.act(*id, lease.token().as_i64(), &act)));
        }
        let items = ours.into_iter().map(|(_, lease)| (lease, bytes(body)));
        let results = self.spaces[space].complete_many(items.collect::<Vec<_>>());
        for ((id, expected), result) in expected.into_iter().zip(results) {
            let kinds = result.as_ref().map_err(LeaseError::kind).copied();
            assert_eq!(kinds, expected.map(drop), "{id:?} complete_many");
            if let Err(error) = result {
                self.leases.push((id, error.into_lease()));
            }
        }
        self.wrote(true);
    }

    fn scan(&mut self, space: usize, state: Option<State>) {
        let filter = state.map_or(Filter::new(), |state| Filter::new().state(state));
        let found: Vec<KeyInfo> = self.spaces[space]
            .scan(filter)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut ids: Vec<Id> = found
            .iter()
            .map(|info| id_of(info.namespace(), info.key()))
            .collect();
        for info in &found {
            self.check_info(id_of(info.namespace(), info.key()), Some(info));
        }
        ids.sort_unstable();
        let wanted = |id: &Id| {
            let there = self.model.get(*id);
            id.0 == space && there.is_some_and(|(is, _)| state.is_none_or(|state| state == is))
        };
        let expected: Vec<Id> = self.ids().into_iter().filter(wanted).collect();
        assert_eq!(ids, expected, "scan for {state:?}");
    }

    fn advance(&mut self, ms: u64) {
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

    fn step_wall(&mut self, secs: i64) {
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

    fn reopen(&mut self) {
        self.store.close().unwrap();
        self.model.acknowledge();
        self.open_again(true);
    }

    fn crash(&mut self, keeping: usize) {
        self.log.crash_keeping(keeping);
        self.met.crashes += 1;
        self.open_again(false);
    }

    fn open_again(&mut self, closed: bool) {
        let stats = self.store.stats();
        self.met.dropped += stats.segments_dropped();
        self.met.carried += stats.records_carried();
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

    /// Finds out what the crash has left: one of the states that it may leave.
    fn survive(&mut self) {
        let ids = self.ids();
        let seen: Vec<_> = ids.iter().map(|id| self.look(*id)).collect();
        let survivors = self.model.survivors();
        for (lost, survivor) in survivors.into_iter().enumerate() {
            self.model.keys.values_mut().for_each(|entry| {
                (entry.run, entry.last) = (None, None);
            });
            for (id, record) in &survivor {
                self.model.keys.get_mut(id).unwrap().last.clone_from(record);
            }
            let fits = ids
                .iter()
                .zip(&seen)
                .all(|(id, info)| self.fits(*id, info.as_ref()).is_ok());
            if fits {
                self.met.lost += u64::from(lost > 0);
                self.model.reopen(survivor);
                return;
            }
        }
        panic!("what was acknowledged is missing: {seen:#?}");
    }

    /// Fills segments with bodies of a key of its own, so that there is something to compact.
    fn churn(&mut self, mib: usize) {
        for _ in 0..mib {
            self.churned += 1;
            let key = format!("churn-{}", self.churned % 3);
            let Claim::Granted(lease) = self.watch.claim(&key).unwrap() else {
                panic!("granted")
            };
            self.see(lease.token());
            lease.complete(vec![7; 1 << 20]).unwrap();
            if self.churned % 8 != 0 {
                assert!(self.watch.forget(&key).unwrap());
            } else {
                self.watch.forget(&key).unwrap();
            }
        }
    }

    fn ids(&self) -> Vec<Id> {
        self.model.keys.keys().copied().collect()
    }

    fn look(&self, id: Id) -> Option<KeyInfo> {
        self.spaces[id.0].get(name(id.1)).unwrap()
    }

    /// Takes the token of a record that the model has written but does not know.
    fn adopt(&mut self, id: Id) {
        if self.model.keys[&id]
            .last
            .as_ref()
            .is_some_and(|last| last.token == 0)
        {
            if let Some(info) = self.look(id) {
                assert!(
                    info.token().as_i64() > self.highest,
                    "a new transition has a higher token"
                );
                self.model.adopt(id, info.token().as_i64());
            }
        }
    }

    fn check_all(&mut self) {
        self.store.validate();
        let fresh: Vec<Id> = self.ids();
        for id in &fresh {
            self.adopt(*id);
        }
        for id in fresh {
            let info = self.look(id);
            self.highest = self
                .highest
                .max(info.as_ref().map_or(0, |info| info.token().as_i64()));
            self.check_info(id, info.as_ref());
            self.told(id);
            let completed = self.spaces[id.0].contains(name(id.1)).unwrap();
            assert_eq!(
                completed,
                info.is_some_and(|info| info.state() == State::Completed),
                "{id:?}"
            );
        }
        for (id, lease) in &self.leases {
            let run = self
                .model
                .run(*id)
                .filter(|run| run.token == lease.token().as_i64());
            let left = run.map_or(0, |run| run.end_ms().saturating_sub(self.model.now_ms));
            assert_eq!(
                (lease.is_lost(), lease.lease_left()),
                (left == 0, Duration::from_millis(left)),
                "{id:?}"
            );
        }
    }

    fn check_info(&self, id: Id, info: Option<&KeyInfo>) {
        if let Err(text) = self.fits(id, info) {
            panic!("{text}");
        }
    }

    fn fits(&self, id: Id, info: Option<&KeyInfo>) -> Result<(), String> {
        let expected = self.model.get(id);
        let print = |bits: u8| self.fingerprint(id, bits);
        let (Some(info), Some((state, record))) = (info, &expected) else {
            return if info.is_none() && expected.is_none() {
                Ok(())
            } else {
                Err(format!("{id:?}: expected {expected:?}, got {info:?}"))
            };
        };
        let same = info.state() == *state
            && (info.token().as_i64(), info.attempt()) == (record.token, record.attempt)
            && (info.first_claimed_at(), info.recorded_at()) == (record.first, record.at)
            && info.expires_at() == record.expires
            && (info.metadata(), info.reason()) == (&record.metadata[..], &record.reason[..])
            && info.body() == record.body
            && info.fingerprint().cloned() == record.print.map(print);
        if same {
            Ok(())
        } else {
            Err(format!(
                "{id:?}: expected {state:?} {record:?}, got {info:?}"
            ))
        }
    }
}

fn check_doubt(id: Id, doubt: &Doubt, record: &Rec) {
    assert_eq!(
        (doubt.token().as_i64(), doubt.attempt()),
        (record.token, record.attempt),
        "{id:?} in doubt"
    );
    let seen = (
        doubt.reason(),
        doubt.checkpoint(),
        doubt.metadata(),
        doubt.since(),
    );
    let wanted = (
        &record.reason[..],
        &record.body[..],
        &record.metadata[..],
        record.at,
    );
    assert_eq!(seen, wanted, "{id:?} in doubt");
    assert_ne!(record.kind, Kind::Completed);
}

fn id_of(namespace: &str, key: &[u8]) -> Id {
    let number = |text: &str| text.rsplit('-').next().unwrap().parse().unwrap();
    (number(namespace), number(std::str::from_utf8(key).unwrap()))
}

fn namespaces(store: &Store) -> (Vec<Namespace>, Namespace) {
    let spaces = rules().into_iter().enumerate().map(|(at, rules)| {
        store
            .namespace(&format!("space-{at}"), policy(&rules))
            .unwrap()
    });
    let years = Duration::from_secs(3600 * 24 * 365);
    let watch = Policy::at_least_once()
        .lease(years * 9)
        .retention(years * 10)
        .attempt_retention(years * 10);
    (spaces.collect(), store.namespace("watch", watch).unwrap())
}
