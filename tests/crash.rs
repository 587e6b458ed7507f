//! `kill -9`, round after round, on one directory.
//!
//! A child runs this same program, claims and settles keys under `Sync`, and acknowledges over its
//! standard output what returned to it. The parent kills it at a random moment and holds the store
//! to every acknowledgement that it has read.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use hapax::{Claim, Lease, Namespace, Policy, Resolution, State, Store, Ticket};

const ROUNDS: u64 = 60;
const THREADS: u64 = 4;
/// Keys that all rounds share, in each namespace.
const KEYS: u64 = 3000;
/// A full check takes a moment, so that only some of the kills are followed by one.
const CHECK_EVERY: u64 = 5;

const DIRECTORY: &str = "HAPAX_CRASH_DIRECTORY";
const SEED: &str = "HAPAX_SEED";
const SPACES: [&str; 2] = ["at-least", "at-most"];

/// A small generator, so that a run can be repeated from its seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn spaces(store: &Store) -> [Namespace; 2] {
    let policy = [Policy::at_least_once(), Policy::at_most_once()];
    std::array::from_fn(|at| store.namespace(SPACES[at], policy[at].clone()).unwrap())
}

/// What a completion under a token stores: most are small, some take several frames.
fn body(token: i64) -> Vec<u8> {
    let size = if token % 16 == 0 { 70_000 } else { 20 };
    vec![token.to_le_bytes()[0]; size]
}

/// One line at a time, whole: what stands here has returned.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The child. As a test by itself it does nothing.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    say("start");
    let store = Store::open(directory).unwrap();
    let spaces = spaces(&store);
    say("open");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, spaces) = (&store, &spaces);
            scope.spawn(move || work(store, spaces, seed, thread));
        }
    });
}

fn work(store: &Store, spaces: &[Namespace; 2], seed: u64, thread: u64) {
    let mut draw = Draw(seed.wrapping_add(thread));
    for step in 0..u64::MAX {
        let which = usize::try_from(draw.below(2)).unwrap();
        let space = &spaces[which];
        if draw.below(20) == 0 {
            ticket(space, &format!("ticket-{seed}-{thread}-{step}"));
            continue;
        }
        let key = format!("key-{}", draw.below(KEYS));
        if draw.below(10) == 0 {
            let keys: Vec<String> = (0..20)
                .map(|_| format!("key-{}", draw.below(KEYS)))
                .collect();
            many(space, which, &keys);
            continue;
        }
        match space.claim(&key).unwrap() {
            Claim::Granted(lease) => {
                let checkpoint = String::from_utf8(lease.last_checkpoint().to_vec()).unwrap();
                say(&format!(
                    "granted {which} {key} {} {checkpoint}",
                    lease.token()
                ));
                settle(which, &key, lease, draw.below(8));
            }
            Claim::Completed(answer) => {
                let (token, got) = (answer.token().as_i64(), answer.response());
                assert!(
                    got == body(token) || got == b"resolved",
                    "the stored response of {key}"
                );
                say(&format!("answered {which} {key} {token}"));
            }
            Claim::InDoubt(_) | Claim::InProgress(_) => {}
            other => panic!("{other:?}"),
        }
        let _ = store.stats();
    }
}

fn settle(which: usize, key: &str, lease: Lease, how: u64) {
    let token = lease.token().as_i64();
    match how {
        0 => drop(lease),
        1 => {
            lease.release("later").unwrap();
            say(&format!("released {which} {key} {token}"));
        }
        2 => {
            lease.checkpoint(token.to_string()).unwrap();
            say(&format!("checkpoint {which} {key} {token}"));
            lease.release("half way").unwrap();
            say(&format!("released {which} {key} {token}"));
        }
        _ => {
            lease.complete(body(token)).unwrap();
            say(&format!("completed {which} {key} {token}"));
        }
    }
}

fn ticket(space: &Namespace, key: &str) {
    let Claim::Granted(lease) = space.claim(key).unwrap() else {
        panic!("nobody else knows {key}")
    };
    let ticket = lease.detach().unwrap();
    say(&format!(
        "ticket {}",
        serde_json::to_string(&ticket).unwrap()
    ));
}

fn many(space: &Namespace, which: usize, keys: &[String]) {
    let mut held = Vec::new();
    for (key, claim) in keys.iter().zip(space.claim_many(keys).unwrap()) {
        if let hapax::BatchClaim::Claim(Claim::Granted(lease)) = claim {
            let checkpoint = String::from_utf8(lease.last_checkpoint().to_vec()).unwrap();
            say(&format!(
                "granted {which} {key} {} {checkpoint}",
                lease.token()
            ));
            held.push((key, lease));
        }
    }
    let done: Vec<_> = held
        .iter()
        .map(|(key, lease)| (*key, lease.token().as_i64()))
        .collect();
    let items = held.into_iter().map(|(_, lease)| {
        let token = lease.token().as_i64();
        (lease, body(token))
    });
    for ((key, token), result) in done
        .into_iter()
        .zip(space.complete_many(items.collect::<Vec<_>>()))
    {
        result.unwrap();
        say(&format!("completed {which} {key} {token}"));
    }
}

type Key = (usize, String);

/// What the children have acknowledged.
#[derive(Default)]
struct Known {
    completed: HashMap<Key, i64>,
    /// The token of the newest checkpoint.
    checkpoints: HashMap<Key, i64>,
    /// Granted, or released, and not heard of since.
    open: HashMap<Key, bool>,
    tickets: Vec<Ticket>,
    /// The highest token before this round, and in it.
    before: i64,
    highest: i64,
    acknowledged: u64,
}

impl Known {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (verb, first) = (words.next().unwrap(), words.next());
        let Some(first) = first else { return };
        self.acknowledged += 1;
        if verb == "ticket" {
            let ticket: Ticket = serde_json::from_str(first).unwrap();
            self.rise(ticket.token().as_i64());
            self.tickets.push(ticket);
            return;
        }
        let key: Key = (first.parse().unwrap(), words.next().unwrap().to_owned());
        let token: i64 = words.next().unwrap().parse().unwrap();
        match verb {
            "granted" => self.granted(key, token, words.next().unwrap_or("")),
            "completed" => {
                assert_eq!(
                    self.completed.insert(key.clone(), token),
                    None,
                    "{key:?} twice"
                );
                self.open.remove(&key);
            }
            "released" => {
                self.open.insert(key, false);
            }
            "checkpoint" => {
                self.checkpoints.insert(key, token);
            }
            "answered" => {
                let known = self.completed.get(&key);
                assert!(
                    known.is_none_or(|known| *known == token),
                    "{key:?} has another answer"
                );
            }
            other => panic!("{other}"),
        }
    }

    fn granted(&mut self, key: Key, token: i64, checkpoint: &str) {
        assert!(
            !self.completed.contains_key(&key),
            "{key:?} was completed, and is granted again"
        );
        self.rise(token);
        if let Some(known) = self.checkpoints.get(&key) {
            let got = checkpoint.parse().unwrap_or(0);
            assert!(
                *known <= got,
                "{key:?} lost the checkpoint of {known}: {checkpoint:?}"
            );
        }
        self.open.insert(key, true);
    }

    fn rise(&mut self, token: i64) {
        assert!(token > self.before, "token {token} after {}", self.before);
        self.highest = self.highest.max(token);
    }

    /// Opens the store and looks for everything that was acknowledged.
    fn check(&mut self, directory: &Path) {
        let store = Store::open(directory).unwrap();
        let spaces = spaces(&store);
        store.validate();
        store.verify().unwrap();
        for ((which, key), token) in &self.completed {
            let info = spaces[*which].get(key).unwrap();
            let info = info.unwrap_or_else(|| panic!("{key} was acknowledged, and is missing"));
            assert_eq!(
                (info.state(), info.token().as_i64()),
                (State::Completed, *token),
                "{key}"
            );
            assert!(
                info.body() == body(*token) || info.body() == b"resolved",
                "{key}"
            );
        }
        self.settle_open(&store, &spaces);
        for ticket in std::mem::take(&mut self.tickets) {
            let lease = store.attach(&ticket).unwrap();
            let token = lease.token().as_i64();
            lease.complete(body(token)).unwrap();
            let which = SPACES
                .iter()
                .position(|space| *space == ticket.namespace())
                .unwrap();
            let key = String::from_utf8(ticket.key().to_vec()).unwrap();
            self.completed.insert((which, key), token);
        }
        store.validate();
        store.close().unwrap();
    }

    /// A key that was granted and not heard of is in doubt where an effect must not run twice,
    /// unless its outcome became durable without being acknowledged.
    fn settle_open(&mut self, store: &Store, spaces: &[Namespace; 2]) {
        for ((which, key), granted) in std::mem::take(&mut self.open) {
            let info = spaces[which].get(&key).unwrap();
            let state = info.as_ref().map(hapax::KeyInfo::state);
            match (which, granted) {
                (1, _) => assert!(
                    state.is_some() && state != Some(State::InProgress),
                    "{key}: {state:?}"
                ),
                (_, true) => assert!(
                    matches!(state, None | Some(State::Released | State::Completed)),
                    "{key}"
                ),
                (_, false) => assert!(
                    matches!(state, Some(State::Released | State::Completed)),
                    "{key}: {state:?}"
                ),
            }
        }
        for doubt in store.in_doubt().unwrap() {
            let key = String::from_utf8(doubt.key().to_vec()).unwrap();
            assert_eq!(doubt.namespace(), SPACES[1], "{key}");
            assert!(
                !self.completed.contains_key(&(1, key.clone())),
                "{key} was completed"
            );
            if self
                .tickets
                .iter()
                .any(|ticket| ticket.key() == key.as_bytes())
            {
                continue;
            }
            if doubt.token().as_i64() % 2 == 0 {
                doubt
                    .resolve(Resolution::Happened(b"resolved".to_vec()))
                    .unwrap();
                let token = spaces[1].get(&key).unwrap().unwrap().token().as_i64();
                self.highest = self.highest.max(token);
                self.completed.insert((1, key), token);
            } else {
                doubt.resolve(Resolution::NeverHappened).unwrap();
            }
        }
    }
}

fn spawn(directory: &Path, seed: u64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads what the child says until it has said `lines`, kills it, and reads the rest.
fn round(directory: &Path, known: &mut Known, draw: &mut Draw) {
    let (mut child, mut out) = spawn(directory, draw.below(1 << 30));
    // The first line comes before the store is opened, the second one after.
    let lines = match draw.below(5) {
        0 => 1,
        1 => 2,
        _ => 3 + draw.below(400),
    };
    let mut said = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if out.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // What the test harness prints is not for us; a line that was cut off was not said.
        if let Some(words) = line
            .strip_prefix('@')
            .and_then(|line| line.strip_suffix('\n'))
        {
            known.hear(words);
            said += 1;
            if said == lines {
                (0..draw.below(2_000_000)).for_each(|_| std::hint::spin_loop());
                child.kill().unwrap();
            }
        }
    }
    let status = child.wait().unwrap();
    assert!(
        status.code().is_none(),
        "the child ended by itself: {status}"
    );
    known.before = known.highest;
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    use std::hash::{BuildHasher, RandomState};
    if std::env::var(DIRECTORY).is_ok() {
        return;
    }
    let given = std::env::var(SEED).ok();
    let seed = given.map_or_else(
        || RandomState::new().hash_one(0),
        |seed| seed.parse().unwrap(),
    );
    println!("{SEED}={seed}");
    let mut draw = Draw(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut known = Known::default();
    for number in 1..=ROUNDS {
        round(&path, &mut known, &mut draw);
        if number % CHECK_EVERY == 0 {
            known.check(&path);
        }
    }
    println!(
        "{} acknowledgements, {} completed",
        known.acknowledged,
        known.completed.len()
    );
    assert!(
        known.completed.len() > 100,
        "the children came to something"
    );
}
