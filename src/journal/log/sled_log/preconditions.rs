//! What must hold before sled starts.

use std::io;
use std::sync::OnceLock;

use crate::runtime::clock::is_before_1970;
use crate::runtime::sync::spawn;

/// Refuses a wall clock before 1970: sled counts nanoseconds since then, and would panic.
pub(super) fn check_clock() -> io::Result<()> {
    if is_before_1970() {
        let what = "the wall clock of this machine shows a time before 1970, at which sled cannot run: set the clock, or move the store to plain files with Store::move_log";
        return Err(io::Error::other(what));
    }
    Ok(())
}

/// Checks that the system grants a thread: with its first write sled starts threads for all databases
/// of the process, and without them it would wait for ever.
pub(super) fn check_threads() -> io::Result<()> {
    static PROBED: OnceLock<()> = OnceLock::new();
    if PROBED.get().is_none() {
        let probe = spawn("hapax-probe", || {}).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot start a thread for sled: {error}"),
            )
        })?;
        let _ = probe.join();
        let _ = PROBED.set(());
    }
    Ok(())
}
