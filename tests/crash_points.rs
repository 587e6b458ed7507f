//! A crash, or one failed call, at every step that a store takes on its medium.
//!
//! A child works on a store in a directory: it makes it, or recovers it from an earlier crash, fills
//! a segment, lets compaction remove it, and closes. It is killed before its n-th call that changes
//! the medium, whichever thread makes it, for n = 1, 2, ...; or that call fails once. What it has
//! acknowledged, and nothing else, decides what the store must hold when it is opened again.
//!
//! The calls are found by tracing the child (`tests/rig/tracer.rs` says why not by `strace`); where
//! a process may not trace its child, these tests say loudly that they were skipped. A sample of
//! points, spread over the run, is taken by default, `n` of them in each test with
//! `HAPAX_CRASH_POINTS=n`, and every one with `HAPAX_CRASH_POINTS=all`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod rig;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use hapax::Store;
use nix::errno::Errno;

use rig::Draw;
use rig::child::{self, Orders, say};
use rig::known::Known;
use rig::script::{Script, tell};
use rig::tracer::{self, Call, Fault, Run};

const POINTS: &str = "HAPAX_CRASH_POINTS";

/// The task of a child that drops its store, unclosed, while a panic unwinds.
const DROP: &str = "drop";

/// The child. As a test by itself it does nothing.
#[test]
fn child() {
    let Some(orders) = Orders::read() else {
        return;
    };
    Orders::wait();
    let open = || Store::open(&orders.directory);
    let store = open().unwrap_or_else(|error| {
        tell("open", &error);
        // It was one call that failed: another try is as if it had not been.
        open().unwrap()
    });
    let script = Script {
        name: &format!("run-{}", orders.seed),
        rolls: orders.task == "roll",
    };
    if orders.task == DROP {
        script.work(&store);
        say("dropping");
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _last = store;
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
    } else {
        script.run(&store);
        drop(store);
    }
    say("ended");
}

/// A store in a directory of its own, and what is known of it.
struct Bench {
    _directory: tempfile::TempDir,
    path: PathBuf,
    known: Known,
    runs: u64,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The calls of the child are known by plain paths.
        let path = directory.path().canonicalize().unwrap().join("store");
        Self {
            _directory: directory,
            path,
            known: Known::default(),
            runs: 0,
        }
    }

    /// As another one is, on a copy of its files.
    fn like(template: &Self) -> Self {
        let copy = Self {
            known: template.known.clone(),
            runs: template.runs,
            ..Self::new()
        };
        let copied = Command::new("cp")
            .arg("--archive")
            .args([&template.path, &copy.path])
            .status();
        assert!(copied.unwrap().success(), "the directory is copied");
        copy
    }

    /// One run of the child, with a fault at its call number `at`. `None` where that cannot be.
    fn run(&mut self, task: &str, at: u64, fault: Fault) -> Option<Run> {
        self.runs += 1;
        let mut command = child::command(&self.path, task, self.runs);
        let run = tracer::run(&mut command, &self.path, at, fault)?;
        assert!(!run.hung, "call {at}, {:?}: it hangs", run.met);
        for line in &run.said {
            self.known.hear(line);
        }
        self.known.next_round();
        Some(run)
    }

    /// Twice: after the crash, and after the close that the first check ends with.
    fn check(&mut self) {
        self.known.check(&self.path);
        self.known.check(&self.path);
    }
}

/// Which calls of a run to stop at: some of them, beginning anywhere, or every one.
struct Points {
    next: u64,
    step: u64,
    end: u64,
}

impl Points {
    /// Of about `calls`, at most `sample`; all of them if that is wanted, until none is met.
    fn of(calls: usize, sample: u64, draw: &mut Draw) -> Self {
        let calls = u64::try_from(calls).unwrap();
        let wanted = std::env::var(POINTS).unwrap_or_default();
        if wanted == "all" {
            return Self {
                next: 1,
                step: 1,
                end: u64::MAX,
            };
        }
        let step = calls.div_ceil(wanted.parse().unwrap_or(sample)).max(1);
        Self {
            next: 1 + draw.below(step),
            step,
            end: calls,
        }
    }

    /// Runs `at` for each of them until it meets no call any more; gives how many it has met.
    fn each(self, mut at: impl FnMut(u64) -> bool) -> u64 {
        let mut met = 0;
        let mut next = self.next;
        while next <= self.end && at(next) {
            met += 1;
            next += self.step;
        }
        met
    }
}

/// Prints where a check fails, which the check itself cannot know.
fn at_point<T>(at: u64, run: &Run, check: impl FnOnce() -> T) -> T {
    let place = format!("call {at}, {:?}", run.met);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or_else(|failed| {
        eprintln!(
            "**** after a fault at {place}, of a child that said {:#?}",
            run.said
        );
        std::panic::resume_unwind(failed)
    })
}

/// A run of the child without a fault; gives its calls.
fn calls(bench: &mut Bench, task: &str) -> Option<usize> {
    let run = bench.run(task, 0, Fault::Kill)?;
    assert_eq!(run.code, Some(0), "{:?}", run.said);
    assert_eq!(run.said.last().map(String::as_str), Some("ended"));
    assert!(
        task != "roll" || run.said.iter().any(|line| line == "dropped 1"),
        "a segment is filled and removed: {:?}",
        run.said
    );
    bench.check();
    Some(run.calls.len())
}

/// Stores that were killed at some call while they were worked on.
fn templates(calls: usize, draw: &mut Draw) -> Option<Vec<Bench>> {
    let mut killed = Vec::new();
    for part in 0..3 {
        let third = u64::try_from(calls / 3).unwrap();
        let mut bench = Bench::new();
        let at = 1 + part * third + draw.below(third);
        bench.run("roll", at, Fault::Kill)?;
        killed.push(bench);
    }
    Some(killed)
}

#[test]
fn a_new_store_survives_a_kill_at_every_call() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let Some(calls) = calls(&mut Bench::new(), "roll") else {
        return;
    };
    let met = Points::of(calls, 20, &mut draw).each(|at| {
        let mut bench = Bench::new();
        let run = bench.run("roll", at, Fault::Kill).unwrap();
        at_point(at, &run, || bench.check());
        run.met.is_some()
    });
    println!("{met} kills, of about {calls} calls of a new store");
    assert!(met > 5, "the child is killed");
}

/// Each store is killed while it recovers from a kill, and its recovery again.
#[test]
fn a_store_that_recovers_survives_a_kill_at_every_call() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let Some(first) = calls(&mut Bench::new(), "roll") else {
        return;
    };
    let templates = templates(first, &mut draw).unwrap();
    let calls = calls(&mut Bench::like(&templates[1]), "mix").unwrap();
    let met = Points::of(calls, 12, &mut draw).each(|at| {
        let turn = usize::try_from(at).unwrap() % templates.len();
        let mut bench = Bench::like(&templates[turn]);
        let run = bench.run("mix", at, Fault::Kill).unwrap();
        let again = 1 + draw.below(u64::try_from(calls).unwrap());
        let second = bench.run("mix", again, Fault::Kill).unwrap();
        at_point(at, &run, || at_point(again, &second, || bench.check()));
        run.met.is_some()
    });
    println!("{met} kills and as many after them, of about {calls} calls of a store that recovers");
    assert!(met > 5, "the child is killed");
}

/// What one failed call has come to.
fn outcome(run: &Run) -> &'static str {
    let errors = run
        .said
        .iter()
        .filter_map(|line| line.strip_prefix("error "));
    let mut told = "nobody was told";
    for error in errors {
        let mut words = error.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("Io" | "AtCapacity", "open") => return "open was refused",
            (kind, "open") => panic!("open was refused as {kind}"),
            ("Poisoned", _) => return "the store was poisoned",
            ("Io" | "AtCapacity", "namespace") => told = "the namespace was refused",
            ("Io" | "AtCapacity", "close") => told = "close said so",
            ("AtCapacity", "claim") => told = "claims were refused",
            other => panic!("{other:?}: {error}"),
        }
    }
    told
}

/// Whether a call may fail and nobody is told: it deletes what is no segment, its file is deleted in
/// the same run (what was made ahead of need, at close), or the disk is full and it works ahead.
fn may_be_silent(run: &Run, call: &Call, error: Errno) -> bool {
    let deletes = |call: &Call| call.name.starts_with("unlink");
    let is_ahead = call.thread == "hapax-janitor" || call.thread.starts_with("sled-io");
    let is_deleted = |other: &Call| deletes(other) && other.path == call.path;
    deletes(call) || run.calls.iter().any(is_deleted) || (error == Errno::ENOSPC && is_ahead)
}

/// After the first answer that the store is poisoned, nothing is granted or acknowledged.
fn nothing_after_poison(run: &Run) {
    let is_poison = |line: &&String| line.starts_with("error Poisoned");
    let after = run.said.iter().skip_while(|line| !is_poison(line));
    let changes = [
        "granted",
        "completed",
        "released",
        "checkpoint",
        "forgotten",
    ];
    for line in after {
        let verb = line.split(' ').next().unwrap();
        assert!(
            !changes.contains(&verb),
            "after the store was poisoned: {line}"
        );
    }
}

/// Makes calls fail, one in each run, and holds the child and the store to what was promised.
fn failing(
    template: Option<&Bench>,
    task: &str,
    calls: usize,
    sample: u64,
    error: Errno,
    draw: &mut Draw,
) {
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let met = Points::of(calls, sample, draw).each(|at| {
        let mut bench = template.map_or_else(Bench::new, Bench::like);
        let run = bench.run(task, at, Fault::Error(error)).unwrap();
        at_point(at, &run, || {
            assert_eq!(
                run.code,
                Some(0),
                "the child ends by itself, without a panic"
            );
            nothing_after_poison(&run);
            bench.check();
        });
        let Some(call) = &run.met else { return false };
        let file = call.path.rsplit('/').next().unwrap();
        let thread = call.thread.trim_end_matches(|c: char| c.is_ascii_digit());
        let told = outcome(&run);
        let what = format!("{} {file} by {thread}: {told}", call.name);
        assert!(
            told != "nobody was told" || may_be_silent(&run, call, error),
            "{call:?} failed with {error} at {at}, and nobody was told: {:#?}",
            run.said
        );
        *outcomes.entry(what).or_default() += 1;
        true
    });
    println!("{met} times {error}, of about {calls} calls: {outcomes:#?}");
    assert!(met > sample / 3, "calls fail");
}

#[test]
fn one_failed_call_is_told_and_loses_nothing() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let Some(first) = calls(&mut Bench::new(), "roll") else {
        return;
    };
    failing(None, "roll", first, 12, Errno::EIO, &mut draw);
    failing(None, "roll", first, 8, Errno::ENOSPC, &mut draw);
}

#[test]
fn one_failed_call_of_a_recovery_is_told_and_loses_nothing() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let Some(first) = calls(&mut Bench::new(), "roll") else {
        return;
    };
    let templates = templates(first, &mut draw).unwrap();
    let calls = calls(&mut Bench::like(&templates[2]), "mix").unwrap();
    failing(Some(&templates[2]), "mix", calls, 12, Errno::EIO, &mut draw);
    failing(
        Some(&templates[1]),
        "mix",
        calls,
        8,
        Errno::ENOSPC,
        &mut draw,
    );
}

/// The last calls of a store are made while it is dropped, with nobody to be told.
#[test]
fn a_call_that_fails_while_the_store_is_dropped_is_no_panic() {
    if Orders::read().is_some() {
        return;
    }
    let mut plain = Bench::new();
    let Some(run) = plain.run(DROP, 0, Fault::Kill) else {
        return;
    };
    plain.check();
    let calls = u64::try_from(run.calls.len()).unwrap();
    let mut dropping = 0;
    // The last call of all comes first; the work before it is not this test's.
    for at in (1..=calls).rev() {
        let mut bench = Bench::new();
        let run = bench.run(DROP, at, Fault::Error(Errno::EIO)).unwrap();
        let is_late = run.said[..run.said_before]
            .last()
            .is_some_and(|line| line == "dropping");
        at_point(at, &run, || {
            assert_eq!(
                run.code,
                Some(0),
                "the child ends by itself, without a panic"
            );
            assert_eq!(run.said.last().map(String::as_str), Some("ended"));
            bench.check();
        });
        dropping += u64::from(is_late);
        if run.met.is_some() && !is_late {
            break;
        }
    }
    println!("{dropping} failed calls of a store that is dropped");
    assert!(dropping > 3, "its last calls fail");
}
