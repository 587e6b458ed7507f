//! Refusals of the operating system that a test can provoke.

/// Whether a thread may be started.
#[cfg(not(test))]
#[inline]
pub(super) fn check() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
std::thread_local! {
    static LEFT: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(super) fn check() -> std::io::Result<()> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => Err(std::io::Error::new(
            std::io::ErrorKind::WouldBlock,
            "no thread is available",
        )),
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}

/// Lets calls on this thread start this many threads; `None` sets no limit.
#[cfg(test)]
pub(crate) fn allow_threads(left: Option<usize>) {
    LEFT.set(left);
}
