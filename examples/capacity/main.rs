//! What many keys take: memory, disk, and time.
//!
//! `cargo run --release --example capacity -- --keys 1000000` fills a store and prints its figures;
//! `--help` lists the rest. Where to look first: `session.rs` fills and measures one store,
//! `series.rs` runs a row of them, `plot.rs` draws it.

mod args;
mod figures;
mod plot;
#[path = "../soak/process.rs"]
#[allow(dead_code, reason = "the example `soak` asks for more")]
mod process;
#[path = "../stress/scratch.rs"]
mod scratch;
mod series;
mod session;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use args::Command;
use figures::Figures;
use indicatif::{ProgressBar, ProgressStyle};
use scratch::Scratch;

/// An error that ends the example early, with a text for its user.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("capacity: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    match args::parse(lexopt::Parser::from_env())? {
        Command::Help => Ok(io::stdout().write_all(args::USAGE.as_bytes())?),
        Command::Fill(fill) => {
            let scratch = Scratch::new("capacity", fill.dir.clone())?;
            let progress = Progress::new(fill.keys);
            let figures = session::run(&fill, scratch.path(), &|keys| progress.tell(keys))?;
            print(&figures)
        }
        Command::Plot(plot) => {
            let scratch = Scratch::new("capacity", plot.fill.dir.clone())?;
            series::run(&plot, scratch.path(), &mut print)
        }
    }
}

fn print(figures: &Figures) -> Result<(), Failure> {
    Ok(io::stdout().write_all(figures.lines().as_bytes())?)
}

/// A line on stderr, in one write; a closed stderr does not stop the example.
fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// A bar on a terminal, else a plain line now and then, so that a log stays readable.
struct Progress {
    keys: u64,
    next: AtomicU64,
    bar: Option<ProgressBar>,
}

/// Plain lines of a run.
const LINES: u64 = 10;

impl Progress {
    fn new(keys: u64) -> Self {
        let style = ProgressStyle::with_template(
            "[{bar:40}] {human_pos} of {human_len} keys, {per_sec}, {eta}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = || ProgressBar::new(keys).with_style(style.progress_chars("=> "));
        Self {
            keys,
            next: AtomicU64::new(keys.div_ceil(LINES)),
            bar: io::stderr().is_terminal().then(bar),
        }
    }

    fn tell(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            if done == self.keys {
                bar.finish_and_clear();
            }
        } else if done >= self.next.load(Ordering::Relaxed) {
            let next = done + self.keys.div_ceil(LINES);
            self.next.store(next, Ordering::Relaxed);
            say(&format!("capacity: {done} of {} keys", self.keys));
        }
    }
}
