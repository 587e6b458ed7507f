//! Hours of ever new keys: does anything grow?
//!
//! `cargo run --release --example soak -- --minutes 10` claims and completes keys that expire soon
//! after, prints a line each interval, and fails when memory, disk, live keys or latency grow after
//! the warm-up. `--help` lists the rest. Where to look first: `load.rs` makes the calls, `sample.rs`
//! measures, `verdict.rs` judges.

mod args;
mod histogram;
mod load;
#[path = "../stress/random.rs"]
#[allow(dead_code, reason = "the example `stress` draws more kinds of chance")]
mod random;
mod sample;
#[path = "../stress/scratch.rs"]
mod scratch;
mod verdict;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use args::{Args, Command};
use hapax::{Namespace, Policy, Store};
use histogram::instant;
use load::{Load, Tally};
use sample::{Sample, Totals};
use scratch::Scratch;
use verdict::Verdict;

/// Whatever ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody is left to tell when even this cannot be written.
            let _ = writeln!(io::stderr(), "soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<u8, Failure> {
    let args = match args::parse(lexopt::Parser::from_env())? {
        Command::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            return Ok(0);
        }
        Command::Run(args) => args,
    };
    let scratch = Scratch::new("soak", args.dir.clone())?;
    let store = Store::builder(scratch.path().join("store"))
        .durability(args.durability)
        .open()?;
    let policy = Policy::at_least_once()
        .lease(args.retention / 2)
        .retention(args.retention)
        .attempt_retention(args.retention);
    let name = format!("soak-{}", args.retention.as_secs());
    let soaked = soak(&args, &store, &store.namespace(&name, policy)?);
    let closed = store.close();
    let (samples, wrong) = soaked?;
    closed?;
    if let Some(wrong) = wrong {
        tell(&args, "wrong", &[wrong.to_string()])?;
        return Ok(1);
    }
    let judged: Vec<Sample> = samples
        .into_iter()
        .filter(|sample| sample.elapsed > args.warm_up)
        .collect();
    match verdict::judge(&judged) {
        Verdict::Flat(lines) => tell(&args, "flat", &lines).map(|()| 0),
        Verdict::Grows(lines) => tell(&args, "grows", &lines).map(|()| 1),
        Verdict::TooShort(lines) => {
            let text = format!(
                "{lines} lines after a warm-up of {} s are too few: give it more --minutes",
                args.warm_up.as_secs()
            );
            tell(&args, "not judged", &[text]).map(|()| 2)
        }
    }
}

/// Keys that were completed just now, at most.
const RECENT: u64 = 1000;

/// Runs the load; gives the lines of the table, and the first answer that was wrong.
fn soak(
    args: &Args,
    store: &Store,
    on: &Namespace,
) -> Result<(Vec<Sample>, Option<Failure>), Failure> {
    let over = AtomicBool::new(false);
    let tallies: Vec<Mutex<Tally>> = (0..args.threads).map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (tally, number) in tallies.iter().zip(0..) {
            let rate = args.rate.div_ceil(args.threads);
            let sure = rate.saturating_mul(args.retention.as_secs()) / 4;
            let load = Load {
                on,
                number,
                rate,
                recent: if rate == 0 {
                    RECENT
                } else {
                    sure.clamp(1, RECENT)
                },
                seed: args.seed,
                tally,
                over: &over,
            };
            let name = format!("soak-{number}");
            let spawned = std::thread::Builder::new().name(name);
            threads.push(spawned.spawn_scoped(scope, move || {
                let done = load.run();
                // One that fails ends them all.
                load.over.store(true, Ordering::Relaxed);
                done
            })?);
        }
        let watched = watch(args, store, &tallies, &over);
        over.store(true, Ordering::Relaxed);
        let mut wrong = None;
        for thread in threads {
            let done = thread.join().map_err(|_| "a thread of the load panicked")?;
            wrong = wrong.or(done.err());
        }
        Ok((watched?, wrong))
    })
}

fn watch(
    args: &Args,
    store: &Store,
    tallies: &[Mutex<Tally>],
    over: &AtomicBool,
) -> Result<Vec<Sample>, Failure> {
    let from = instant();
    let elapsed = || instant().saturating_duration_since(from);
    let mut samples: Vec<Sample> = Vec::new();
    let mut totals = Totals::of(store);
    let mut last = Duration::ZERO;
    while elapsed() < args.lasting && !over.load(Ordering::Relaxed) {
        let next = (last + args.interval).min(args.lasting);
        while elapsed() < next && !over.load(Ordering::Relaxed) {
            let left = next.saturating_sub(elapsed());
            std::thread::park_timeout(left.min(Duration::from_millis(200)));
        }
        let mut tally = Tally::default();
        for each in tallies {
            let mut each = each.lock().expect("no thread panics with it");
            tally.append(&std::mem::take(&mut *each));
        }
        let now = elapsed();
        let sample = Sample::take(store, &tally, totals, now, now - last);
        (totals, last) = (Totals::of(store), now);
        print_line(args, &sample, samples.len())?;
        samples.push(sample);
    }
    Ok(samples)
}

fn print_line(args: &Args, sample: &Sample, before: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        return writeln!(out, "{}", sample.json());
    }
    if before % 30 == 0 {
        writeln!(out, "{}", Sample::HEAD)?;
    }
    writeln!(out, "{}", sample.line())
}

fn tell(args: &Args, verdict: &str, lines: &[String]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.json {
        let line = serde_json::json!({ "verdict": verdict, "lines": lines });
        return Ok(writeln!(out, "{line}")?);
    }
    writeln!(out, "{verdict}")?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
