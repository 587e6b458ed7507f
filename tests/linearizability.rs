//! Linearizability: recorded histories of the store are explained, and planted faults are not.
//!
//! The threads, the recorder and the faults are those of `examples/stress`; the judge is the package
//! `hapax-check`. `docs/history.md` tells what is recorded and how it is judged.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "../examples/stress/answer.rs"]
mod answer;
#[allow(dead_code, reason = "the example names faults on its command line")]
#[path = "../examples/stress/fault.rs"]
mod fault;
#[path = "linearizability/mutations.rs"]
mod mutations;
#[path = "../examples/stress/random.rs"]
mod random;
#[path = "../examples/stress/recorder.rs"]
mod recorder;
#[path = "linearizability/scripts.rs"]
mod scripts;
#[path = "../examples/stress/session.rs"]
mod session;
#[path = "../examples/stress/worker.rs"]
mod worker;

use std::time::Duration;

use hapax::{Durability, LogKind};
use hapax_check::history::{Answer, Op};
use hapax_check::{History, check};

use fault::Fault;
use session::Plan;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Drawn for each run, unless it is given.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let given = std::env::var("HAPAX_SEED").ok();
    let seed = given.map_or_else(
        || RandomState::new().hash_one(0) >> 32,
        |seed| seed.parse().unwrap(),
    );
    println!("HAPAX_SEED={seed}");
    seed
}

fn record(plan: &Plan) -> History {
    let dir = tempfile::tempdir().unwrap();
    let outcome = session::run(plan, dir.path(), None, true).unwrap();
    assert!(outcome.lasted >= plan.lasting || outcome.calls >= plan.calls);
    let history = outcome.history.unwrap();
    assert_eq!(history.calls.len() as u64, outcome.calls);
    assert_eq!(history.reopens.len() as u64, outcome.reopens);
    history
}

fn explained(log: LogKind, durability: Durability, reopen_every: Duration) {
    let plan = Plan {
        lasting: Duration::from_secs(3),
        calls: 60_000,
        log,
        durability,
        reopen_every,
        seed: seed(),
        ..Plan::default()
    };
    let history = record(&plan);
    let report = check(&history);
    assert!(report.holds(), "{report}");
    assert!(report.most_pending > 1, "no two calls overlapped: {report}");
    assert!(!history.reopens.is_empty(), "the store was never reopened");
    let told = |what: fn(&Answer) -> bool| history.calls.iter().any(|call| what(&call.result));
    assert!(told(|answer| matches!(answer, Answer::Granted(_))));
    assert!(told(|answer| matches!(answer, Answer::Completed(_))));
    assert!(told(|answer| matches!(answer, Answer::InDoubt(_))));
    assert!(told(|answer| matches!(answer, Answer::Refused(_))));
    assert!(
        history
            .calls
            .iter()
            .any(|call| matches!(call.op, Op::Resolve { .. }))
    );
}

#[test]
fn a_history_under_sync_is_explained() {
    explained(LogKind::Sled, Durability::Sync, Duration::from_millis(400));
}

#[test]
fn a_history_on_plain_files_is_explained() {
    explained(LogKind::Files, Durability::Sync, Duration::from_millis(400));
}

#[test]
fn a_history_under_interval_is_explained() {
    let window = Duration::from_millis(20);
    explained(
        LogKind::Sled,
        Durability::Interval(window),
        Duration::from_millis(200),
    );
}

#[test]
fn a_history_of_many_threads_at_one_key_is_decided() {
    let history = record(&Plan {
        lasting: Duration::from_secs(3),
        calls: 6000,
        log: LogKind::Files,
        threads: 24,
        keys: 1,
        seed: seed(),
        ..Plan::default()
    });
    let report = check(&history);
    assert!(report.holds(), "{report}");
    assert!(report.most_pending > 8, "few calls overlapped: {report}");
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let plan = Plan {
        lasting: Duration::from_secs(2),
        calls: 2000,
        reopen_every: Duration::from_millis(300),
        seed: seed(),
        ..Plan::default()
    };
    let outcome = session::run(&plan, dir.path(), Some(&file), true).unwrap();
    let read = History::read(std::io::BufReader::new(std::fs::File::open(&file).unwrap())).unwrap();
    let mut written = Vec::new();
    outcome.history.unwrap().write(&mut written).unwrap();
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<Vec<u8>> = bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&written), sorted(&std::fs::read(&file).unwrap()));
    assert!(check(&read).holds());
}

/// The store is correct; the layer between it and the recorder is not.
#[test]
fn each_planted_fault_is_found() {
    let seed = seed();
    for (name, fault) in Fault::ALL {
        let found = (0..6).any(|round| {
            let history = record(&Plan {
                lasting: Duration::from_secs(2),
                calls: 15_000,
                keys: 3,
                seed: seed ^ round,
                fault: Some(fault),
                ..Plan::default()
            });
            !check(&history).violations.is_empty()
        });
        assert!(found, "{name} was not found in any run");
    }
}
