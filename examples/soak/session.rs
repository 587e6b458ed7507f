//! One soak: a store, the threads of the load, and a sample each interval.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hapax::{Namespace, Policy, Store};

use crate::Failure;
use crate::args::Args;
use crate::histogram::instant;
use crate::load::{Load, Tally};
use crate::sample::{Sample, Totals};

/// The result of the load.
#[derive(Debug)]
pub(crate) struct Soaked {
    pub(crate) samples: Vec<Sample>,
    /// The first answer that was wrong.
    pub(crate) wrong: Option<Failure>,
}

/// Called with each sample, and the number of samples before it.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(&Sample, usize) -> io::Result<()>;

pub(crate) fn run(args: &Args, dir: &Path, tell: Tell<'_>) -> Result<Soaked, Failure> {
    let store = Store::builder(dir.join("store"))
        .log_kind(args.log)
        .durability(args.durability)
        .open()?;
    let policy = Policy::at_least_once()
        .lease(args.retention / 2)
        .retention(args.retention)
        .attempt_retention(args.retention);
    let name = format!("soak-{}", args.retention.as_secs());
    let soaked = soak(args, &store, &store.namespace(&name, policy)?, tell);
    let closed = store.close();
    let soaked = soaked?;
    closed?;
    Ok(soaked)
}

fn soak(args: &Args, store: &Store, on: &Namespace, tell: Tell<'_>) -> Result<Soaked, Failure> {
    let over = AtomicBool::new(false);
    let tallies: Vec<Mutex<Tally>> = (0..args.threads).map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (tally, number) in tallies.iter().zip(0..) {
            let load = Load {
                on,
                number,
                rate: args.rate.div_ceil(args.threads),
                retention: args.retention,
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
        let watched = watch(args, store, &tallies, &over, tell);
        over.store(true, Ordering::Relaxed);
        let mut wrong = None;
        for thread in threads {
            let done = thread.join().map_err(|_| "a thread of the load panicked")?;
            wrong = wrong.or(done.err());
        }
        Ok(Soaked {
            samples: watched?,
            wrong,
        })
    })
}

fn watch(
    args: &Args,
    store: &Store,
    tallies: &[Mutex<Tally>],
    over: &AtomicBool,
    tell: Tell<'_>,
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
        tell(&sample, samples.len())?;
        samples.push(sample);
    }
    Ok(samples)
}
