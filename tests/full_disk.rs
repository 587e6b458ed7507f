//! A disk that fills up: nothing acknowledged is lost, and the store opens again on the full disk.
//!
//! Needs root for a small file system of its own; elsewhere it says loudly that it was skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use hapax::{Claim, ErrorKind, Limits, Policy, Store};

/// A file system in memory that holds little.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let size = format!("size={mebibytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "hapax-test"])
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

/// Claims and completes keys until the store has no room; gives how many were acknowledged.
fn fill(store: &Store) -> (u32, Vec<ErrorKind>) {
    let jobs = store
        .namespace("jobs", Policy::at_most_once())
        .expect("a namespace");
    let mut refusals = Vec::new();
    let mut acknowledged = 0;
    for key in 0..100_000_u32 {
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

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk"), 150) else {
        eprintln!(
            "**** SKIPPED: a_full_disk_refuses_and_loses_nothing needs root to mount a small file system"
        );
        return;
    };
    let path = disk.0.join("store");
    // The floor out of the way, so that writes meet the end of the disk itself.
    let open = || {
        Store::builder(&path)
            .limits(Limits::new().free_disk_bytes(1))
            .open()
    };
    let store = open().expect("there is room at first");
    let (acknowledged, refusals) = fill(&store);
    assert!(acknowledged > 100, "{acknowledged} keys fit the disk");
    let expected = [ErrorKind::AtCapacity, ErrorKind::Poisoned];
    assert!(
        refusals.iter().all(|kind| expected.contains(kind)),
        "{refusals:?}"
    );
    check(&store, acknowledged);
    drop(store);

    let store = open().expect("the reserve makes room to open it");
    check(&store, acknowledged);
    store.verify().expect("every byte is as it was");
}
