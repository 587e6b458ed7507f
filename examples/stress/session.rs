//! One run: threads that call, and a store that is closed and opened under them.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

use hapax::operator::{Attribution, Operator};
use hapax::{Durability, LogKind, Namespace, Policy, Store};
use hapax_check::History;
use hapax_check::history::{FORMAT, Meta, Rules};

use crate::Failure;
use crate::fault::Fault;
use crate::recorder::Recorder;
use crate::worker::Worker;

/// What a run is like.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lasting: Duration,
    pub(crate) calls: u64,
    pub(crate) threads: u64,
    pub(crate) keys: u64,
    pub(crate) seed: u64,
    pub(crate) durability: Durability,
    pub(crate) log: LogKind,
    /// Zero for never.
    pub(crate) reopen_every: Duration,
    pub(crate) fault: Option<Fault>,
    /// A line on standard error each second.
    pub(crate) progress: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lasting: Duration::from_secs(10),
            calls: 2_000_000,
            threads: 8,
            keys: 6,
            seed: 1,
            durability: Durability::Sync,
            log: LogKind::Sled,
            reopen_every: Duration::from_millis(900),
            fault: None,
            progress: false,
        }
    }
}

/// The store, as long as it is open.
#[derive(Debug)]
pub(crate) struct Open {
    store: Store,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) operator: Operator,
    pub(crate) generation: u64,
    /// It is about to be closed: a call without an answer may have no effect.
    pub(crate) closing: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) recorder: &'a Recorder,
    dir: &'a Path,
    /// Held for reading during each call, for writing while no store is open.
    pub(crate) open: RwLock<Arc<Open>>,
    generation: Mutex<u64>,
    reopened: Condvar,
    over: AtomicBool,
    reopens: AtomicU64,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) history: Option<History>,
    pub(crate) calls: u64,
    pub(crate) reopens: u64,
    pub(crate) lasted: Duration,
}

const SLACK_MS: u64 = 2500;
const RETENTION_SECS: u64 = 1;
const ATTEMPT_SECS: u64 = 2;
const MAX_ATTEMPTS: u32 = 3;

fn policies() -> Vec<(&'static str, Policy, Option<u32>)> {
    let short = |policy: Policy| {
        policy
            .lease(Duration::from_millis(40))
            .retention(Duration::from_secs(RETENTION_SECS))
            .attempt_retention(Duration::from_secs(ATTEMPT_SECS))
    };
    vec![
        ("again", short(Policy::at_least_once()), None),
        ("once", short(Policy::at_most_once()), None),
        (
            "counted",
            short(Policy::at_least_once()).max_attempts(MAX_ATTEMPTS),
            Some(MAX_ATTEMPTS),
        ),
    ]
}

fn meta(plan: &Plan) -> Meta {
    let rules = |(name, policy, max_attempts): (&str, Policy, Option<u32>)| Rules {
        name: name.to_owned(),
        at_most_once: policy.guarantee() == hapax::Guarantee::AtMostOnce,
        retention_secs: RETENTION_SECS,
        failed_secs: RETENTION_SECS,
        attempt_secs: ATTEMPT_SECS,
        max_attempts,
    };
    Meta {
        format: FORMAT,
        wall_ms: 0,
        store_time_slack_ms: SLACK_MS,
        namespaces: policies().into_iter().map(rules).collect(),
        seed: plan.seed,
        threads: u32::try_from(plan.threads).unwrap_or(u32::MAX),
        durability: format!("{:?}", plan.durability),
    }
}

fn open(plan: &Plan, dir: &Path, generation: u64) -> Result<Arc<Open>, Failure> {
    let store = Store::builder(dir.join("store"))
        .log_kind(plan.log)
        .durability(plan.durability)
        .open()?;
    let namespaces = policies()
        .into_iter()
        .map(|(name, policy, _)| store.namespace(name, policy))
        .collect::<Result<_, _>>()?;
    let by = Attribution::new("stress", "a forced call")?;
    Ok(Arc::new(Open {
        operator: store.operator(by),
        store,
        namespaces,
        generation,
        closing: AtomicBool::new(false),
    }))
}

/// Runs a plan in a directory; keeps the history in a file, in memory, or both.
pub(crate) fn run(
    plan: &Plan,
    dir: &Path,
    file: Option<&Path>,
    keep: bool,
) -> Result<Outcome, Failure> {
    let recorder = Recorder::new(meta(plan), file, keep)?;
    let session = Session {
        plan,
        recorder: &recorder,
        dir,
        open: RwLock::new(open(plan, dir, 0)?),
        generation: Mutex::new(0),
        reopened: Condvar::new(),
        over: AtomicBool::new(false),
        reopens: AtomicU64::new(0),
    };
    let supervised = std::thread::scope(|scope| {
        for number in 0..plan.threads {
            let session = &session;
            std::thread::Builder::new()
                .name(format!("stress-{number}"))
                .spawn_scoped(scope, move || Worker::new(session, number).run())?;
        }
        let supervised = session.supervise();
        session.over.store(true, Ordering::Release);
        session.reopened.notify_all();
        supervised
    });
    supervised?;
    let last = session.open.read().expect("no thread panicked with it");
    last.store.close()?;
    drop(last);
    let (reopens, lasted) = (session.reopens.load(Ordering::Relaxed), recorder.elapsed());
    drop(session);
    let calls = recorder.calls();
    Ok(Outcome {
        history: recorder.finish()?,
        calls,
        reopens,
        lasted,
    })
}

const SECOND: Duration = Duration::from_secs(1);

impl Session<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits until the store of this generation has been followed by another.
    pub(crate) fn await_next(&self, generation: u64) {
        let now = self.generation.lock().expect("no thread panics with it");
        let waiting = |now: &mut u64| *now == generation && !self.is_over();
        drop(self.reopened.wait_while(now, waiting));
    }

    /// Reopens the store and reports the progress, until the time is up.
    fn supervise(&self) -> Result<(), Failure> {
        let (mut told, mut reopened) = (Duration::ZERO, Duration::ZERO);
        let mut calls = 0;
        loop {
            let now = self.recorder.elapsed();
            if now >= self.plan.lasting || self.recorder.calls() >= self.plan.calls {
                return Ok(());
            }
            if self.plan.progress && now >= told + SECOND {
                told = now;
                let before = std::mem::replace(&mut calls, self.recorder.calls());
                self.tell(now, calls - before)?;
            }
            if !self.plan.reopen_every.is_zero() && now >= reopened + self.plan.reopen_every {
                reopened = now;
                self.reopen()?;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn tell(&self, now: Duration, calls: u64) -> io::Result<()> {
        writeln!(
            io::stderr(),
            "{:4} s  {calls:7} calls/s  {:9} calls  {:3} reopenings",
            now.as_secs(),
            self.recorder.calls(),
            self.reopens.load(Ordering::Relaxed),
        )
    }

    /// Closes the store and opens it again: between calls, or, every other time, in the middle of
    /// them.
    fn reopen(&self) -> Result<(), Failure> {
        let reopens = self.reopens.fetch_add(1, Ordering::Relaxed);
        let between = reopens % 2 == 0;
        let start;
        let mut now = if between {
            let now = self.open.write().expect("no thread panics with it");
            start = self.recorder.stamp();
            now.closing.store(true, Ordering::Release);
            now.store.close()?;
            now
        } else {
            let old = Arc::clone(&self.open.read().expect("no thread panics with it"));
            start = self.recorder.stamp();
            old.closing.store(true, Ordering::Release);
            old.store.close()?;
            self.open.write().expect("no thread panics with it")
        };
        let generation = now.generation + 1;
        *now = open(self.plan, self.dir, generation)?;
        self.recorder.reopened(start);
        *self.generation.lock().expect("no thread panics with it") = generation;
        drop(now);
        self.reopened.notify_all();
        Ok(())
    }
}
