//! `hapax`: looks into a deduplication store, settles what is stuck or in doubt, backs up, and
//! repairs. Only through the public API of the library.
//!
//! `args.rs` has the command line, `verbs/` what each verb does, `input/` what verbs are given, `output/` where
//! their rows go, and `notation/` how both are written.

mod args;
mod input;
mod notation;
mod outcome;
mod output;
mod stopwatch;
mod trouble;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::output::report::report;
use crate::output::screen::Screen;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut screen = Screen::new(args.output);
    let ran = args.run(&mut screen);
    let ended = ran.and_then(|outcome| screen.flush().map(|()| outcome));
    match ended {
        Ok(outcome) => outcome.code(),
        Err(trouble) => report(&trouble, args.output.format),
    }
}
