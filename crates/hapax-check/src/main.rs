//! `hapax-check FILE`: judges a recorded history.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::process::ExitCode;

use hapax_check::{History, check};
use lexopt::Arg;

const USAGE: &str = "\
Judges a recorded history of a hapax store: is there, for each key, an order of
the calls that agrees with real time and explains every answer?

usage: hapax-check [--json] FILE

FILE is what `cargo run --release --example stress -- --history FILE` writes;
docs/history.md describes it.

exit code: 0 an order exists, 1 no order exists, 2 it could not be judged
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // No channel is left when even this cannot be written.
            let _ = writeln!(io::stderr(), "hapax-check: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut parser = lexopt::Parser::from_env();
    let (mut file, mut json) = (None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("json") => json = true,
            Arg::Long("help") | Arg::Short('h') => {
                io::stdout().write_all(USAGE.as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Value(path) if file.is_none() => file = Some(path),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    let file = file.ok_or("name a file; try --help")?;
    let history = History::read(BufReader::new(File::open(file)?))?;
    let report = check(&history);
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(ExitCode::from(report.exit_code()))
}
