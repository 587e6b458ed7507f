//! The child process: how it is started, and what it says.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use hapax::audit::AuditLevel;
use hapax::{Builder, LogKind, Namespace, Policy, Store};

/// Where the child works; without it, the child does nothing.
const DIRECTORY: &str = "HAPAX_CHILD_DIRECTORY";
/// What the child does, in the words of the test that starts it.
const TASK: &str = "HAPAX_CHILD_TASK";
/// Which kind of log the child's store has, or is to have.
const LOG: &str = "HAPAX_CHILD_LOG";
pub(crate) const SEED: &str = "HAPAX_SEED";

/// The namespaces of every test here: the first at-least-once, the second at-most-once.
pub(crate) const SPACES: [&str; 2] = ["at-least", "at-most"];

/// Every test here runs on both.
pub(crate) const LOGS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

pub(crate) fn spaces(store: &Store) -> Result<[Namespace; 2], hapax::Error> {
    Ok([
        store.namespace(SPACES[0], Policy::at_least_once())?,
        store.namespace(SPACES[1], Policy::at_most_once().audit(AuditLevel::Keys))?,
    ])
}

/// What a completion of a key under a token stores: most are small, some take several frames, and
/// a key that is to fill the log takes as much as it may.
pub(crate) fn body(key: &str, token: i64) -> Vec<u8> {
    let size = match token % 128 {
        _ if key.starts_with("fill") => 1_000_000,
        24 => 200_000,
        at if at % 16 == 8 => 70_000,
        _ => 20,
    };
    vec![token.to_le_bytes()[0]; size]
}

/// One line at a time, whole: what stands here has returned.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The words of a line that was said. What the test harness prints does not count, nor does a line
/// that was cut off.
pub(crate) fn heard(line: &str) -> Option<&str> {
    line.strip_prefix('@')?.strip_suffix('\n')
}

/// What this process is to do, if it is a child.
pub(crate) struct Orders {
    pub(crate) directory: PathBuf,
    pub(crate) task: String,
    pub(crate) log: LogKind,
    pub(crate) seed: u64,
}

impl Orders {
    pub(crate) fn read() -> Option<Self> {
        let directory = PathBuf::from(std::env::var_os(DIRECTORY)?);
        let seed = std::env::var(SEED).unwrap().parse().unwrap();
        let task = std::env::var(TASK).unwrap();
        let log = std::env::var(LOG).unwrap();
        let is_it = |kind: &LogKind| format!("{kind:?}") == log;
        let log = LOGS.into_iter().find(is_it).unwrap();
        // The harness has begun a line, which would hide the first one of ours.
        std::io::stdout().lock().write_all(b"\n").unwrap();
        Some(Self {
            directory,
            task,
            log,
            seed,
        })
    }

    /// The store that it is to work on.
    pub(crate) fn store(&self) -> Builder {
        Store::builder(&self.directory).log_kind(self.log)
    }

    /// Waits until the parent says so.
    pub(crate) fn wait() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        assert_eq!(line, "go\n", "the parent is there");
    }
}

/// The test called `child` of this program, as a child.
pub(crate) fn command(directory: &Path, task: &str, log: LogKind, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(TASK, task)
        .env(LOG, format!("{log:?}"))
        .env(SEED, seed.to_string())
        .env("RUST_BACKTRACE", "0");
    command
}

/// Starts a child that talks through a pipe.
pub(crate) fn spawn(
    directory: &Path,
    task: &str,
    log: LogKind,
    seed: u64,
) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(directory, task, log, seed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Lets a child that waits begin.
pub(crate) fn go(child: &mut Child) {
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
}

/// Reads the next line that the child says; `None` once it has ended.
pub(crate) fn next_line(out: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(words) = heard(&line) {
            return Some(words.to_owned());
        }
    }
}
