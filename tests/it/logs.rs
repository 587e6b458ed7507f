//! Both kinds of log on a disk: the same promises, and a store that moves from one to the other.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    Claim, Durability, Error, ErrorKind, KeyState, LogKind, Namespace, Policy, Resolution, Store,
    Ticket,
};

pub(crate) const KINDS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

fn spaces(store: &Store) -> (Namespace, Namespace) {
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    (mail, pay)
}

fn complete(space: &Namespace, key: &str, body: &[u8]) -> i64 {
    let Claim::Granted(lease) = space.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    let token = lease.token().as_i64();
    lease.complete(body).unwrap();
    token
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whether everything in the folder of segments is of this kind.
fn is_all_of(path: &Path, kind: LogKind) -> bool {
    let is_file = |name: &String| name.ends_with(".seg");
    let all = names(&path.join("segments"));
    all.iter()
        .all(|name| is_file(name) == (kind == LogKind::Files))
}

/// What was done to a store, to be found again in any place.
struct Made {
    clock: ManualClock,
    highest: i64,
    ticket: Ticket,
    print: hapax::Fingerprint,
    body: Vec<u8>,
}

/// A store of three runs with every kind of key, bodies in parts, more than one full segment, and a
/// segment that compaction has removed.
fn make(path: &Path, kind: LogKind) -> Made {
    let body: Vec<u8> = (0..400_000_u32).map(|at| (at % 251) as u8).collect();
    let clock = ManualClock::new();
    let open = || {
        Store::builder(path)
            .log_kind(kind)
            .clock(&clock)
            .segment_frames(200)
            .open()
            .unwrap()
    };
    let store = open();
    assert_eq!(store.log_kind(), Some(kind));
    let (mail, _) = spaces(&store);
    for key in 0..40 {
        complete(&mail, &format!("dead-{key}"), &body);
        assert!(mail.forget(format!("dead-{key}")).unwrap());
    }
    complete(&mail, "small", b"sent");
    clock.advance(Duration::from_secs(130));
    store.close().unwrap();
    drop(mail);
    let store = open();
    let (mail, pay) = spaces(&store);
    complete(&mail, "large", &body);
    let Claim::Granted(lease) = pay.claim("doubted").unwrap() else {
        panic!("granted")
    };
    lease.doubt("timed out").unwrap();
    let Claim::Granted(lease) = pay.claim("running").unwrap() else {
        panic!("granted")
    };
    lease.checkpoint("half way").unwrap();
    let print = pay.fingerprint_of("body").unwrap();
    clock.advance(Duration::from_secs(1));
    store.close().unwrap();
    let store = open();
    let (_, pay) = spaces(&store);
    let Claim::Granted(lease) = pay.claim("ticket").unwrap() else {
        panic!("granted")
    };
    let highest = lease.token().as_i64();
    let ticket = lease.detach().unwrap();
    store.close().unwrap();
    Made {
        clock,
        highest,
        ticket,
        print,
        body,
    }
}

impl Made {
    fn open(&self, path: &Path) -> Store {
        Store::builder(path).clock(&self.clock).open().unwrap()
    }
}

fn other_than(kind: LogKind) -> LogKind {
    if kind == LogKind::Sled {
        LogKind::Files
    } else {
        LogKind::Sled
    }
}

fn check(path: &Path, made: &Made) {
    let store = made.open(path);
    store.validate();
    store.verify().unwrap();
    let (mail, pay) = spaces(&store);
    let state = |space: &Namespace, key: &str| space.get(key).unwrap().map(|info| info.state());
    let body = |key: &str| mail.get(key).unwrap().unwrap().body().to_vec();
    assert_eq!(body("small"), b"sent");
    assert_eq!(body("large"), made.body);
    assert_eq!(state(&mail, "dead-7"), None);
    for key in ["doubted", "running", "ticket"] {
        assert_eq!(state(&pay, key), Some(KeyState::InDoubt), "{key}");
    }
    let Claim::InDoubt(doubt) = pay.claim("running").unwrap() else {
        panic!("in doubt")
    };
    assert_eq!(doubt.checkpoint(), b"half way");
    assert_eq!(pay.fingerprint_of("body").unwrap(), made.print);
    store.attach(&made.ticket).unwrap().detach().unwrap();
    store.close().unwrap();
}

#[test]
fn a_store_moves_from_one_log_to_the_other_and_back() {
    for first in KINDS {
        let other = other_than(first);
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        let made = make(&path, first);
        let before = fs::read(path.join("MANIFEST")).unwrap();
        let nothing = Store::move_log(&path, first).unwrap();
        assert_eq!(
            (nothing.segments(), nothing.frames(), nothing.bytes()),
            (0, 0, 0)
        );
        for to in [other, first, other] {
            let segments = names(&path.join("segments")).len() as u64;
            let moved = Store::move_log(&path, to).unwrap();
            assert_eq!(moved.segments(), segments);
            assert!(moved.frames() > moved.segments() && moved.bytes() > 400_000);
            assert!(is_all_of(&path, to));
            assert_eq!(fs::read(path.join("MANIFEST")).unwrap(), before);
            let conflict = Store::builder(&path)
                .log_kind(if to == first { other } else { first })
                .open();
            let error = conflict.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LogConflict);
            assert!(error.to_string().contains("Store::move_log"), "{error}");
            check(&path, &made);
        }
        let store = made.open(&path);
        assert_eq!(store.log_kind(), Some(other));
        let token = complete(&spaces(&store).0, "new", b"");
        assert!(
            token > made.highest,
            "tokens rise for the life of the store"
        );
    }
}

#[test]
fn a_store_that_is_open_missing_or_damaged_does_not_move() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("store");
    assert_eq!(
        kind(Store::move_log(&path, LogKind::Files)),
        ErrorKind::NotAStore
    );
    assert!(!path.exists());
    for first in KINDS {
        let to = other_than(first);
        let path = root.path().join(format!("{first:?}"));
        let store = make(&path, first).open(&path);
        assert_eq!(kind(Store::move_log(&path, to)), ErrorKind::Locked);
        store.close().unwrap();
        let segment = names(&path.join("segments")).pop().unwrap();
        let file = path.join("segments").join(segment);
        let file = if first == LogKind::Sled {
            file.join("db")
        } else {
            file
        };
        let whole = fs::read(&file).unwrap();
        let at = whole
            .windows(8)
            .position(|window| window == b"hapaxfrm")
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at + 90] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(kind(Store::move_log(&path, to)), ErrorKind::Damaged);
        assert!(is_all_of(&path, first));
        fs::write(&file, whole).unwrap();
        Store::move_log(&path, to).unwrap();
    }
}

#[test]
fn a_new_store_that_holds_nothing_moves_too() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("store");
    Store::open(&path).unwrap().close().unwrap();
    for to in [LogKind::Files, LogKind::Sled] {
        let moved = Store::move_log(&path, to).unwrap();
        assert_eq!(moved.frames(), 0);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.log_kind(), Some(to));
    }
}

#[test]
fn a_store_in_memory_has_no_kind_of_log() {
    let store = Store::in_memory().open().unwrap();
    assert_eq!(store.log_kind(), None);
    for builder in [
        Store::in_memory(),
        Store::in_memory().log(&MemoryLog::new()),
    ] {
        assert_eq!(
            kind(builder.log_kind(LogKind::Files).open()),
            ErrorKind::Invalid
        );
    }
    let root = tempfile::tempdir().unwrap();
    let backup = root.path().join("backup");
    store.backup(&backup).unwrap();
    let restored = root.path().join("restored");
    Store::restore(&backup, &restored).unwrap();
    assert_eq!(
        Store::open(&restored).unwrap().log_kind(),
        Some(LogKind::Sled)
    );
}

/// A move that was cut short leaves segments of both kinds; the note says what to do with them.
#[test]
fn what_a_move_has_left_goes_with_the_next_open() {
    for first in KINDS {
        let to = other_than(first);
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        let made = make(&path, first);
        let copy = root.path().join("copy");
        copy_all(&path, &copy);
        Store::move_log(&path, to).unwrap();
        // As if the move had been killed while it removed the old log.
        copy_all(&copy.join("segments"), &path.join("segments"));
        let error = Store::open(&path).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Damaged,
            "no note says that they are void: {error}"
        );
        set_void(&path);
        assert!(!is_all_of(&path, to));
        check(&path, &made);
        assert!(is_all_of(&path, to));
        // The same, and the call is made again.
        copy_all(&copy.join("segments"), &path.join("segments"));
        set_void(&path);
        assert_eq!(Store::move_log(&path, to).unwrap().frames(), 0);
        assert!(is_all_of(&path, to));
        check(&path, &made);
    }
}

fn copy_all(from: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = into.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Sets the flag in the note that says that segments of the other kind are void.
fn set_void(path: &Path) {
    let note = path.join("LOGKIND");
    let mut bytes = fs::read(&note).unwrap();
    bytes[14] = 1;
    let checksum = xxhash(&bytes[..16]);
    bytes[16..].copy_from_slice(&checksum);
    fs::write(&note, bytes).unwrap();
}

fn xxhash(bytes: &[u8]) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes()
}

/// At every durability, both logs keep what was acknowledged across restarts.
#[test]
fn both_keep_what_they_are_given() {
    for log in KINDS {
        for durability in [
            Durability::Sync,
            Durability::Interval(Duration::from_secs(1)),
        ] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("store");
            let open = || {
                let builder = Store::builder(&path).log_kind(log).durability(durability);
                builder.segment_frames(20).open().unwrap()
            };
            let mut known = Vec::new();
            for run in 0..3 {
                let store = open();
                let (mail, pay) = spaces(&store);
                for key in 0..60_usize {
                    let name = format!("{run}-{key}");
                    let body = vec![7; key * key * 40];
                    complete(if key % 2 == 0 { &mail } else { &pay }, &name, &body);
                    known.push((key % 2 == 0, name, body));
                }
                let Claim::Granted(lease) = pay.claim(format!("held-{run}")).unwrap() else {
                    panic!("granted")
                };
                drop(lease);
                store.validate();
                store.verify().unwrap();
                store.close().unwrap();
                let store = open();
                let (mail, pay) = spaces(&store);
                for (is_mail, name, body) in &known {
                    let info = (if *is_mail { &mail } else { &pay })
                        .get(name)
                        .unwrap()
                        .unwrap();
                    assert_eq!(info.body(), body, "{name}");
                }
                for doubt in store.doubts().unwrap().map(Result::unwrap) {
                    doubt.resolve(Resolution::NeverHappened).unwrap();
                }
                store.validate();
            }
            assert!(Store::open(&path).unwrap().stats().segments() > 3);
        }
    }
}
