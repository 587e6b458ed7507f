//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::engine::Entry;
use crate::engines::{self, ENTRIES};
use crate::outcome::{Failure, Outcome};
use crate::rows::row::{Row, Scale};
use crate::rows::{self, ROWS};

/// What `--help` prints.
pub const USAGE: &str = "\
Measures hapax beside its peers and beside the limit: the same keys and records,
the same durability within a row, each measurement in a process and a directory
of its own, engines in turn, medians of several rounds.

usage: cargo run --release -p hapax-compare -- [options]

  --quick            small, one round, within a minute: to see that it runs
  --rows LIST        rows, between commas; a star at the end stands for anything
                     (default: all)
  --engines LIST     engines, between commas (default: all that are there)
  --rounds N         (default 3; 1 with --quick)
  --dir DIR          where the stores lie while they are measured: on a disk
                     (default: the system's directory for temporary files)
  --seconds S        after which a peer is stopped in a row (default 5)
  --keys N           most keys of a row (default 10000000)
  --memory-keys N    keys of the row on memory (default 20000000)
  --recovery-keys N  keys of the row on recovery (default 5000000)
  --out DIR          where compare.txt, compare.json, compare.csv and an SVG for
                     each figure go (default target/compare)
  --json FILE        the JSON, here as well
  --list             the rows and the engines
  --help             this text

The table goes to standard output, progress to standard error.

exit code: 0 it is done, 1 a measurement failed, 2 it could not begin
";

/// What was asked for.
#[derive(Debug)]
pub enum Command {
    /// The text.
    Help,
    /// The rows and engines.
    List,
    /// The comparison.
    Compare(Args),
    /// One measurement, in a process that the comparison has started.
    Measure(Part),
    /// The first half of the row on recovery.
    Fill(Part),
}

/// A comparison.
#[derive(Debug)]
pub struct Args {
    /// In the order of the table.
    pub rows: Vec<&'static Row>,
    /// In the order of the table.
    pub engines: Vec<&'static Entry>,
    /// Measurements of each engine in each row.
    pub rounds: usize,
    /// How large they are.
    pub scale: Scale,
    /// It has to end within a minute.
    pub quick: bool,
    /// Where the stores lie.
    pub dir: PathBuf,
    /// Where the results go.
    pub out: PathBuf,
    /// Where the JSON goes as well.
    pub json: Option<PathBuf>,
}

/// One measurement.
#[derive(Debug, Default)]
pub struct Part {
    /// The name of its row.
    pub row: String,
    /// The name of its engine.
    pub engine: String,
    /// Its directory.
    pub dir: PathBuf,
    /// What its server listens on, and its process.
    pub server: Option<(PathBuf, u32)>,
    /// A `Scale`, as JSON.
    pub scale: String,
}

/// Reads the arguments, the name of the program left out.
///
/// # Errors
/// What is wrong with them.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Outcome<Command> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    match args.first().and_then(|first| first.to_str()) {
        Some("measure") => Ok(Command::Measure(part(&args[1..])?)),
        Some("fill") => Ok(Command::Fill(part(&args[1..])?)),
        _ => compare(&args),
    }
}

fn compare(args: &[OsString]) -> Outcome<Command> {
    let mut parser = Parser::from_args(args);
    let (mut quick, mut rounds, mut json) = (false, None, None);
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    let mut engines: Vec<&Entry> = ENTRIES.iter().collect();
    let mut changes: Vec<Change> = Vec::new();
    let (mut dir, mut out) = (std::env::temp_dir(), PathBuf::from("target/compare"));
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("list") => return Ok(Command::List),
            Arg::Long("quick") => quick = true,
            Arg::Long("rows") => rows = rows::pick(&parser.value()?.string()?)?,
            Arg::Long("engines") => engines = pick_engines(&parser.value()?.string()?)?,
            Arg::Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?),
            Arg::Long("dir") => dir = parser.value()?.into(),
            Arg::Long("out") => out = parser.value()?.into(),
            Arg::Long("json") => json = Some(parser.value()?.into()),
            Arg::Long(name) => {
                let name = name.to_owned();
                changes.push(change(&name, &mut parser)?);
            }
            other => return Err(unexpected(other)),
        }
    }
    let mut scale = if quick { Scale::QUICK } else { Scale::FULL };
    changes.into_iter().for_each(|change| change(&mut scale));
    check(&scale)?;
    let rounds = rounds.unwrap_or(if quick { 1 } else { 3 });
    if rounds == 0 {
        return Err("there has to be a round".into());
    }
    Ok(Command::Compare(Args {
        rows,
        engines,
        rounds,
        scale,
        quick,
        dir,
        out,
        json,
    }))
}

/// What an option does to the scale, once it is known which.
type Change = Box<dyn FnOnce(&mut Scale)>;

/// An option that changes the scale, in any order of the options.
fn change(name: &str, parser: &mut Parser) -> Outcome<Change> {
    if name == "seconds" {
        let seconds: f64 = parser.value()?.parse()?;
        return Ok(Box::new(move |scale| scale.seconds = seconds));
    }
    let place: fn(&mut Scale) -> &mut u64 = match name {
        "keys" => |scale| &mut scale.keys,
        "memory-keys" => |scale| &mut scale.memory,
        "recovery-keys" => |scale| &mut scale.recovery,
        _ => return Err(unexpected(Arg::Long(name))),
    };
    let count: u64 = parser.value()?.parse()?;
    Ok(Box::new(move |scale| {
        *place(scale) = count;
        scale.fill = scale.fill.min(scale.keys);
    }))
}

fn check(scale: &Scale) -> Outcome<()> {
    let counts = [scale.keys, scale.memory, scale.recovery];
    if counts.contains(&0) || !(0.001..=3600.0).contains(&scale.seconds) {
        return Err("there have to be keys, and 0.001 to 3600 seconds".into());
    }
    Ok(())
}

fn unexpected(arg: Arg<'_>) -> Failure {
    format!("{}; try --help", arg.unexpected()).into()
}

fn pick_engines(list: &str) -> Outcome<Vec<&'static Entry>> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    for name in &names {
        if engines::find(name).is_none() {
            let known: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
            let known = known.join(", ");
            return Err(format!("there is no engine {name:?}; there are {known}").into());
        }
    }
    let picked = ENTRIES.iter().filter(|entry| names.contains(&entry.name));
    Ok(picked.collect())
}

fn part(args: &[OsString]) -> Outcome<Part> {
    let mut parser = Parser::from_args(args);
    let mut part = Part::default();
    let (mut socket, mut process) = (None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("row") => part.row = parser.value()?.string()?,
            Arg::Long("engine") => part.engine = parser.value()?.string()?,
            Arg::Long("dir") => part.dir = parser.value()?.into(),
            Arg::Long("scale") => part.scale = parser.value()?.string()?,
            Arg::Long("socket") => socket = Some(PathBuf::from(parser.value()?)),
            Arg::Long("process") => process = Some(parser.value()?.parse::<u32>()?),
            other => return Err(unexpected(other)),
        }
    }
    part.server = socket.zip(process);
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Outcome<Args> {
        match parse(line.split_whitespace())? {
            Command::Compare(args) => Ok(args),
            other => Err(format!("{other:?}").into()),
        }
    }

    #[test]
    fn without_options_everything_is_measured_three_times() {
        let args = args("").unwrap();
        assert_eq!((args.rows.len(), args.rounds), (ROWS.len(), 3));
        assert_eq!(args.engines.len(), ENTRIES.len());
        assert_eq!(args.scale.keys, 10_000_000);
    }

    #[test]
    fn options_count_in_any_order() {
        for line in [
            "--quick --keys 500 --seconds 0.5",
            "--seconds 0.5 --keys 500 --quick",
        ] {
            let args = args(line).unwrap();
            assert_eq!(
                (args.scale.keys, args.scale.fill, args.rounds),
                (500, 500, 1)
            );
            assert!((args.scale.seconds - 0.5).abs() < 1e-9);
            assert_eq!(args.scale.memory, Scale::QUICK.memory);
        }
    }

    #[test]
    fn engines_keep_the_order_of_the_table() {
        let args = args("--engines sled,hapax").unwrap();
        let names: Vec<&str> = args.engines.iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["hapax", "sled"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--rows nothing",
            "--engines none",
            "--rounds 0",
            "--keys 0",
            "--seconds 0",
            "--fast",
            "x",
        ] {
            assert!(args(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_part_is_read_back() {
        let line = "measure --row pair --engine redis --dir d --scale {} --socket s --process 7";
        let Command::Measure(part) = parse(line.split(' ')).unwrap() else {
            panic!("it is a measurement");
        };
        assert_eq!((part.row.as_str(), part.engine.as_str()), ("pair", "redis"));
        assert_eq!(part.server, Some((PathBuf::from("s"), 7)));
    }
}
