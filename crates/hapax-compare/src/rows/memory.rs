//! Memory of a settled key: what the process has resident, and cannot drop, after a fill.

use crate::engine::{Durability, Entry, Kind};
use crate::host::process::{own_id, resident_bytes};
use crate::outcome::Outcome;
use crate::rows::number::as_f64;
use crate::rows::row::{Against, Figure, Goal, KEY_BYTES, Measured, Row, Task};

pub(super) const ROW: Row = Row {
    name: "memory",
    figures: &[Figure {
        name: "memory",
        title: "memory of a settled key, all of the process counted (not the page cache)",
        unit: KEY_BYTES,
        // With fewer keys what does not grow with them would be judged too.
        goals: &[Goal {
            from_keys: 20_000_000,
            ..Goal::new(Against::Nothing, 48.0)
        }],
    }],
    durability: Durability::Interval,
    unfit,
    run,
};

fn unfit(entry: &Entry) -> Option<&'static str> {
    let on_disk = entry.kind == Kind::Server && entry.name != "redis";
    on_disk.then_some("its keys are on disk, its caches in many processes")
}

fn run(task: &Task) -> Outcome<Measured> {
    let process = task
        .place
        .server
        .as_ref()
        .map_or_else(own_id, |server| server.1);
    let before = resident_bytes(process)?;
    let engine = task.open()?;
    let filled = task.fill(&*engine, task.scale.memory, 4)?;
    engine.sync()?;
    let grown = resident_bytes(process)?.saturating_sub(before);
    Ok(Measured {
        values: vec![as_f64(grown) / as_f64(filled)],
        keys: filled,
        remark: engine.remark(),
    })
}
