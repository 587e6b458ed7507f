//! Servers that a run starts for itself, each in its own directory, and stops when it is over.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::host::stopwatch::Stopwatch;
use crate::outcome::Outcome;

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a server may take to end in its own way.
const END_MAX: Duration = Duration::from_secs(10);

/// A server that runs; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    socket: PathBuf,
    end: Signal,
}

impl Server {
    /// Starts one, and waits until `answers` is true of its socket. `end` is the signal that ends it
    /// at once, with the processes that it has started.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or does not answer in time.
    pub fn start(
        mut command: Command,
        socket: PathBuf,
        log: &Path,
        end: Signal,
        answers: impl Fn(&Path) -> bool,
    ) -> Outcome<Self> {
        let log_file = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()?;
        let mut server = Self { child, socket, end };
        let watch = Stopwatch::start();
        while !answers(&server.socket) {
            let ended = server.child.try_wait()?;
            if ended.is_some() || watch.elapsed() > START_MAX {
                return Err(format!("the server did not start: {}", tail(log)).into());
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
        Ok(server)
    }

    /// What it listens on.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that is gone already needs no end, and one that does not listen is killed.
        if let Some(process) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, self.end);
        }
        let watch = Stopwatch::start();
        while matches!(self.child.try_wait(), Ok(None)) && watch.elapsed() < END_MAX {
            std::thread::park_timeout(LOOK_AGAIN);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of what a server had to say.
fn tail(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(log) {
        let _ = file.rewind();
        let _ = file.read_to_string(&mut text);
    }
    let from = text.len().saturating_sub(500);
    text.get(from..).unwrap_or(&text).trim().to_owned()
}

/// A program in the search path, or in one of these folders.
#[must_use]
pub fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = folders.iter().cloned().chain(std::env::split_paths(&path));
    places.find_map(|folder| {
        let program = folder.join(name);
        let file = program.metadata().ok()?;
        (file.is_file() && file.permissions().mode() & 0o111 != 0).then_some(program)
    })
}

/// The user for a server that refuses to run as root: its own user, if that exists.
#[derive(Clone, Copy, Debug)]
pub struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// The first of these users that exists, when this process is root; otherwise `None`, as no
    /// other user is needed.
    ///
    /// # Errors
    /// When this process is root and none of them exists.
    pub fn instead_of_root(names: &[&str]) -> Outcome<Option<Self>> {
        let own = std::fs::metadata("/proc/self")?;
        if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let find = |name: &&str| users.lines().find_map(|line| Self::of(line, name));
        match names.iter().find_map(find) {
            Some(user) => Ok(Some(user)),
            None => Err(
                format!("it does not run as root, and none of the users {names:?} exists").into(),
            ),
        }
    }

    fn of(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        fields.next()?;
        Some(Self {
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    }

    /// Gives it a folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn give(self, folder: &Path) -> Outcome<()> {
        Ok(chown(folder, Some(self.uid), Some(self.gid))?)
    }

    /// Lets a program run as this user.
    pub fn run_as(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let line = "postgres:x:105:112:PostgreSQL:/var/lib/postgresql:/bin/bash";
        assert_eq!(
            User::of(line, "postgres").map(|user| (user.uid, user.gid)),
            Some((105, 112))
        );
        assert!(User::of(line, "post").is_none());
    }

    #[test]
    fn programs_are_found() {
        assert!(find_program("sh", &[]).is_some());
        assert!(find_program("no-such-program-anywhere", &[]).is_none());
    }
}
