//! The command line.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use hapax::Guarantee;
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

pub(crate) const USAGE: &str = "\
Makes payments over HTTP through a storm of retries, and checks that each is made once.

usage: cargo run --release -p hapax-http --example payments -- [options]

  --seconds S      how long the storm lasts (default 10)
  --clients N      clients at the same time, each with its next payment when the
                   last one is done (default 16)
  --kills N        how often the server is killed with kill -9 and started again
                   (default 8)
  --guarantee G    at-most-once (default): a payment that a kill cuts short is in
                   doubt until the ledger settles it; or at-least-once: it runs
                   again, and the second effect is counted
  --requests N     requests of each kind for the latencies (default 1000)
  --dir DIR        keep store and ledger in DIR, which must be new (default: a
                   temporary directory, removed on success)
  --seed N         the seed of all random choices; timing still varies (default:
                   drawn, and printed)
  --unprotected    leave the layer out, to see the check fail
  --json FILE      write the report to FILE as a JSON object too
  --help           this text

exit code: 0 all checks passed, 1 a payment ran twice or an answer was wrong, 2 the run failed
";

/// The command to carry out.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Args),
    Serve(ServerArgs),
}

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) storm: Duration,
    pub(crate) clients: u64,
    pub(crate) kills: u64,
    pub(crate) guarantee: Guarantee,
    pub(crate) requests: u64,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) unprotected: bool,
    pub(crate) json: Option<PathBuf>,
}

/// How to serve; the example starts itself with these arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServerArgs {
    pub(crate) dir: PathBuf,
    pub(crate) guarantee: Guarantee,
    pub(crate) seed: u64,
    /// The longest pause of a handler before its effect, and again after it.
    pub(crate) pause: Duration,
    /// Whether a payment is synced to the medium.
    pub(crate) syncs: bool,
    pub(crate) unprotected: bool,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = Args {
        storm: Duration::from_secs(10),
        clients: 16,
        kills: 8,
        guarantee: Guarantee::AtMostOnce,
        requests: 1000,
        dir: None,
        seed: RandomState::new().hash_one("seed") % 1_000_000,
        unprotected: false,
        json: None,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(word) if word == "serve" => return parse_server(parser),
            Arg::Long("seconds") => {
                args.storm = Duration::from_secs(bounded("seconds", &mut parser, 1, 86_400)?);
            }
            Arg::Long("clients") => args.clients = bounded("clients", &mut parser, 1, 1000)?,
            Arg::Long("kills") => args.kills = bounded("kills", &mut parser, 0, 100_000)?,
            Arg::Long("guarantee") => args.guarantee = guarantee(&parser.value()?.string()?)?,
            Arg::Long("requests") => {
                args.requests = bounded("requests", &mut parser, 10, 1_000_000)?;
            }
            Arg::Long("dir") => args.dir = Some(parser.value()?.into()),
            Arg::Long("seed") => args.seed = parser.value()?.parse()?,
            Arg::Long("unprotected") => args.unprotected = true,
            Arg::Long("json") => args.json = Some(parser.value()?.into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(format!("{}; try --help", other.unexpected()).into()),
        }
    }
    Ok(Command::Run(args))
}

fn parse_server(mut parser: Parser) -> Result<Command, Failure> {
    let mut args = ServerArgs {
        dir: PathBuf::new(),
        guarantee: Guarantee::AtMostOnce,
        seed: 1,
        pause: Duration::ZERO,
        syncs: true,
        unprotected: false,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("dir") => args.dir = parser.value()?.into(),
            Arg::Long("guarantee") => args.guarantee = guarantee(&parser.value()?.string()?)?,
            Arg::Long("seed") => args.seed = parser.value()?.parse()?,
            Arg::Long("pause-ms") => args.pause = Duration::from_millis(parser.value()?.parse()?),
            Arg::Long("no-sync") => args.syncs = false,
            Arg::Long("unprotected") => args.unprotected = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Serve(args))
}

impl ServerArgs {
    /// The words that [`parse`] reads as these arguments.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let (seed, pause) = (self.seed.to_string(), self.pause.as_millis().to_string());
        let mut words: Vec<OsString> = [
            "serve",
            "--guarantee",
            name(self.guarantee),
            "--seed",
            &seed,
            "--pause-ms",
            &pause,
        ]
        .map(Into::into)
        .into();
        words.extend(["--dir".into(), self.dir.clone().into_os_string()]);
        if !self.syncs {
            words.push("--no-sync".into());
        }
        if self.unprotected {
            words.push("--unprotected".into());
        }
        words
    }
}

fn bounded(name: &str, parser: &mut Parser, least: u64, most: u64) -> Result<u64, Failure> {
    let value: u64 = parser.value()?.parse()?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}: give it {least} to {most}").into())
    }
}

/// The name of a guarantee on the command line.
pub(crate) fn name(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::AtLeastOnce => "at-least-once",
        _ => "at-most-once",
    }
}

fn guarantee(text: &str) -> Result<Guarantee, Failure> {
    match text {
        "at-most-once" => Ok(Guarantee::AtMostOnce),
        "at-least-once" => Ok(Guarantee::AtLeastOnce),
        _ => Err(format!("--guarantee is {text:?}: give it at-most-once or at-least-once").into()),
    }
}
