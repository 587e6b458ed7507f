//! Webhook deliveries, each handled once: an at-least-once consumer with hapax in front of it.
//!
//! `cargo run --release --example webhooks` plays a sender that delivers every event several times,
//! out of order and at the same time, to handlers that fail, retry and crash. The effect of a
//! handler is a line in a ledger file that hapax knows nothing about. At the end the ledger is read
//! back: no delivery may stand there twice, even after `kill -9` and a restart with the same
//! `--dir`. `--help` lists the rest.
//!
//! Where to look first: `consumer.rs` has the claim and all of its answers, `reconciler.rs` settles
//! what a crash left in doubt, `ledger.rs` is the outside world.

mod args;
mod check;
mod consumer;
mod deliveries;
mod handler;
mod latency;
mod ledger;
mod progress;
mod random;
mod reconciler;
mod report;
mod session;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use args::Command;

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // No channel is left when even this cannot be written.
            let _ = writeln!(io::stderr(), "webhooks: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether the final check holds.
fn run() -> Result<bool, Failure> {
    match args::parse(lexopt::Parser::from_env())? {
        Command::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            Ok(true)
        }
        Command::Run(args) => {
            handler::keep_staged_crashes_quiet();
            session::run(&args)
        }
    }
}
