//! From a process that died to the first answer of the next one.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{Advice, fadvise};

use crate::engine::keys::key;
use crate::engine::{Durability, Engine};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;
use crate::rows::durable;
use crate::rows::load::{Load, all_granted};
use crate::rows::number::as_f64;
use crate::rows::row::{
    Against, Figure, Goal, KEY_MICROS, Measured, Row, SECONDS, Task, embedded, nothing,
};

pub(super) const ROW: Row = Row {
    name: "recovery",
    figures: &[Figure {
        name: "recovery",
        title: "open after the process died, files not cached, until the first stored answer",
        unit: SECONDS,
        goals: &[Goal {
            from_keys: 5_000_000,
            ..Goal::new(Against::Nothing, 1.5)
        }],
    }],
    durability: Durability::Interval,
    unfit: embedded,
    run: |task| Ok(measured(recover(task, "recovery")?, |seconds, _| seconds)),
};

pub(super) const SMALL: Row = Row {
    name: "recovery-small",
    figures: &[Figure {
        name: "recovery-small",
        title: "the same for each key, after commits as small as those of 64 callers under Sync",
        unit: KEY_MICROS,
        goals: &[],
    }],
    durability: Durability::Sync,
    unfit: embedded,
    run: |task| {
        let recovered = recover(task, "recovery-small")?;
        Ok(measured(recovered, |seconds, keys| {
            seconds * 1e6 / as_f64(keys)
        }))
    },
};

/// The small commits are much slower, so the row makes fewer of them.
const SMALL_PART: u64 = 10;

/// Runs in its own process: fills the store, makes it durable, and dies without closing it.
///
/// # Errors
/// Every error of the engine.
pub(crate) fn fill(task: &Task) -> Outcome<u64> {
    let engine = task.open()?;
    let filled = match task.place.durability {
        Durability::Interval => task.fill(&*engine, task.scale.recovery, 12)?,
        Durability::Sync => fill_small(task, &*engine)?,
    };
    engine.sync()?;
    println!("{filled}");
    // No destructor runs: to the store this is a kill.
    std::process::exit(0)
}

fn fill_small(task: &Task, engine: &dyn Engine) -> Outcome<u64> {
    let load = durable::load(task, 64);
    let load = Load {
        keys: task.scale.recovery / SMALL_PART,
        limit: 2 * load.limit,
        ..load
    };
    let done = load.run(engine, |session, keys| session.pairs(keys), nothing)?;
    Ok(done.keys)
}

/// How long the first stored answer took, and how many keys there were.
fn recover(task: &Task, row: &str) -> Outcome<(Duration, u64)> {
    let filled = Command::new(&task.program)
        .arg("fill")
        .args(["--row", row, "--engine", task.entry.name])
        .arg("--dir")
        .arg(&task.place.dir)
        .args(["--scale", &serde_json::to_string(&task.scale)?])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !filled.status.success() {
        return Err("the store could not be filled".into());
    }
    let keys: u64 = String::from_utf8(filled.stdout)?.trim().parse()?;
    drop_from_cache(&task.place.dir)?;

    let watch = Stopwatch::start();
    let engine = task.open()?;
    let answered = engine.session()?.replay(&[key(keys / 2)])?;
    let taken = watch.elapsed();
    all_granted(answered, 1)?;
    Ok((taken, keys))
}

fn measured((taken, keys): (Duration, u64), figure: fn(f64, u64) -> f64) -> Measured {
    Measured {
        values: vec![figure(taken.as_secs_f64(), keys)],
        keys,
        remark: None,
    }
}

/// Takes the files of a folder out of the page cache; needs no privilege, and leaves others alone.
fn drop_from_cache(folder: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop_from_cache(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
