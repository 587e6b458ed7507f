//! Many threads at one key: how long each of them waits, and whether each gets its turn.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hapax::{Claim, ClaimOptions, Lease, Namespace, Policy, Store};
use serde_json::{Value, json};

use crate::Failure;
use crate::args::Args;
use crate::histogram::{Histogram, instant};

const KEY: &[u8] = b"hot";

/// How long a holder runs.
const RUN: Duration = Duration::from_micros(50);

/// How long a caller that waits in line does so, at most: far longer than any should have to.
const WAIT: Duration = Duration::from_secs(10);

/// When a caller that does not wait comes again.
const AGAIN: Duration = Duration::from_millis(1);

/// One run in this many completes, and the key is forgotten then; the others release it.
const COMPLETES_ONE_IN: u64 = 4;

/// How a caller comes to the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    /// Waits in line.
    Waits,
    /// Takes "in progress" for an answer, and comes again.
    Asks,
}

impl Manner {
    fn of(number: u64) -> Self {
        if number % 2 == 0 {
            Self::Waits
        } else {
            Self::Asks
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Asks => "asks",
        }
    }
}

/// What one caller saw.
#[derive(Debug, Default)]
struct Seen {
    granted: u64,
    /// Answers that another caller runs the key.
    in_progress: u64,
    /// From each call of a claim to its answer, while it waits included.
    claims: Histogram,
    /// Calls that end a run, and that forget the key.
    ends: Histogram,
}

/// Runs the scenario with each number of callers.
pub(crate) fn run(args: &Args, dir: &Path) -> Result<(), Failure> {
    let mut told = Vec::new();
    writeln!(io::stdout(), "{}", head())?;
    for callers in &args.callers {
        let path = dir.join(format!("hot-{callers}"));
        let store = Store::builder(&path)
            .durability(args.durability)
            .log_kind(args.log)
            .open()?;
        let on = store.namespace("latency", Policy::at_least_once())?;
        let seen = meet(&on, *callers, args.quiet)?;
        store.close()?;
        fs::remove_dir_all(path)?;
        for manner in [Manner::Waits, Manner::Asks] {
            let of: Vec<&Seen> = (0..)
                .zip(&seen)
                .filter(|(number, _)| Manner::of(*number) == manner)
                .map(|(_, seen)| seen)
                .collect();
            if !of.is_empty() {
                tell(
                    args,
                    &mut told,
                    &Row::new(*callers, manner, args.quiet, &of),
                )?;
            }
        }
    }
    Ok(())
}

/// Lets this many threads meet at the key, for as long.
fn meet(on: &Namespace, callers: u64, lasting: Duration) -> Result<Vec<Seen>, Failure> {
    let until = instant() + lasting;
    std::thread::scope(|scope| {
        let call = |number| scope.spawn(move || caller(on, number, until));
        let handles: Vec<_> = (0..callers).map(call).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().map_err(|_| "a caller panicked")?
        };
        handles.into_iter().map(join).collect()
    })
}

fn caller(on: &Namespace, number: u64, until: Instant) -> Result<Seen, Failure> {
    let options = match Manner::of(number) {
        Manner::Waits => ClaimOptions::new().wait(WAIT),
        Manner::Asks => ClaimOptions::new(),
    };
    let mut seen = Seen::default();
    let mut called = instant();
    while called < until {
        let claim = on.claim_with(KEY, options.clone())?;
        seen.claims.add(instant() - called);
        match claim {
            Claim::Granted(lease) => seen.run(on, lease)?,
            Claim::InProgress(_) => {
                seen.in_progress += 1;
                std::thread::park_timeout(AGAIN);
            }
            // The one who completed it is about to forget it.
            Claim::Completed(_) => std::thread::park_timeout(AGAIN),
            other => return Err(format!("the answer was {other:?}").into()),
        }
        called = instant();
    }
    Ok(seen)
}

impl Seen {
    /// Runs the key, and ends the run.
    fn run(&mut self, on: &Namespace, lease: Lease) -> Result<(), Failure> {
        let completes = self.granted % COMPLETES_ONE_IN == 0;
        self.granted += 1;
        let run_until = instant() + RUN;
        while instant() < run_until {
            std::hint::spin_loop();
        }
        let from = instant();
        if completes {
            lease.complete(b"done")?;
            self.ends.add(instant() - from);
            let from = instant();
            on.forget(KEY)?;
            self.ends.add(instant() - from);
        } else {
            lease.release("again")?;
            self.ends.add(instant() - from);
        }
        Ok(())
    }
}

/// The callers of one manner.
#[derive(Debug)]
struct Row {
    callers: u64,
    manner: Manner,
    lasted: Duration,
    of: usize,
    in_progress: u64,
    /// Of a caller: least, median, most.
    granted: [u64; 3],
    worst_claim: [Duration; 3],
    /// Of all calls: p50, p99.9.
    claim: [Duration; 2],
    end: [Duration; 2],
    worst_end: Duration,
}

fn spread<T: Copy + Ord>(values: impl Iterator<Item = T>) -> [T; 3] {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    let last = sorted.len() - 1;
    [sorted[0], sorted[last / 2], sorted[last]]
}

impl Row {
    fn new(callers: u64, manner: Manner, lasted: Duration, of: &[&Seen]) -> Self {
        let (mut claims, mut ends) = (Histogram::default(), Histogram::default());
        for seen in of {
            claims.append(&seen.claims);
            ends.append(&seen.ends);
        }
        let typical = |of: &Histogram| [of.per_mille(500), of.per_mille(999)];
        Self {
            callers,
            manner,
            lasted,
            of: of.len(),
            in_progress: of.iter().map(|seen| seen.in_progress).sum(),
            granted: spread(of.iter().map(|seen| seen.granted)),
            worst_claim: spread(of.iter().map(|seen| seen.claims.max())),
            claim: typical(&claims),
            end: typical(&ends),
            worst_end: ends.max(),
        }
    }
}

fn micros<const N: usize>(latencies: [Duration; N]) -> [f64; N] {
    latencies.map(|latency| latency.as_secs_f64() * 1e6)
}

fn head() -> String {
    let three = format!("{:>8} {:>8} {:>8}", "least", "median", "most");
    format!(
        "{:30} | {:26} | {:17} | {:26} | {}\n{:>7} {:6} {:>6} {:>8} | {three} | {:>8} {:>8} | {three} | {:>8} {:>8} {:>8}",
        "one key",
        "grants of a caller",
        "claim, us",
        "worst claim of a caller, us",
        "end of a run, us",
        "callers",
        "that",
        "are",
        "told no",
        "p50",
        "p99.9",
        "p50",
        "p99.9",
        "max",
    )
}

fn tell(args: &Args, told: &mut Vec<Value>, row: &Row) -> Result<(), Failure> {
    let [least, median, most] = row.granted;
    let ([claim_p50, claim_p999], [end_p50, end_p999]) = (micros(row.claim), micros(row.end));
    let worst = micros(row.worst_claim);
    let [worst_end] = micros([row.worst_end]);
    writeln!(
        io::stdout(),
        "{:7} {:6} {:6} {:8} | {least:8} {median:8} {most:8} | {claim_p50:8.1} {claim_p999:8.0} \
         | {:8.0} {:8.0} {:8.0} | {end_p50:8.1} {end_p999:8.0} {worst_end:8.0}",
        row.callers,
        row.manner.name(),
        row.of,
        row.in_progress,
        worst[0],
        worst[1],
        worst[2],
    )?;
    told.push(json!({
        "scenario": "hot",
        "callers": row.callers,
        "manner": row.manner.name(),
        "of_this_manner": row.of,
        "seconds": row.lasted.as_secs_f64(),
        "told_in_progress": row.in_progress,
        "granted_least_median_most": row.granted,
        "claim_us_p50_p999": micros(row.claim),
        "worst_claim_us_least_median_most": worst,
        "end_us_p50_p999": micros(row.end),
        "worst_end_us": worst_end,
    }));
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(told)? + "\n")?;
    }
    Ok(())
}
