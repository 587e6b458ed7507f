//! `bench`: measures rough figures for this machine and its disk.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hapax::{Claim, Durability, LogKind, Namespace, Policy, Store};

use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::stopwatch::Stopwatch;
use crate::trouble::{Result, Trouble};
use crate::verbs::verb::Verb;

/// The options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Measure on the disk of this directory [default: that of temporary files]
    directory: Option<PathBuf>,

    /// How long to measure for each row
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = time::parse_span)]
    time: Duration,
}

/// A measurement.
struct Measured {
    operations: u64,
    took: Duration,
    /// Of each operation, ascending; empty if single operations were not timed.
    latencies: Vec<Duration>,
}

/// The number of concurrent callers, in the case that has several.
const CALLERS: usize = 16;

impl Verb for BenchArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let directory = self.directory.clone().unwrap_or_else(std::env::temp_dir);
        let place = tempfile::Builder::new()
            .prefix("hapax-bench-")
            .tempdir_in(&directory)
            .map_err(Trouble::file(format!(
                "making a directory in {}",
                directory.display()
            )))?;
        let mut rows = Vec::new();
        for log in [LogKind::Sled, LogKind::Files] {
            for (at, case) in CASES.iter().enumerate() {
                let store = Store::builder(place.path().join(format!("{log}-{at}")))
                    .log_kind(log)
                    .durability(case.durability)
                    .open()?;
                let measured = (case.measure)(&store, self.time)?;
                store.close()?;
                rows.push(row(log, case, &measured));
            }
        }
        screen.list(rows.into_iter().map(Ok))?;
        screen.note(
            "rough figures from short runs on empty stores, with responses of 16 bytes; for measurements see `cargo bench` and docs/performance.md",
        );
        Ok(Outcome::Done)
    }
}

struct Case {
    what: &'static str,
    callers: usize,
    durability: Durability,
    measure: fn(&Store, Duration) -> Result<Measured>,
}

const WINDOW: Durability = Durability::Interval(Duration::from_millis(100));

const CASES: [Case; 4] = [
    Case {
        what: "insert",
        callers: 1,
        durability: WINDOW,
        measure: inserts,
    },
    Case {
        what: "claim + complete",
        callers: 1,
        durability: WINDOW,
        measure: |store, time| pairs(store, time, 1),
    },
    Case {
        what: "claim + complete",
        callers: 1,
        durability: Durability::Sync,
        measure: |store, time| pairs(store, time, 1),
    },
    Case {
        what: "claim + complete",
        callers: CALLERS,
        durability: Durability::Sync,
        measure: |store, time| pairs(store, time, CALLERS),
    },
];

fn row(log: LogKind, case: &Case, measured: &Measured) -> Row {
    let nanos = measured.took.as_nanos().max(1);
    let per_second = u128::from(measured.operations) * 1_000_000_000 / nanos;
    let part = |parts: usize| {
        let last = measured.latencies.len().checked_sub(1)?;
        let nanos = measured.latencies[last * parts / 1000].as_nanos();
        u64::try_from(nanos).ok()
    };
    let durability = match case.durability {
        Durability::Interval(window) => format!("interval {}", time::rough(window)),
        _ => "sync".to_owned(),
    };
    Row::new()
        .text("log", &log.to_string())
        .text("what", case.what)
        .text("durability", &durability)
        .number("callers", case.callers as u64)
        .number("per_second", u64::try_from(per_second).unwrap_or(u64::MAX))
        .latency("p50_ns", part(500))
        .latency("p99_ns", part(990))
        .latency("max_ns", part(1000))
}

fn space(store: &Store) -> Result<Namespace> {
    Ok(store.namespace("bench", Policy::at_least_once())?)
}

fn inserts(store: &Store, time: Duration) -> Result<Measured> {
    let space = space(store)?;
    let watch = Stopwatch::start();
    let mut operations = 0_u64;
    while watch.elapsed() < time {
        // Reads the clock only once in a while.
        for _ in 0..256 {
            space.insert(operations.to_le_bytes())?;
            operations += 1;
        }
    }
    store.sync()?;
    Ok(Measured {
        operations,
        took: watch.elapsed(),
        latencies: Vec::new(),
    })
}

fn pairs(store: &Store, time: Duration, callers: usize) -> Result<Measured> {
    let space = space(store)?;
    let watch = Stopwatch::start();
    let ran: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let space = &space;
        let caller = |caller: usize| {
            let thread = std::thread::Builder::new();
            thread.spawn_scoped(scope, move || call(space, caller, time))
        };
        let threads: Vec<_> = (0..callers).map(caller).collect();
        let joined = threads.into_iter().map(|thread| {
            let thread = thread.map_err(Trouble::file("starting a caller"))?;
            thread.join().expect("a caller does not panic")
        });
        joined.collect()
    });
    store.sync()?;
    let took = watch.elapsed();
    let mut latencies = Vec::new();
    for ran in ran {
        latencies.extend(ran?);
    }
    latencies.sort_unstable();
    Ok(Measured {
        operations: latencies.len() as u64,
        took,
        latencies,
    })
}

/// One caller: claims its own keys and completes them until the time is over.
fn call(space: &Namespace, caller: usize, time: Duration) -> Result<Vec<Duration>> {
    let watch = Stopwatch::start();
    let mut latencies = Vec::new();
    let mut number = 0_u64;
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(caller as u64).to_le_bytes());
    while watch.elapsed() < time {
        key[8..].copy_from_slice(&number.to_le_bytes());
        number += 1;
        let pair = Stopwatch::start();
        if let Claim::Granted(lease) = space.claim(key)? {
            lease.complete([7; 16])?;
        }
        latencies.push(pair.elapsed());
    }
    Ok(latencies)
}
