//! The example `latency`: what it measures, and that no pause is left out.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "../examples/latency/args.rs"]
mod args;
#[path = "../examples/latency/events.rs"]
mod events;
#[path = "../examples/latency/executor.rs"]
mod executor;
#[path = "../examples/soak/histogram.rs"]
mod histogram;
#[path = "../examples/latency/hot.rs"]
mod hot;
#[path = "../examples/latency/load.rs"]
mod load;
#[path = "../examples/latency/row.rs"]
mod row;
#[path = "../examples/latency/schedule.rs"]
mod schedule;
#[path = "../examples/latency/session.rs"]
mod session;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use args::{Args, Command, Form, Scenario};
use executor::Timer;
use histogram::instant;
use row::Row;
use schedule::{Idle, Schedule};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn parse(line: &str) -> Result<Command, Failure> {
    args::parse(lexopt::Parser::from_args(line.split_whitespace()))
}

fn args(line: &str) -> Args {
    match parse(line).unwrap() {
        Command::Run(args) | Command::Hot(args) => args,
        Command::Help => panic!("a run"),
    }
}

#[test]
fn arguments_are_checked() {
    let all = args("");
    assert_eq!(all.callers, [1, 8, 64, 512]);
    assert_eq!((all.scenarios.len(), all.forms.len()), (4, 2));
    let few = args("--callers 3,4 --scenario growth --form async --durability sync --rate 9000");
    assert_eq!(few.callers, [3, 4]);
    assert_eq!(few.scenarios, [Scenario::Growth]);
    assert_eq!(few.forms, [Form::Async]);
    assert_eq!((few.rate_of(3), few.rate_of(64)), (3000, 9000), "of sync");
    assert!(matches!(parse("--help"), Ok(Command::Help)));
    assert!(matches!(parse("--scenario hot"), Ok(Command::Hot(_))));
    for option in [
        "seconds",
        "callers",
        "scenario",
        "form",
        "durability",
        "rate",
        "keys",
        "log",
        "dir",
        "markdown",
        "json",
    ] {
        assert!(args::USAGE.contains(&format!("--{option} ")), "{option}");
    }
    for (line, says) in [
        ("--seconds 0", "--seconds is 0: give it 1 to"),
        ("--callers 1,,8", "give it numbers"),
        ("--callers 0", "--callers is 0"),
        ("--scenario storm", "give it steady"),
        ("--form both,", "give it blocking"),
        ("--durability memory", "give it sync or interval"),
        ("--log redb", "give it sled or files"),
        ("--quick", "try --help"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
}

/// The keys of 512 callers once outlived those of the event in number, so that nothing was carried and
/// the run ended without its row.
#[test]
fn the_dead_of_an_event_outnumber_the_living() {
    for rate in [1, 1000, 20_000, 25_000] {
        for secs in [1, 4, 10, 60, 3600] {
            let quiet = Duration::from_secs(secs);
            let keys = events::keys_to_carry(rate, quiet).unwrap();
            let lived = rate * (keys / 100_000 + secs + 5);
            // Each of them takes as many bytes, and compaction looks some seconds later.
            let lived = lived + 2 * rate;
            let (dead, living) = (keys / 4 * 3, keys / 4 + lived);
            assert!(
                dead > living,
                "{rate} a second, {secs} s: {dead} of {living}"
            );
        }
    }
    let error = events::keys_to_carry(25_001, Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("at most 25000"), "{error}");
}

fn measure(args: &Args) -> Vec<Row> {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    session::run(args, dir.path(), &mut |more| {
        rows.extend_from_slice(more);
        Ok(())
    })
    .unwrap();
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 0, "each store goes with its run");
    rows
}

fn check(row: &Row) {
    assert!(row.pairs > 0 && row.lasted > Duration::ZERO, "{row:?}");
    for [p50, p99, p999, max] in [row.claim, row.claim_call, row.complete] {
        assert!(Duration::ZERO < p50, "{row:?}");
        assert!(p50 <= p99 && p99 <= p999 && p999 <= max, "{row:?}");
    }
    assert!(
        row.claim_call[3] <= row.claim[3],
        "it is due before: {row:?}"
    );
    let columns = Row::head().lines().nth(1).unwrap().len();
    assert!(row.line().len() >= columns, "{}", row.line());
    assert_eq!(row.json()["pairs"], row.pairs);
}

#[test]
fn a_steady_load_is_measured_in_both_forms() {
    let rows = measure(&args(
        "--seconds 1 --callers 1,8 --scenario steady --rate 2000",
    ));
    let runs: Vec<_> = rows.iter().map(|row| (row.form, row.callers)).collect();
    assert_eq!(
        runs,
        [("blocking", 1), ("blocking", 8), ("async", 1), ("async", 8)]
    );
    for row in &rows {
        assert_eq!((row.scenario, row.during), ("steady", "quiet"));
        // Leftovers of the warm-up may come too.
        let offered = 2000.0 * (row.lasted.as_secs_f64() + 1.0);
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let pairs = row.pairs as f64;
        assert!(pairs <= offered + 100.0, "no more than is offered: {row:?}");
        check(row);
    }
}

#[test]
fn growth_is_measured_beside_the_quiet() {
    let line = "--seconds 1 --callers 4 --scenario growth --rate 1000 --keys 25000";
    let rows = measure(&args(line));
    let during: Vec<_> = rows.iter().map(|row| row.during).collect();
    assert_eq!(during, ["quiet", "growth", "quiet", "growth"]);
    rows.iter().for_each(check);
    for line in Row::markdown_head().lines() {
        assert_eq!(line.matches('|').count(), 13, "{line}");
    }
    for row in &rows {
        assert_eq!(row.by_quiet.is_some(), row.during == "growth", "{row:?}");
        assert_eq!(row.markdown().matches('|').count(), 13, "{row:?}");
    }
}

#[test]
fn each_caller_of_one_key_gets_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("told.json");
    let line = format!("--seconds 1 --callers 8 --json {}", json.display());
    hot::run(&args(&line), dir.path()).unwrap();
    let told = std::fs::read_to_string(json).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let [waits, asks] = [&told[0], &told[1]];
    assert_eq!(
        (&waits["manner"], &asks["manner"]),
        (&"waits".into(), &"asks".into())
    );
    let least = waits["granted_least_median_most"][0].as_u64().unwrap();
    assert!(least > 0, "each that waits in line: {told:#}");
    assert_eq!(waits["told_in_progress"], 0, "{told:#}");
}

/// A claim that is kept waiting by the one before it counts from when it was due; one whose thread
/// overslept, from when that woke. Only sleep takes claims off the schedule.
#[test]
fn no_pause_is_left_out() {
    let start = instant();
    let at = |millis| start + Duration::from_millis(millis);
    let idle = |from, until| {
        Some(Idle {
            from: at(from),
            until: at(until),
        })
    };
    // Two callers share 200 a second, so each has one every ten milliseconds.
    let mut second = Schedule::new(start, 200, 2, 1);
    assert_eq!(second.due(), at(5));
    assert_eq!(second.take(None), at(5), "busy");
    assert_eq!(
        second.take(idle(0, 9)),
        at(15),
        "it slept before, and is late"
    );
    assert_eq!(second.take(idle(20, 27)), at(27), "it overslept");
    assert_eq!(second.due(), at(35), "the next one stays where it was");
    // After a pause of a hundred milliseconds, ten claims are late, each less than the last.
    for late in 0..10 {
        assert_eq!(second.take(None), at(35 + late * 10));
    }
    assert_eq!(second.take(idle(130, 158)), at(158), "two more fell due");
    assert_eq!(second.due(), at(165), "and are left out");
}

#[test]
fn futures_go_on_when_they_are_woken_and_when_they_are_due() {
    let timer = Rc::new(Timer::default());
    let order = RefCell::new(Vec::new());
    let start = instant();
    let wait = |name: &'static str, millis| {
        let (timer, order) = (Rc::clone(&timer), &order);
        let due = start + Duration::from_millis(millis);
        Box::pin(async move {
            timer.until(due).await;
            assert!(instant() >= due);
            order.borrow_mut().push(name);
        })
    };
    let woken = Box::pin(async {
        let mut waker = None;
        poll_fn(|context| match waker.take() {
            None => {
                waker = Some(context.waker().clone());
                let waker = context.waker().clone();
                // From another thread, as a store wakes.
                let thread = std::thread::Builder::new().spawn(move || waker.wake());
                thread.unwrap().join().unwrap();
                Poll::Pending
            }
            Some(_) => Poll::Ready(()),
        })
        .await;
        order.borrow_mut().push("woken");
    });
    executor::run(&timer, vec![wait("last", 30), woken, wait("first", 10)]);
    assert_eq!(*order.borrow(), ["woken", "first", "last"]);
}
