//! The whole life of a key: claim, then complete.

use crate::engine::{Durability, Entry, Kind};
use crate::outcome::Outcome;
use crate::rows::row::{Against, Figure, Goal, Measured, PAIRS, Row, Task, all_fit, nothing};

pub(super) const ONE: Row = Row {
    name: "pair",
    figures: &[Figure {
        name: "pair",
        title: "claim + complete, Interval, one caller",
        unit: PAIRS,
        goals: &[
            Goal::new(Against::Engine("fjall"), 15.0),
            Goal::new(Against::Engine("sled"), 25.0),
            Goal::new(Against::Engine("redis"), 15.0),
        ],
    }],
    durability: Durability::Interval,
    unfit: all_fit,
    run: |task| pairs(task, task.entry.callers),
};

pub(super) const TWO: Row = Row {
    name: "pair-2",
    figures: &[Figure {
        name: "pair-2",
        title: "claim + complete, Interval, two callers",
        unit: PAIRS,
        goals: &[Goal::new(Against::Engine("file"), 0.75)],
    }],
    durability: Durability::Interval,
    unfit: no_server,
    run: |task| pairs(task, 2),
};

fn no_server(entry: &Entry) -> Option<&'static str> {
    (entry.kind == Kind::Server).then_some("it has its connections in the row before")
}

fn pairs(task: &Task, callers: usize) -> Outcome<Measured> {
    let engine = task.open()?;
    let chunk = if callers > 2 { 256 } else { 1024 };
    let load = task.load(callers, chunk);
    let done = load.run(&*engine, |session, keys| session.pairs(keys), nothing)?;
    Ok(Measured::rate(done, &*engine))
}
