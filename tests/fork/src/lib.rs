//! A fork, for tests of what a store does in a forked child.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// How a forked child ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With this exit code; 101 after a panic.
    Code(i32),
    /// It hung, and was killed.
    Hung,
}

/// How long one round of waiting for the child takes.
const ROUND: Duration = Duration::from_millis(5);

/// Forks. The child runs `act` on its copy of `value` and exits with what that answers; the parent
/// keeps its own, waits for the child, and kills it after `patience`.
///
/// # Panics
/// When the system cannot fork.
pub fn fork_with<T>(value: T, act: impl FnOnce(T) -> i32, patience: Duration) -> (T, Ended) {
    // SAFETY: a child of a process with several threads may call only what is safe in a signal
    // handler, because a thread that the child lacks may have held any lock. What that costs is a
    // deadlock, not memory: every lock is a word that stays taken, and glibc gives its allocator's
    // back after a fork. Whether the child comes to a deadlock is what is asked here, and the parent
    // ends it if so. The child returns to nobody: it exits below, also after a panic.
    #[allow(unsafe_code, reason = "the proof stands above")]
    let forked = unsafe { fork() };
    match forked.expect("the system can fork") {
        ForkResult::Child => {
            let code = catch_unwind(AssertUnwindSafe(|| act(value)));
            std::process::exit(code.unwrap_or(101));
        }
        ForkResult::Parent { child } => {
            let rounds = patience.as_millis().div_ceil(ROUND.as_millis());
            for _ in 0..rounds {
                match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::StillAlive) => std::thread::park_timeout(ROUND),
                    Ok(WaitStatus::Exited(_, code)) => return (value, Ended::Code(code)),
                    other => panic!("the forked child: {other:?}"),
                }
            }
            kill(child, Signal::SIGKILL).expect("the child is still there");
            waitpid(child, None).expect("the child was not waited for before");
            (value, Ended::Hung)
        }
    }
}
