//! A real fork: the child's copy of a store answers nothing, writes nothing, and hangs nowhere.
//!
//! A child process opens a store, works on it with several threads, and keeps forking meanwhile, so
//! that some forks happen while locks are held. Each fork tries everything that a handle can do,
//! and drops its copy of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]
#![cfg(target_os = "linux")]

mod rig;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use hapax::scan::KeyFilter;
use hapax::{
    Claim, ClaimOptions, ErrorKind, Lease, LogKind, Namespace, Pending, Policy, Store, Ticket,
};
use hapax_fork::{Ended, Past, fork_with, leave_behind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use rig::child::{self, Orders, say, spaces};
use rig::known::Known;
use rig::work::granted;

/// The task of a child that forks while it works.
const FORK: &str = "fork";

/// The tasks of a child that leaves a forked one behind: made by the C library, or past it.
const LEAVE: &str = "leave";
const LEAVE_PAST: &str = "leave past the library";

/// The task of a child whose forked child closes all files, opens others, and forks again.
const AGAIN: &str = "again";

/// With each kind of log.
const FORKS: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// The handles that a forked child gets a copy of.
struct Handles {
    store: Store,
    spaces: [Namespace; 2],
    leases: [Lease; 3],
    ticket: Ticket,
    /// A claim that waits behind the first lease.
    waiting: Pending<Result<Claim, hapax::Error>>,
}

/// What the forked child was told, call by call.
#[derive(Default)]
struct Told(Vec<Option<ErrorKind>>);

impl Told {
    fn add<T>(&mut self, result: Result<T, hapax::Error>) {
        self.0.push(result.err().map(|error| error.kind()));
    }
}

/// Tries every call on the handles; the code says which call was not refused.
fn in_fork(handles: Handles) -> i32 {
    let Handles {
        store,
        spaces,
        leases: [first, second, third],
        ticket,
        waiting,
    } = handles;
    let mut told = Told::default();
    for space in &spaces {
        told.add(space.claim("forked"));
        told.add(space.claim_with("held", ClaimOptions::new().wait(PATIENCE)));
        told.add(space.claim_many(["forked"]));
        told.add(space.insert("forked"));
        told.add(space.contains("before"));
        told.add(space.get("before"));
        told.add(space.forget("before"));
    }
    told.add(third.renew());
    told.add(third.checkpoint("forked"));
    let is_lost = third.is_lost();
    // Leaving the line takes the lock of a shard, which a thread of the parent may have.
    drop(waiting);
    drop(third);
    told.add(second.release("forked"));
    drop(first.complete("forked"));
    told.add(store.attach(&ticket));
    told.add(store.sync());
    told.add(store.verify());
    told.add(store.scan(KeyFilter::new()));
    told.add(store.doubts());
    told.add(store.namespace("forked", Policy::at_least_once()));
    told.add(store.close());
    drop((store, spaces));
    let answered = told
        .0
        .iter()
        .position(|kind| *kind != Some(ErrorKind::Forked));
    match answered {
        Some(at) => i32::try_from(at).unwrap() + 1,
        None if !is_lost => 99,
        None => 0,
    }
}

fn grant(which: usize, space: &Namespace, key: &str) -> Lease {
    let Claim::Granted(lease) = space.claim(key).unwrap() else {
        panic!("{key} is new")
    };
    granted(which, key, &lease);
    lease
}

fn complete(which: usize, key: &str, lease: Lease) {
    let token = lease.token().as_i64();
    lease.complete(child::body(key, token)).unwrap();
    say(&format!("completed {which} {key} {token}"));
}

/// The process that forks. Run as a plain test, it does nothing.
#[test]
fn child() {
    let Some(orders) = Orders::read() else {
        return;
    };
    match &*orders.task {
        FORK => {}
        AGAIN => return fork_again(&orders),
        _ => return leave(&orders),
    }
    let store = orders.store().open().unwrap();
    let spaces = spaces(&store).unwrap();
    complete(0, "before", grant(0, &spaces[0], "before"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (spaces, over) = (&spaces, &over);
            scope.spawn(move || {
                for step in 0..u64::MAX {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("work-{thread}-{step}");
                    complete(thread, &key, grant(thread, &spaces[thread], &key));
                }
            });
        }
        let forked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..FORKS).for_each(|number| fork_once(&store, &spaces, number));
        }));
        over.store(true, Ordering::Relaxed);
        forked.unwrap();
    });
    store.verify().unwrap();
    store.close().unwrap();
    say("ended");
}

fn fork_once(store: &Store, spaces: &[Namespace; 2], number: u32) {
    let name = |part: &str| format!("{part}-{number}");
    let ticket = grant(1, &spaces[1], &name("ticket")).detach().unwrap();
    let leases = ["first", "second", "third"].map(|part| grant(1, &spaces[1], &name(part)));
    let handles = Handles {
        store: store.clone(),
        spaces: spaces.clone(),
        leases,
        ticket,
        waiting: in_line(&spaces[1], &name("first")),
    };
    let (handles, ended) = fork_with(handles, in_fork, PATIENCE);
    assert_eq!(ended, Ended::Code(0), "fork {number}");
    let [first, second, third] = handles.leases;
    drop(handles.waiting);
    for (part, lease) in [("first", first), ("second", second), ("third", third)] {
        complete(1, &name(part), lease);
    }
    let lease = store.attach(&handles.ticket).unwrap();
    complete(1, &name("ticket"), lease);
}

/// A claim that waits for a key that is held.
fn in_line(space: &Namespace, key: &str) -> Pending<Result<Claim, hapax::Error>> {
    let mut claim = space.claim_async(key, ClaimOptions::new().wait(PATIENCE));
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut claim).poll(&mut context).is_pending());
    claim
}

#[test]
fn a_forked_child_is_refused_and_its_parent_goes_on() {
    if Orders::read().is_some() {
        return;
    }
    child::LOGS.into_iter().for_each(fork_with_log);
}

fn fork_with_log(log: LogKind) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (mut child, mut out) = child::spawn(&path, FORK, log, 0);
    let mut known = Known::default();
    let mut last = None;
    while let Some(line) = child::next_line(&mut out) {
        known.hear(&line);
        last = Some(line);
    }
    assert!(
        child.wait().unwrap().success(),
        "the parent of the forks ends well"
    );
    assert_eq!(last.as_deref(), Some("ended"));
    known.next_round();
    known.check(&path);
    let store = Store::open(&path).unwrap();
    for space in spaces(&store).unwrap() {
        assert!(
            space.get("forked").unwrap().is_none(),
            "no fork has written"
        );
    }
    assert!(!store.namespaces().contains(&"forked".to_owned()));
    println!(
        "{log:?}: {FORKS} forks beside {} acknowledgements",
        known.acknowledged
    );
}

/// Opens the store, leaves a forked child behind that does nothing at all, and waits to be killed.
fn leave(orders: &Orders) {
    let store = orders.store().open().unwrap();
    complete(0, "before", grant(0, &spaces(&store).unwrap()[0], "before"));
    let past = match orders.task == LEAVE {
        true => Past::Nothing,
        false => Past::TheLibrary,
    };
    leave_behind(past, || {
        // Once it runs: what is done in a forked child is done before that.
        say(&format!("left {}", std::process::id()));
        std::thread::park_timeout(PATIENCE);
        0
    });
    std::thread::park_timeout(PATIENCE);
}

/// A store whose owner was killed, and the forked child that was left behind.
fn left_behind(path: &std::path::Path, task: &str, log: LogKind) -> (u32, Pid) {
    let (mut child, mut out) = child::spawn(path, task, log, 0);
    let left = loop {
        let line = child::next_line(&mut out).unwrap();
        if let Some(left) = line.strip_prefix("left ") {
            break Pid::from_raw(left.parse().unwrap());
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    (child.id(), left)
}

/// A child that was forked and did not exec kept the lock of its parent, which had been killed: the
/// store could not be opened, and the error named a process that did not exist any more.
#[test]
fn a_forked_child_does_not_keep_the_lock_of_its_parent() {
    if Orders::read().is_some() {
        return;
    }
    for log in child::LOGS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (_, left) = left_behind(&path, LEAVE, log);
        let store = Store::open(&path).unwrap();
        assert!(spaces(&store).unwrap()[0].contains("before").unwrap());
        kill(left, Signal::SIGKILL).unwrap();
    }
}

/// A child that was made past the C library keeps the lock; then the error must name that child.
#[test]
fn a_child_that_keeps_the_lock_is_named() {
    if Orders::read().is_some() {
        return;
    }
    for log in child::LOGS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (owner, left) = left_behind(&path, LEAVE_PAST, log);
        let error = Store::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        let text = error.to_string();
        for part in [
            format!("process {left} keeps"),
            format!("process {owner} took the lock, and has ended"),
            format!("end process {left}"),
        ] {
            assert!(text.contains(&part), "{text}");
        }
        let held_by = Store::survey(&path).unwrap().holder();
        assert_eq!(held_by, u32::try_from(left.as_raw()).ok());
        let reader = Store::builder(&path).read_only().open().unwrap_err();
        assert!(
            reader
                .to_string()
                .contains(&format!("process {left} keeps"))
        );
        kill(left, Signal::SIGKILL).unwrap();
        let patient = Store::builder(&path).wait_for_lock(PATIENCE);
        patient.open().unwrap().close().unwrap();
    }
}

/// The open descriptors of this process beside the standard streams, with the files behind them.
fn open_files() -> Vec<(i32, std::path::PathBuf)> {
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let numbers: Vec<i32> = numbers.map(|number| number.parse().unwrap()).collect();
    let path = |number: &i32| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
    let files = numbers.into_iter().filter(|number| *number > 2);
    files
        .filter_map(|number| Some((number, path(&number)?)))
        .collect()
}

fn fork_again(orders: &Orders) {
    let store = orders.store().open().unwrap();
    let (_store, ended) = fork_with(
        store,
        |_store| {
            for (number, _) in open_files() {
                let _ = nix::unistd::close(number);
            }
            let root = orders.directory.parent().unwrap();
            let names = (0..50).map(|number| root.join(format!("file-{number}")));
            let files: Vec<_> = names
                .map(|name| std::fs::File::create(name).unwrap())
                .collect();
            let before = open_files();
            let again = |before| i32::from(open_files() != before);
            let ended = fork_with(before, again, PATIENCE).1;
            // This test must not close the files, and the store no longer owns the numbers.
            std::process::exit(match ended {
                Ended::Code(code) => code + i32::from(files.len() != 50),
                Ended::Hung => 98,
            })
        },
        PATIENCE,
    );
    assert_eq!(ended, Ended::Code(0));
    say("ended");
}

/// A child of a child has other files under the numbers that the lock had: they stay what they are.
#[test]
fn a_child_of_a_child_keeps_its_own_files() {
    if Orders::read().is_some() {
        return;
    }
    for log in child::LOGS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (mut child, mut out) = child::spawn(&path, AGAIN, log, 0);
        let mut last = None;
        while let Some(line) = child::next_line(&mut out) {
            last = Some(line);
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(last.as_deref(), Some("ended"));
    }
}
