//! [`StoreHolder`]: the processes that have a store open for writing.

use std::fmt::Display;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::layout::LOCK;

/// Where the kernel lists the locks of all files, if it does.
const KERNEL_LOCKS: &str = "/proc/locks";

/// Where the kernel lists the processes, if it does.
const PROCESSES: &str = "/proc";

/// The processes that the system shows to have a store open for writing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoreHolder {
    /// The process that took the lock, by the text in its file.
    taker: Option<u32>,
    /// Whether that process exists on this system.
    is_alive: bool,
    /// The processes that the system shows to hold it.
    seen: Vec<u32>,
}

impl StoreHolder {
    /// The holder of the lock whose file this is.
    pub(super) fn of(lock: &AnchoredPath) -> Self {
        let taker = read_pid(lock);
        Self {
            taker,
            is_alive: taker.is_some_and(is_alive),
            seen: lock.open().map_or_else(|_| Vec::new(), |file| seen(&file)),
        }
    }

    /// The process that has the store in a directory open for writing; `None` if it is not open, or if the
    /// kernel does not tell.
    pub(crate) fn find(directory: &AnchoredPath) -> Option<Self> {
        let lock = directory.join(LOCK);
        let about = lock.open().and_then(|file| file.metadata()).ok()?;
        let place = format!(
            "{:02x}:{:02x}:{}",
            major(about.dev()),
            minor(about.dev()),
            about.ino()
        );
        let is_held = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            is_writer(&words) && words.contains(&&*place)
        };
        let locks = fs::read_to_string(KERNEL_LOCKS).ok()?;
        locks.lines().any(is_held).then(|| Self::of(&lock))
    }

    /// The process to end, or to ask.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self.inheritor() {
            None => self.taker,
            inheritor => inheritor,
        }
    }

    /// A process that inherited the lock from the one that took it.
    fn inheritor(&self) -> Option<u32> {
        let is_taker = |pid: &u32| Some(*pid) == self.taker;
        match self.seen.iter().any(is_taker) {
            true => None,
            false => self.seen.first().copied(),
        }
    }

    /// What to tell a caller that wants the store at `path`.
    pub(crate) fn explain(&self, path: impl Display) -> String {
        let wait = "or wait with wait_for_lock()";
        match (self.taker, self.inheritor()) {
            (Some(taker), Some(heir)) => {
                let fate = if self.is_alive { "lives" } else { "has ended" };
                format!(
                    "process {heir} keeps {path} locked, as a forked child does: process {taker} took the lock, and {fate}; end process {heir}, {wait}"
                )
            }
            (Some(taker), None) if !self.is_alive => format!(
                "{path} is locked, but process {taker}, which took the lock, is not visible: either it has ended and a child that it forked keeps the lock, or it runs in another container; find the holder with `fuser {path}/{LOCK}` and end it, {wait}"
            ),
            (Some(pid), None) | (None, Some(pid)) => {
                format!("process {pid} has {path} open: close it there, {wait}")
            }
            (None, None) => format!("another handle has {path} open: close it there, {wait}"),
        }
    }
}

/// Whether a process runs, and is more than an exit code that waits to be read.
fn is_alive(pid: u32) -> bool {
    if let Ok(stat) = fs::read_to_string(format!("{PROCESSES}/{pid}/stat")) {
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().next());
        return !matches!(state, Some("Z" | "X"));
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// The processes that the system shows to hold a writer's lock on a file. It hides those of other
/// users.
fn seen(lock: &File) -> Vec<u32> {
    let Ok(lock) = lock.metadata() else {
        return Vec::new();
    };
    let processes = fs::read_dir(PROCESSES).into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| holds(*pid, lock.dev(), lock.ino()))
        .collect()
}

fn holds(pid: u32, device: u64, inode: u64) -> bool {
    let files = fs::read_dir(format!("{PROCESSES}/{pid}/fd"));
    files.into_iter().flatten().flatten().any(|file| {
        // By its name first: a look at another process's file may block for ever.
        let named = fs::read_link(file.path()).is_ok_and(|path| path.ends_with(LOCK));
        let is_there = |about: fs::Metadata| (about.dev(), about.ino()) == (device, inode);
        let is_lock = named && fs::metadata(file.path()).is_ok_and(is_there);
        let number = file.file_name();
        let told = format!("{PROCESSES}/{pid}/fdinfo/{}", number.to_string_lossy());
        let is_writers = |line: &str| is_writer(&line.split_whitespace().collect::<Vec<_>>());
        is_lock && fs::read_to_string(told).is_ok_and(|told| told.lines().any(is_writers))
    })
}

/// Whether a line of the kernel describes the lock of a writer.
fn is_writer(words: &[&str]) -> bool {
    words.contains(&"FLOCK") && words.contains(&"WRITE")
}

/// The process that took the lock last, by the text in its file.
fn read_pid(lock: &AnchoredPath) -> Option<u32> {
    String::from_utf8(lock.read().ok()?)
        .ok()?
        .trim()
        .parse()
        .ok()
}
