//! What a claim, a completion, a replay and a batch cost, on a real directory under `Interval`.
//!
//! `cargo bench`, or `cargo bench -- --test` to see only that it runs. The keys of a run are never
//! used twice, so the tables grow as they do in service.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hapax::{Claim, Durability, Namespace, Policy, Store};
use tempfile::TempDir;

const BATCH: u64 = 1024;
const RESPONSE: [u8; 64] = [7; 64];

/// A store in a directory that goes with it.
struct Bench {
    jobs: Namespace,
    next: u64,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::builder(dir.path().join("store"))
            .durability(Durability::Interval(Duration::from_millis(100)))
            .open()
            .expect("the store opens");
        let jobs = store
            .namespace("jobs", Policy::at_least_once())
            .expect("a policy that holds");
        Self {
            jobs,
            next: 0,
            _dir: dir,
        }
    }

    /// A key that was not used before, spread as a UUID is.
    fn key(&mut self) -> [u8; 16] {
        self.next += 1;
        let spread = self.next.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((u128::from(spread) << 64) | u128::from(self.next)).to_be_bytes()
    }

    fn keys(&mut self) -> Vec<[u8; 16]> {
        (0..BATCH).map(|_| self.key()).collect()
    }

    fn claim(&self, key: [u8; 16]) -> Claim {
        self.jobs.claim(key).expect("an answer")
    }

    fn claim_and_complete(&self, key: [u8; 16]) {
        let Claim::Granted(lease) = self.claim(key) else {
            panic!("a new key is granted")
        };
        lease.complete(RESPONSE).expect("it is stored");
    }
}

/// Measures what `work` does with a batch of new keys; what it returns is dropped after that.
fn measure<R>(c: &mut Criterion, name: &str, work: impl Fn(&Bench, Vec<[u8; 16]>) -> R) {
    let mut bench = Bench::new();
    let mut group = c.benchmark_group("1024 new keys");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(name, |b| {
        b.iter_custom(|rounds| {
            let round = |_| {
                let keys = bench.keys();
                timed(|| work(&bench, keys))
            };
            (0..rounds).map(round).sum()
        });
    });
    group.finish();
}

/// Claims alone. Dropping the leases releases them, so nothing piles up between the rounds.
fn claim(c: &mut Criterion) {
    measure(c, "claim", |bench, keys| {
        let claims = keys.into_iter().map(|key| bench.claim(key));
        claims.collect::<Vec<_>>()
    });
}

/// The whole life of a key.
fn claim_complete(c: &mut Criterion) {
    measure(c, "claim + complete", |bench, keys| {
        for key in keys {
            bench.claim_and_complete(key);
        }
    });
}

/// All of them in one call.
fn claim_many(c: &mut Criterion) {
    measure(c, "claim_many", |bench, keys| {
        bench.jobs.claim_many(keys).expect("answers")
    });
}

/// The answer to a retry that follows the original closely.
fn replay(c: &mut Criterion) {
    let mut bench = Bench::new();
    let key = bench.key();
    bench.claim_and_complete(key);
    c.bench_function("replay of a recent answer", |b| {
        b.iter(|| match bench.claim(black_box(key)) {
            Claim::Completed(answer) => answer,
            other => panic!("completed, not {other:?}"),
        });
    });
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real time")]
fn timed<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let taken = start.elapsed();
    drop(result);
    taken
}

criterion_group!(benches, claim, claim_complete, claim_many, replay);
criterion_main!(benches);
