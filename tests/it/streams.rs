//! Standard streams that a process has closed: no file of a store takes their place.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hapax::audit::AuditLevel;
use hapax::{LogKind, Policy, Store};

use crate::logs::KINDS;

const DIRECTORY: &str = "HAPAX_STREAMS_DIRECTORY";
const LOG: &str = "HAPAX_STREAMS_LOG";

/// What lies behind the standard streams of this process.
fn streams() -> Vec<PathBuf> {
    let link = |number: i32| fs::read_link(format!("/proc/self/fd/{number}"));
    (0..3).filter_map(|number| link(number).ok()).collect()
}

fn close_streams() {
    for number in 0..3 {
        // It may be closed already.
        let _ = nix::unistd::close(number);
    }
}

/// The code of the step at which a file of the store was found where it must not be.
fn work(root: &Path, log: LogKind) -> i32 {
    let mut step = 0;
    let mut look = |store: &Store| {
        step += 1;
        // What the process prints now must not go into a file.
        println!("on standard output");
        eprintln!("on standard error");
        drop(store.sync());
        streams()
            .iter()
            .any(|path| path.starts_with(root))
            .then_some(step)
    };
    close_streams();
    let builder = Store::builder(root.join("store")).log_kind(log);
    let store = builder.segment_frames(4).open().unwrap();
    let policy = Policy::at_least_once().audit(AuditLevel::Keys);
    let space = store.namespace("mail", policy).unwrap();
    let mut found = look(&store);
    for key in 0..40_u8 {
        // As a daemon does that closes them after its start.
        if key == 10 {
            close_streams();
        }
        space.insert([key]).unwrap();
        store.sync().unwrap();
        found = found.or_else(|| look(&store));
    }
    for key in 0..20_u8 {
        space.forget([key]).unwrap();
    }
    close_streams();
    store.compact().unwrap();
    found = found.or_else(|| look(&store));
    store.backup(root.join("backup")).unwrap();
    found = found.or_else(|| look(&store));
    close_streams();
    store.close().unwrap();
    found.or_else(|| look(&store)).unwrap_or(0)
}

/// The process that closes its streams. Run as a plain test, it does nothing.
#[test]
fn closes_its_streams() {
    let Some(root) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let log = std::env::var(LOG).unwrap();
    let log = KINDS.into_iter().find(|kind| kind.to_string() == log);
    let root = PathBuf::from(root);
    let worked = std::panic::catch_unwind(|| work(&root, log.unwrap()));
    std::process::exit(worked.unwrap_or(101));
}

/// A process that had closed its standard streams opened a store, whose files got their numbers. The
/// next printed line went into a segment, and after a restart the store was damaged.
#[test]
fn what_is_printed_never_goes_into_a_store() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "streams::closes_its_streams", "--nocapture"])
            .env(DIRECTORY, &root)
            .env(LOG, log.to_string())
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(0), "{log:?}: {child:?}");
        let store = Store::open(root.join("store")).unwrap();
        store.verify().unwrap();
        store.verify_audit().unwrap();
        assert_eq!(store.stats().keys(), 20);
        let restored = root.join("restored");
        Store::restore(root.join("backup"), &restored).unwrap();
        assert_eq!(Store::open(&restored).unwrap().stats().keys(), 20);
    }
}
