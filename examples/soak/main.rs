//! Hours of ever new keys: does anything grow?
//!
//! `cargo run --release --example soak -- --minutes 10` claims and completes keys that expire soon
//! after, prints a line each interval, and fails when memory, disk, live keys or latency grow after
//! the warm-up. `--help` lists the rest. Where to look first: `session.rs` runs it, `load.rs` makes
//! the calls, `sample.rs` measures, `verdict.rs` judges.

mod args;
mod histogram;
mod load;
mod process;
#[path = "../stress/random.rs"]
#[allow(dead_code, reason = "the example `stress` draws more kinds of chance")]
mod random;
mod sample;
#[path = "../stress/scratch.rs"]
mod scratch;
mod session;
mod verdict;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};
use sample::Sample;
use scratch::Scratch;
use verdict::Verdict;

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // No channel is left when even this cannot be written.
            let _ = writeln!(io::stderr(), "soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<u8, Failure> {
    let args = match args::parse(lexopt::Parser::from_env())? {
        Command::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            return Ok(0);
        }
        Command::Run(args) => args,
    };
    let scratch = Scratch::new("soak", args.dir.clone())?;
    let mut print = |sample: &Sample, before: usize| print_line(&args, sample, before);
    let soaked = session::run(&args, scratch.path(), &mut print)?;
    if let Some(wrong) = soaked.wrong {
        tell(&args, "wrong", &[wrong.to_string()])?;
        return Ok(1);
    }
    match verdict::judge(&soaked.samples, args.warm_up) {
        Verdict::Flat(lines) => tell(&args, "flat", &lines).map(|()| 0),
        Verdict::Grows(lines) => tell(&args, "grows", &lines).map(|()| 1),
        Verdict::TooShort(lines) => {
            let text = format!(
                "{lines} lines after a warm-up of {} s are too few: give it more --minutes",
                args.warm_up.as_secs()
            );
            tell(&args, "not judged", &[text]).map(|()| 2)
        }
    }
}

fn print_line(args: &Args, sample: &Sample, before: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        return writeln!(out, "{}", sample.json());
    }
    if before % 30 == 0 {
        writeln!(out, "{}", Sample::HEAD)?;
    }
    writeln!(out, "{}", sample.line())
}

fn tell(args: &Args, verdict: &str, lines: &[String]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.json {
        let line = serde_json::json!({ "verdict": verdict, "lines": lines });
        return Ok(writeln!(out, "{line}")?);
    }
    writeln!(out, "{verdict}")?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
