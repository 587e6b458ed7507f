//! The sum of outcomes equals the calls: every claim, in every form and however it ends, is counted
//! once, under the outcome that its caller was given.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::metrics::Metrics;
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    BatchClaim, Builder, Claim, ClaimItem, ClaimOptions, Durability, Failure, Lease, Limits,
    Namespace, Pending, Policy, Ran, Result, RunError, Store,
};

use crate::contract_support::ready;
use crate::threads::{Draw, seed};

const SPACES: [&str; 3] = ["mail", "jobs", "pay"];

const OUTCOMES: [&str; 9] = [
    "granted",
    "in_progress",
    "completed",
    "failed",
    "in_doubt",
    "mismatch",
    "repeat",
    "error",
    "abandoned",
];

/// The outcomes that callers were given, by namespace.
#[derive(Debug, Default)]
struct Model(BTreeMap<(String, &'static str), u64>);

impl Model {
    fn note(&mut self, space: &Namespace, outcome: &'static str, claims: u64) {
        *self
            .0
            .entry((space.name().to_owned(), outcome))
            .or_default() += claims;
    }

    fn add(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    fn check(&self, metrics: &Metrics) {
        let family = metrics.family("hapax_claims_total").unwrap();
        for space in SPACES {
            for outcome in OUTCOMES {
                let labels = [("namespace", space), ("outcome", outcome)];
                let told = self.0.get(&(space.to_owned(), outcome));
                assert_eq!(
                    metrics.total(family.name(), &labels),
                    told.copied().unwrap_or(0),
                    "{space}: {outcome}"
                );
            }
        }
        let calls: u64 = self.0.values().sum();
        assert_eq!(metrics.total(family.name(), &[]), calls, "one outcome each");
        let errors = self
            .0
            .iter()
            .filter(|((_, outcome), _)| *outcome == "error");
        let errors: u64 = errors.map(|(_, count)| count).sum();
        assert_eq!(metrics.total("hapax_claim_errors_total", &[]), errors);
    }
}

fn outcome(claimed: &Result<Claim>) -> &'static str {
    match claimed {
        Ok(Claim::Granted(_)) => "granted",
        Ok(Claim::InProgress(_)) => "in_progress",
        Ok(Claim::Completed(_)) => "completed",
        Ok(Claim::Failed(_)) => "failed",
        Ok(Claim::InDoubt(_)) => "in_doubt",
        Ok(Claim::Mismatch(_)) => "mismatch",
        Err(_) => "error",
    }
}

/// A caller that makes calls of every form, and keeps some of the leases and futures for later.
struct Caller<'a> {
    draw: Draw,
    spaces: &'a [Namespace],
    model: Model,
    leases: Vec<Lease>,
    pending: Vec<(Namespace, Pending<Result<Claim>>)>,
    /// The longest wait: without a limit, a wait would hang a store without threads.
    wait: Duration,
}

impl<'a> Caller<'a> {
    fn new(seed: u64, spaces: &'a [Namespace], wait: Duration) -> Self {
        Self {
            draw: Draw(seed),
            spaces,
            model: Model::default(),
            leases: Vec::new(),
            pending: Vec::new(),
            wait,
        }
    }

    fn space(&mut self) -> Namespace {
        let at = usize::try_from(self.draw.below(3)).unwrap();
        self.spaces[at].clone()
    }

    /// Mostly a valid key; sometimes an empty one, or one that is too long.
    fn key(&mut self) -> Vec<u8> {
        match self.draw.below(40) {
            0 => Vec::new(),
            1 => vec![b'x'; 2000],
            _ => format!("key-{}", self.draw.below(24)).into_bytes(),
        }
    }

    fn options(&mut self, space: &Namespace) -> ClaimOptions {
        let mut options = ClaimOptions::new();
        if self.draw.below(3) == 0 {
            let body = self.draw.below(2).to_string();
            options = options.fingerprint(space.fingerprint_of(body).unwrap());
        }
        match self.draw.below(30) {
            0 => options.metadata(vec![0; 1 << 20]),
            _ => options,
        }
    }

    fn step(&mut self) {
        match self.draw.below(12) {
            0..=2 => self.claim(),
            3..=4 => self.begin(),
            5..=6 => self.go_on(),
            7 => self.claim_many(),
            8 => self.insert(),
            9 => self.insert_many(),
            10 => self.run_once(),
            _ => self.settle(),
        }
    }

    fn claim(&mut self) {
        let (space, key) = (self.space(), self.key());
        let options = self.options(&space);
        let claimed = space.claim_with(key, options);
        self.answered(&space, claimed);
    }

    fn answered(&mut self, space: &Namespace, claimed: Result<Claim>) {
        self.model.note(space, outcome(&claimed), 1);
        if let Ok(Claim::Granted(lease)) = claimed {
            self.leases.push(lease);
        }
    }

    fn begin(&mut self) {
        let (space, key) = (self.space(), self.key());
        let options = self.options(&space).wait(self.wait);
        let pending = space.claim_async(key, options);
        self.pending.push((space, pending));
    }

    /// Polls a future that was begun, or drops it, polled or not.
    fn go_on(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let at = self.draw.below(u64::try_from(self.pending.len()).unwrap());
        let (space, mut pending) = self.pending.swap_remove(usize::try_from(at).unwrap());
        if self.draw.below(4) == 0 {
            self.model.note(&space, "abandoned", 1);
            return;
        }
        match poll(&mut pending) {
            Poll::Ready(claimed) => self.answered(&space, claimed),
            Poll::Pending => self.pending.push((space, pending)),
        }
    }

    fn claim_many(&mut self) {
        let space = self.space();
        let count = self.draw.below(9);
        let items: Vec<_> = (0..count)
            .map(|_| ClaimItem::new(self.key()).options(self.options(&space)))
            .collect();
        let is_async = self.draw.below(2) == 0;
        if is_async && self.draw.below(6) == 0 {
            let pending = space.claim_many_async(items.clone());
            drop(pending);
            let claims = self.batch_claims(&space, &items);
            self.model.note(&space, "abandoned", claims);
            return;
        }
        let claims = self.batch_claims(&space, &items);
        let claimed = if is_async {
            wait_for(space.claim_many_async(items))
        } else {
            space.claim_many(items)
        };
        let Ok(claimed) = claimed else {
            self.model.note(&space, "error", claims);
            return;
        };
        for claim in claimed {
            match claim {
                BatchClaim::Claim(claim) => self.answered(&space, Ok(claim)),
                BatchClaim::RepeatOf { .. } => self.model.note(&space, "repeat", 1),
                BatchClaim::Refused(_) => self.model.note(&space, "error", 1),
            }
        }
    }

    /// How many claims an unanswered batch counts as: one, if an item is invalid.
    fn batch_claims(&self, space: &Namespace, items: &[ClaimItem]) -> u64 {
        let probe = Store::in_memory().open().unwrap();
        let same = probe.namespace("probe", space.policy().clone());
        let same = same.or_else(|_| probe.namespace("probe", Policy::at_least_once()));
        match same.unwrap().claim_many(items.to_vec()) {
            Ok(_) => u64::try_from(items.len()).unwrap(),
            Err(_) => 1,
        }
    }

    fn insert(&mut self) {
        let (space, key) = (self.space(), self.key());
        if self.draw.below(5) == 0 {
            drop(space.insert_async(key));
            return self.model.note(&space, "abandoned", 1);
        }
        let before = space.get(&key);
        let inserted = match self.draw.below(2) {
            0 => space.insert(&key),
            _ => ready(space.insert_async(&key)),
        };
        match inserted {
            Ok(true) => self.model.note(&space, "granted", 1),
            Err(_) => self.model.note(&space, "error", 1),
            Ok(false) => self.model.note(&space, met(before), 1),
        }
    }

    fn insert_many(&mut self) {
        let space = self.space();
        let keys = [self.key(), b"only-inserted".to_vec()];
        let at_fault = keys[0].is_empty() || keys[0].len() > 1024;
        let claims = if at_fault { 1 } else { 2 };
        if self.draw.below(5) == 0 {
            drop(space.insert_many_async(keys));
            return self.model.note(&space, "abandoned", claims);
        }
        let before = keys.clone().map(|key| space.get(key));
        match space.insert_many(keys) {
            Err(_) => self.model.note(&space, "error", claims),
            Ok(inserted) => {
                for (inserted, before) in inserted.into_iter().zip(before) {
                    let outcome = match inserted {
                        Ok(true) => "granted",
                        Ok(false) => met(before),
                        Err(_) => "error",
                    };
                    self.model.note(&space, outcome, 1);
                }
            }
        }
    }

    fn run_once(&mut self) {
        let (space, key) = (self.space(), self.key());
        let works = self.draw.below(3) > 0;
        let mut ran = false;
        let done = space.run_once(key, |_| {
            ran = true;
            if works {
                Ok("done".to_owned())
            } else {
                Err(Failure::Final("broken"))
            }
        });
        let outcome = match done {
            _ if ran => "granted",
            Ok(Ran::Replayed(_)) => "completed",
            Ok(Ran::InProgress(_)) => "in_progress",
            Err(RunError::Failed(_)) => "failed",
            Ok(Ran::InDoubt(_)) => "in_doubt",
            Ok(Ran::Mismatch(_)) => "mismatch",
            Err(RunError::Store(error)) if error.kind() == hapax::ErrorKind::Decode => "completed",
            Err(_) => "error",
            Ok(other) => panic!("{other:?}"),
        };
        self.model.note(&space, outcome, 1);
    }

    fn settle(&mut self) {
        let Some(lease) = self.leases.pop() else {
            return;
        };
        // The outcome does not count here.
        let _ = match self.draw.below(5) {
            0 => lease.fail("broken"),
            1 => lease.release("later"),
            2 => lease.doubt("who knows"),
            3 => {
                drop(lease);
                Ok(())
            }
            _ => lease.complete("done"),
        };
    }

    /// Gives up everything in progress.
    fn finish(mut self) -> Model {
        for (space, pending) in self.pending.drain(..) {
            drop(pending);
            self.model.note(&space, "abandoned", 1);
        }
        self.model
    }
}

/// What an insert met when it changed nothing.
fn met(before: Result<Option<hapax::KeyInfo>>) -> &'static str {
    match before.unwrap().map(|info| info.state()) {
        Some(hapax::KeyState::InProgress) => "in_progress",
        Some(hapax::KeyState::Failed) => "failed",
        Some(hapax::KeyState::InDoubt) => "in_doubt",
        _ => "completed",
    }
}

fn poll<T>(pending: &mut Pending<T>) -> Poll<T> {
    Pin::new(pending).poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn wait_for<T>(mut pending: Pending<T>) -> T {
    loop {
        if let Poll::Ready(value) = poll(&mut pending) {
            return value;
        }
        std::thread::yield_now();
    }
}

fn spaces(store: &Store) -> Vec<Namespace> {
    let once = Policy::at_least_once().max_attempts(3);
    let policies = [once, Policy::at_least_once(), Policy::at_most_once()];
    let space = |(name, policy): (&str, Policy)| store.namespace(name, policy).unwrap();
    SPACES.into_iter().zip(policies).map(space).collect()
}

/// A store on a clock that stands still between steps: what a caller sees before a call is what the
/// call meets.
fn alone(seed: u64, options: impl Fn(Builder) -> Builder) -> Model {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let limits = Limits::default().running_keys(30);
    let builder = Store::in_memory().log(&log).clock(&clock).limits(limits);
    let store = options(builder).open().unwrap();
    let spaces = spaces(&store);
    let mut caller = Caller::new(seed, &spaces, Duration::from_secs(20));
    for step in 0..600 {
        caller.step();
        let by = caller.draw.below(40);
        if by < 3 {
            clock.advance(Duration::from_secs(by * by * by * 10));
        }
        if step % 100 == 0 {
            caller.model.check(&store.metrics());
            store.validate();
        }
    }
    match seed % 3 {
        0 => log.crash(),
        1 => store.close().unwrap(),
        _ => {}
    }
    for _ in 0..100 {
        // Only calls that need no look at the key first: that look fails now.
        match caller.draw.below(4) {
            0 => caller.claim(),
            1 => caller.begin(),
            2 => caller.go_on(),
            _ => caller.claim_many(),
        }
    }
    let model = caller.finish();
    model.check(&store.metrics());
    model
}

#[test]
fn the_sum_of_outcomes_equals_the_calls() {
    let first = seed();
    let mut seen = Model::default();
    for seed in first..first + 30 {
        println!("HAPAX_SEED={seed}");
        seen.add(alone(seed, |builder| builder));
        let interval = Durability::Interval(Duration::from_secs(1));
        seen.add(alone(seed, |builder| {
            builder.durability(interval).shards(1)
        }));
    }
    for space in SPACES {
        for outcome in OUTCOMES {
            let key = (space.to_owned(), outcome);
            assert!(seen.0.contains_key(&key), "{key:?} never came");
        }
    }
}

/// As above on the threads of a real store; without inserts, because the caller cannot know what
/// they met.
#[test]
fn the_sum_of_outcomes_equals_the_calls_of_many_threads() {
    let first = seed();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("dedup")).unwrap();
    let spaces = spaces(&store);
    let start = Barrier::new(4);
    let run = |thread: u64| {
        let mut caller = Caller::new(first + thread, &spaces, Duration::from_millis(2));
        start.wait();
        for _ in 0..400 {
            match caller.draw.below(7) {
                0..=1 => caller.claim(),
                2 => caller.begin(),
                3 => caller.go_on(),
                4 => caller.claim_many(),
                5 => caller.run_once(),
                _ => caller.settle(),
            }
        }
        caller.finish()
    };
    let mut model = Model::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        for thread in threads {
            model.add(thread.join().unwrap());
        }
    });
    model.check(&store.metrics());
    let metrics = store.metrics();
    assert_eq!(metrics.gauge("hapax_waiters", &[]), Some(0.0));
    assert_eq!(
        metrics.total("hapax_waits_total", &[]),
        metrics.total("hapax_wait_duration_seconds", &[]),
    );
    // With no caller in line, as many waits have begun as have ended.
    store.validate();
    store.close().unwrap();
}

/// A namespace that is called "other" had the same labels as those beyond the cap: two lines of one
/// series, and a scraper takes either.
#[test]
fn a_namespace_called_other_shares_its_series_with_those_beyond_the_cap() {
    let store = Store::in_memory().open().unwrap();
    let spaces: Vec<_> = (0..66)
        .map(|number| {
            let name = match number {
                7 => "other".to_owned(),
                number => format!("space {number}"),
            };
            store.namespace(&name, Policy::at_least_once()).unwrap()
        })
        .collect();
    for space in &spaces {
        assert!(space.insert("key").unwrap());
    }
    let metrics = store.metrics();
    let granted = [("namespace", "other"), ("outcome", "granted")];
    assert_eq!(metrics.total("hapax_claims_total", &granted), 3);
    let text = metrics.to_prometheus();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(
            seen.insert(series.to_owned()),
            "{series} stands there twice"
        );
    }
}
