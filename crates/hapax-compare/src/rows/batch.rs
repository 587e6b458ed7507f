//! Batches of 4096 keys, half of them new, half settled before, in a store with a history.

use crate::engine::keys::{Key, key, mix};
use crate::engine::{Durability, Session};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;
use crate::rows::load::{Done, all_granted};
use crate::rows::row::{Against, Figure, Goal, KEYS, Measured, Row, Task, all_fit};

pub(super) const CLAIM_MANY: Row = Row {
    name: "claim-many",
    figures: &[Figure {
        name: "claim-many",
        title: "claim_many of 4096, half new, half settled of late (with the stored response)",
        unit: KEYS,
        goals: &[Goal::new(Against::Nothing, 10e6)],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: |task| batches(task, LATELY, |session, keys| session.claim_batch(keys)),
};

pub(super) const CLAIM_MANY_OLD: Row = Row {
    name: "claim-many-old",
    figures: &[Figure {
        name: "claim-many-old",
        title: "claim_many of 4096, half new, half settled at any time (with the stored response)",
        unit: KEYS,
        goals: &[],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: |task| batches(task, u64::MAX, |session, keys| session.claim_batch(keys)),
};

pub(super) const INSERT_MANY: Row = Row {
    name: "insert-many",
    figures: &[Figure {
        name: "insert-many",
        title: "insert_many of 4096, half new, half settled at any time (new or not is the answer)",
        unit: KEYS,
        goals: &[],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: |task| batches(task, u64::MAX, |session, keys| session.insert_batch(keys)),
};

const BATCH: u64 = 4096;

/// Keys that were settled last: what most retries are of.
const LATELY: u64 = 65_536;

fn batches(
    task: &Task,
    latest: u64,
    work: fn(&mut dyn Session, &[Key]) -> Outcome<usize>,
) -> Outcome<Measured> {
    let engine = task.open()?;
    let filled = task.fill(&*engine, task.scale.fill, 2)?;
    let mut session = engine.session()?;
    let mut done = Done::default();
    let mut new = filled;
    while done.keys < task.scale.keys && done.taken < task.limit() {
        let mixed = |i: u64| match i % 2 {
            0 => key(new + i / 2),
            _ => key(new - 1 - mix(new + i) % latest.min(new)),
        };
        let keys: Vec<Key> = (0..BATCH).map(mixed).collect();
        let watch = Stopwatch::start();
        let granted = work(&mut *session, &keys)?;
        done.taken += watch.elapsed();
        all_granted(granted, keys.len() / 2)?;
        session.settle()?;
        new += BATCH / 2;
        done.keys += BATCH;
    }
    let mut measured = Measured::rate(done, &*engine);
    measured.remark = Some(format!("after a fill of {filled} keys"));
    Ok(measured)
}
