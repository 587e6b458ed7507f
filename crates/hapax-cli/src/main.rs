//! `hapax`: inspects a deduplication store, settles stuck and in-doubt keys, backs up, and repairs, all
//! through the public API of the library.
//!
//! `args.rs` has the command line, `verbs/` what each verb does, `input/` what verbs get, `output/` how they
//! show results, and `notation/` how both write keys, times and sizes.

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
