//! One measurement, in the process that was started for it.

use crate::args::Part;
use crate::engine::{Durability, Entry, Place};
use crate::engines;
use crate::outcome::Outcome;
use crate::rows;
use crate::rows::row::{Measured, Scale, Task};

/// Takes the measurement and prints it as JSON.
///
/// # Errors
/// Every error of the engine.
pub fn measure(part: &Part) -> Outcome<()> {
    let row = rows::find(&part.row).ok_or("there is no such row")?;
    let measured = (row.run)(&task(part, row.durability)?)?;
    println!("{}", serde_json::to_string(&measured)?);
    // Closing a large store takes long, and the measurement does not wait for it.
    std::process::exit(0)
}

/// Fills a store for the row on recovery, and dies.
///
/// # Errors
/// Every error of the engine.
pub fn fill(part: &Part) -> Outcome<()> {
    let row = rows::find(&part.row).ok_or("there is no such row")?;
    rows::recovery::fill(&task(part, row.durability)?).map(drop)
}

/// Reads what a measurement has printed.
///
/// # Errors
/// When it is something else.
pub fn read(output: &str) -> Outcome<Measured> {
    Ok(serde_json::from_str(output.trim())?)
}

fn task(part: &Part, durability: Durability) -> Outcome<Task> {
    let entry: &'static Entry = engines::find(&part.engine).ok_or("there is no such engine")?;
    let scale: Scale = serde_json::from_str(&part.scale)?;
    Ok(Task {
        entry,
        place: Place {
            dir: part.dir.clone(),
            server: part.server.clone(),
            durability,
        },
        scale,
        program: std::env::current_exe()?,
    })
}
