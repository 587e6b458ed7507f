//! What happens in a child that is forked: it counts itself, and loses its copies of locks. It uses the
//! machine's own types even where locks are those of a model, since a model never forks.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the first of its line that counted.
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Lets every child of this process count itself, and give up what it must not keep. Returns false if
/// the system does not offer this.
pub(crate) fn watch() -> bool {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    *WATCHED.get_or_init(watch_once)
}

#[cfg(all(unix, not(miri)))]
fn watch_once() -> bool {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        SLOTS.each(give_up);
    }
    // SAFETY: `pthread_atfork` only remembers a function, and takes no other argument. It is
    // called in a child while locks of the parent may be held, so it may do only what is safe in
    // a signal handler: changing lock-free atomics, and what `give_up` does, are.
    // Of a `OnceLock` it asks only whether it is set, which is one load. It cannot unwind,
    // and it lives as long as the code of this library: the C library forgets the handlers of a
    // shared object when that is unloaded.
    #[allow(unsafe_code, reason = "the proof stands above")]
    let result = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    result == 0
}

#[cfg(not(all(unix, not(miri))))]
fn watch_once() -> bool {
    false
}

/// A file that no forked child keeps: a lock on it dies with the process that took it, and does not
/// live on in a child that forgot about it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Holds `pair` for as long as both descriptors are open, and no child has given the file up.
    slot: &'static AtomicU64,
    pair: u64,
    file: File,
    /// The file that a child has under the number instead.
    _stand_in: OwnedFd,
}

impl Kept {
    /// Keeps a file from children; they have `stand_in` in its place.
    pub(crate) fn new(file: File, stand_in: OwnedFd) -> Self {
        watch();
        let pair = pair(file.as_raw_fd(), stand_in.as_raw_fd());
        Self {
            slot: SLOTS.take(pair),
            pair,
            file,
            _stand_in: stand_in,
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for Kept {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Kept {
    /// Before the fields are dropped: their numbers belong to other files afterwards.
    fn drop(&mut self) {
        // In a child the slot may belong to another file by now.
        let _ = self
            .slot
            .compare_exchange(self.pair, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A slot without a file.
const FREE: u64 = u64::MAX;

/// The two descriptors of a [`Kept`] file in one word, so that a child sees both or neither.
fn pair(file: RawFd, stand_in: RawFd) -> u64 {
    // An open descriptor is never negative.
    let half = |number: RawFd| u64::try_from(number).unwrap_or(u64::from(u32::MAX));
    (half(file) << 32) | half(stand_in)
}

/// Puts the stand-in in the place of the file.
#[cfg(all(unix, not(miri)))]
fn give_up(pair: u64) {
    let [file, stand_in] = [pair >> 32, pair & u64::from(u32::MAX)];
    let number = |half: u64| RawFd::try_from(half).unwrap_or(-1);
    let (file, stand_in) = (number(file), number(stand_in));
    // SAFETY: both calls are safe in a signal handler, and touch no memory. Both numbers belong to
    // a `Kept` in the memory of this child, which clears its slot before it closes them, and nothing
    // has run in the child yet that could have closed them otherwise: so no other owner loses a
    // file. That `Kept` goes on to own the number, and closes it.
    #[allow(unsafe_code, reason = "the proof stands above")]
    unsafe {
        libc::dup2(stand_in, file);
        libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}

/// The descriptors of all files that are kept from children. It grows and never shrinks, and a child
/// goes through it without a lock.
struct Slots {
    pairs: [AtomicU64; 64],
    next: OnceLock<Box<Slots>>,
}

static SLOTS: Slots = Slots::new();

impl Slots {
    const fn new() -> Self {
        Self {
            pairs: [const { AtomicU64::new(FREE) }; 64],
            next: OnceLock::new(),
        }
    }

    fn take(&'static self, pair: u64) -> &'static AtomicU64 {
        let mut at = self;
        loop {
            let took = |slot: &&AtomicU64| {
                slot.compare_exchange(FREE, pair, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            };
            if let Some(slot) = at.pairs.iter().find(took) {
                return slot;
            }
            at = at.next.get_or_init(|| Box::new(Self::new()));
        }
    }

    #[cfg(all(unix, not(miri)))]
    fn each(&'static self, act: fn(u64)) {
        let mut at = Some(self);
        while let Some(slots) = at {
            for slot in &slots.pairs {
                // A child of this child has nothing to give up, and its numbers may be other files'.
                let pair = slot.swap(FREE, Ordering::AcqRel);
                if pair != FREE {
                    act(pair);
                }
            }
            at = slots.next.get().map(|next| &**next);
        }
    }
}
