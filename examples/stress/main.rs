//! Many threads, few keys, a real clock and a real disk: is every answer explained?
//!
//! `cargo run --release --example stress -- --seconds 30 --history FILE` records each call of some
//! threads on a store that is closed and opened again under them, and judges the history with
//! `hapax-check`. `--help` lists the rest. Where to look first: `worker.rs` makes the calls,
//! `recorder.rs` keeps them, `session.rs` opens and closes.

mod answer;
mod args;
mod fault;
mod random;
mod recorder;
mod scratch;
mod session;
mod worker;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};
use hapax_check::{Report, check};
use scratch::Scratch;
use session::Outcome;

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // No channel is left when even this cannot be written.
            let _ = writeln!(io::stderr(), "stress: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<u8, Failure> {
    match args::parse(lexopt::Parser::from_env())? {
        Command::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            Ok(0)
        }
        Command::Run(args) => stress(args),
    }
}

fn stress(mut args: Args) -> Result<u8, Failure> {
    let scratch = Scratch::new("stress", args.dir.take())?;
    let file = args.history.as_deref();
    let mut outcome = session::run(&args.plan, scratch.path(), file, args.check)?;
    let from = recorder::instant();
    let report = outcome.history.take().map(|history| check(&history));
    let judging = recorder::instant().saturating_duration_since(from);
    tell(&args, &outcome, report.as_ref(), judging.as_secs_f64())?;
    Ok(report.map_or(0, |report| report.exit_code()))
}

fn tell(args: &Args, outcome: &Outcome, report: Option<&Report>, judging: f64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let lasted = outcome.lasted.as_secs_f64();
    if args.json {
        let summary = serde_json::json!({
            "calls": outcome.calls,
            "reopens": outcome.reopens,
            "seconds": lasted,
            "seed": args.plan.seed,
            "judging_seconds": judging,
            "report": report.map(Report::to_json),
        });
        return writeln!(out, "{summary}");
    }
    writeln!(
        out,
        "{} calls by {} threads in {lasted:.1} s, {} reopenings, seed {}",
        outcome.calls, args.plan.threads, outcome.reopens, args.plan.seed
    )?;
    if let Some(file) = &args.history {
        writeln!(out, "the history is in {}", file.display())?;
    }
    if let Some(report) = report {
        write!(out, "{report}")?;
        writeln!(out, "judged in {judging:.1} s")?;
    }
    Ok(())
}
