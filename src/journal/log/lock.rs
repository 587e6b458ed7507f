//! [`Lock`]: the lock on a store, and who has it.
//!
//! It is a `flock`, which belongs to the open file and not to the process. So a child that is forked
//! would hold it on after its parent's death: `sync::forks` takes the file from every child. What is
//! forked past the C library keeps it, and is named to the next one that asks.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, major, minor};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::journal::log::directory::{OpenFailure, named};
use crate::journal::log::place::Place;
use crate::runtime::sync::forks::Kept;

pub(in crate::journal) const LOCK: &str = "LOCK";

/// How long one round of waiting for a lock takes.
pub(crate) const LOCK_ROUND: Duration = Duration::from_millis(10);

/// Rounds that a writer waits for readers, whatever it was told: they hold the lock only to look
/// whether a process has it open to write.
const READER_ROUNDS: u128 = 100;

/// What the kernel says of who holds which lock, where it does.
const KERNEL_LOCKS: &str = "/proc/locks";

/// What the kernel says of processes, where it does.
const PROCESSES: &str = "/proc";

/// A lock that is held for as long as this lives.
#[derive(Debug)]
pub(in crate::journal) struct Lock {
    file: Kept,
    place: Place,
}

impl Lock {
    /// Takes the lock on the store in a directory, and writes our process id into it.
    pub(in crate::journal) fn take(directory: &Place, wait: Duration) -> Result<Self, OpenFailure> {
        let place = directory.join(LOCK);
        let mut round = 0;
        loop {
            let opened = place.open_or_create();
            let file = opened.map_err(|error| named(&error, "open", &place))?;
            let lock = Self::keep(directory, &place, file)?;
            match flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
                // Someone may have deleted the file between the two calls: that lock guards nothing.
                Ok(()) if place.is(lock.file.file()) => {
                    let written = write_pid(lock.file.file());
                    written.map_err(|error| named(&error, "write", &place))?;
                    return Ok(lock);
                }
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => lock.wait(round, rounds(wait))?,
                Err(error) => return Err(named(&error.into(), "lock", &place).into()),
            }
            round += 1;
        }
    }

    /// Takes the lock, if it is there to be taken, without writing to it. `None` where there is no
    /// file to lock.
    pub(in crate::journal) fn take_untouched(
        directory: &Place,
    ) -> Result<Option<Self>, OpenFailure> {
        let Some(lock) = Self::find(directory)? else {
            return Ok(None);
        };
        lock.hold(FlockOperation::NonBlockingLockExclusive, 0)?;
        Ok(Some(lock))
    }

    /// Looks whether a process has the store open to write, and waits for it to go.
    pub(in crate::journal) fn check(directory: &Place, wait: Duration) -> Result<(), OpenFailure> {
        let Some(lock) = Self::find(directory)? else {
            return Ok(());
        };
        lock.hold(FlockOperation::NonBlockingLockShared, rounds(wait))?;
        Ok(lock.release()?)
    }

    /// The lock as it lies there, not taken.
    fn find(directory: &Place) -> Result<Option<Self>, OpenFailure> {
        let place = directory.join(LOCK);
        match place.open() {
            Ok(file) => Ok(Some(Self::keep(directory, &place, file)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&error, "open", &place).into()),
        }
    }

    fn keep(directory: &Place, place: &Place, file: File) -> io::Result<Self> {
        let stand_in = directory.descriptor().try_clone()?;
        Ok(Self {
            file: Kept::new(file, stand_in),
            place: place.clone(),
        })
    }

    fn hold(&self, operation: FlockOperation, rounds: u128) -> Result<(), OpenFailure> {
        let mut round = 0;
        loop {
            match flock(&self.file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => self.wait(round, rounds)?,
                Err(error) => return Err(named(&error.into(), "lock", &self.place).into()),
            }
            round += 1;
        }
    }

    /// Waits a round for the holder of the lock, or says who that is.
    fn wait(&self, round: u128, rounds: u128) -> Result<(), OpenFailure> {
        if round >= rounds {
            let is_being_read = flock(&self.file, FlockOperation::NonBlockingLockShared).is_ok();
            if is_being_read {
                self.release()?;
            }
            match is_being_read {
                true if round >= READER_ROUNDS => return Err(OpenFailure::BeingRead),
                true => {}
                false => return Err(OpenFailure::Locked(Holder::of(&self.place))),
            }
        }
        std::thread::park_timeout(LOCK_ROUND);
        Ok(())
    }

    /// Gives the lock up.
    pub(in crate::journal) fn release(&self) -> io::Result<()> {
        // Closing is not enough: a child that is just being forked may hold a copy of the handle.
        flock(&self.file, FlockOperation::Unlock)
            .map_err(|error| named(&error.into(), "unlock", &self.place))
    }
}

fn rounds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(LOCK_ROUND.as_millis())
}

fn write_pid(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}

/// The process that took the lock last, as it has written down.
fn read_pid(lock: &Place) -> Option<u32> {
    String::from_utf8(lock.read().ok()?)
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Who has a store open to write, as far as the system tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    /// The process that took the lock, as it has written down.
    taker: Option<u32>,
    /// Whether that one is among the processes of this system.
    is_alive: bool,
    /// The processes that were seen to hold it.
    seen: Vec<u32>,
}

impl Holder {
    /// Who holds the lock that lies here.
    fn of(lock: &Place) -> Self {
        let taker = read_pid(lock);
        Self {
            taker,
            is_alive: taker.is_some_and(is_alive),
            seen: lock.open().map_or_else(|_| Vec::new(), |file| seen(&file)),
        }
    }

    /// Who has the store in a directory open to write; `None` for nobody, and where the kernel does
    /// not tell.
    pub(in crate::journal) fn find(directory: &Place) -> Option<Self> {
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

    /// The process to turn to.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self.inheritor() {
            None => self.taker,
            inheritor => inheritor,
        }
    }

    /// A process that holds the lock and is not the one that took it.
    fn inheritor(&self) -> Option<u32> {
        let is_taker = |pid: &u32| Some(*pid) == self.taker;
        match self.seen.iter().any(is_taker) {
            true => None,
            false => self.seen.first().copied(),
        }
    }
}

impl Holder {
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
                "{path} is locked, but process {taker}, which took the lock, is not to be seen: it has ended and a child that it forked keeps the lock, or it runs in another container; ask `fuser {path}/{LOCK}` who that is, and end it, {wait}"
            ),
            (Some(pid), None) | (None, Some(pid)) => {
                format!("process {pid} has {path} open: close it there, {wait}")
            }
            (None, None) => format!("another handle has {path} open: close it there, {wait}"),
        }
    }
}

/// Whether a process is there, and not only its exit code.
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

/// The processes that can be seen to hold a writer's lock on a file. One of another user is not seen.
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
        // By its name first: to look at a file of another process may take for ever.
        let named = fs::read_link(file.path()).is_ok_and(|path| path.ends_with(LOCK));
        let is_there = |about: fs::Metadata| (about.dev(), about.ino()) == (device, inode);
        let is_lock = named && fs::metadata(file.path()).is_ok_and(is_there);
        let number = file.file_name();
        let told = format!("{PROCESSES}/{pid}/fdinfo/{}", number.to_string_lossy());
        let is_writers = |line: &str| is_writer(&line.split_whitespace().collect::<Vec<_>>());
        is_lock && fs::read_to_string(told).is_ok_and(|told| told.lines().any(is_writers))
    })
}

/// Whether a line of the kernel's is of a lock as [`Lock::take`] takes it.
fn is_writer(words: &[&str]) -> bool {
    words.contains(&"FLOCK") && words.contains(&"WRITE")
}
