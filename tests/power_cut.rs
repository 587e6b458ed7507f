//! Power cuts, one after the other, on one directory, on ext4 and on xfs.
//!
//! A child works on a store in a file system on a loop device. At a moment of the parent's choice
//! the file system is shut down without a flush of its log, so that nothing reaches the image
//! that was not synced; it is mounted again, and the store is held to what it acknowledged before.
//! Needs root, loop devices, `mkfs.ext4`, `mkfs.xfs` and `xfs_io`; elsewhere it says loudly that it
//! was skipped. `HAPAX_CUTS=n` makes n cuts for each file system, half of them with each kind of log.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]
#![cfg(target_os = "linux")]

mod rig;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use hapax::{Claim, Durability, ErrorKind, KeyState, LogKind, Namespace, Policy, Store};

use rig::Draw;
use rig::child::{self, LOGS, Orders, say};
use rig::disk::Disk;
use rig::known::Known;

const CUTS: &str = "HAPAX_CUTS";

/// The window of the store that does not sync each change.
const WINDOW: Duration = Duration::from_millis(40);

const INTERVAL: &str = "interval";

/// The task of a child that moves its store back and forth between the logs.
const MOVE: &str = "move";

/// A store that remembers all its keys is replaced after this many cuts, before it fills the disk.
const CUTS_OF_ONE: u64 = 12;

/// The child. Run as a plain test, it does nothing.
#[test]
fn child() {
    let Some(orders) = Orders::read() else {
        return;
    };
    say("start");
    if orders.task == INTERVAL {
        return hurry(&orders);
    }
    if orders.task == MOVE {
        return move_to_and_fro(&orders.directory);
    }
    match orders.store().open() {
        Ok(store) => rig::work::work(&store, orders.seed, true),
        Err(error) => say(&format!("error {:?}", error.kind())),
    }
}

/// How many cuts each kind of log gets.
fn cuts() -> u64 {
    let all: u64 = std::env::var(CUTS).map_or(6, |cuts| cuts.parse().unwrap());
    all.div_ceil(2)
}

/// The file systems that can be made here.
fn disks(test: &str) -> Vec<Disk> {
    let make = |kind| {
        Disk::make(kind)
            .inspect_err(|missing| rig::skipped::skipped(&format!("{test} on {kind}: {missing}")))
            .ok()
    };
    ["ext4", "xfs"].into_iter().filter_map(make).collect()
}

/// Each disk with each kind of log, on its own medium.
fn with_each_log(disks: Vec<Disk>) -> impl Iterator<Item = (Disk, LogKind)> {
    disks.into_iter().flat_map(|disk| {
        let other = Disk::make(disk.kind()).unwrap();
        [disk, other].into_iter().zip(LOGS)
    })
}

/// Stops a child where it is, as a power cut would: what it learns after the cut reaches no caller.
///
/// It used to go on until it was killed. An `fdatasync` in progress could then return success
/// although the file system had been shut down before it had noted the data, and the child
/// acknowledged what was lost. A thread that is within such a call stops on its way out of it.
fn freeze(child: &Child) {
    let pid = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    let is_frozen = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        threads.map(|thread| thread.unwrap().path()).all(|thread| {
            // One that has just ended says nothing any more.
            let stat = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
            let state = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.chars().next());
            state.is_none_or(|state| "TDZX".contains(state))
        })
    };
    while !is_frozen() {
        std::thread::yield_now();
    }
}

/// Lets a child work, cuts the power once it has said `lines`, and returns all that it said.
fn cut_at(
    disk: &mut Disk,
    directory: &Path,
    (task, log): (&str, LogKind),
    lines: u64,
    draw: &mut Draw,
) -> Vec<String> {
    let (mut child, mut out) = child::spawn(directory, task, log, draw.below(1 << 30));
    let mut said = Vec::new();
    while let Some(line) = child::next_line(&mut out) {
        said.push(line);
        if said.len() as u64 == lines {
            (0..draw.below(2_000_000)).for_each(|_| std::hint::spin_loop());
            freeze(&child);
            disk.cut();
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        said.len() as u64 >= lines,
        "the child ended on its own: {:?}",
        said.last()
    );
    disk.restart();
    said
}

/// How much the child says before the cut: some cuts come while it opens the store.
fn lines(draw: &mut Draw, number: u64) -> u64 {
    match number % 3 {
        1 => 1 + draw.below(2),
        _ => 100 + draw.below(200),
    }
}

#[test]
fn nothing_acknowledged_under_sync_is_lost_by_a_power_cut() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let disks = disks("nothing_acknowledged_under_sync_is_lost_by_a_power_cut");
    for (mut disk, log) in with_each_log(disks) {
        let path = disk.root().join("store");
        let mut known = Known::default();
        for number in 0..cuts() {
            let lines = lines(&mut draw, number);
            for line in cut_at(&mut disk, &path, ("work", log), lines, &mut draw) {
                known.hear(&line);
            }
            known.next_round();
            // Some cuts follow on each other, with no clean close between them.
            if number % 2 == 0 {
                known.check(&path);
            }
        }
        known.check(&path);
        println!(
            "{}, {log:?}: {} cuts, {} acknowledgements, {} completed",
            disk.kind(),
            cuts(),
            known.acknowledged,
            known.completed.len()
        );
        assert!(known.completed.len() > 50, "the children completed keys");
    }
}

/// Completes keys as fast as it can, and tells for each when it began and when it had its answer.
#[expect(clippy::disallowed_methods, reason = "the window is one of real time")]
fn hurry(orders: &Orders) {
    let seed = orders.seed;
    let began = Instant::now();
    let micros = || began.elapsed().as_micros();
    let builder = orders.store().durability(Durability::Interval(WINDOW));
    let run = || -> Result<(), hapax::Error> {
        let store = builder.clone().open()?;
        let space = store.namespace("fast", Policy::at_least_once())?;
        say("open");
        for step in 0..u64::MAX {
            let key = format!("{seed}-{step}");
            let before = micros();
            let Claim::Granted(lease) = space.claim(&key)? else {
                panic!("{key} is new")
            };
            lease.complete(vec![7; if step % 64 == 0 { 200_000 } else { 20 }])?;
            say(&format!("completed {key} {before} {}", micros()));
        }
        Ok(())
    };
    if let Err(error) = run() {
        say(&format!("error {:?}", error.kind()));
        assert_ne!(error.kind(), ErrorKind::Damaged, "{error}");
    }
}

/// The acknowledged changes of one run, oldest first: key, microseconds before and after.
fn changes(said: &[String]) -> Vec<(String, u64, u64)> {
    let change = |line: &String| {
        let mut words = line.strip_prefix("completed ")?.split(' ');
        let mut word = || words.next().unwrap();
        Some((
            word().to_owned(),
            word().parse().unwrap(),
            word().parse().unwrap(),
        ))
    };
    said.iter().filter_map(change).collect()
}

/// Only the last acknowledged changes are lost, and no more than the window allows.
fn hold_to_window(space: &Namespace, changes: &[(String, u64, u64)]) -> usize {
    let is_there = |key: &str| {
        let info = space.get(key).unwrap();
        info.is_some_and(|info| info.state() == KeyState::Completed)
    };
    let lost: Vec<_> = changes
        .iter()
        .filter(|change| !is_there(&change.0))
        .collect();
    let Some((first, last)) = lost.first().zip(lost.last()) else {
        return 0;
    };
    let end = changes
        .iter()
        .position(|change| change.0 == first.0)
        .unwrap();
    assert_eq!(
        lost.len(),
        changes.len() - end,
        "what is lost is one end of the log"
    );
    let micros = u128::from(last.1.saturating_sub(first.2));
    assert!(
        micros <= WINDOW.as_micros(),
        "{} changes are lost, acknowledged over {micros} microseconds",
        lost.len()
    );
    lost.len()
}

#[test]
fn an_interval_store_loses_at_most_its_window() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let disks = disks("an_interval_store_loses_at_most_its_window");
    for (mut disk, log) in with_each_log(disks) {
        let mut durable = HashSet::new();
        let mut losses = BTreeMap::new();
        for number in 0..cuts() {
            let path = disk.root().join(format!("store-{}", number / CUTS_OF_ONE));
            if number % CUTS_OF_ONE == 0 && number > 0 {
                let full = disk
                    .root()
                    .join(format!("store-{}", number / CUTS_OF_ONE - 1));
                std::fs::remove_dir_all(full).unwrap();
                durable.clear();
            }
            // Several thousand changes can lie within one window; the last cut comes long after it.
            let lines = if number + 1 == cuts() {
                40_000
            } else {
                3 + draw.below(20_000)
            };
            let said = cut_at(&mut disk, &path, (INTERVAL, log), lines, &mut draw);
            let changes = changes(&said);
            let store = Store::open(&path).unwrap();
            store.validate();
            store.verify().unwrap();
            let space = store.namespace("fast", Policy::at_least_once()).unwrap();
            let lost = hold_to_window(&space, &changes);
            losses.insert(number, (changes.len(), lost));
            // What was there after one cut is there after the next.
            for key in &durable {
                assert!(space.get(key).unwrap().is_some(), "{key} was there before");
            }
            let kept = &changes[..changes.len() - lost];
            durable.extend(kept.iter().map(|change| change.0.clone()));
            store.close().unwrap();
        }
        println!(
            "{}, {log:?}: acknowledged and lost, by cut: {losses:?}",
            disk.kind()
        );
        assert!(durable.len() > 50, "the children completed keys");
    }
}

/// Moves without end; ends at the first error.
fn move_to_and_fro(directory: &Path) {
    for to in LOGS.into_iter().cycle() {
        match Store::move_log(directory, to) {
            Ok(_) => say("moved"),
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::Damaged, "{error}");
                return say(&format!("error {:?}", error.kind()));
            }
        }
    }
}

#[test]
fn a_store_that_moves_is_whole_after_a_power_cut() {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    for mut disk in disks("a_store_that_moves_is_whole_after_a_power_cut") {
        let path = disk.root().join("store");
        let mut known = Known::default();
        let log = LogKind::Files;
        for line in cut_at(&mut disk, &path, ("work", log), 300, &mut draw) {
            known.hear(&line);
        }
        known.next_round();
        known.check(&path);
        let mut moves = 0;
        for _ in 0..2 * cuts() {
            let lines = 1 + draw.below(5);
            let said = cut_at(&mut disk, &path, (MOVE, log), lines, &mut draw);
            moves += said.iter().filter(|line| *line == "moved").count();
            known.check(&path);
        }
        println!("{}: {} cuts, {moves} moves", disk.kind(), 2 * cuts());
    }
}
