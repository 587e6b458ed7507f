//! Bytes that the process hands to the system, against the bytes of its records.

use crate::engine::{Durability, Engine};
use crate::host::process::written_bytes;
use crate::outcome::Outcome;
use crate::rows::durable;
use crate::rows::load::Done;
use crate::rows::number::as_f64;
use crate::rows::row::{
    Against, Figure, Goal, Measured, PAIR_BYTES, RATIO, Row, Task, embedded, nothing,
};

macro_rules! row {
    ($name:literal, $what:literal, $durability:expr, $goals:expr, $run:expr) => {
        Row {
            name: $name,
            figures: &[
                Figure {
                    name: $name,
                    title: concat!("bytes written / bytes of its records, ", $what),
                    unit: RATIO,
                    goals: $goals,
                },
                Figure {
                    name: concat!($name, "-pair"),
                    title: concat!("bytes written for a claim + complete, ", $what),
                    unit: PAIR_BYTES,
                    goals: &[],
                },
            ],
            durability: $durability,
            unfit: embedded,
            run: $run,
        }
    };
}

pub(super) const INTERVAL: Row = row!(
    "written",
    "Interval",
    Durability::Interval,
    // A segment that is prepared and not filled yet counts for too much in a short run.
    &[Goal {
        from_keys: 2_000_000,
        ..Goal::new(Against::Nothing, 1.10)
    }],
    interval
);

pub(super) const SYNC_1: Row = row!(
    "written-sync-1",
    "Sync, one caller",
    Durability::Sync,
    &[],
    |task| callers(task, 1)
);

pub(super) const SYNC_8: Row = row!(
    "written-sync-8",
    "Sync, 8 callers",
    Durability::Sync,
    &[],
    |task| callers(task, 8)
);

pub(super) const SYNC_64: Row = row!(
    "written-sync-64",
    "Sync, 64 callers",
    Durability::Sync,
    &[],
    |task| callers(task, 64)
);

pub(super) const SYNC_512: Row = row!(
    "written-sync-512",
    "Sync, 512 a commit",
    Durability::Sync,
    &[],
    batch
);

fn interval(task: &Task) -> Outcome<Measured> {
    let load = task.load(1, 1024);
    weigh(task, |engine| {
        load.run(engine, |session, keys| session.pairs(keys), nothing)
    })
}

fn callers(task: &Task, callers: usize) -> Outcome<Measured> {
    let load = durable::load(task, callers);
    weigh(task, |engine| {
        load.run(engine, |session, keys| session.pairs(keys), nothing)
    })
}

fn batch(task: &Task) -> Outcome<Measured> {
    let load = durable::batch_load(task);
    weigh(task, |engine| {
        load.run(engine, |session, keys| session.pair_batch(keys), nothing)
    })
}

/// What is written from when the store is open until everything is on the medium.
fn weigh(task: &Task, work: impl Fn(&dyn Engine) -> Outcome<Done>) -> Outcome<Measured> {
    let engine = task.open()?;
    let (written, recorded) = (written_bytes()?, engine.record_bytes());
    let done = work(&*engine)?;
    engine.sync()?;
    let written = as_f64(written_bytes()? - written);
    let own = engine.record_bytes().zip(recorded);
    let records = own.map_or(done.keys * task.entry.pair_bytes, |(now, before)| {
        now - before
    });
    Ok(Measured {
        values: vec![written / as_f64(records), written / as_f64(done.keys)],
        keys: done.keys,
        remark: engine.remark(),
    })
}
