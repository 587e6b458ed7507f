//! `cargo run --release -p hapax-compare`: see `docs/comparison.md`.

use std::io::{self, Write};
use std::process::ExitCode;

use hapax_compare::args::{self, Args, Command, USAGE};
use hapax_compare::compare::cell::Cells;
use hapax_compare::compare::child;
use hapax_compare::compare::compare;
use hapax_compare::engines::ENTRIES;
use hapax_compare::host::machine::Machine;
use hapax_compare::outcome::Outcome;
use hapax_compare::report::Report;
use hapax_compare::rows::ROWS;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // No channel is left when even this cannot be written.
            let _ = writeln!(io::stderr(), "hapax-compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    match args::parse(std::env::args_os().skip(1))? {
        Command::Help => io::stdout().write_all(USAGE.as_bytes())?,
        Command::List => list()?,
        Command::Measure(part) => child::measure(&part)?,
        Command::Fill(part) => child::fill(&part)?,
        Command::Compare(args) => return show(&args),
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> Outcome<()> {
    let mut out = io::stdout().lock();
    for row in ROWS {
        for figure in row.figures {
            writeln!(out, "{:<18} {:<26} {}", row.name, figure.name, figure.title)?;
        }
    }
    writeln!(out)?;
    for entry in ENTRIES {
        let missing = (entry.missing)().unwrap_or_default();
        writeln!(out, "{:<12} {:<32} {missing}", entry.name, entry.label)?;
    }
    Ok(())
}

fn show(args: &Args) -> Outcome<ExitCode> {
    let machine = Machine::look(&args.dir);
    writeln!(io::stderr(), "{}", machine.line())?;
    if machine.disk.starts_with("tmpfs") {
        writeln!(
            io::stderr(),
            "{} lies in memory, where a sync costs nothing: name a directory on a disk with --dir",
            args.dir.display()
        )?;
    }
    let cells = compare(args, &mut |line| {
        // Unread progress is not a reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    })?;
    let report = Report::new(args, machine, &cells);
    report.write(&args.out, args.json.as_deref())?;
    io::stdout().write_all(report.table().as_bytes())?;
    writeln!(io::stderr(), "written to {}", args.out.display())?;
    Ok(if any_failed(&cells) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn any_failed(cells: &Cells) -> bool {
    cells.values().any(|cell| cell.failure.is_some())
}
