//! Payments over HTTP, each made once: an axum server behind the layer, and a storm of retries from a real client.
//!
//! `cargo run --release -p hapax-http --example payments` starts itself again as the server, on loopback and on a
//! durable store. Its clients send the same payment at the same time, give up waiting, leave in the middle of a
//! request, and change a body under a used key, while the server is killed with `kill -9` and started again. A payment
//! is a line in a ledger file that the store does not know. At the end the example reads the ledger: each payment may
//! be there only once, and all clients that asked for it must have got the same answer. `--help` lists the options.
//!
//! Start with `server.rs`, which is the service. `storm.rs` is the load, `settle.rs` settles keys that a kill left in
//! doubt, `check.rs` checks the result.

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

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // If even this cannot be written, there is no other place to report it.
            let _ = writeln!(io::stderr(), "payments: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the command; whether all checks passed.
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

/// Plays and reports; whether all checks passed.
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

/// Prints a line on stderr; a closed stderr does not stop the run.
fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
