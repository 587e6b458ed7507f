//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use hapax::{Durability, LogKind};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

pub(crate) const USAGE: &str = "\
How long claim and complete take: p50, p99, p99.9 and the maximum, under a steady
load, and while the store is busy with something else.

usage: cargo run --release --example latency -- [options]

  --seconds S        of quiet that are measured in each run (default 10)
  --callers N,N,..   (default 1,8,64,512)
  --scenario NAME    steady, expiry, compaction, growth or all of these (default);
                     or hot
  --form NAME        blocking, async or both (default)
  --durability D     interval (default), with a window of 50 ms, or sync
  --rate N           claims and completions offered a second, by all callers
                     together (default 20000; with sync, at most 1000 a caller)
  --keys N           of the event of a scenario (default 1000000; compaction
                     takes more, so that the keys of the callers are fewer)
  --log KIND         sled (default) or files
  --dir DIR          keep the stores in DIR (default: a temporary directory)
  --markdown         the table in Markdown, with claims from their calls alone
  --json FILE        the table as JSON too
  --help             this text

scenarios:
  steady       ever new keys, each claimed and completed; nothing else
  expiry       and all keys of the event expire within a second or two
  compaction   the same, but every fourth of them lives on and has to be carried
  growth       and the keys of the event, four times as many, come at 400000 a
               second from another thread: the tables grow from empty
  hot          every caller is a thread, and all want one key: half of them wait in
               line, the others come again after a millisecond. A holder runs for
               50 us; it releases the key, or completes it and has it forgotten. What
               counts is the longest wait of each caller, and how often each
               got the key. A table of its own

The load is open: each caller keeps its schedule, however long the calls take. A claim that
is late because the call before it took long counts from when it was due, so that
no pause is measured by one call only. What the system adds when it wakes a caller
that has nothing to do is not counted, and what falls due meanwhile is left out, so
one caller alone offers less than --rate. What the call of a claim took by itself is
beside it. A complete counts from the answer to its claim.

In the rows of an event, the callers go on while it lasts; p99.9 by quiet is how
many times that of the quiet before it, in the same process. Nothing is dropped in
the first two minutes after open, so expiry and compaction begin with a wait.
Async callers are futures on one thread, or on two where there is more than one
caller, with an executor of a page (executor.rs): no runtime is measured with them.

exit code: 0 measured, 2 the run failed, or an answer was wrong
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Args),
    /// Many callers of one key.
    Hot(Args),
}

/// The work of the store beside the callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scenario {
    Steady,
    Growth,
    Expiry,
    Compaction,
}

impl Scenario {
    /// In the order in which they run: the ones with a wait come last.
    pub(crate) const ALL: [Self; 4] = [Self::Steady, Self::Growth, Self::Expiry, Self::Compaction];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Growth => "growth",
            Self::Expiry => "expiry",
            Self::Compaction => "compaction",
        }
    }
}

/// How a caller waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Blocking,
    Async,
}

impl Form {
    const ALL: [Self; 2] = [Self::Blocking, Self::Async];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        }
    }
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) quiet: Duration,
    pub(crate) callers: Vec<u64>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) forms: Vec<Form>,
    pub(crate) durability: Durability,
    pub(crate) log: LogKind,
    pub(crate) rate: u64,
    pub(crate) keys: u64,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) markdown: bool,
    pub(crate) json: Option<PathBuf>,
}

/// With `Sync`, one caller alone waits for a sync each time.
const SYNC_RATE_OF_A_CALLER: u64 = 1000;

impl Args {
    /// Pairs a second that this many callers offer.
    pub(crate) fn rate_of(&self, callers: u64) -> u64 {
        match self.durability {
            Durability::Sync => self.rate.min(callers * SYNC_RATE_OF_A_CALLER),
            _ => self.rate,
        }
    }
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = Args {
        quiet: Duration::from_secs(10),
        callers: vec![1, 8, 64, 512],
        scenarios: Scenario::ALL.to_vec(),
        forms: Form::ALL.to_vec(),
        durability: Durability::Interval(Duration::from_millis(50)),
        log: LogKind::default(),
        rate: 20_000,
        keys: 1_000_000,
        dir: None,
        markdown: false,
        json: None,
    };
    let mut is_hot = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("seconds") => {
                let value = parser.value()?.parse()?;
                args.quiet = Duration::from_secs(bounded("seconds", value, 3600)?);
            }
            Arg::Long("callers") => args.callers = callers(&parser.value()?.string()?)?,
            Arg::Long("scenario") => {
                let name = parser.value()?.string()?;
                is_hot = name == "hot";
                if !is_hot {
                    args.scenarios = scenarios(&name)?;
                }
            }
            Arg::Long("form") => args.forms = forms(&parser.value()?.string()?)?,
            Arg::Long("durability") => args.durability = durability(&parser.value()?.string()?)?,
            Arg::Long("rate") => {
                args.rate = bounded("rate", parser.value()?.parse()?, 10_000_000)?;
            }
            Arg::Long("keys") => {
                args.keys = bounded("keys", parser.value()?.parse()?, 100_000_000)?;
            }
            Arg::Long("log") => args.log = parser.value()?.parse()?,
            Arg::Long("dir") => args.dir = Some(parser.value()?.into()),
            Arg::Long("markdown") => args.markdown = true,
            Arg::Long("json") => args.json = Some(parser.value()?.into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    Ok(if is_hot {
        Command::Hot(args)
    } else {
        Command::Run(args)
    })
}

fn bounded(name: &str, value: u64, most: u64) -> Result<u64, Failure> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}: give it 1 to {most}").into())
    }
}

fn callers(text: &str) -> Result<Vec<u64>, Failure> {
    let number = |part: &str| match part.trim().parse() {
        Ok(value) => bounded("callers", value, 10_000),
        Err(_) => Err(format!("--callers is {text:?}: give it numbers, as in 1,8,64").into()),
    };
    text.split(',').map(number).collect()
}

fn scenarios(text: &str) -> Result<Vec<Scenario>, Failure> {
    let named = Scenario::ALL.into_iter().find(|each| each.name() == text);
    match named {
        Some(scenario) => Ok(vec![scenario]),
        None if text == "all" => Ok(Scenario::ALL.to_vec()),
        None => {
            let most = "steady, expiry, compaction, growth, all or hot";
            Err(format!("--scenario is {text:?}: give it {most}").into())
        }
    }
}

fn forms(text: &str) -> Result<Vec<Form>, Failure> {
    let named = Form::ALL.into_iter().find(|each| each.name() == text);
    match named {
        Some(form) => Ok(vec![form]),
        None if text == "both" => Ok(Form::ALL.to_vec()),
        None => Err(format!("--form is {text:?}: give it blocking, async or both").into()),
    }
}

fn durability(text: &str) -> Result<Durability, Failure> {
    match text {
        "sync" => Ok(Durability::Sync),
        "interval" => Ok(Durability::Interval(Duration::from_millis(50))),
        _ => Err(format!("--durability is {text:?}: give it sync or interval").into()),
    }
}
