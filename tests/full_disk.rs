//! A disk that fills up: nothing acknowledged is lost, and the store opens again on the full disk.
//!
//! Needs root for its own small file system; elsewhere it says loudly that it was skipped.

#[path = "rig/skipped.rs"]
mod skipped;

use std::path::{Path, PathBuf};
use std::process::Command;

use hapax::{Claim, ErrorKind, Limits, LogKind, Namespace, Policy, Store};

use crate::skipped::skipped;

/// A small file system in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        Self::mount_with(at, &format!("size={mebibytes}m"))
    }

    fn mount_with(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "hapax-test"])
            .arg(at)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Claims and completes keys until the store has no room; returns how many were acknowledged.
fn fill(store: &Store, most: u32) -> (u32, Vec<ErrorKind>) {
    let jobs = store
        .namespace("jobs", Policy::at_most_once())
        .expect("a namespace");
    let mut refusals = Vec::new();
    let mut acknowledged = 0;
    for key in 0..most {
        let lease = match jobs.claim(key.to_string()) {
            Ok(Claim::Granted(lease)) => lease,
            Ok(other) => panic!("{key} is new: {other:?}"),
            Err(error) => {
                refusals.push(error.kind());
                break;
            }
        };
        if let Err(error) = lease.complete(vec![7; 60_000]) {
            refusals.push(error.kind());
            break;
        }
        acknowledged = key + 1;
    }
    (acknowledged, refusals)
}

fn check(store: &Store, acknowledged: u32) {
    let jobs = store
        .namespace("jobs", Policy::at_most_once())
        .expect("a namespace");
    for key in 0..acknowledged {
        let answer = jobs
            .claim(key.to_string())
            .unwrap_or_else(|error| panic!("{key} of {acknowledged}: {error:?}"));
        let Claim::Completed(answer) = answer else {
            panic!("{key} was acknowledged: {answer:?}")
        };
        assert_eq!(answer.response().len(), 60_000);
    }
}

const LOGS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    LOGS.into_iter().for_each(fill_disk);
}

fn fill_disk(log: LogKind) {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk"), 150) else {
        skipped("a_full_disk_refuses_and_loses_nothing needs root to mount a small file system");
        return;
    };
    let path = disk.0.join("store");
    // The floor out of the way, so that writes meet the end of the disk itself.
    let open = || {
        Store::builder(&path)
            .log_kind(log)
            .limits(Limits::new().free_disk_bytes(1))
            .open()
    };
    let store = open().expect("there is room at first");
    let (acknowledged, refusals) = fill(&store, 100_000);
    assert!(acknowledged > 100, "{acknowledged} keys fit the disk");
    // Before the effect: a fast writer once hit the end of the disk between two checks of it, and
    // the completion poisoned the store.
    assert_eq!(refusals, [ErrorKind::AtCapacity], "a claim is refused");
    assert!(store.health().is_alive(), "{}", store.health());
    check(&store, acknowledged);
    store.close().expect("all of it is durable");
    drop(store);

    let store = open().expect("the reserve makes room to open it");
    check(&store, acknowledged);
    store.verify().expect("every byte is as it was");
}

/// Tries new keys until a claim is answered as wanted; the store looks at the disk once a second.
fn wait_for(jobs: &Namespace, part: &str, is_granted: bool) {
    for step in 0..3000_u32 {
        match jobs.claim(format!("{part}-{step}")) {
            Ok(Claim::Granted(lease)) => {
                lease.complete("small").expect("there is room for it");
                if is_granted {
                    return;
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
                if !is_granted {
                    return;
                }
            }
            Ok(other) => panic!("a new key: {other:?}"),
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("{part}: the store does not notice how full the disk is");
}

#[test]
fn at_the_floor_claims_are_refused_and_holders_complete() {
    LOGS.into_iter().for_each(come_to_the_floor);
}

fn come_to_the_floor(log: LogKind) {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk"), 300) else {
        skipped(
            "at_the_floor_claims_are_refused_and_holders_complete needs root to mount a small file system",
        );
        return;
    };
    let store = Store::builder(disk.0.join("store"))
        .log_kind(log)
        .limits(Limits::new().free_disk_bytes(60 << 20))
        .open()
        .expect("there is room at first");
    let jobs = store
        .namespace("jobs", Policy::at_most_once())
        .expect("a namespace");
    let held: Vec<_> = (0..10)
        .map(|number| match jobs.claim(format!("held-{number}")) {
            Ok(Claim::Granted(lease)) => lease,
            other => panic!("a new key: {other:?}"),
        })
        .collect();
    wait_for(&jobs, "before", true);
    // Another program fills the disk, down to two thirds of the floor.
    let ballast = disk.0.join("ballast");
    let free = rustix::fs::statvfs(&disk.0).expect("the disk is there");
    let taken = free.f_bavail * free.f_frsize - (40 << 20);
    std::fs::write(
        &ballast,
        vec![1; usize::try_from(taken).expect("it is small")],
    )
    .expect("there is room for it");
    wait_for(&jobs, "low", false);
    for lease in held {
        lease
            .complete(vec![7; 200_000])
            .expect("a holder can complete");
    }
    std::fs::remove_file(&ballast).expect("it is there");
    wait_for(&jobs, "again", true);
    for number in 0..10 {
        let answer = jobs.claim(format!("held-{number}")).expect("an answer");
        assert!(matches!(answer, Claim::Completed(_)), "{answer:?}");
    }
    store.close().expect("all of it is durable");
}

/// A file system without inodes: a store on sled could not prepare its next segment, noted that, and
/// forgot it in the same round. Claims went on, and a completion poisoned the store.
#[test]
fn without_inodes_claims_end_before_holders_do() {
    LOGS.into_iter().for_each(take_all_inodes);
}

fn take_all_inodes(log: LogKind) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = "size=400m,nr_inodes=200";
    let Some(disk) = SmallDisk::mount_with(&dir.path().join("disk"), options) else {
        skipped("without_inodes_claims_end_before_holders_do needs root to mount a file system");
        return;
    };
    let path = disk.0.join("store");
    let open = || {
        let limits = Limits::new().free_disk_bytes(0);
        Store::builder(&path).log_kind(log).limits(limits).open()
    };
    let store = open().expect("there is room at first");
    let jobs = store.namespace("jobs", Policy::at_most_once());
    let jobs = jobs.expect("a namespace");
    wait_for(&jobs, "before", true);
    let ballast = disk.0.join("ballast");
    std::fs::create_dir(&ballast).expect("there are inodes for it");
    let taken = (0..1000)
        .take_while(|number| std::fs::File::create(ballast.join(number.to_string())).is_ok())
        .count();
    assert!(taken < 1000, "the inodes end");
    // Some segments' worth, unless claims end before.
    let (acknowledged, refusals) = fill(&store, 3000);
    assert_eq!(refusals, [ErrorKind::AtCapacity], "{acknowledged} keys");
    let health = store.health();
    assert!(health.is_alive() && !health.is_ready(), "{health}");
    assert!(
        health.to_string().contains("preparing a segment"),
        "{health}"
    );
    check(&store, acknowledged);
    std::fs::remove_dir_all(&ballast).expect("it is there");
    wait_for(&jobs, "again", true);
    store.close().expect("all of it is durable");
    drop((jobs, store));
    let store = open().expect("it is whole");
    check(&store, acknowledged);
}

/// A disk with room for one copy of a store: the store stays where it was, and moves once the disk
/// has room.
#[test]
fn a_move_that_finds_no_room_leaves_the_store_where_it_was() {
    for (from, to) in [(LOGS[0], LOGS[1]), (LOGS[1], LOGS[0])] {
        let dir = tempfile::tempdir().expect("a directory");
        let Some(disk) = SmallDisk::mount(&dir.path().join("disk"), 200) else {
            skipped("a_move_that_finds_no_room needs root to mount a small file system");
            return;
        };
        let path = disk.0.join("store");
        let open = || {
            let builder = Store::builder(&path).log_kind(from);
            builder.limits(Limits::new().free_disk_bytes(1)).open()
        };
        let store = open().expect("there is room at first");
        let (acknowledged, _) = fill(&store, 1000);
        assert_eq!(acknowledged, 1000, "they fit the disk");
        store.close().expect("all of it is durable");
        let ballast = disk.0.join("ballast");
        std::fs::write(&ballast, vec![1; 80 << 20]).expect("there is room for it");

        let error = Store::move_log(&path, to).expect_err("there is no room for two");
        assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
        let store = open().expect("it lies where it was");
        check(&store, acknowledged);
        store.verify().expect("every byte is as it was");
        store.close().expect("all of it is durable");
        drop(store);

        std::fs::remove_file(&ballast).expect("it is there");
        Store::move_log(&path, to).expect("there is room now");
        let store = Store::open(&path).expect("it is whole");
        assert_eq!(store.log_kind(), Some(to));
        check(&store, acknowledged);
        store.verify().expect("every byte is as it was");
    }
}
