//! A fork, for tests of what a store does in a forked child.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

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

/// Forks. The child runs `act` on its copy of `value` and exits with the code that it returns; the
/// parent keeps its own, waits for the child, and kills it after `patience`.
///
/// # Panics
/// When the system cannot fork.
pub fn fork_with<T>(value: T, act: impl FnOnce(T) -> i32, patience: Duration) -> (T, Ended) {
    // SAFETY: a child of a process with several threads may call only what is safe in a signal
    // handler, because a thread that the child lacks may have held any lock. What that costs is a
    // deadlock, not memory: every lock is a word that stays taken, and glibc gives its allocator's
    // back after a fork. The test asks whether the child deadlocks, and the parent ends it if so.
    // The child never returns to a caller: it exits below, also after a panic.
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

/// How to make a child that the caller leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Past {
    /// By the C library, whose handlers of forks run.
    Nothing,
    /// By the bare system call: no handler runs in the child.
    TheLibrary,
}

/// Forks a child that runs `act` and exits with the code that it returns, and does not wait for it.
/// The parent gets its number; killing it is up to the caller.
///
/// # Panics
/// When the system cannot fork.
pub fn leave_behind(past: Past, act: impl FnOnce() -> i32) -> i32 {
    // SAFETY: as for `fork_with`. Past the library, the child is a copy of this thread alone on a
    // copy of its stack, as after `fork`; what the library keeps of threads is that of the parent,
    // which costs no memory either.
    #[allow(unsafe_code, reason = "the proof stands above")]
    let forked = unsafe {
        match past {
            Past::Nothing => fork(),
            Past::TheLibrary => {
                let flags = nix::libc::c_long::from(nix::libc::SIGCHLD);
                match nix::libc::syscall(nix::libc::SYS_clone, flags, 0, 0, 0, 0) {
                    0 => Ok(ForkResult::Child),
                    pid if pid > 0 => Ok(ForkResult::Parent {
                        child: Pid::from_raw(i32::try_from(pid).expect("a pid has 32 bits")),
                    }),
                    _ => Err(nix::errno::Errno::last()),
                }
            }
        }
    };
    match forked.expect("the system can fork") {
        ForkResult::Child => {
            let code = catch_unwind(AssertUnwindSafe(act));
            std::process::exit(code.unwrap_or(101));
        }
        ForkResult::Parent { child } => child.as_raw(),
    }
}
