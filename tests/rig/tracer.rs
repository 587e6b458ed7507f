//! The means to stop a child at its n-th call that changes the medium, or to make that call fail.
//!
//! `strace -e inject=...:when=N` counts the calls of each thread separately, so it cannot reach
//! what a thread does late: another thread has made as many calls before. This tracer sees the
//! calls of all threads in one order, counts only those on files of the store, and stops before
//! each of them: a child killed there has made the earlier calls, but not this one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::child::heard;

/// A child that has not ended after this time hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happens at the call that is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Kill,
    /// The call is not made, and answers this.
    Error(Errno),
}

/// A call that changes the medium.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// From the directory of the store.
    pub(crate) path: String,
    /// The thread that makes it.
    pub(crate) thread: String,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The calls on the store, in order.
    pub(crate) calls: Vec<Call>,
    /// Where the fault came, if it did.
    pub(crate) met: Option<Call>,
    /// What the child said, and how much of it before the fault.
    pub(crate) said: Vec<String>,
    pub(crate) said_before: usize,
    /// The exit code, if the child ended on its own.
    pub(crate) code: Option<i32>,
    pub(crate) hung: bool,
}

/// Where a call names its file.
#[derive(Clone, Copy)]
enum Names {
    Handle,
    Path,
    /// A folder, and a path in it.
    At,
    /// As before, but only when the file may be made.
    Open,
    OpenAt,
}

const CALLS: &[(c_long, &str, Names)] = &[
    (libc::SYS_write, "write", Names::Handle),
    (libc::SYS_writev, "writev", Names::Handle),
    (libc::SYS_pwrite64, "pwrite64", Names::Handle),
    (libc::SYS_pwritev, "pwritev", Names::Handle),
    (libc::SYS_pwritev2, "pwritev2", Names::Handle),
    (libc::SYS_fsync, "fsync", Names::Handle),
    (libc::SYS_fdatasync, "fdatasync", Names::Handle),
    (libc::SYS_sync_file_range, "sync_file_range", Names::Handle),
    (libc::SYS_ftruncate, "ftruncate", Names::Handle),
    (libc::SYS_fallocate, "fallocate", Names::Handle),
    (libc::SYS_open, "open", Names::Open),
    (libc::SYS_openat, "openat", Names::OpenAt),
    (libc::SYS_rename, "rename", Names::Path),
    (libc::SYS_renameat, "renameat", Names::At),
    (libc::SYS_renameat2, "renameat2", Names::At),
    (libc::SYS_unlink, "unlink", Names::Path),
    (libc::SYS_unlinkat, "unlinkat", Names::At),
    (libc::SYS_rmdir, "rmdir", Names::Path),
    (libc::SYS_mkdir, "mkdir", Names::Path),
    (libc::SYS_mkdirat, "mkdirat", Names::At),
];

/// Runs a child that waits for `go` under this tracer, with `fault` at its call number `at`,
/// counted from 1 (0 for no fault). Returns `None`, with a loud message, where this process may not
/// trace another.
///
/// The child's output goes through a file, so it is whole whenever the child is killed.
pub(crate) fn run(command: &mut Command, store: &Path, at: u64, fault: Fault) -> Option<Run> {
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(output.reopen().unwrap())
        .spawn()
        .unwrap();
    let pid = pid_of(&child);
    if let Err(error) = seize_all(pid) {
        child.kill().unwrap();
        child.wait().unwrap();
        super::skipped::skipped(&format!("this process may not trace its child: {error}"));
        return None;
    }
    let mut tracer = Tracer {
        pid,
        store: store.to_owned(),
        output: output.path().to_owned(),
        at,
        fault,
        answer: None,
        calls: Vec::new(),
        met: None,
        said_before: 0,
    };
    let watchdog = Watchdog::start(pid);
    super::child::go(&mut child);
    let code = tracer.follow();
    let hung = watchdog.stop();
    let said = said(&tracer.output);
    Some(Run {
        calls: tracer.calls,
        met: tracer.met,
        said,
        said_before: tracer.said_before,
        code,
        hung,
    })
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn said(output: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(output).unwrap();
    text.split_inclusive('\n')
        .filter_map(heard)
        .map(str::to_owned)
        .collect()
}

/// Takes every thread of a process, and each new thread as it starts.
fn seize_all(pid: Pid) -> nix::Result<()> {
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD
        | ptrace::Options::PTRACE_O_TRACECLONE
        | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options)?;
    ptrace::interrupt(pid)?;
    for entry in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let name = entry.unwrap().file_name();
        let thread = Pid::from_raw(name.to_str().unwrap().parse().unwrap());
        // One that the first thread has started since is ours already.
        if thread != pid && ptrace::seize(thread, options).is_ok() {
            ptrace::interrupt(thread)?;
        }
    }
    Ok(())
}

struct Tracer {
    pid: Pid,
    store: PathBuf,
    output: PathBuf,
    at: u64,
    fault: Fault,
    /// The thread whose call was not made, and what it is to be told.
    answer: Option<(Pid, Errno)>,
    calls: Vec<Call>,
    met: Option<Call>,
    said_before: usize,
}

impl Tracer {
    /// Lets the child run to its end; gives its exit code, if it was not killed.
    fn follow(&mut self) -> Option<i32> {
        let mut code = None;
        loop {
            // Only of this thread: other tests have children of their own.
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let (thread, signal) = match waitpid(None, Some(flags)) {
                Err(Errno::ECHILD) => return code,
                Err(error) => panic!("waiting for the child: {error}"),
                Ok(WaitStatus::Exited(thread, status)) => {
                    if thread == self.pid {
                        code = Some(status);
                    }
                    continue;
                }
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    self.at_call(thread);
                    (thread, None)
                }
                Ok(WaitStatus::PtraceEvent(thread, ..)) => (thread, None),
                Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
                Ok(_) => continue,
            };
            // It may have been killed since.
            let _ = ptrace::syscall(thread, signal);
        }
    }

    /// A thread stands before a call, or has made it.
    fn at_call(&mut self, thread: Pid) {
        let Ok(info) = ptrace::syscall_info(thread) else {
            return;
        };
        if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            let answer = self.before_call(thread);
            self.answer = answer.map(|error| (thread, error)).or(self.answer);
        } else if let Some((_, error)) = self.answer.take_if(|answer| answer.0 == thread) {
            let mut registers = ptrace::getregs(thread).unwrap();
            let code = u64::try_from(error as i32).unwrap();
            registers.rax = code.wrapping_neg();
            ptrace::setregs(thread, registers).unwrap();
        }
    }

    fn before_call(&mut self, thread: Pid) -> Option<Errno> {
        let mut registers = ptrace::getregs(thread).ok()?;
        let call = self.call(thread, &registers)?;
        self.calls.push(call.clone());
        if u64::try_from(self.calls.len()).unwrap() != self.at {
            return None;
        }
        self.met = Some(call);
        self.said_before = said(&self.output).len();
        match self.fault {
            Fault::Kill => {
                kill(self.pid, Signal::SIGKILL).unwrap();
                None
            }
            Fault::Error(error) => {
                // No call has this number, so the system makes no call.
                registers.orig_rax = u64::MAX;
                ptrace::setregs(thread, registers).unwrap();
                Some(error)
            }
        }
    }

    /// The call that a thread stands before, if it changes the store.
    fn call(&self, thread: Pid, registers: &libc::user_regs_struct) -> Option<Call> {
        let number = c_long::try_from(registers.orig_rax).ok()?;
        let (_, name, names) = CALLS.iter().find(|(known, ..)| *known == number)?;
        let may_make = |flags: u64| flags & u64::try_from(libc::O_CREAT).unwrap() != 0;
        let path = match names {
            Names::Handle => handle(thread, registers.rdi)?,
            Names::Open if !may_make(registers.rsi) => return None,
            Names::OpenAt if !may_make(registers.rdx) => return None,
            Names::Path | Names::Open => text(thread, registers.rdi)?,
            Names::At | Names::OpenAt => {
                let path = text(thread, registers.rsi)?;
                match path.is_absolute() {
                    true => path,
                    false => handle(thread, registers.rdi)?.join(path),
                }
            }
        };
        let path = through_handle(thread, path);
        let path = path.strip_prefix(&self.store).ok()?;
        let comm = std::fs::read_to_string(format!("/proc/{}/task/{thread}/comm", self.pid));
        Some(Call {
            name,
            path: path.to_string_lossy().into_owned(),
            thread: comm.unwrap_or_default().trim().to_owned(),
        })
    }
}

/// The file behind a handle of the child.
fn handle(thread: Pid, handle: u64) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{thread}/fd/{handle}")).ok()
}

/// A path that leads through a handle of the child, as sled is given it, in plain.
fn through_handle(thread: Pid, path: PathBuf) -> PathBuf {
    let plain = || {
        let below = path.strip_prefix("/proc/self/fd").ok()?;
        let number = below.components().next()?.as_os_str();
        let folder = handle(thread, number.to_str()?.parse().ok()?)?;
        Some(folder.join(below.strip_prefix(number).ok()?))
    };
    plain().unwrap_or(path)
}

/// A path in the memory of the child.
fn text(thread: Pid, address: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = [0; libc::PATH_MAX as usize];
    let read = memory.read_at(&mut bytes, address).ok()?;
    let end = bytes[..read].iter().position(|byte| *byte == 0)?;
    Some(PathBuf::from(
        String::from_utf8_lossy(&bytes[..end]).as_ref(),
    ))
}

/// Kills a child that hangs.
struct Watchdog {
    done: mpsc::Sender<()>,
    bitten: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Watchdog {
    fn start(pid: Pid) -> Self {
        let (done, waits) = mpsc::channel();
        let bitten = Arc::new(AtomicBool::new(false));
        let bites = Arc::clone(&bitten);
        let watch = move || {
            if waits.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                bites.store(true, Ordering::Relaxed);
                let _ = kill(pid, Signal::SIGKILL);
            }
        };
        let thread = std::thread::Builder::new().spawn(watch).unwrap();
        Self {
            done,
            bitten,
            thread,
        }
    }

    /// Whether the child hung.
    fn stop(self) -> bool {
        drop(self.done);
        self.thread.join().unwrap();
        self.bitten.load(Ordering::Relaxed)
    }
}
