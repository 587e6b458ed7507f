//! The command line.

use std::path::PathBuf;

use hapax::LogKind;
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

pub(crate) const USAGE: &str = "\
Fills a store with distinct keys, and tells what that many take: memory, disk, the
time to open it again, and the rates at that size, one `name: value` a line.

usage: cargo run --release --example capacity -- --keys N [options]
       cargo run --release --example capacity -- --plot FILE.svg [options]

  --keys N           (default 1000000) each of 16 bytes, spread as UUIDs are,
                     completed with 64 bytes, under interval of 100 ms
  --batch N          keys of one call while it is filled (default 1024); 1 for
                     claim and complete one by one
  --samples N        keys that are claimed at full size, and answers that are
                     replayed, but for 20 s at most (default 200000, at most
                     --keys)
  --log KIND         sled (default) or files
  --dir DIR          the store lies in DIR meanwhile (default: a temporary
                     directory); it has to have 150 bytes a key free, and 1 GiB
  --plot FILE.svg    one run after the other, each in a process of its own, and
                     a plot of them; FILE.csv beside it has the figures
  --from N, --to N   of the plot: N, ten times as many, and so on (default 10000
                     to 1000000)
  --help             this text

The lines:
  keys                       that the store remembers
  fill_seconds               until all of them are durable
  resident_bytes             that the process grew by since the store was opened
  window_bytes               of it: frames kept for retries, a fixed amount
  resident_bytes_per_key     the rest, the journal's open segment included
  table_bytes_per_key        of the tables alone
  disk_bytes_per_record      of the log, when all is durable
  close_seconds
  reopen_seconds             with as much of the log in the page cache as there is
  claim_rate_per_second      of new keys, one thread, one by one
  replay_rate_per_second     of any answer, one thread: most are read from the log

exit code: 0 measured, 2 the run failed
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Fill(Fill),
    Plot(Plot),
}

/// One store.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) keys: u64,
    pub(crate) batch: u64,
    pub(crate) samples: u64,
    pub(crate) log: LogKind,
    pub(crate) dir: Option<PathBuf>,
}

/// A row of stores.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) file: PathBuf,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Of each store; but for its keys.
    pub(crate) fill: Fill,
}

const KEYS_MOST: u64 = 4_000_000_000;

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut fill = Fill {
        keys: 1_000_000,
        batch: 1024,
        samples: 200_000,
        log: LogKind::default(),
        dir: None,
    };
    let (mut plot, mut keys, mut from, mut to) = (None, None, None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("keys") => keys = Some(bounded("keys", &mut parser, KEYS_MOST)?),
            Arg::Long("batch") => fill.batch = bounded("batch", &mut parser, 8192)?,
            Arg::Long("samples") => fill.samples = bounded("samples", &mut parser, 100_000_000)?,
            Arg::Long("log") => fill.log = parser.value()?.parse()?,
            Arg::Long("dir") => fill.dir = Some(parser.value()?.into()),
            Arg::Long("plot") => plot = Some(PathBuf::from(parser.value()?)),
            Arg::Long("from") => from = Some(bounded("from", &mut parser, KEYS_MOST)?),
            Arg::Long("to") => to = Some(bounded("to", &mut parser, KEYS_MOST)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    let Some(file) = plot else {
        if from.is_some() || to.is_some() {
            return Err("--from and --to are of a plot: give it --plot FILE.svg, or --keys".into());
        }
        fill.keys = keys.unwrap_or(fill.keys);
        return Ok(Command::Fill(fill));
    };
    if keys.is_some() {
        return Err("--keys is of one store: give the plot --from and --to".into());
    }
    if file.extension().is_none_or(|extension| extension != "svg") {
        return Err(format!("--plot is {}: give it a name in .svg", file.display()).into());
    }
    let (from, to) = (from.unwrap_or(10_000), to.unwrap_or(1_000_000));
    if from > to {
        return Err(format!("--from is {from} and --to {to}: give it a larger --to").into());
    }
    Ok(Command::Plot(Plot {
        file,
        from,
        to,
        fill,
    }))
}

fn bounded(name: &str, parser: &mut Parser, most: u64) -> Result<u64, Failure> {
    let value: u64 = parser.value()?.parse()?;
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}: give it 1 to {most}").into())
    }
}
