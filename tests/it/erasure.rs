//! What is forgotten leaves no byte behind after a compaction.

use std::path::Path;
use std::time::Duration;

use hapax::{Claim, ClaimOptions, LogKind, Policy, Store};

const KEY: &str = "patient-4711-at-the-clinic";
const ANSWER: &str = "a diagnosis that no other person may read";
const METADATA: &str = "trace of the nurse on duty";

fn open(path: &Path, log: LogKind) -> Store {
    Store::builder(path).log_kind(log).open().unwrap()
}

/// How often a text stands in the files of a directory and of those in it.
fn count(path: &Path, text: &str) -> usize {
    let entries = std::fs::read_dir(path).unwrap();
    let of_entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return count(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        let windows = bytes.windows(text.len());
        windows.filter(|window| *window == text.as_bytes()).count()
    };
    entries.map(of_entry).sum()
}

fn complete(store: &Store, key: &str) {
    let space = store.namespace("clinic", Policy::at_most_once()).unwrap();
    let options = ClaimOptions::new().metadata(METADATA);
    match space.claim_with(key, options).unwrap() {
        Claim::Granted(lease) => lease.complete(ANSWER).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn forget(store: &Store) {
    let space = store.namespace("clinic", Policy::at_most_once()).unwrap();
    assert!(space.forget(KEY).unwrap());
}

fn nothing_is_left(path: &Path) {
    for text in [KEY, ANSWER, METADATA] {
        assert_eq!(count(path, text), 0, "{text:?}");
    }
}

/// `forget` wrote the key once more, and `compact` skipped the segment in use: the bytes of a
/// forgotten key stayed until another key came along.
#[test]
fn a_forgotten_key_is_gone_when_compact_says_so() {
    for log in [LogKind::Sled, LogKind::Files] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = open(&path, log);
        complete(&store, KEY);
        let written = count(&path, KEY);
        assert!(written > 0 && count(&path, ANSWER) > 0, "{log:?}");
        forget(&store);
        store.sync().unwrap();
        assert_eq!(
            count(&path, KEY),
            written,
            "{log:?}: forgetting writes no key"
        );
        let compacted = store.compact().unwrap();
        assert!(compacted.is_complete(), "{log:?}");
        nothing_is_left(&path);
        let segments = store.stats().segments();
        assert!(store.compact().unwrap().is_complete(), "{log:?}");
        assert_eq!(
            store.stats().segments(),
            segments,
            "{log:?}: nothing was left to do"
        );
        store.validate();
        store.close().unwrap();
        nothing_is_left(&path);
        let store = open(&path, log);
        let space = store.open_namespace("clinic").unwrap();
        assert!(space.get(KEY).unwrap().is_none(), "{log:?}");
        store.validate();
    }
}

/// The newest segment of an earlier life counted as the segment in use.
#[test]
fn what_an_earlier_life_has_forgotten_goes_too() {
    for log in [LogKind::Sled, LogKind::Files] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = open(&path, log);
        complete(&store, "another");
        complete(&store, KEY);
        forget(&store);
        store.close().unwrap();
        let store = open(&path, log);
        let space = store.open_namespace("clinic").unwrap();
        assert!(
            space.get(KEY).unwrap().is_none(),
            "{log:?}: it stays forgotten"
        );
        assert!(store.compact().unwrap().is_complete(), "{log:?}");
        assert_eq!(count(&path, KEY), 0, "{log:?}");
        assert!(space.get("another").unwrap().is_some(), "{log:?}: it lives");
        store.validate();
        store.close().unwrap();
        let store = open(&path, log);
        let space = store.open_namespace("clinic").unwrap();
        assert!(space.get(KEY).unwrap().is_none(), "{log:?}");
        assert!(space.get("another").unwrap().is_some(), "{log:?}: it lives");
        store.validate();
    }
}

/// What has expired is erased like what was forgotten.
#[test]
fn what_has_expired_goes_too() {
    let clock = hapax::testing::ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    let second = Duration::from_secs(1);
    let policy = Policy::at_least_once().lease(second).retention(second * 5);
    let space = store.namespace("clinic", policy).unwrap();
    space.insert(KEY).unwrap();
    clock.advance(second * 7);
    let compacted = store.compact().unwrap();
    assert!(compacted.is_complete() && compacted.segments_dropped() > 0);
    assert!(!space.contains(KEY).unwrap());
    store.validate();
}
