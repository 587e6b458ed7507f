//! How long claim and complete take, quiet and while the store is busy.
//!
//! `cargo run --release --example latency` prints a table; `--help` lists the rest. Where to look
//! first: `session.rs` runs it, `events.rs` keeps the store busy, `load.rs` makes the calls,
//! `schedule.rs` says from when a latency counts, `hot.rs` has many threads at one key.

mod args;
mod events;
mod executor;
#[path = "../soak/histogram.rs"]
mod histogram;
mod hot;
mod load;
mod row;
mod schedule;
#[path = "../stress/scratch.rs"]
mod scratch;
mod session;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};
use row::Row;
use scratch::Scratch;
use serde_json::Value;

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, no channel is left.
            let _ = writeln!(io::stderr(), "latency: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let args = match args::parse(lexopt::Parser::from_env())? {
        Command::Help => return Ok(io::stdout().write_all(args::USAGE.as_bytes())?),
        Command::Hot(args) => {
            let scratch = Scratch::new("latency", args.dir.clone())?;
            return hot::run(&args, scratch.path());
        }
        Command::Run(args) => args,
    };
    let scratch = Scratch::new("latency", args.dir.clone())?;
    let head = if args.markdown {
        Row::markdown_head()
    } else {
        Row::head()
    };
    writeln!(io::stdout(), "{head}")?;
    let mut told = Vec::new();
    session::run(&args, scratch.path(), &mut |rows| {
        tell(&args, &mut told, rows)
    })
}

/// Prints the rows of a run, and rewrites the file, so that a run that is stopped leaves what it
/// has.
fn tell(args: &Args, told: &mut Vec<Value>, rows: &[Row]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for row in rows {
        let line = if args.markdown {
            row.markdown()
        } else {
            row.line()
        };
        writeln!(out, "{line}")?;
        told.push(row.json());
    }
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(told)? + "\n")?;
    }
    Ok(())
}
