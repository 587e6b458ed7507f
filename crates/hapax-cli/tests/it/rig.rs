//! Stores for the tests, a way to run the program, and texts made equal between runs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hapax::testing::ManualClock;
use hapax::{Claim, LogKind, Namespace, Policy, Store};
use hapax_http_types::{KeyParts, StoredResponse};
use tempfile::TempDir;

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The objects of its JSON output.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A directory with a store in `dedup`.
pub(crate) struct Place {
    pub(crate) root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("dedup")
    }

    /// Runs the program in the directory of the place.
    pub(crate) fn hapax<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let ran = self.command().args(args).output().unwrap();
        Ran {
            code: ran.status.code().expect("it ends by itself"),
            out: String::from_utf8(ran.stdout).unwrap(),
            err: String::from_utf8(ran.stderr).unwrap(),
        }
    }

    /// As [`hapax`](Self::hapax), from one line.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.hapax(words(line))
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hapax"));
        command.current_dir(self.root.path()).env("USER", "alice");
        command
    }
}

/// The words of a line, split as a shell does: single quotes keep a word together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_with(String::new);
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    words
}

/// The age of the keys of [`some_of_everything`]: the output shows two units of it, which change only
/// after half an hour.
const AGE: Duration = Duration::from_secs((2 * 24 + 1) * 60 * 60 + 30 * 60);

#[expect(
    clippy::disallowed_methods,
    reason = "the program reads the real clock, and the store must be close to it"
)]
pub(crate) fn clock_of_the_past() -> ManualClock {
    let clock = ManualClock::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let started = Duration::from_secs(1_767_225_600);
    let ahead = (now - AGE)
        .checked_sub(started)
        .expect("it is after the first of January 2026");
    clock.step_wall(i64::try_from(ahead.as_secs()).unwrap());
    clock
}

pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(crate) fn granted(space: &Namespace, key: impl AsRef<[u8]>) -> hapax::Lease {
    match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("granted: {other:?}"),
    }
}

/// A store of two namespaces with some of everything, two days old.
pub(crate) fn some_of_everything(path: &Path) {
    some_of_everything_in(path, LogKind::Files);
}

/// Every kind of log.
pub(crate) const KINDS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

pub(crate) fn some_of_everything_in(path: &Path, kind: LogKind) {
    let clock = clock_of_the_past();
    let store = Store::builder(path)
        .log_kind(kind)
        .clock(&clock)
        .open()
        .unwrap();
    let policy = Policy::at_least_once()
        .retention(WEEK)
        .attempt_retention(WEEK);
    let mail = store.namespace("mail", policy).unwrap();
    let pay = store
        .namespace("pay", Policy::at_most_once().retention(WEEK))
        .unwrap();
    granted(&mail, "user-7").complete("sent").unwrap();
    granted(&mail, "user-8").fail("no such address").unwrap();
    let lease = granted(&mail, "user-9");
    lease.checkpoint("half of it").unwrap();
    lease.release("the server is busy").unwrap();
    for number in 40..44 {
        let key = format!("order-{number}");
        granted(&pay, key)
            .complete(format!("receipt {number}"))
            .unwrap();
    }
    let asked = hapax::ClaimOptions::new()
        .metadata("trace-44")
        .fingerprint(pay.fingerprint_of("42.00 EUR").unwrap());
    let Claim::Granted(lease) = pay.claim_with("order-44", asked).unwrap() else {
        panic!("granted")
    };
    lease.doubt("the provider timed out").unwrap();
    store.close().unwrap();
}

/// A store of the HTTP layer, as old as the other: two tenants have sent the same key, and one payment is in
/// doubt.
pub(crate) fn keys_of_http(path: &Path) {
    let clock = clock_of_the_past();
    let builder = Store::builder(path).log_kind(LogKind::Files);
    let store = builder.clock(&clock).open().unwrap();
    let policy = Policy::at_most_once().retention(WEEK);
    let payments = store.namespace("payments", policy).unwrap();
    let key = |tenant| KeyParts::new(tenant, "POST /payments", CLIENT_KEY).to_key();
    let asked = hapax::ClaimOptions::new().metadata("req-1");
    let Claim::Granted(lease) = payments.claim_with(key("acme"), asked).unwrap() else {
        panic!("granted")
    };
    lease.doubt("the provider timed out").unwrap();
    let answer = StoredResponse::plain(201, [], "paid").unwrap();
    let other = granted(&payments, key("umbrella"));
    other.complete(answer.to_bytes()).unwrap();
    store.close().unwrap();
}

/// The key that a client sent.
pub(crate) const CLIENT_KEY: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

/// The variable with the store of the other process, which does nothing without it.
const DIRECTORY: &str = "HAPAX_CLI_HOLDER";

/// The other process: opens the store, leaves keys in progress, and holds the store until it is killed.
/// Does nothing as a test of its own.
#[test]
fn holder() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let store = Store::open(directory).unwrap();
    let pay = store.open_namespace("pay").unwrap();
    let mail = store.open_namespace("mail").unwrap();
    let _running = [granted(&pay, "order-45"), granted(&pay, "order-46")];
    let lease = granted(&mail, "user-10");
    lease.checkpoint("page 3").unwrap();
    let mut out = std::io::stdout().lock();
    out.write_all(b"@open\n").unwrap();
    out.flush().unwrap();
    // Until the parent closes its end or kills this process.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A process that holds a store, until this is dropped.
pub(crate) struct Holder(Child);

impl Holder {
    /// Starts a holder on the store of [`some_of_everything`].
    pub(crate) fn start(store: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rig::holder", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, store)
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
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Flips a bit of the first place where a store has these bytes.
pub(crate) fn damage(store: &Path, bytes: &[u8]) {
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut content = std::fs::read(&path).unwrap();
            let found = content
                .windows(bytes.len())
                .position(|window| window == bytes);
            if let Some(at) = found {
                content[at] ^= 1;
                std::fs::write(&path, content).unwrap();
                return;
            }
        }
    }
    panic!("the store does not hold these bytes");
}

/// Every file in a directory, with its bytes.
pub(crate) fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A text without everything that differs between runs: moments, spans, sizes, widths of columns.
pub(crate) fn normal(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let word = without_numbers(&without_moments(word));
            let is_unit = ["B", "KiB", "MiB", "GiB", "TiB"].contains(&word.as_str());
            if is_unit && words.last().is_some_and(|last| last.parse::<f64>().is_ok()) {
                words.pop();
                words.push("SIZE".to_owned());
            } else if !is_span(&word) {
                words.push(word);
            } else if words.last().is_none_or(|last| last != "SPAN") {
                words.push("SPAN".to_owned());
            }
        }
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_span(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let units = [
        "s", "m", "h", "day", "days", "ms", "us", "ns", "month", "months",
    ];
    unit.len() < word.len() && units.contains(&unit)
}

/// A moment of an object, in seconds since 1970.
pub(crate) fn seconds(moment: &str) -> u64 {
    let moment = humantime::parse_rfc3339(moment).unwrap();
    moment.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

const MOMENT: &str = "dddd-dd-ddTdd:dd:ddZ";

fn without_moments(word: &str) -> String {
    let fits = |at: usize| {
        let part = word.get(at..at + MOMENT.len())?;
        let same = |(c, form): (char, char)| match form {
            'd' => c.is_ascii_digit(),
            _ => c == form,
        };
        part.chars().zip(MOMENT.chars()).all(same).then_some(at)
    };
    match (0..word.len()).find_map(fits) {
        Some(at) => {
            let rest = without_moments(&word[at + MOMENT.len()..]);
            format!("{}TIME{rest}", &word[..at])
        }
        None => word.to_owned(),
    }
}

/// JSON members whose numbers differ between runs.
const MEMBERS: &[&str] = &["age_secs", "disk_bytes", "free_bytes"];

fn without_numbers(word: &str) -> String {
    let mut word = without_digests(word);
    for member in MEMBERS {
        let name = format!("\"{member}\":");
        if let Some(at) = word.find(&name) {
            let from = at + name.len();
            let digits = word[from..]
                .chars()
                .take_while(char::is_ascii_digit)
                .count();
            word.replace_range(from..from + digits, "N");
        }
    }
    word
}

/// The fewest digits of an id or a digest; numbers have fewer.
const DIGEST_DIGITS_MIN: usize = 32;

fn without_digests(word: &str) -> String {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let parts = word.split_inclusive(|c| !is_hex(c));
    let short = parts.map(|part| match part.trim_end_matches(|c| !is_hex(c)) {
        digits if digits.len() >= DIGEST_DIGITS_MIN => format!("HEX{}", &part[digits.len()..]),
        _ => part.to_owned(),
    });
    short.collect()
}

#[test]
fn texts_are_made_equal() {
    let line = "  pay  order-42  2days 1h  12.5 KiB  \"at\":\"2026-11-21T22:43:03Z\",\"age_secs\":77,\"a\":1 \n3 keys";
    assert_eq!(
        normal(line),
        "pay order-42 SPAN SIZE \"at\":\"TIME\",\"age_secs\":N,\"a\":1\n3 keys"
    );
    assert_eq!(words("get './a b' x"), ["get", "./a b", "x"]);
}
