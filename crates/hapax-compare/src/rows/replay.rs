//! The answer to a retry that follows the original closely.

use crate::engine::keys::{Key, key, mix};
use crate::engine::{Durability, Kind};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;
use crate::rows::load::{Done, all_granted};
use crate::rows::number::as_f64;
use crate::rows::row::{Against, Figure, Goal, MICROS, Measured, Row, Task, all_fit};

pub(super) const ROW: Row = Row {
    name: "replay",
    figures: &[Figure {
        name: "replay",
        title: "replay of a recent answer: claim again, read the stored response",
        unit: MICROS,
        goals: &[Goal::new(Against::Nothing, 1.0)],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run,
};

/// Keys that were settled last, and are claimed again.
const RECENT: u64 = 4096;

fn run(task: &Task) -> Outcome<Measured> {
    let engine = task.open()?;
    let recent = task.fill(&*engine, RECENT, 1)?;
    let mut session = engine.session()?;
    let chunk: u64 = if task.entry.kind == Kind::Server {
        64
    } else {
        4096
    };
    let mut done = Done::default();
    while done.keys < task.scale.keys && done.taken < task.limit() {
        let keys: Vec<Key> = (0..chunk)
            .map(|i| key(mix(done.keys + i) % recent))
            .collect();
        let watch = Stopwatch::start();
        let answered = session.replay(&keys)?;
        done.taken += watch.elapsed();
        all_granted(answered, keys.len())?;
        done.keys += chunk;
    }
    Ok(Measured {
        values: vec![done.taken.as_secs_f64() * 1e6 / as_f64(done.keys)],
        keys: done.keys,
        remark: None,
    })
}
