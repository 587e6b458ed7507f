//! What the benches share: stores of a given size, and the clock.
//!
//! `cargo bench -- --test`, and every other run that only shows that they work, cuts every size.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, SamplingMode, Throughput};
use hapax::{BatchClaim, Builder, Claim, Durability, Lease, LogKind, Namespace, Policy, Store};
use tempfile::TempDir;

/// Keys of one round of most benches.
pub(crate) const BATCH: u64 = 1024;

pub(crate) const RESPONSE: [u8; 64] = [7; 64];

/// Keys of one call while a store is filled.
const FILL: u64 = 4096;

/// Whether criterion runs everything once, to see that it does.
pub(crate) fn is_trial() -> bool {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    has("--test") || !has("--bench")
}

/// Keys that a store holds: within the caches of most machines, and beyond them. `HAPAX_BENCH_KEYS`
/// adds a size of your own.
pub(crate) fn sizes() -> Vec<u64> {
    if is_trial() {
        return vec![1000];
    }
    let mut sizes = vec![10_000, 1_000_000];
    sizes.extend(own_size());
    sizes
}

/// As [`sizes`], and ten million where no size of your own is given.
pub(crate) fn sizes_and_large() -> Vec<u64> {
    let mut sizes = sizes();
    if !is_trial() && own_size().is_none() {
        sizes.push(10_000_000);
    }
    sizes
}

/// The size at which what does not depend on it is measured.
pub(crate) fn usual_size() -> u64 {
    if is_trial() { 1000 } else { 1_000_000 }
}

fn own_size() -> Option<u64> {
    let keys = std::env::var("HAPAX_BENCH_KEYS").ok()?;
    Some(keys.parse().expect("HAPAX_BENCH_KEYS is a number of keys"))
}

/// A group whose benches take a few seconds each, for rounds of this many calls.
pub(crate) fn group<'a>(
    c: &'a mut Criterion,
    name: &str,
    calls: u64,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(calls));
    group
}

/// A group for rounds that take long, or have to be prepared one by one.
pub(crate) fn group_of_few<'a>(
    c: &'a mut Criterion,
    name: &str,
    keys: u64,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = group(c, name, keys);
    let secs = if keys > 100_000 { 30 } else { 2 };
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(secs));
    group
}

/// The key of a number: no two are equal, and they are spread as UUIDs are.
pub(crate) fn key(serial: u64) -> [u8; 16] {
    let spread = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(spread) << 64) | u128::from(serial)).to_be_bytes()
}

/// A store in a directory that goes with it, filled with completed keys.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) jobs: Namespace,
    pub(crate) store: Store,
    /// The number of the next key that was not used before.
    next: u64,
    dir: TempDir,
}

impl Rig {
    /// A store with this many keys, under `Interval`, on the machine's clock.
    pub(crate) fn of(keys: u64) -> Self {
        Self::under(keys, true, Policy::at_least_once())
    }

    /// As [`of`](Self::of), under a policy of your own; calls are counted and timed, or not.
    fn under(keys: u64, metrics: bool, policy: Policy) -> Self {
        let mut rig = Self::open(policy, |builder| builder.metrics(metrics));
        rig.fill(keys);
        rig
    }

    pub(crate) fn open(policy: Policy, options: impl FnOnce(Builder) -> Builder) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = options(builder(&dir)).open().expect("the store opens");
        let jobs = store
            .namespace("jobs", policy)
            .expect("a policy that holds");
        Self {
            jobs,
            store,
            next: 0,
            dir,
        }
    }

    /// Completes this many new keys, and waits until they are on the medium.
    pub(crate) fn fill(&mut self, keys: u64) {
        let end = self.next + keys;
        while self.next < end {
            let fresh = self.fresh(FILL.min(end - self.next));
            let leases = granted(self.jobs.claim_many(fresh).expect("answers"));
            complete(&self.jobs, leases);
        }
        self.store.sync().expect("it is durable");
    }

    /// Keys that were not used before.
    pub(crate) fn fresh(&mut self, keys: u64) -> Vec<[u8; 16]> {
        let from = self.take(keys);
        (from..self.next).map(key).collect()
    }

    /// As [`fresh`](Self::fresh); gives the number of the first.
    pub(crate) fn take(&mut self, keys: u64) -> u64 {
        self.next += keys;
        self.next - keys
    }

    pub(crate) fn claim(&self, key: [u8; 16]) -> Claim {
        self.jobs.claim(key).expect("an answer")
    }

    pub(crate) fn lease(&self, key: [u8; 16]) -> Lease {
        let Claim::Granted(lease) = self.claim(key) else {
            panic!("a new key is granted")
        };
        lease
    }

    pub(crate) fn claim_and_complete(&self, key: [u8; 16]) {
        self.lease(key).complete(RESPONSE).expect("it is stored");
    }

    /// Closes the store, and leaves its directory.
    pub(crate) fn close(self) -> TempDir {
        self.store.close().expect("everything is durable");
        self.dir
    }
}

pub(crate) fn builder(dir: &TempDir) -> Builder {
    Store::builder(dir.path().join("store"))
        .durability(Durability::Interval(Duration::from_millis(100)))
        .log_kind(log_kind())
}

/// `HAPAX_BENCH_LOG=files` measures plain files in place of sled.
fn log_kind() -> LogKind {
    let kind = std::env::var("HAPAX_BENCH_LOG").map(|text| text.parse());
    kind.map_or(LogKind::default(), |kind| {
        kind.expect("HAPAX_BENCH_LOG is sled or files")
    })
}

pub(crate) fn granted(answers: Vec<BatchClaim>) -> Vec<Lease> {
    let lease = |answer| match answer {
        BatchClaim::Claim(Claim::Granted(lease)) => lease,
        other => panic!("a new key is granted, not {other:?}"),
    };
    answers.into_iter().map(lease).collect()
}

pub(crate) fn complete(jobs: &Namespace, leases: Vec<Lease>) {
    for result in jobs.complete_many(leases.into_iter().map(|lease| (lease, RESPONSE))) {
        result.expect("it is stored");
    }
}

/// A store of a size. It is made on first use, since most are filtered out, and made again when
/// measuring has made it too large for its name.
#[derive(Debug)]
pub(crate) struct Sized {
    keys: u64,
    metrics: bool,
    policy: Policy,
    rig: Option<Rig>,
}

impl Sized {
    pub(crate) fn new(keys: u64) -> Self {
        Self::counting(keys, true)
    }

    /// As [`new`](Self::new); calls are counted and timed, or not.
    pub(crate) fn counting(keys: u64, metrics: bool) -> Self {
        Self {
            metrics,
            ..Self::under(keys, Policy::at_least_once())
        }
    }

    /// As [`new`](Self::new), under a policy of your own.
    pub(crate) fn under(keys: u64, policy: Policy) -> Self {
        Self {
            keys,
            metrics: true,
            policy,
            rig: None,
        }
    }

    pub(crate) fn rig(&mut self) -> &mut Rig {
        // A small store is made in no less time than a hundred thousand calls take.
        let most = (self.keys * 2).max(100_000);
        if self.rig.as_ref().is_some_and(|rig| rig.next > most) {
            self.rig = None;
        }
        let (metrics, policy) = (self.metrics, &self.policy);
        self.rig
            .get_or_insert_with(|| Rig::under(self.keys, metrics, policy.clone()))
    }

    /// Measures rounds of `work` on new keys; what it returns is dropped when the clock has stopped.
    pub(crate) fn measure<R>(
        &mut self,
        b: &mut Bencher<'_>,
        keys: u64,
        work: impl Fn(&Rig, Vec<[u8; 16]>) -> R,
    ) {
        // Made before criterion looks at the clock, to see how many rounds there is time for.
        self.rig();
        b.iter_custom(|rounds| {
            let round = |_| {
                let rig = self.rig();
                let fresh = rig.fresh(keys);
                timed(|| work(rig, fresh))
            };
            (0..rounds).map(round).sum()
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real time")]
fn instant() -> Instant {
    Instant::now()
}

pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> Duration {
    let start = instant();
    let result = black_box(work());
    let taken = start.elapsed();
    drop(result);
    taken
}

/// Runs `work` on this many threads at the same time, each with its number.
pub(crate) fn together(threads: u64, work: impl Fn(u64) + Sync) -> Duration {
    let parties = usize::try_from(threads + 1).expect("a few threads");
    let (start_line, work) = (&Barrier::new(parties), &work);
    let start = std::thread::scope(|scope| {
        for number in 0..threads {
            scope.spawn(move || {
                start_line.wait();
                work(number);
            });
        }
        start_line.wait();
        instant()
    });
    start.elapsed()
}
