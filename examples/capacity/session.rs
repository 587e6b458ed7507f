//! One store: filled, measured, closed and opened again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hapax::{BatchClaim, Claim, Durability, Lease, Namespace, Policy, Store};

use crate::Failure;
use crate::args::Fill;
use crate::figures::Figures;
use crate::process::resident_bytes;

const RESPONSE: [u8; 64] = [7; 64];

/// A record and what lies around it, with room to spare.
const DISK_BYTES_PER_KEY: u64 = 150;

/// The first and the next segment, what the store keeps free, and its reserve.
const DISK_BYTES_MORE: u64 = 1 << 30;

/// Keys that are claimed before they are completed, at full size: so few keys run.
const CHUNK: u64 = 4096;

/// Answers that are replayed between two looks at the time, and for how long.
const REPLAY_CHUNK: u64 = 256;
const REPLAY_MOST: Duration = Duration::from_secs(20);

/// Called with the number of keys so far.
pub(crate) type Tell<'a> = &'a dyn Fn(u64);

pub(crate) fn run(fill: &Fill, dir: &Path, tell: Tell<'_>) -> Result<Figures, Failure> {
    check_disk(fill.keys, dir)?;
    let path = dir.join("store");
    if path.exists() {
        let text = format!("{} is there already: name another --dir", path.display());
        return Err(text.into());
    }
    let figures = measure(fill, &path, tell);
    // It may be as large as the disk.
    fs::remove_dir_all(&path)?;
    figures
}

fn measure(fill: &Fill, path: &Path, tell: Tell<'_>) -> Result<Figures, Failure> {
    let samples = fill.samples.min(fill.keys);
    let mut figures = Figures::default();
    let (store, jobs) = open(fill, path)?;
    let before = resident_bytes();
    let (filled, taken) = timed(|| fill_up(fill, &store, &jobs, tell));
    filled?;
    figures.fill_seconds = taken.as_secs_f64();
    let grown = resident_bytes().saturating_sub(before);
    memory_and_disk(&mut figures, &store, grown);
    drop(jobs);
    let (closed, taken) = timed(|| store.close());
    closed?;
    figures.close_seconds = taken.as_secs_f64();
    let (opened, taken) = timed(|| open(fill, path));
    let (store, jobs) = opened?;
    figures.reopen_seconds = taken.as_secs_f64();
    let there = store.stats().keys();
    if there != fill.keys {
        return Err(format!("{there} of {} keys are there after reopening", fill.keys).into());
    }
    figures.claim_rate_per_second = claim_rate(fill.keys, samples, &jobs)?;
    figures.replay_rate_per_second = replay_rate(fill.keys, samples, &jobs)?;
    drop(jobs);
    store.close()?;
    Ok(figures)
}

/// Says what is short before it is used up.
fn check_disk(keys: u64, dir: &Path) -> Result<(), Failure> {
    let disk = rustix::fs::statvfs(dir)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = keys
        .saturating_mul(DISK_BYTES_PER_KEY)
        .saturating_add(DISK_BYTES_MORE);
    if free < needed {
        let text = format!(
            "{keys} keys need {needed} bytes of disk, and {} has {free}: name another --dir, or fewer keys",
            dir.display()
        );
        return Err(text.into());
    }
    Ok(())
}

fn open(fill: &Fill, path: &Path) -> hapax::Result<(Store, Namespace)> {
    let store = Store::builder(path)
        .log_kind(fill.log)
        .durability(Durability::Interval(Duration::from_millis(100)))
        .open()?;
    let jobs = store.namespace("jobs", Policy::at_least_once())?;
    Ok((store, jobs))
}

/// No two are equal, and they are spread as UUIDs are.
fn key(serial: u64) -> [u8; 16] {
    let spread = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(spread) << 64) | u128::from(serial)).to_be_bytes()
}

fn fill_up(fill: &Fill, store: &Store, jobs: &Namespace, tell: Tell<'_>) -> Result<(), Failure> {
    let mut done = 0;
    while done < fill.keys {
        // Keys claimed one by one are reported as rarely as batches.
        let end = (done + fill.batch.max(CHUNK)).min(fill.keys);
        while done < end {
            if fill.batch == 1 {
                lease(jobs.claim(key(done))?)?.complete(RESPONSE)?;
                done += 1;
            } else {
                let until = (done + fill.batch).min(end);
                let claims = jobs.claim_many((done..until).map(key))?;
                complete(
                    jobs,
                    claims
                        .into_iter()
                        .map(batch_lease)
                        .collect::<Result<_, _>>()?,
                )?;
                done = until;
            }
        }
        tell(done);
    }
    Ok(store.sync()?)
}

fn batch_lease(claim: BatchClaim) -> Result<Lease, Failure> {
    match claim {
        BatchClaim::Claim(claim) => lease(claim),
        BatchClaim::Refused(error) => Err(error.into()),
        other @ BatchClaim::RepeatOf { .. } => Err(format!("no key repeats, but {other:?}").into()),
    }
}

fn lease(claim: Claim) -> Result<Lease, Failure> {
    match claim {
        Claim::Granted(lease) => Ok(lease),
        other => Err(format!("a new key is granted, but the answer was {other:?}").into()),
    }
}

fn complete(jobs: &Namespace, leases: Vec<Lease>) -> Result<(), Failure> {
    for result in jobs.complete_many(leases.into_iter().map(|lease| (lease, RESPONSE))) {
        result?;
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures are told with few digits"
)]
fn real(count: u64) -> f64 {
    count as f64
}

fn memory_and_disk(figures: &mut Figures, store: &Store, grown: u64) {
    let stats = store.stats();
    let keys = real(stats.keys());
    figures.keys = keys;
    figures.resident_bytes = real(grown);
    figures.window_bytes = real(stats.window_bytes());
    figures.resident_bytes_per_key = real(grown.saturating_sub(stats.window_bytes())) / keys;
    figures.table_bytes_per_key = real(stats.table_bytes()) / keys;
    figures.disk_bytes_per_record = real(stats.disk_bytes()) / keys;
}

/// Only claims of new keys; they are completed after the clock has stopped.
fn claim_rate(keys: u64, samples: u64, jobs: &Namespace) -> Result<f64, Failure> {
    let (mut done, mut taken) = (0, Duration::ZERO);
    while done < samples {
        let end = (done + CHUNK).min(samples);
        let fresh: Vec<[u8; 16]> = (done..end).map(|serial| key(keys + serial)).collect();
        let (claims, lasted) = timed(|| {
            let claims = fresh.iter().map(|key| jobs.claim(key));
            claims.collect::<hapax::Result<Vec<_>>>()
        });
        taken += lasted;
        let leases = claims?.into_iter().map(lease).collect::<Result<_, _>>()?;
        complete(jobs, leases)?;
        done = end;
    }
    Ok(real(samples) / taken.as_secs_f64())
}

/// Claims of keys that were completed before the store was reopened: no answer is in memory.
fn replay_rate(keys: u64, samples: u64, jobs: &Namespace) -> Result<f64, Failure> {
    let (mut done, mut taken, mut serial) = (0, Duration::ZERO, 0);
    while done < samples && taken < REPLAY_MOST {
        let end = (done + REPLAY_CHUNK).min(samples);
        let (replayed, lasted) = timed(|| {
            (done..end).try_for_each(|_| {
                // A prime stride, so that no two neighbours are asked for in a row.
                serial = (serial + 15_485_863) % keys;
                replay(jobs, serial)
            })
        });
        replayed?;
        taken += lasted;
        done = end;
    }
    Ok(real(done) / taken.as_secs_f64())
}

fn replay(jobs: &Namespace, serial: u64) -> Result<(), Failure> {
    match jobs.claim(key(serial))? {
        Claim::Completed(answer) if answer.response() == RESPONSE => Ok(()),
        other => Err(format!("completed, but the answer was {other:?}").into()),
    }
}

/// The only place where the example reads a clock.
#[expect(clippy::disallowed_methods, reason = "the figures are about real time")]
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
