//! The comparison: row by row, round by round, engine by engine, each in its own process.

pub mod cell;
pub mod child;

use std::fs::{File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use self::cell::Cells;
use crate::args::Args;
use crate::engine::{Entry, Kind};
use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;
use crate::rows::number::number;
use crate::rows::row::{Measured, Row, Scale};

/// What `--quick` may take; the rest of the minute is for what has begun by then.
const QUICK_MAX: Duration = Duration::from_secs(50);

/// What one measurement may take, beside its own limits.
const GRACE: Duration = Duration::from_secs(120);

/// Takes all measurements, and says on the way how far it is.
///
/// # Errors
/// When the directory cannot be used. A measurement that fails is part of the result.
pub fn compare(args: &Args, tell: &mut dyn FnMut(&str)) -> Outcome<Cells> {
    std::fs::create_dir_all(&args.dir)?;
    let program = std::env::current_exe()?;
    let watch = Stopwatch::start();
    let mut cells = Cells::new();
    let mut runs = Vec::new();
    for row in &args.rows {
        for entry in &args.engines {
            let cell = cells.entry((row.name, entry.name)).or_default();
            cell.absent = row
                .without(entry)
                .or_else(|| without_when_quick(args, row, entry));
        }
        runs.extend(turns(args, row));
    }
    let runs: Vec<_> = runs
        .into_iter()
        .filter(|(row, entry)| cells[&(row.name, entry.name)].absent.is_none())
        .collect();
    for (done, (row, entry)) in runs.iter().enumerate() {
        let cell = cells.entry((row.name, entry.name)).or_default();
        if args.quick && watch.elapsed() > QUICK_MAX {
            if cell.runs.is_empty() {
                cell.absent = Some("left out: the time of --quick was over".to_owned());
            }
            continue;
        }
        let part = format!("[{}/{}] {} {}", done + 1, runs.len(), row.name, entry.name);
        match run(row, entry, args, &program) {
            Ok(measured) => {
                tell(&format!("{part}: {}", describe(row, &measured)));
                cell.runs.push(measured);
            }
            Err(failure) => {
                tell(&format!("{part} FAILED: {failure}"));
                cell.failure = Some(failure.to_string());
            }
        }
    }
    Ok(cells)
}

/// A server takes longer to start than `--quick` has for a row.
fn without_when_quick(args: &Args, row: &Row, entry: &Entry) -> Option<String> {
    let few = ["pair", "sync-8"].contains(&row.name);
    let left_out = args.quick && entry.kind == Kind::Server && !few;
    left_out.then(|| "left out by --quick: its server takes long to start".to_owned())
}

/// The measurements of a row: in each round every engine has its turn, and not always after the
/// same one.
fn turns(args: &Args, row: &'static Row) -> Vec<(&'static Row, &'static Entry)> {
    let engines = args.engines.len();
    let round = |round: usize| (0..engines).map(move |turn| (turn + round) % engines);
    let turns = (0..args.rounds).flat_map(round);
    turns.map(|engine| (row, args.engines[engine])).collect()
}

fn describe(row: &Row, measured: &Measured) -> String {
    let values = row.figures.iter().zip(&measured.values);
    let values: Vec<String> = values
        .map(|(figure, value)| format!("{} {}", number(*value), figure.unit.text))
        .collect();
    values.join(", ")
}

fn run(row: &Row, entry: &Entry, args: &Args, program: &Path) -> Outcome<Measured> {
    let dir = TempDir::with_prefix_in("hapax-compare-", &args.dir)?;
    // A server may run as another user.
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    let server = match entry.serve {
        Some(serve) => Some(serve(dir.path(), row.durability)?),
        None => None,
    };
    let mut command = Command::new(program);
    command.arg("measure");
    command.args(["--row", row.name, "--engine", entry.name]);
    command.args(["--scale", &serde_json::to_string(&args.scale)?]);
    command.arg("--dir").arg(dir.path());
    if let Some(server) = &server {
        command.arg("--socket").arg(server.socket());
        command.args(["--process", &server.id().to_string()]);
    }
    let log = dir.path().join("measurement.log");
    let output = output(command, &log, patience(&args.scale))?;
    drop(server);
    child::read(&output)
}

/// A fill may take twelve times the seconds of a row, four times over for those with patience.
fn patience(scale: &Scale) -> Duration {
    GRACE + Duration::from_secs_f64(scale.seconds * 100.0)
}

/// What a process prints; it is killed when it takes too long.
fn output(mut command: Command, log: &PathBuf, patience: Duration) -> Outcome<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(log)?)
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("a process without output")?;
    let (send, receive) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut text = String::new();
            let read = stdout.read_to_string(&mut text);
            // The receiver is gone when it took too long.
            let _ = send.send(read.map(|_| text));
        });
        let text = receive.recv_timeout(patience);
        if matches!(text, Err(RecvTimeoutError::Timeout)) {
            child.kill()?;
        }
        let status = child.wait()?;
        match text {
            Ok(text) if status.success() => Ok(text?),
            Err(RecvTimeoutError::Timeout) => Err("it took too long".into()),
            _ => Err(said(log, &status.to_string()).into()),
        }
    })
}

/// What a process that failed had to say.
fn said(log: &Path, status: &str) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| status.to_owned(), str::to_owned)
}
