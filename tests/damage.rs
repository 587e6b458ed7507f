//! Damage, image after image: every file of a store is changed, cut short, deleted or exchanged. Then
//! `open` and reading every key give a typed error or everything that was acknowledged, and
//! `Store::salvage` saves every key whose frames are left, admits what it lost, and changes nothing.
//!
//! A sample by default; `HAPAX_DAMAGE=all` takes 256 offsets of every file, `HAPAX_DAMAGE=<bytes>`
//! takes one offset every that many bytes. `HAPAX_SEED=<number>` repeats a sample.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "damage/harm.rs"]
mod harm;
#[path = "damage/judge.rs"]
mod judge;
#[path = "damage/stores.rs"]
mod stores;

use std::hash::{BuildHasher, Hasher};
use std::sync::mpsc;
use std::time::Duration;

use hapax::LogKind;
use harm::{Harm, Spot};
use judge::{Counts, judge};
use stores::Base;

/// A case that takes longer counts as a hang.
const CASE_MAX: Duration = Duration::from_secs(60);

/// The most memory that the whole run may take at once.
const MEMORY_MAX_KIB: u64 = 1 << 20;

/// A small generator, so that a run can be repeated from its seed.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

fn seed() -> u64 {
    let given = std::env::var("HAPAX_SEED").ok();
    let seed = given.map_or_else(
        || {
            let random = std::hash::RandomState::new().build_hasher().finish();
            random % 1_000_000_000
        },
        |seed| seed.parse().expect("HAPAX_SEED is a number"),
    );
    println!("HAPAX_SEED={seed}");
    seed
}

/// Harms one image after the other, each under a watchdog.
fn sweep(base: &Base, harms: Vec<Harm>) -> Counts {
    let mut counts = Counts::default();
    for harm in harms {
        let (done, verdict) = mpsc::channel();
        let case = base.clone();
        let told = format!("{}: {harm:?}", base.name);
        let worker = std::thread::Builder::new()
            .name("case".to_owned())
            .spawn(move || {
                let verdict = judge(&case, &harm);
                let _ = done.send(());
                verdict
            })
            .unwrap();
        if verdict.recv_timeout(CASE_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{told}: no end after {CASE_MAX:?}");
            std::process::abort();
        }
        match worker.join() {
            Ok(verdict) => counts.add(verdict),
            Err(_) => panic!("{told}: see the panic above"),
        }
    }
    println!("{}: {counts:?}", base.name);
    counts
}

fn check_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        eprintln!("SKIPPED: the most memory in use is not known on this system");
        return;
    };
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = peak.unwrap().parse().unwrap();
    println!("at most {kib} KiB of memory");
    assert!(kib < MEMORY_MAX_KIB, "{kib} KiB");
}

/// A full sweep, or a sample with `per_file` changes to each file.
fn run(base: &Base, other: &Base, per_file: u64) {
    let harms = match std::env::var("HAPAX_DAMAGE").as_deref() {
        Err(_) => harm::sample(base, other, per_file, &mut Draw(seed())),
        Ok("all") => harm::all(base, other, None),
        Ok(bytes) => {
            let stride: usize = bytes.parse().expect("HAPAX_DAMAGE is `all` or a number");
            harm::all(base, other, Some(stride))
        }
    };
    let counts = sweep(base, harms);
    assert!(
        counts.complete > 0 && counts.refused > 0,
        "a sweep that meets only one answer shows nothing: {counts:?}"
    );
    assert!(
        base.is_as_it_was(),
        "an image has changed what it came from"
    );
    check_memory();
}

const LOGS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

/// For each kind of log, a store of this sort; foreign files come from a store of another sort.
fn run_each(sort: fn(LogKind) -> Base, other: fn(LogKind) -> Base, per_file: u64) {
    for log in LOGS {
        println!("{log:?}");
        run(&sort(log), &other(log), per_file);
    }
}

#[test]
fn a_small_store_that_was_never_reopened() {
    run_each(stores::small, stores::reopened, 7);
}

#[test]
fn a_store_of_several_runs_with_large_bodies() {
    run_each(stores::reopened, stores::small, 4);
}

#[test]
fn a_store_whose_process_was_killed() {
    run_each(stores::killed, stores::small, 7);
}

#[test]
fn a_store_whose_oldest_segment_is_being_removed() {
    run_each(stores::compacting, stores::small, 5);
}

#[test]
fn a_store_of_full_segments() {
    run_each(stores::rolled, stores::small, 1);
}

/// Foreign files are those of the log that it came from.
#[test]
fn a_store_that_was_moved_to_the_other_log() {
    run(
        &stores::moved(LogKind::Files),
        &stores::small(LogKind::Files),
        4,
    );
    run(
        &stores::moved(LogKind::Sled),
        &stores::moved(LogKind::Files),
        4,
    );
}

#[test]
fn an_undamaged_image_is_complete() {
    let sorts = [
        stores::small,
        stores::reopened,
        stores::killed,
        stores::compacting,
        stores::moved,
    ];
    for (sort, log) in sorts
        .into_iter()
        .flat_map(|sort| LOGS.map(|log| (sort, log)))
    {
        let base: Base = sort(log);
        let counts = sweep(&base, vec![Harm::None]);
        assert_eq!((counts.complete, counts.whole), (1, 1), "{counts:?}");
    }
}

#[test]
fn verify_finds_damage_that_came_while_the_store_was_open() {
    LOGS.into_iter().for_each(verify_finds_damage);
}

fn verify_finds_damage(log: LogKind) {
    let base = stores::reopened(log);
    let image = base.image();
    let store = base.open(image.path()).unwrap();
    store.verify().unwrap();
    let (file, extent) = base.frames_of_segment(1).next().unwrap();
    harm::change(image.path(), &file, Spot::Flip(extent.start + 100));
    let error = store.verify().unwrap_err();
    assert_eq!(error.kind(), hapax::ErrorKind::Damaged);
    let text = error.to_string();
    let place = match log {
        LogKind::Files => "frame 1 is missing or damaged",
        _ => "0000000000000001 has another frame 0",
    };
    assert!(text.contains(place), "{error}");
}
