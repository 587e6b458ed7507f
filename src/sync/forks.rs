//! Counts forks in the child: the one piece of unsafe code of this crate. The count is of the machine
//! also where locks are those of a model, since nothing of a model forks.

use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the first of its line that counted.
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Lets every child of this process count itself. False where that is not to be had.
#[cfg(all(unix, not(miri)))]
pub(crate) fn watch() -> bool {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: `pthread_atfork` only remembers a function, and takes no other argument. It is
    // called in a child while locks of the parent may be held, so it may do only what is safe in
    // a signal handler: adding to a lock-free atomic of the static image is. It cannot unwind,
    // and it lives as long as the code of this library: the C library forgets the handlers of a
    // shared object when that is unloaded.
    #[allow(unsafe_code, reason = "the proof stands above")]
    let result = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    result == 0
}

#[cfg(not(all(unix, not(miri))))]
pub(crate) fn watch() -> bool {
    false
}
