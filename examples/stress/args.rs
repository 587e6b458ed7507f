//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use hapax::{Durability, LogKind};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;
use crate::fault::Fault;
use crate::session::Plan;

pub(crate) const USAGE: &str = "\
Many threads work on few keys of a store on a real clock and a real disk, which
is closed and opened again meanwhile. Every call is recorded; at the end the
history is judged: there must be an order of the calls that explains every
answer (docs/history.md).

usage: cargo run --release --example stress -- [options]

  --seconds S        how long (default 10)
  --calls N          stop earlier, after so many calls (default 2000000)
  --history FILE     keep the history, for `hapax-check FILE`
  --threads N        (default 8)
  --keys N           of each of the three namespaces (default 6)
  --seed N           of everything that is drawn (default 1)
  --dir DIR          keep the store in DIR (default: a temporary directory)
  --log L            sled (default) or files, of a new store
  --durability D     sync (default) or interval, with a window of 20 ms
  --reopen-ms N      between two reopenings (default 900); 0 for none
  --no-check         record only
  --fault NAME       plant a fault, to see that it is found: two-grants,
                     lost-completion, superseded-accepted, wrong-body,
                     forget-undone, granted-after-lapse, token-not-rising,
                     short-wait
  --json             the summary as one JSON object
  --help             this text

exit code: 0 it holds, 1 it does not, 2 it could not be judged or run
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Args),
}

/// How to run, and what to do with the result.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) plan: Plan,
    pub(crate) history: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) check: bool,
    pub(crate) json: bool,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = Args {
        plan: Plan {
            progress: true,
            ..Plan::default()
        },
        history: None,
        dir: None,
        check: true,
        json: false,
    };
    while let Some(arg) = parser.next()? {
        let plan = &mut args.plan;
        match arg {
            Arg::Long("seconds") => {
                plan.lasting = Duration::from_secs(bounded("seconds", &mut parser, 86_400)?);
            }
            Arg::Long("calls") => plan.calls = bounded("calls", &mut parser, 100_000_000)?,
            Arg::Long("history") => args.history = Some(parser.value()?.into()),
            Arg::Long("threads") => plan.threads = bounded("threads", &mut parser, 24)?,
            Arg::Long("keys") => plan.keys = bounded("keys", &mut parser, 100_000)?,
            Arg::Long("seed") => plan.seed = parser.value()?.parse()?,
            Arg::Long("dir") => args.dir = Some(parser.value()?.into()),
            Arg::Long("log") => plan.log = log(&parser.value()?.string()?)?,
            Arg::Long("durability") => plan.durability = durability(&parser.value()?.string()?)?,
            Arg::Long("reopen-ms") => {
                let every_ms: u64 = parser.value()?.parse()?;
                plan.reopen_every = Duration::from_millis(every_ms);
            }
            Arg::Long("no-check") => args.check = false,
            Arg::Long("fault") => plan.fault = Some(Fault::named(&parser.value()?.string()?)?),
            Arg::Long("json") => args.json = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
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

fn durability(text: &str) -> Result<Durability, Failure> {
    match text {
        "sync" => Ok(Durability::Sync),
        "interval" => Ok(Durability::Interval(Duration::from_millis(20))),
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
