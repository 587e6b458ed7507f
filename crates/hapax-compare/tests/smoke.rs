//! Every engine that runs in this process really deduplicates, and the program measures them all.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use hapax_compare::engine::keys::{Key, fill};
use hapax_compare::engine::{Durability, Engine, Entry, Kind, Place};
use hapax_compare::engines::ENTRIES;
use tempfile::TempDir;

fn in_process() -> impl Iterator<Item = &'static Entry> {
    let here = |entry: &&Entry| entry.kind != Kind::Server && (entry.missing)().is_none();
    ENTRIES.iter().filter(here)
}

fn open(entry: &Entry, dir: &Path, durability: Durability) -> Box<dyn Engine> {
    let place = Place {
        dir: dir.to_owned(),
        server: None,
        durability,
    };
    (entry.open)(&place).unwrap_or_else(|error| panic!("{}: {error}", entry.name))
}

fn keys(from: u64, count: u64) -> Vec<Key> {
    let mut keys = Vec::new();
    fill(&mut keys, from, count);
    keys
}

#[test]
fn each_key_is_granted_once() {
    for entry in in_process() {
        for durability in [Durability::Interval, Durability::Sync] {
            let dir = TempDir::new().unwrap();
            let engine = open(entry, dir.path(), durability);
            let mut session = engine.session().unwrap();
            let name = entry.name;
            assert_eq!(session.pairs(&keys(0, 50)).unwrap(), 50, "{name}");
            assert_eq!(session.pairs(&keys(0, 60)).unwrap(), 10, "{name}");
            assert_eq!(session.claim(&keys(50, 20)).unwrap(), 10, "{name}");
            session.settle().unwrap();
            assert_eq!(session.insert(&keys(60, 20)).unwrap(), 10, "{name}");
            assert_eq!(session.claim_batch(&keys(70, 20)).unwrap(), 10, "{name}");
            session.settle().unwrap();
            assert_eq!(session.insert_batch(&keys(80, 20)).unwrap(), 10, "{name}");
            assert_eq!(session.pair_batch(&keys(100, 10)).unwrap(), 10, "{name}");
            assert_eq!(session.claim(&keys(0, 110)).unwrap(), 0, "{name}");
            assert_eq!(session.claim_batch(&keys(0, 110)).unwrap(), 0, "{name}");
        }
    }
}

#[test]
fn responses_are_replayed() {
    for entry in in_process() {
        let dir = TempDir::new().unwrap();
        let engine = open(entry, dir.path(), Durability::Interval);
        let mut session = engine.session().unwrap();
        // More than a chunk of the limit's log, so that its window is read as well.
        session.pair_batch(&keys(0, 2000)).unwrap();
        session.pairs(&keys(2000, 10)).unwrap();
        let answered = session.replay(&keys(0, 2010)).unwrap();
        assert_eq!(answered, 2010, "{}", entry.name);
        assert_eq!(session.replay(&keys(0, 1)).unwrap(), 1, "{}", entry.name);
    }
}

#[test]
fn callers_that_race_for_the_same_keys_share_them() {
    const CALLERS: usize = 4;
    const KEYS: u64 = 200;
    for entry in in_process() {
        for durability in [Durability::Interval, Durability::Sync] {
            let dir = TempDir::new().unwrap();
            let engine = open(entry, dir.path(), durability);
            let start = Barrier::new(CALLERS);
            let race = || {
                let mut session = engine.session().expect("a session");
                start.wait();
                session.pairs(&keys(0, KEYS)).expect("they are claimed")
            };
            let granted: usize = std::thread::scope(|scope| {
                let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(race)).collect();
                let joined = callers.into_iter().map(|caller| caller.join());
                joined.map(|granted| granted.expect("no panic")).sum()
            });
            assert_eq!(granted as u64, KEYS, "{}", entry.name);
        }
    }
}

#[test]
fn what_was_synced_is_there_when_it_is_opened_again() {
    for entry in in_process().filter(|entry| entry.kind == Kind::Embedded) {
        let dir = TempDir::new().unwrap();
        let engine = open(entry, dir.path(), Durability::Interval);
        engine
            .session()
            .unwrap()
            .pair_batch(&keys(0, 3000))
            .unwrap();
        engine.sync().unwrap();
        drop(engine);
        let engine = open(entry, dir.path(), Durability::Interval);
        let mut session = engine.session().unwrap();
        assert_eq!(
            session.replay(&keys(0, 3000)).unwrap(),
            3000,
            "{}",
            entry.name
        );
        assert_eq!(session.pairs(&keys(0, 3001)).unwrap(), 1, "{}", entry.name);
    }
}

/// Runs the program on tiny rows: the JSON that it writes.
fn compare(rows: &str, engines: &[&str]) -> serde_json::Value {
    let dir = TempDir::new().unwrap();
    let json = dir.path().join("here.json");
    let out = dir.path().join("out");
    let run = Command::new(env!("CARGO_BIN_EXE_hapax-compare"))
        .args(["--rounds", "1", "--keys", "2000", "--seconds", "0.02"])
        .args(["--memory-keys", "8192", "--recovery-keys", "8192"])
        .args(["--rows", rows, "--engines", &engines.join(",")])
        .arg("--dir")
        .arg(dir.path())
        .arg("--out")
        .arg(&out)
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let text = std::fs::read_to_string(&json).unwrap();
    assert_eq!(
        text,
        std::fs::read_to_string(out.join("compare.json")).unwrap()
    );
    for file in ["compare.txt", "compare.csv"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let left = std::fs::read_dir(dir.path()).unwrap().flatten();
    let left: Vec<PathBuf> = left.map(|entry| entry.path()).collect();
    assert_eq!(left.len(), 2, "stores are left behind: {left:?}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn one_row_is_measured_of_every_engine() {
    let takes_part = |entry: &&Entry| entry.only.is_empty() || entry.only.contains(&"pair");
    let names: Vec<&str> = in_process()
        .filter(takes_part)
        .map(|entry| entry.name)
        .collect();
    let found = compare("pair", &names);
    let found = found.as_array().unwrap();
    let measured: Vec<&str> = found
        .iter()
        .filter_map(|item| item["engine"].as_str())
        .collect();
    assert_eq!(measured, names);
    for item in found {
        assert_eq!(item["row"], "pair");
        assert_eq!(item["unit"], "pairs/s");
        assert!(item["value"].as_f64().unwrap() > 0.0, "{item}");
        assert!(item["ratio_to_hapax"].as_f64().unwrap() > 0.0, "{item}");
    }
}

#[test]
fn every_row_is_measured_of_hapax_and_the_limit() {
    let found = compare("*", &["hapax", "file"]);
    let figures = hapax_compare::rows::ROWS
        .iter()
        .map(|row| row.figures.len());
    let figures: usize = figures.sum();
    assert_eq!(found.as_array().unwrap().len(), 2 * figures, "{found:#}");
}
