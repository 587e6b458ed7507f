//! Several processes and one directory.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hapax::{Claim, ErrorKind, LogKind, Policy, Store};

use crate::logs::KINDS;

const DIRECTORY: &str = "HAPAX_HOLDER_DIRECTORY";
/// There if the store is to lie in plain files.
const LOG: &str = "HAPAX_HOLDER_FILES";

/// The other process: opens the store, leaves a key in progress, and holds on until it is killed.
/// Run as a plain test, it does nothing.
#[test]
fn holder() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let log = match std::env::var_os(LOG) {
        Some(_) => LogKind::Files,
        None => LogKind::Sled,
    };
    let store = Store::builder(directory).log_kind(log).open().unwrap();
    let space = store.namespace("most", Policy::at_most_once()).unwrap();
    let Claim::Granted(_lease) = space.claim("order").unwrap() else {
        panic!("granted")
    };
    let mut out = std::io::stdout().lock();
    out.write_all(b"@open\n").unwrap();
    out.flush().unwrap();
    // Until the parent closes its end or kills this process.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

fn hold(directory: &Path, log: LogKind) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if log == LogKind::Files {
        command.env(LOG, "");
    }
    let mut child = command
        .args([
            "--exact",
            "processes::holder",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("@open\n") {
        line.clear();
        assert_ne!(
            out.read_line(&mut line).unwrap(),
            0,
            "the holder opens the store"
        );
    }
    child
}

#[test]
fn a_second_process_is_told_which_one_has_the_store() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let mut child = hold(&path, log);
        for _ in 0..2 {
            let error = Store::open(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
            assert!(
                error
                    .to_string()
                    .contains(&format!("process {}", child.id())),
                "{error}"
            );
        }
        let waited = Store::builder(&path)
            .wait_for_lock(Duration::from_millis(50))
            .open();
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::Locked);

        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(&path).unwrap();
        let space = store.namespace("most", Policy::at_most_once()).unwrap();
        let Claim::InDoubt(doubt) = space.claim("order").unwrap() else {
            panic!("the effect of a process that was killed is unknown")
        };
        assert!(!doubt.holder_alive(), "its holder is gone");
    }
}

#[test]
fn a_process_that_waits_gets_the_store_when_the_other_one_is_killed() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let mut child = hold(&path, log);
        let waiting = {
            let path = path.clone();
            std::thread::Builder::new()
                .spawn(move || {
                    Store::builder(path)
                        .wait_for_lock(Duration::from_secs(60))
                        .open()
                })
                .unwrap()
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let store = waiting.join().unwrap().unwrap();
        store.validate();
    }
}

#[test]
fn a_second_handle_of_one_process_is_refused() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = Store::builder(&path).log_kind(log).open().unwrap();
        let error = Store::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        let pid = std::process::id();
        assert!(
            error.to_string().contains(&format!("process {pid}")),
            "{error}"
        );
        store.close().unwrap();
        let again = Store::open(&path).unwrap();
        assert_eq!(
            store.sync().unwrap_err().kind(),
            ErrorKind::Closed,
            "the old handle stays closed"
        );
        drop(store);
        again.sync().unwrap();
    }
}
