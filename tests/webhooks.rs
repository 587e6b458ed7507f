//! The main job: the example `webhooks`, run to the end, killed again and again, and made to fail.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

const SAMPLE_EVENTS: u64 = 40;
const KILL_LOOP_EVENTS: u64 = 400;
const KILLS: u64 = 12;
const ROUNDS_MAX: u64 = 60;
const SIGKILL: i32 = 9;

#[test]
fn the_sample_is_handled_exactly_once_from_any_directory_and_leaves_nothing_behind() {
    let elsewhere = TempDir::new().unwrap();
    let output = example()
        .current_dir(elsewhere.path())
        .env("TMPDIR", elsewhere.path())
        .arg("--json")
        .output()
        .unwrap();
    let report = report(&output);
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(number(&report, "distinct_events"), SAMPLE_EVENTS);
    assert!(
        number(&report, "deliveries") >= 4 * SAMPLE_EVENTS,
        "{report}"
    );
    let settled = number(&report, "effects") + number(&report, "final_failures");
    assert_eq!(settled, SAMPLE_EVENTS, "{report}");
    for staged in [
        "duplicates_answered",
        "mismatches",
        "retries",
        "crashes_before_effect",
        "crashes_after_effect",
        "final_failures",
    ] {
        assert_ne!(number(&report, staged), 0, "{staged} is part of the play");
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_report_for_people_says_that_it_holds() {
    let output = example().output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("none twice"), "{text}");
    assert!(
        text.contains("OK: every event was handled exactly once"),
        "{text}"
    );
}

#[test]
fn a_second_run_on_the_same_directory_answers_everything_from_the_store() {
    let dir = TempDir::new().unwrap();
    assert_eq!(report(&run_in(dir.path()))["ok"], true);
    let report = report(&run_in(dir.path()));
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(number(&report, "effects"), 0, "{report}");
    let answered = number(&report, "duplicates_answered") + number(&report, "mismatches");
    assert_eq!(answered, 4 * SAMPLE_EVENTS, "{report}");
}

#[test]
fn a_torn_last_line_of_the_ledger_counts_for_nothing() {
    let dir = TempDir::new().unwrap();
    assert_eq!(report(&run_in(dir.path()))["ok"], true);
    let whole = fs::read(ledger(dir.path())).unwrap();
    append(dir.path(), b"{\"delivery\":\"issues/open");
    assert_eq!(report(&run_in(dir.path()))["ok"], true);
    assert_eq!(fs::read(ledger(dir.path())).unwrap(), whole);
}

#[test]
fn a_double_effect_is_found_and_named() {
    let dir = TempDir::new().unwrap();
    assert_eq!(report(&run_in(dir.path()))["ok"], true);
    let text = fs::read_to_string(ledger(dir.path())).unwrap();
    let first = text.lines().next().unwrap();
    append(dir.path(), format!("{first}\n").as_bytes());
    let output = run_in(dir.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let line: Value = serde_json::from_str(first).unwrap();
    assert_eq!(report["doubled"][0], line["delivery"]);
}

#[test]
fn an_effect_that_is_missing_is_found() {
    let dir = TempDir::new().unwrap();
    assert_eq!(report(&run_in(dir.path()))["ok"], true);
    let text = fs::read_to_string(ledger(dir.path())).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(ledger(dir.path()), rest).unwrap();
    assert_eq!(run_in(dir.path()).status.code(), Some(1));
}

#[test]
fn wrong_arguments_are_refused_with_a_hint_and_leave_nothing_behind() {
    let elsewhere = TempDir::new().unwrap();
    for wrong in [
        &["--copies", "0"][..],
        &["--guarantee", "exactly-once"],
        &["--durability", "interval:0"],
        &["--no-such-flag"],
        &["/no/such/file"],
    ] {
        let output = example()
            .args(wrong)
            .env("TMPDIR", elsewhere.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("webhooks: "), "{wrong:?}: {text}");
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn killed_again_and_again_at_most_once_never_doubles_an_effect() {
    let mut killed = KillLoop::run("at-most-once");
    let report = killed.finish();
    let effects = killed.effects();
    let doubled: Vec<_> = effects.iter().filter(|(_, lines)| **lines > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    let failed = number(&report, "store_failed");
    let handled = u64::try_from(effects.len()).unwrap();
    assert_eq!(handled + failed, KILL_LOOP_EVENTS, "{report}");
    // Else the kills have missed what they are there for.
    assert_ne!(killed.inherited_doubts, 0);
}

#[test]
fn killed_again_and_again_at_least_once_loses_no_effect_and_counts_the_repeated_ones() {
    let mut killed = KillLoop::run("at-least-once");
    let report = killed.finish();
    let effects = killed.effects();
    let repeated: u64 = effects.values().map(|lines| lines - 1).sum();
    let counted = number(&report, "repeated_by_kill") + number(&report, "repeated_by_crash");
    assert_eq!(counted, repeated, "{report}");
    let completed = number(&report, "store_completed");
    assert!(u64::try_from(effects.len()).unwrap() >= completed);
    assert_eq!(
        completed + number(&report, "store_failed"),
        KILL_LOOP_EVENTS
    );
    assert_eq!(
        killed.inherited_doubts, 0,
        "nothing is in doubt under at-least-once"
    );
}

/// One directory, and a process on it that is killed and started again.
struct KillLoop {
    dir: TempDir,
    guarantee: &'static str,
    seed: u64,
    inherited_doubts: u64,
}

impl KillLoop {
    fn run(guarantee: &'static str) -> Self {
        let seed = seed();
        println!("HAPAX_SEED={seed}");
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("events.jsonl"), events()).unwrap();
        let mut this = Self {
            dir,
            guarantee,
            seed,
            inherited_doubts: 0,
        };
        // On a busy machine a process may end before the kill arrives.
        let mut killed = 0;
        for round in 0..ROUNDS_MAX {
            killed += u64::from(this.round(round));
            if killed == KILLS {
                return this;
            }
        }
        panic!("only {killed} of {ROUNDS_MAX} rounds were killed");
    }

    /// Starts the example, and kills it when it has printed this many lines; returns whether it was
    /// killed.
    ///
    /// No line is the beginning: then the kill hits recovery and the reconciler.
    fn round(&mut self, round: u64) -> bool {
        let lines = (self.seed + round) % 5;
        let mut child = self
            .command(round)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix("the last run left ") {
                let doubts = rest.split(' ').next().unwrap();
                self.inherited_doubts += doubts.parse::<u64>().unwrap();
            }
            seen += u64::from(line.starts_with("progress: "));
            if seen == lines && (lines > 0 || line.starts_with("store and ledger in ")) {
                break;
            }
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let killed = status.signal() == Some(SIGKILL);
        assert!(killed || status.success(), "round {round}: {status}");
        killed
    }

    /// Every round has its own order and troubles, and every other round lets the store acknowledge
    /// before it has synced.
    fn command(&self, round: u64) -> Command {
        let mut command = example();
        let durability = if round % 2 == 0 {
            "sync"
        } else {
            "interval:20"
        };
        command
            .arg(self.dir.path().join("events.jsonl"))
            .arg("--dir")
            .arg(self.dir.path())
            .args(["--guarantee", self.guarantee])
            .args(["--durability", durability])
            .args(["--seed", &(self.seed + round).to_string()]);
        command
    }

    fn finish(&mut self) -> Value {
        let output = self.command(ROUNDS_MAX).arg("--json").output().unwrap();
        let report = report(&output);
        assert_eq!(report["ok"], true, "{report}");
        let inherited = &report["in_doubt_from_last_run"];
        self.inherited_doubts +=
            number(inherited, "happened") + number(inherited, "never_happened");
        println!("{} doubts settled; {report}", self.inherited_doubts);
        report
    }

    /// How often each delivery stands in the ledger, counted here and not by the example.
    fn effects(&self) -> BTreeMap<String, u64> {
        let text = fs::read_to_string(ledger(self.dir.path())).unwrap();
        assert!(text.ends_with('\n'), "the last line is whole");
        let mut effects = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let delivery = line["delivery"].as_str().unwrap().to_owned();
            *effects.entry(delivery).or_insert(0) += 1;
        }
        effects
    }
}

fn events() -> String {
    let mut text = String::new();
    for number in 0..KILL_LOOP_EVENTS {
        let payload = format!("{{\"action\":\"opened\",\"number\":{number}}}");
        writeln!(
            text,
            "{{\"event\":\"issues\",\"example\":\"opened.payload.json\",\"payload\":{payload}}}"
        )
        .unwrap();
    }
    text
}

fn seed() -> u64 {
    match std::env::var("HAPAX_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish() % 1_000_000,
    }
}

fn run_in(dir: &Path) -> Output {
    example()
        .arg("--json")
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap()
}

fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {report}"))
}

fn ledger(dir: &Path) -> PathBuf {
    dir.join("ledger.jsonl")
}

fn append(dir: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(ledger(dir)).unwrap();
    file.write_all(bytes).unwrap();
}

fn example() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    Command::new(BUILT.get_or_init(build))
}

/// Builds the example as this test was built, because a test that is run alone does not bring it,
/// and asks the build where it is.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().file_name().unwrap();
    let profile = match folder.to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let features: Vec<_> = [
        ("json", cfg!(feature = "json")),
        ("bytes", cfg!(feature = "bytes")),
    ]
    .into_iter()
    .filter_map(|(name, on)| on.then_some(name))
    .collect();
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--example", "webhooks", "--message-format", "json"])
        .args(["--profile", profile, "--features", &features.join(",")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let messages = String::from_utf8(output.stdout).unwrap();
    let built = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let example = message["target"]["name"] == "webhooks";
        let path = message["executable"].as_str().filter(|_| example)?;
        Some(PathBuf::from(path))
    });
    built.expect("the build names the example")
}
