//! `hapax`: looks into a deduplication store, settles what is stuck or in doubt, backs up, and
//! repairs. Only through the public API of the library.
//!
//! `args.rs` has the command line, `verbs/` what each verb does, `screen.rs` where its rows go.

mod action;
mod args;
mod choice;
mod ending;
mod escaped;
mod json_file;
mod json_line;
mod opening;
mod progress;
mod row;
mod screen;
mod span;
mod stopwatch;
mod table;
mod trouble;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::screen::Screen;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut screen = Screen::new(args.format, args.key_hex);
    let ran = verbs::run(args.verb, &mut screen);
    let ended = ran.and_then(|outcome| screen.flush().map(|()| outcome));
    match ended {
        Ok(outcome) => outcome.code(),
        Err(trouble) => trouble.report(args.format),
    }
}
