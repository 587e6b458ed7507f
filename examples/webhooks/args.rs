//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use hapax::{Durability, Guarantee};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

pub(crate) const USAGE: &str = "\
Delivers webhooks several times each, and checks that each is handled once.

usage: cargo run --release --example webhooks -- [options] [FILE]

FILE has one JSON object a line, with the fields event, example and payload;
without it a small sample is used.

  --dir DIR            keep the store and the ledger in DIR, and carry on from
                       what is there; kill -9 it and start it again
                       (default: a temporary directory, removed at success)
  --guarantee G        at-most-once (default) or at-least-once, which lets a
                       crash repeat an effect and counts how often
  --threads N          consumers at the same time (default 8)
  --copies N           deliveries of each event (default 4)
  --rate PERCENT       events whose handler fails, retries or crashes, and
                       deliveries with a changed body (default 20)
  --durability D       sync (default) or interval:MS
  --seed N             of the order and of all trouble (default 1)
  --json               the report as one JSON object
  --help               this text

exit code: 0 the check holds, 1 it does not, 2 the run could not be finished
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
    pub(crate) file: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) guarantee: Guarantee,
    pub(crate) threads: u32,
    pub(crate) copies: u32,
    pub(crate) rate: u32,
    pub(crate) durability: Durability,
    pub(crate) seed: u64,
    pub(crate) json: bool,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = Args {
        file: None,
        dir: None,
        guarantee: Guarantee::AtMostOnce,
        threads: 8,
        copies: 4,
        rate: 20,
        durability: Durability::Sync,
        seed: 1,
        json: false,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("dir") => args.dir = Some(parser.value()?.into()),
            Arg::Long("guarantee") => args.guarantee = guarantee(&parser.value()?.string()?)?,
            Arg::Long("threads") => args.threads = bounded("threads", &mut parser, 1, 256)?,
            Arg::Long("copies") => args.copies = bounded("copies", &mut parser, 1, 1000)?,
            Arg::Long("rate") => args.rate = bounded("rate", &mut parser, 0, 100)?,
            Arg::Long("durability") => args.durability = durability(&parser.value()?.string()?)?,
            Arg::Long("seed") => args.seed = parser.value()?.parse()?,
            Arg::Long("json") => args.json = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(file) if args.file.is_none() => args.file = Some(file.into()),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    Ok(Command::Run(args))
}

fn bounded(name: &str, parser: &mut Parser, least: u32, most: u32) -> Result<u32, Failure> {
    let value: u32 = parser.value()?.parse()?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}: give it {least} to {most}").into())
    }
}

fn guarantee(text: &str) -> Result<Guarantee, Failure> {
    match text {
        "at-most-once" => Ok(Guarantee::AtMostOnce),
        "at-least-once" => Ok(Guarantee::AtLeastOnce),
        _ => Err(format!("--guarantee is {text:?}: give it at-most-once or at-least-once").into()),
    }
}

fn durability(text: &str) -> Result<Durability, Failure> {
    let window = text.strip_prefix("interval:").map(str::parse);
    match (text, window) {
        ("sync", _) => Ok(Durability::Sync),
        (_, Some(Ok(millis))) => Ok(Durability::Interval(Duration::from_millis(millis))),
        _ => Err(format!("--durability is {text:?}: give it sync or interval:MS").into()),
    }
}
