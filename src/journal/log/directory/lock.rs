//! [`Lock`]: the lock on a store.
//!
//! It is a `flock`, which belongs to the open file and not to the process. A forked child would hold
//! it beyond its parent's death, so `sync::forks` closes the file in every child. A child that is
//! forked past the C library keeps it; [`StoreHolder`] then names that child.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, named};
use crate::journal::log::directory::holder::StoreHolder;
use crate::journal::log::directory::layout::LOCK;
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::runtime::sync::forks::Kept;

/// How long one round of waiting for a lock takes.
pub(crate) const LOCK_ROUND: Duration = Duration::from_millis(10);

/// Rounds that a writer waits for readers, however short its own limit: a reader holds the lock only for
/// as long as it takes to check for a writer.
const READER_ROUNDS: u128 = 100;

/// The lock on a store, held for as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Kept,
    path: AnchoredPath,
}

impl Lock {
    /// Takes the lock on the store in a directory, and writes the id of this process into it.
    pub(crate) fn take(directory: &AnchoredPath, wait: Duration) -> Result<Self, OpenFailure> {
        let path = directory.join(LOCK);
        let mut round = 0;
        loop {
            let file = path.open_or_create().naming("open", &path)?;
            let lock = Self::keep(directory, &path, file)?;
            if !lock.attempt(FlockOperation::NonBlockingLockExclusive)? {
                lock.wait(round, rounds(wait))?;
            } else if path.is(lock.file.file()) {
                write_pid(lock.file.file()).naming("write", &path)?;
                return Ok(lock);
            }
            // Else the file was deleted between the two calls: such a lock guards nothing.
            round += 1;
        }
    }

    /// Takes the lock without writing to its file. `None` if there is no file to lock.
    pub(crate) fn take_without_writing(
        directory: &AnchoredPath,
    ) -> Result<Option<Self>, OpenFailure> {
        let Some(lock) = Self::find(directory)? else {
            return Ok(None);
        };
        lock.hold(FlockOperation::NonBlockingLockExclusive, 0)?;
        Ok(Some(lock))
    }

    /// Waits until no process has the store open for writing.
    pub(crate) fn check(directory: &AnchoredPath, wait: Duration) -> Result<(), OpenFailure> {
        let Some(lock) = Self::find(directory)? else {
            return Ok(());
        };
        lock.hold(FlockOperation::NonBlockingLockShared, rounds(wait))?;
        Ok(lock.release()?)
    }

    /// The file of the lock, not locked.
    fn find(directory: &AnchoredPath) -> Result<Option<Self>, OpenFailure> {
        let path = directory.join(LOCK);
        let file = path.open().if_there().naming("open", &path)?;
        let lock = file.map(|file| Self::keep(directory, &path, file));
        Ok(lock.transpose()?)
    }

    fn keep(directory: &AnchoredPath, path: &AnchoredPath, file: File) -> io::Result<Self> {
        let stand_in = directory.descriptor().try_clone()?;
        Ok(Self {
            file: Kept::new(file, stand_in),
            path: path.clone(),
        })
    }

    fn hold(&self, operation: FlockOperation, rounds: u128) -> Result<(), OpenFailure> {
        let mut round = 0;
        while !self.attempt(operation)? {
            self.wait(round, rounds)?;
            round += 1;
        }
        Ok(())
    }

    /// Tries to lock the file; false if another handle keeps it locked.
    fn attempt(&self, operation: FlockOperation) -> Result<bool, OpenFailure> {
        match retry_on_intr(|| flock(&self.file, operation)) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(named(&error.into(), "lock", &self.path).into()),
        }
    }

    /// Waits a round for the holder of the lock; after the last round, says who that is.
    fn wait(&self, round: u128, rounds: u128) -> Result<(), OpenFailure> {
        if round >= rounds {
            let is_being_read = flock(&self.file, FlockOperation::NonBlockingLockShared).is_ok();
            if is_being_read {
                self.release()?;
            }
            match is_being_read {
                true if round >= READER_ROUNDS => return Err(OpenFailure::BeingRead),
                true => {}
                false => return Err(OpenFailure::Locked(StoreHolder::of(&self.path))),
            }
        }
        std::thread::park_timeout(LOCK_ROUND);
        Ok(())
    }

    /// Releases the lock.
    pub(crate) fn release(&self) -> io::Result<()> {
        // Closing is not enough: a child that is being forked right now may hold a copy of the handle.
        flock(&self.file, FlockOperation::Unlock)
            .map_err(|error| named(&error.into(), "unlock", &self.path))
    }
}

fn rounds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(LOCK_ROUND.as_millis())
}

fn write_pid(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}
