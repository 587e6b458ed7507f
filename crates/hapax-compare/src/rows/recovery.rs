//! From a process that died to the first answer of the next one.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Advice, fadvise};

use crate::engine::{Durability, Outcome};
use crate::keys::key;
use crate::load::all_granted;
use crate::row::{Against, Figure, Goal, Measured, Row, SECONDS, Task, embedded};
use crate::stopwatch::Stopwatch;

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
    run,
};

/// Runs in a process of its own: fills the store, makes it durable, and dies without closing it.
///
/// # Errors
/// Whatever the engine reports.
pub(crate) fn fill(task: &Task) -> Outcome<u64> {
    let engine = task.open()?;
    let filled = task.fill(&*engine, task.scale.recovery, 12)?;
    engine.sync()?;
    println!("{filled}");
    // No destructor runs: to the store this is a kill.
    std::process::exit(0)
}

fn run(task: &Task) -> Outcome<Measured> {
    let filled = Command::new(&task.program)
        .arg("fill")
        .args(["--engine", task.entry.name])
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
    Ok(Measured {
        values: vec![taken.as_secs_f64()],
        keys,
        remark: None,
    })
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
