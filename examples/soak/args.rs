//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use hapax::{Durability, LogKind};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

pub(crate) const USAGE: &str = "\
Claims and completes ever new keys, with a retention so short that expiry and
compaction keep up with it, for as long as asked; checks replays on the way.
After a warm-up, memory, disk, live keys and latency must not grow.

usage: cargo run --release --example soak -- [options]

  --minutes M        how long (default 10)
  --rate N           claims and completions a second (default 20000);
                     0 for as many as there can be
  --threads N        (default 2)
  --retention S      seconds (default 20)
  --interval S       seconds of a line of the table (default 10)
  --warm-up S        seconds that are not judged (default 160 and the retention:
                     nothing is dropped in the first 120 after open)
  --dir DIR          keep the store in DIR (default: a temporary directory)
  --log L            sled (default) or files, of a new store
  --durability D     interval (default), with a window of 50 ms, or sync
  --seed N           (default 1)
  --json             each line, and the verdict, as a JSON object
  --help             this text

The medians of the first and of the last third of the judged lines are compared.
What may grow: memory by 10 % and 16 MiB, disk by 15 % and 48 MiB, live keys by
5 % and 1000, the p99.9 of claim and of complete by 100 % and 5 ms.

exit code: 0 it is flat, 1 it grows, or an answer was wrong, 2 it could not be
judged: too short, or the run failed
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Args),
}

/// How to run.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) lasting: Duration,
    pub(crate) rate: u64,
    pub(crate) threads: u64,
    pub(crate) retention: Duration,
    pub(crate) interval: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) log: LogKind,
    pub(crate) seed: u64,
    pub(crate) json: bool,
}

const WARM_UP: Duration = Duration::from_secs(160);

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = Args {
        lasting: Duration::from_secs(600),
        rate: 20_000,
        threads: 2,
        retention: Duration::from_secs(20),
        interval: Duration::from_secs(10),
        warm_up: Duration::ZERO,
        dir: None,
        durability: Durability::Interval(Duration::from_millis(50)),
        log: LogKind::Sled,
        seed: 1,
        json: false,
    };
    let mut warm_up = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("minutes") => {
                let minutes: f64 = parser.value()?.parse()?;
                args.lasting = Duration::try_from_secs_f64(minutes * 60.0)?;
            }
            Arg::Long("rate") => args.rate = parser.value()?.parse()?,
            Arg::Long("threads") => args.threads = bounded("threads", &mut parser, 256)?,
            Arg::Long("retention") => args.retention = seconds("retention", &mut parser)?,
            Arg::Long("interval") => args.interval = seconds("interval", &mut parser)?,
            Arg::Long("warm-up") => warm_up = Some(seconds("warm-up", &mut parser)?),
            Arg::Long("dir") => args.dir = Some(parser.value()?.into()),
            Arg::Long("log") => args.log = log(&parser.value()?.string()?)?,
            Arg::Long("durability") => args.durability = durability(&parser.value()?.string()?)?,
            Arg::Long("seed") => args.seed = parser.value()?.parse()?,
            Arg::Long("json") => args.json = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    args.warm_up = warm_up.unwrap_or(WARM_UP + args.retention);
    Ok(Command::Run(args))
}

fn bounded(name: &str, parser: &mut Parser, most: u64) -> Result<u64, Failure> {
    let value: u64 = parser.value()?.parse()?;
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}: give it 1 to {most}").into())
    }
}

fn seconds(name: &str, parser: &mut Parser) -> Result<Duration, Failure> {
    Ok(Duration::from_secs(bounded(name, parser, 86_400)?))
}

fn durability(text: &str) -> Result<Durability, Failure> {
    match text {
        "sync" => Ok(Durability::Sync),
        "interval" => Ok(Durability::Interval(Duration::from_millis(50))),
        _ => Err(format!("--durability is {text:?}: give it sync or interval").into()),
    }
}

fn log(text: &str) -> Result<LogKind, Failure> {
    match text {
        "sled" => Ok(LogKind::Sled),
        "files" => Ok(LogKind::Files),
        _ => Err(format!("--log is {text:?}: give it sled or files").into()),
    }
}
