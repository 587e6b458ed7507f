//! Payments over HTTP, each made once: an axum server with the layer in front, and a storm of
//! retries from a real client.
//!
//! `cargo run --release -p hapax-http --example payments` starts itself again as the server, on
//! loopback and on a durable store, and plays clients that send the same payment at the same time,
//! give up waiting, go away within a request, and change a body under a used key, while the server
//! is killed with `kill -9` and started again. A payment is a line in a ledger file that the store
//! knows nothing about. At the end the ledger is read: no payment may stand there twice, and
//! everybody who asked for one was told the same. `--help` lists the rest.
//!
//! Where to look first: `server.rs` is the service, `storm.rs` what is done to it, `settle.rs` how
//! keys that a kill left in doubt are settled, `check.rs` what has to hold.

mod args;
mod book;
mod check;
mod client;
mod latency;
mod ledger;
mod payment;
mod process;
mod random;
mod report;
mod server;
mod session;
mod settle;
mod storm;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};

/// Whatever ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell when even this cannot be written.
            let _ = writeln!(io::stderr(), "payments: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held.
fn run() -> Result<bool, Failure> {
    match args::parse(lexopt::Parser::from_env())? {
        Command::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            Ok(true)
        }
        Command::Serve(args) => server::run(&args).map(|()| true),
        Command::Run(args) => play(&args),
    }
}

/// Plays, reports, and says whether everything held.
fn play(args: &Args) -> Result<bool, Failure> {
    say(&report::headline(args));
    let program = std::env::current_exe()?;
    let launch = move |words: &[OsString]| {
        let mut command = tokio::process::Command::new(&program);
        command.args(words);
        command
    };
    let temporary = tempfile::Builder::new()
        .prefix("hapax-payments-")
        .tempdir()?;
    let dir = args.dir.as_deref().unwrap_or(temporary.path());
    let outcome = session::play(args, &launch, dir, say);
    let holds = outcome
        .as_ref()
        .is_ok_and(|outcome| outcome.verdict.holds());
    if !holds && args.dir.is_none() {
        say(&format!("kept: {}", temporary.keep().display()));
    }
    let outcome = outcome?;
    if let Some(file) = &args.json {
        fs::write(file, report::json(args, &outcome))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    io::stdout().write_all(report::text(args, &outcome).as_bytes())?;
    Ok(holds)
}

/// A line on stderr; a closed stderr is no reason to stop.
fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
