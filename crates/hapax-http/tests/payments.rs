//! The example `payments`: short storms through its own code, and the faults that its check finds.
//!
//! The server is another process of this program, run as the test `serve`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "../examples/payments/args.rs"]
mod args;
#[path = "../examples/payments/book.rs"]
mod book;
#[path = "../examples/payments/check.rs"]
mod check;
#[path = "../examples/payments/client.rs"]
mod client;
#[path = "../examples/payments/latency.rs"]
mod latency;
#[path = "../examples/payments/ledger.rs"]
mod ledger;
#[path = "../examples/payments/payment.rs"]
mod payment;
#[path = "../examples/payments/process.rs"]
mod process;
#[path = "../examples/payments/random.rs"]
mod random;
#[path = "../examples/payments/report.rs"]
mod report;
#[path = "../examples/payments/server.rs"]
mod server;
#[path = "../examples/payments/session.rs"]
mod session;
#[path = "../examples/payments/settle.rs"]
mod settle;
#[path = "../examples/payments/storm.rs"]
mod storm;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use args::{Args, Command, ServerArgs};
use check::{Verdict, check};
use hapax::{FencingToken, Guarantee};
use ledger::Entry;
use serde_json::Value;
use session::Outcome;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The arguments of the server, one per line; without them the test `serve` does nothing.
const WORDS: &str = "HAPAX_PAYMENTS_SERVE";

/// The server. As a plain test it does nothing.
#[test]
fn serve() {
    let Ok(words) = std::env::var(WORDS) else {
        return;
    };
    match args::parse(lexopt::Parser::from_args(words.lines())).unwrap() {
        Command::Serve(args) => server::run(&args).unwrap(),
        other => panic!("not a server: {other:?}"),
    }
}

fn launch(words: &[OsString]) -> tokio::process::Command {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "serve", "--nocapture", "--test-threads=1"])
        .env(WORDS, words.join("\n"));
    command
}

fn parse(line: &str) -> Result<Command, Failure> {
    args::parse(lexopt::Parser::from_args(line.split_whitespace()))
}

fn args(line: &str) -> Args {
    let mut args = match parse(line).unwrap() {
        Command::Run(args) => args,
        other => panic!("not a run: {other:?}"),
    };
    if let Ok(seed) = std::env::var("HAPAX_SEED") {
        args.seed = seed.parse().unwrap();
    }
    args
}

/// Runs, prints the report with the seed, and returns the result.
fn play(line: &str, dir: &Path) -> Outcome {
    let args = args(line);
    println!("HAPAX_SEED={}: {}", args.seed, report::headline(&args));
    let outcome = session::play(&args, &launch, dir, |_| ()).unwrap();
    let text = report::text(&args, &outcome);
    println!("{text}");
    let json: Value = serde_json::from_str(&report::json(&args, &outcome)).unwrap();
    for line in text.lines().filter(|line| line.contains("_us: ")) {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(json[name].to_string(), value);
    }
    outcome
}

/// A run that must pass, and that must have met each kind of trouble.
fn storm(line: &str) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let outcome = play(line, dir.path());
    let tally = outcome.book.tally();
    assert!(outcome.verdict.holds(), "{:?}", outcome.verdict.faults);
    assert!(outcome.kills >= 4, "{}", outcome.kills);
    for count in [
        outcome.verdict.payments,
        tally.executed,
        tally.replayed,
        tally.refused(),
        tally.timeouts,
        tally.disconnects,
        tally.lost,
    ] {
        assert!(count > 0, "{tally:?}");
    }
    outcome
}

#[test]
fn at_most_once_no_payment_is_made_twice_and_every_doubt_is_settled() {
    let outcome = storm("--seconds 2 --clients 12 --kills 4 --requests 20");
    let settled = outcome.settled.happened + outcome.settled.never_happened;
    assert_eq!(outcome.verdict.effects, outcome.verdict.payments);
    assert_eq!(outcome.verdict.repeated_by_kill, 0);
    assert!(outcome.answered_after_doubt <= settled, "{outcome:?}");
}

#[test]
fn at_least_once_a_payment_is_made_again_only_after_a_kill() {
    let line = "--seconds 2 --clients 12 --kills 4 --requests 20 --guarantee at-least-once";
    let outcome = storm(line);
    let Verdict {
        payments,
        effects,
        repeated_by_kill,
        ..
    } = outcome.verdict;
    assert_eq!(effects, payments + repeated_by_kill);
    assert_eq!(outcome.settled.happened + outcome.settled.never_happened, 0);
}

#[test]
fn without_the_layer_payments_are_made_twice_and_that_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = play(
        "--seconds 1 --clients 4 --kills 1 --unprotected",
        dir.path(),
    );
    assert!(outcome.verdict.double_effects > 0, "{outcome:?}");
    assert!(!outcome.verdict.holds());
}

#[test]
fn a_planted_fault_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = play(
        "--seconds 1 --clients 4 --kills 0 --requests 10",
        dir.path(),
    );
    let entries = ledger::entries(dir.path()).unwrap();
    let judge = |guarantee, plant: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = entries.clone();
        plant(&mut entries);
        check(&entries, &outcome.book, guarantee)
    };
    let both = [Guarantee::AtMostOnce, Guarantee::AtLeastOnce];
    let counts = |verdict: &Verdict| (verdict.double_effects, verdict.repeated_by_kill);
    let again = |entry: &Entry, by: i64| Entry {
        token: FencingToken::from_i64(entry.token.unwrap().as_i64() + by),
        ..entry.clone()
    };

    for guarantee in both {
        assert!(judge(guarantee, &|_| ()).holds(), "as it is");
        // The run itself, and a second one within the same life of the server.
        for by in [0, 1] {
            let twice = |entries: &mut Vec<Entry>| entries.push(again(&entries[0], by));
            let verdict = judge(guarantee, &twice);
            assert_eq!(counts(&verdict), (1, 0), "{guarantee:?}");
            assert!(!verdict.holds());
        }
        for plant in [
            &|entries: &mut Vec<Entry>| entries[0].amount += 1,
            &|entries: &mut Vec<Entry>| entries[0].key.push('0'),
            &|entries: &mut Vec<Entry>| drop(entries.remove(0)),
        ] as [&dyn Fn(&mut Vec<Entry>); 3]
        {
            assert!(!judge(guarantee, plant).holds(), "{guarantee:?}");
        }
    }
    // In an earlier life of the server: the answered run is the second one.
    let life = |entries: &mut Vec<Entry>| entries.insert(0, again(&entries[0], -(1 << 32)));
    assert_eq!(counts(&judge(Guarantee::AtMostOnce, &life)), (1, 0));
    let allowed = judge(Guarantee::AtLeastOnce, &life);
    assert_eq!(counts(&allowed), (0, 1));
    assert!(allowed.holds(), "{:?}", allowed.faults);
}

#[test]
fn arguments_are_checked() {
    let plain = args("");
    assert_eq!(
        (plain.storm.as_secs(), plain.clients, plain.kills),
        (10, 16, 8)
    );
    assert_eq!(plain.guarantee, Guarantee::AtMostOnce);
    assert!(matches!(parse("--help"), Ok(Command::Help)));
    for option in [
        "seconds",
        "clients",
        "kills",
        "guarantee",
        "requests",
        "dir",
        "seed",
        "json",
    ] {
        assert!(args::USAGE.contains(&format!("  --{option} ")), "{option}");
    }
    for (line, says) in [
        ("--seconds 0", "--seconds is 0: give it 1 to"),
        ("--guarantee never", "give it at-most-once or"),
        ("--clients many", "many"),
        ("--storm", "try --help"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
}

#[test]
fn a_server_is_told_what_it_is_to_do() {
    let told = ServerArgs {
        dir: "a folder".into(),
        guarantee: Guarantee::AtLeastOnce,
        seed: 7,
        pause: Duration::from_millis(3),
        syncs: false,
        unprotected: true,
    };
    match args::parse(lexopt::Parser::from_args(told.words())).unwrap() {
        Command::Serve(heard) => assert_eq!(heard, told),
        other => panic!("not a server: {other:?}"),
    }
}
