//! Keeps the files of a store off the descriptors 0 to 2.
//!
//! A process may have closed its standard streams. The next file that it opens then gets one of these
//! numbers, and everything that the process prints is written into that file.

use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};

/// The first descriptor that is no standard stream.
const FIRST_OWN: i32 = 3;

/// The same file under a number that is no standard stream's.
pub(crate) fn above_standard_streams(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= FIRST_OWN {
        return Ok(descriptor);
    }
    Ok(fcntl_dupfd_cloexec(&descriptor, FIRST_OWN)?)
}

/// Occupies the numbers of closed standard streams, for good, so that no file of a store gets one,
/// those of sled included.
///
/// They behave as if they were still closed: nothing can be read from them or written to them, and a
/// program that this process executes does not get them.
pub(crate) fn occupy() -> io::Result<()> {
    loop {
        let taken = stand_in()?;
        if taken.as_raw_fd() >= FIRST_OWN {
            return Ok(());
        }
        // Never closed, so that the number stays occupied.
        let _ = taken.into_raw_fd();
    }
}

#[cfg(target_os = "linux")]
fn stand_in() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| openat(CWD, "/", flags, Mode::empty()))?)
}

#[cfg(not(target_os = "linux"))]
fn stand_in() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let open = || openat(CWD, "/dev/null", flags, Mode::empty());
    Ok(retry_on_intr(open)?)
}
