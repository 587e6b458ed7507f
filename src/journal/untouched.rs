//! [`Untouched`]: the directory of a store of which not a byte is changed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, major, minor, statvfs};
use rustix::io::Errno;

use super::directory::archives;
use super::directory::{
    LOCK, LOCK_ROUND, LOGKIND, MANIFEST, MARKS, OpenFailure, SEGMENTS, locked, named,
    read_if_there, read_pid, read_slot,
};

/// What the kernel says of who holds which lock, where it does.
const KERNEL_LOCKS: &str = "/proc/locks";

/// A directory of which nothing is changed.
#[derive(Debug)]
pub(crate) struct Untouched {
    path: PathBuf,
    /// Held for life; `None` where there is no file to lock, or nothing is to be locked.
    lock: Option<File>,
}

impl Untouched {
    /// Takes the lock, if it is there to be taken, without writing to it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenFailure> {
        Self::locked(path, FlockOperation::NonBlockingLockExclusive, 0)
    }

    /// As [`open`](Self::open), beside others who do the same: only a writer is kept out.
    pub(crate) fn share(path: &Path, wait_for_lock: Duration) -> Result<Self, OpenFailure> {
        let rounds = wait_for_lock.as_millis().div_ceil(LOCK_ROUND.as_millis());
        Self::locked(path, FlockOperation::NonBlockingLockShared, rounds)
    }

    /// Takes no lock: whoever has the store open goes on.
    pub(crate) fn beside(path: &Path) -> Result<Self, OpenFailure> {
        Ok(Self {
            path: find(path)?,
            lock: None,
        })
    }

    fn locked(
        path: &Path,
        operation: FlockOperation,
        mut rounds: u128,
    ) -> Result<Self, OpenFailure> {
        let found = find(path)?;
        let path = found.join(LOCK);
        let lock = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(named(&error, "open", &path).into()),
        };
        while let Some(file) = &lock {
            match flock(file, operation) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if rounds == 0 => return Err(locked(file, &path)),
                Err(Errno::WOULDBLOCK) => {
                    rounds -= 1;
                    std::thread::park_timeout(LOCK_ROUND);
                }
                Err(error) => return Err(named(&error.into(), "lock", &path).into()),
            }
        }
        Ok(Self { path: found, lock })
    }

    pub(crate) fn archives(&self) -> io::Result<Vec<u64>> {
        archives::list(&self.path.join(archives::AUDIT))
    }

    pub(crate) fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        archives::sizes(&self.path.join(archives::AUDIT))
    }

    pub(crate) fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        archives::read(&self.path.join(archives::AUDIT), segment)
    }

    /// Gives up the lock.
    pub(crate) fn release(&self) -> io::Result<()> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        // Closing is not enough: a child that is just being forked may hold a copy of the handle.
        flock(lock, FlockOperation::Unlock)
            .map_err(|error| named(&error.into(), "unlock", &self.path))
    }

    /// The process that has the store open to write; `None` for nobody, and where the kernel
    /// does not tell.
    pub(crate) fn holder(&self) -> Option<u32> {
        let path = self.path.join(LOCK);
        let there = fs::metadata(&path).ok()?;
        let place = format!(
            "{:02x}:{:02x}:{}",
            major(there.dev()),
            minor(there.dev()),
            there.ino()
        );
        let locks = fs::read_to_string(KERNEL_LOCKS).ok()?;
        let is_held = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&"FLOCK") && words.contains(&"WRITE") && words.contains(&&*place)
        };
        // The process that took the lock may be a parent of the one that has it: the file knows.
        locks.lines().any(is_held).then(|| read_pid(&path))?
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> PathBuf {
        self.path.join(SEGMENTS)
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(MANIFEST))
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(LOGKIND))
    }

    /// One slot of the marks; one that is not there is empty.
    pub(crate) fn read_marks(&self, slot: usize) -> io::Result<Vec<u8>> {
        let path = self.path.join(MARKS);
        match File::open(&path).and_then(|file| read_slot(&file, slot)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            result => result.map_err(|error| named(&error, "read", &path)),
        }
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = statvfs(&self.path).map_err(|error| named(&error.into(), "ask", &self.path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// The directory, if it holds anything of a store.
fn find(path: &Path) -> Result<PathBuf, OpenFailure> {
    let found = path
        .canonicalize()
        .ok()
        .filter(|path| path.is_dir())
        .ok_or_else(|| OpenFailure::NotAStore(format!("{} is no directory", path.display())))?;
    let ours = [MANIFEST, MARKS, SEGMENTS];
    if !ours.iter().any(|name| found.join(name).exists()) {
        let reason = format!("{} holds nothing of a store", path.display());
        return Err(OpenFailure::NotAStore(reason));
    }
    Ok(found)
}
