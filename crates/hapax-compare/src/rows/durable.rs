//! Claim and complete, each record on the medium before its call returns.

use crate::engine::Durability;
use crate::outcome::Outcome;
use crate::rows::load::{Done, Load};
use crate::rows::row::{
    Against, Figure, Goal, Measured, PAIRS, RECORDS, Row, Task, all_fit, nothing,
};

macro_rules! row {
    ($name:literal, $what:literal, $pairs:expr, $records:expr, $run:expr) => {
        Row {
            name: $name,
            figures: &[
                Figure {
                    name: $name,
                    title: concat!("claim + complete, Sync, ", $what),
                    unit: PAIRS,
                    goals: $pairs,
                },
                Figure {
                    name: concat!($name, "-records"),
                    title: concat!("the same, Sync, ", $what, ": records that were waited for"),
                    unit: RECORDS,
                    goals: $records,
                },
            ],
            durability: Durability::Sync,
            unfit: all_fit,
            run: $run,
        }
    };
}

pub(super) const BATCH: Row = row!(
    "sync-batch",
    "512 a commit",
    &[],
    &[Goal::new(Against::Engine("fjall"), 2.2)],
    batch
);

pub(super) const ONE: Row = row!(
    "sync-1",
    "one caller",
    &[Goal::new(Against::BestPeer, 1.0)],
    // A record takes at most 1.6 times as long.
    &[Goal::new(Against::Engine("file"), 1.0 / 1.6)],
    |task| callers(task, 1)
);

pub(super) const EIGHT: Row = row!(
    "sync-8",
    "8 callers",
    &[Goal::new(Against::BestPeer, 2.0)],
    &[Goal::new(Against::Engine("file"), 0.8)],
    |task| callers(task, 8)
);

pub(super) const SIXTY_FOUR: Row = row!(
    "sync-64",
    "64 callers",
    &[Goal::new(Against::BestPeer, 2.0)],
    &[Goal::new(Against::Engine("file"), 0.8)],
    |task| callers(task, 64)
);

/// Pairs that a batch has in one commit.
const COMMIT: u64 = 512;

/// The load of this many callers, where each waits for each of its records.
pub(super) fn load(task: &Task, callers: usize) -> Load {
    task.load(callers, if callers == 1 { 32 } else { 4 })
}

/// The load of one caller that commits 512 pairs at a time.
pub(super) fn batch_load(task: &Task) -> Load {
    task.load(1, COMMIT)
}

fn callers(task: &Task, callers: usize) -> Outcome<Measured> {
    let engine = task.open()?;
    let load = load(task, callers);
    let done = load.run(&*engine, |session, keys| session.pairs(keys), nothing)?;
    Ok(measured(task, done, engine.remark()))
}

fn batch(task: &Task) -> Outcome<Measured> {
    let engine = task.open()?;
    let load = batch_load(task);
    let done = load.run(&*engine, |session, keys| session.pair_batch(keys), nothing)?;
    Ok(measured(task, done, engine.remark()))
}

fn measured(task: &Task, done: Done, remark: Option<String>) -> Measured {
    let pairs = done.per_second();
    Measured {
        values: vec![pairs, pairs * f64::from(task.entry.waits_per_pair)],
        keys: done.keys,
        remark,
    }
}
