//! Exit codes, and readers that stop early.

use std::io::Read;
use std::process::Stdio;

use hapax::testing::ManualClock;
use hapax::{LogKind, Policy, Store};

use crate::rig::{Holder, Place, damage, granted, some_of_everything};

#[test]
fn every_exit_code_is_what_the_help_says() {
    let place = Place::new();
    some_of_everything(&place.path());
    let cases = [
        ("get dedup order-40 -n pay", 0),
        ("scan dedup", 0),
        ("stuck dedup --prefix nobody", 0),
        ("stuck dedup", 1),
        ("in-doubt dedup", 1),
        ("get dedup nobody -n pay", 1),
        ("forget dedup nobody -n pay", 1),
        ("nonsense", 2),
        ("get dedup", 2),
        ("get dedup order-40", 2),
        ("get dedup order-40 -n nothing", 2),
        ("get dedup 0xzz -n pay", 2),
        ("forget dedup", 2),
        (
            "resolve dedup order-44 -n pay --token 7 --never-happened --confirm",
            2,
        ),
        ("get nowhere order-40", 3),
        ("reconcile dedup nowhere.jsonl", 3),
        ("forget dedup order-40 -n pay", 5),
        ("accept-salvage dedup", 0),
        (
            "resolve dedup order-44 -n pay --token 7 --never-happened",
            6,
        ),
        ("resolve dedup order-40 -n pay --token 7 --failed no", 6),
        ("release dedup order-44 -n pay --token 7", 6),
        ("forget dedup order-44 -n pay", 6),
    ];
    for (line, code) in cases {
        let ran = place.run(line);
        assert_eq!(ran.code, code, "{line}\n{}{}", ran.out, ran.err);
        assert!(code < 2 || !ran.err.is_empty(), "{line}: says why");
    }
    let holder = Holder::start(&place.path());
    assert_eq!(place.run("get dedup order-40 -n pay").code, 4);
    holder.kill();
    damage(&place.path(), b"receipt 40");
    assert_eq!(place.run("get dedup order-40 -n pay").code, 3);
    assert_eq!(place.run("verify dedup").code, 1);
}

#[test]
fn a_refusal_can_be_read_by_a_machine() {
    let place = Place::new();
    let ran = place.run("get nowhere key --format json");
    let error: serde_json::Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(ran.out, "");
    assert_eq!((error["exit_code"].as_i64(), ran.code), (Some(3), 3));
    assert_eq!(error["error"], "not_a_store", "{error}");
    assert!(
        error["next"].as_str().unwrap().contains("MANIFEST"),
        "{error}"
    );
}

#[test]
fn a_reader_that_stops_ends_the_writing() {
    let place = Place::new();
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let space = store.namespace("mail", Policy::at_least_once()).unwrap();
    let keys = (0..20_000).map(|number| format!("a key that is not short {number}"));
    for keys in keys.collect::<Vec<_>>().chunks(5000) {
        space.insert_many(keys).unwrap();
    }
    store.close().unwrap();
    for line in [
        "scan dedup",
        "scan dedup --format json",
        "export dedup",
        "completions bash",
        "--help",
    ] {
        let mut child = place
            .command()
            .args(crate::rig::words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 10]).unwrap();
        drop(out);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), said.contains("panicked")),
            (Some(0), false),
            "{line}: {said}"
        );
    }
}

/// `forget` once forgot each key while it wrote its row. A reader that went away (`| head`) then ended the
/// verb in the middle of a confirmed change, with exit code 0. A dry run ended with 0, too.
#[test]
fn a_confirmed_change_is_completed_without_a_reader() {
    let place = Place::new();
    let store = Store::builder(place.path())
        .log_kind(LogKind::Files)
        .open()
        .unwrap();
    let space = store.namespace("mail", Policy::at_least_once()).unwrap();
    let keys = (0..3000).map(|number| format!("key {number}"));
    space.insert_many(keys.collect::<Vec<_>>()).unwrap();
    granted(&space, "user-9").release("busy").unwrap();
    store.close().unwrap();
    let unread = |line: &str| {
        let mut child = place
            .command()
            .args(crate::rig::words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    assert_eq!(unread("stuck dedup"), Some(1));
    assert_eq!(unread("forget dedup --prefix key"), Some(5));
    assert_eq!(
        unread("forget dedup --prefix key --confirm --reason GDPR-7"),
        Some(0)
    );
    let left = place.run("scan dedup --prefix key --format json").json();
    assert_eq!(left.len(), 0, "all of them were forgotten");
}

#[test]
fn a_clock_that_jumped_is_trusted_on_request() {
    let place = Place::new();
    // The clock starts at the first of January 2026, and the store was not opened since.
    let clock = ManualClock::new();
    let store = Store::builder(place.path()).clock(&clock).open().unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    granted(&pay, "order-40").doubt("lost").unwrap();
    store.close().unwrap();
    let ran = place.run("in-doubt dedup");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("--accept-clock-jump"), "{}", ran.err);
    assert_eq!(place.run("in-doubt dedup --accept-clock-jump").code, 1);
    assert_eq!(place.run("info dedup").code, 0, "info reads no clock");
}

/// A backup into the store itself once failed as locked by another process. A backup into a folder of
/// the store succeeded, and would have been lost with it.
#[test]
fn a_backup_lies_outside_its_store() {
    let place = Place::new();
    some_of_everything(&place.path());
    for into in ["dedup", "dedup/backup", "./dedup/a/b", "elsewhere/../dedup"] {
        std::fs::create_dir_all(place.root.path().join("elsewhere")).unwrap();
        let ran = place.run(&format!("backup dedup {into}"));
        assert_eq!(ran.code, 2, "{into}: {}", ran.err);
    }
    assert!(!place.path().join("backup").exists());
    assert_eq!(place.run("backup dedup dedup-copy").code, 0);
}
