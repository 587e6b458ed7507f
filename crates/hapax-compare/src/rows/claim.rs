//! The first call for a key, and the one call of users who only mark a key as seen.

use crate::engine::Durability;
use crate::outcome::Outcome;
use crate::rows::row::{Against, Figure, Goal, KEYS, Measured, Row, Task, all_fit, nothing};

pub(super) const CLAIM: Row = Row {
    name: "claim",
    figures: &[Figure {
        name: "claim",
        title: "claim, Interval, one caller, distinct keys",
        unit: KEYS,
        goals: &[
            Goal::new(Against::BestEmbedded, 10.0),
            Goal::new(Against::Engine("file"), 0.8),
        ],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: claim,
};

pub(super) const INSERT: Row = Row {
    name: "insert",
    figures: &[Figure {
        name: "insert",
        title: "insert (mark as seen, with a record), Interval, one caller, distinct keys",
        unit: KEYS,
        goals: &[],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: insert,
};

/// Grants that are held at a time; they are settled off the clock.
const HELD: u64 = 8192;

/// Where several callers share the keys.
const SHARE: u64 = 256;

fn chunk(task: &Task) -> u64 {
    if task.entry.callers == 1 { HELD } else { SHARE }
}

fn claim(task: &Task) -> Outcome<Measured> {
    let engine = task.open()?;
    let load = task.load(task.entry.callers, chunk(task));
    let done = load.run(
        &*engine,
        |session, keys| session.claim(keys),
        |session| session.settle(),
    )?;
    Ok(Measured::rate(done, &*engine))
}

fn insert(task: &Task) -> Outcome<Measured> {
    let engine = task.open()?;
    let load = task.load(task.entry.callers, chunk(task));
    let done = load.run(&*engine, |session, keys| session.insert(keys), nothing)?;
    Ok(Measured::rate(done, &*engine))
}
