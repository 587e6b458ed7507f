//! A process without a free descriptor: its store goes on, says what troubles it, and heals.
//!
//! A server with a low limit and many idle connections runs out, and any client that connects to it can
//! cause this. One second without a descriptor used to poison the store, even without a call.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]
#![cfg(unix)]

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hapax::{Claim, LogKind, Namespace, Policy, Store, Trouble};
use rustix::process::{Resource, Rlimit, setrlimit};

const DIRECTORY: &str = "HAPAX_DESCRIPTORS_DIRECTORY";
const LOG: &str = "HAPAX_DESCRIPTORS_LOG";

/// Rounds of 10 ms before a state that does not come is a failure.
const ROUNDS: u32 = 6000;

/// The child, whose limit is lowered. Run as a plain test, it does nothing.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let log = match std::env::var(LOG).as_deref() {
        Ok("sled") => LogKind::Sled,
        _ => LogKind::Files,
    };
    let low = Rlimit {
        current: Some(96),
        maximum: Some(96),
    };
    setrlimit(Resource::Nofile, low).unwrap();
    let open = || Store::builder(&directory).log_kind(log).open();
    let store = open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_most_once()).unwrap();
    // The segment that takes frames is there, and the next one is prepared.
    for key in 0..10 {
        complete(&jobs, &format!("before-{key}"));
    }
    wait(&store, |store| store.health().to_string() == "ok");

    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(taken.len() > 10, "{} were free", taken.len());
    wait(&store, is_troubled);
    for key in 0..100 {
        complete(&jobs, &format!("without-{key}"));
    }
    let health = store.health();
    assert!(health.is_ready(), "{health}");
    assert!(
        health.to_string().contains("Too many open files"),
        "{health}"
    );
    let refused = store
        .backup(directory.with_extension("backup"))
        .unwrap_err();
    assert!(store.health().is_alive(), "{refused}");

    drop(taken);
    wait(&store, |store| store.health().to_string() == "ok");
    complete(&jobs, "after");
    store.validate();
    store.close().unwrap();
    drop((jobs, store));
    let store = open().unwrap();
    let jobs = store.open_namespace("jobs").unwrap();
    let keys = (0..10).map(|key| format!("before-{key}"));
    let keys = keys.chain((0..100).map(|key| format!("without-{key}")));
    for key in keys.chain(["after".to_owned()]) {
        let answer = jobs.claim(&key).unwrap();
        assert!(matches!(answer, Claim::Completed(_)), "{key}: {answer:?}");
    }
    store.verify().unwrap();
}

fn complete(jobs: &Namespace, key: &str) {
    let Claim::Granted(lease) = jobs.claim(key).unwrap() else {
        panic!("{key} is new")
    };
    lease.complete("done").unwrap();
}

fn is_troubled(store: &Store) -> bool {
    let health = store.health();
    assert!(health.is_alive(), "{health}");
    let mut troubles = health.troubles().iter();
    troubles.any(|trouble| matches!(trouble, Trouble::Upkeep { .. }))
}

fn wait(store: &Store, until: impl Fn(&Store) -> bool) {
    for _ in 0..ROUNDS {
        if until(store) {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("it stays {}", store.health());
}

#[test]
fn a_store_goes_on_without_descriptors_and_heals() {
    for log in ["sled", "files"] {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path().join("store"))
            .env(LOG, log)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}: {said}{complained}");
    }
}
