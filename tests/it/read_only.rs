//! A store that is opened to be read: it answers what an open to write would, and stays as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hapax::operator::Attribution;
use hapax::scan::KeyFilter;
use hapax::testing::ManualClock;
use hapax::{Claim, Doubt, Error, ErrorKind, KeyState, LogKind, Policy, Resolution, Store, Ticket};

use crate::contract_support::operator;
use crate::logs::KINDS;
use crate::reading;

fn all_doubts(store: &Store) -> Result<Vec<Doubt>, Error> {
    store.doubts()?.collect()
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

fn policy() -> Policy {
    Policy::at_most_once().lease(Duration::from_secs(30))
}

/// Every kind of key, in three segments. The keys of two holders stay as a killed process leaves
/// them: the copy is made while the store is open.
fn killed(path: &Path, log: LogKind) -> Ticket {
    let place = tempfile::tempdir().unwrap();
    let alive = place.path().join("alive");
    let builder = Store::builder(&alive).log_kind(log).segment_frames(8);
    let store = builder.clone().open().unwrap();
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    let pay = store.namespace("pay", policy()).unwrap();
    for key in 0..12_u8 {
        mail.insert([key]).unwrap();
    }
    let grant = |key: &str| match pay.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key}: {other:?}"),
    };
    grant("large").complete(vec![7; 300_000]).unwrap();
    grant("failed").fail("no such account").unwrap();
    grant("later").release("busy").unwrap();
    grant("unknown").doubt("timed out").unwrap();
    grant("gone").complete("").unwrap();
    assert!(pay.forget("gone").unwrap());
    store.close().unwrap();
    drop((mail, pay));
    let store = builder.open().unwrap();
    let pay = store.namespace("pay", policy()).unwrap();
    let Claim::Granted(held) = pay.claim("held").unwrap() else {
        panic!("it is free")
    };
    held.checkpoint("half way").unwrap();
    let Claim::Granted(lease) = pay.claim("ticket").unwrap() else {
        panic!("it is free")
    };
    let ticket = lease.detach().unwrap();
    store.sync().unwrap();
    reading::copy(&alive, path);
    ticket
}

#[test]
fn it_answers_what_an_open_would_and_changes_no_byte() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let ticket = killed(&path, log);
        reading::check(&path);

        let before = reading::fingerprint(&path);
        let store = Store::builder(&path).read_only().open().unwrap();
        let pay = store.namespace("pay", policy()).unwrap();
        let state = |key: &str| pay.get(key).unwrap().map(|info| info.state());
        assert_eq!(state("held"), Some(KeyState::InDoubt), "its holder is gone");
        assert_eq!(state("ticket"), Some(KeyState::InDoubt));
        assert_eq!(
            (state("later"), state("gone")),
            (Some(KeyState::Released), None)
        );
        let large = pay.get("large").unwrap().unwrap();
        assert_eq!(large.body(), vec![7; 300_000]);
        assert!(pay.contains("large").unwrap() && !pay.contains("failed").unwrap());
        let doubts: Vec<_> = store.doubts().unwrap().map(Result::unwrap).collect();
        assert_eq!(doubts.len(), 3);
        let refused = ErrorKind::ReadOnly;
        assert_eq!(kind(pay.claim("new")), refused);
        assert_eq!(kind(pay.claim("large")), refused, "settled keys too");
        assert_eq!(kind(pay.claim_many(["new", "large"])), refused);
        assert_eq!(kind(pay.insert("new")), refused);
        assert_eq!(kind(pay.forget("large")), refused);
        assert_eq!(kind(store.attach(&ticket)), refused);
        assert_eq!(kind(doubts[0].resolve(Resolution::NeverHappened)), refused);
        assert_eq!(kind(operator(&store).accept_salvage()), refused);
        assert_eq!(kind(store.namespace("new", policy())), refused);
        assert_eq!(kind(store.change_guarantee("mail", policy())), refused);
        let longer = Policy::at_least_once().retention(Duration::from_secs(3600 * 48));
        assert_eq!(kind(store.namespace("mail", longer)), refused);
        assert_eq!(
            kind(store.namespace("mail", policy())),
            ErrorKind::PolicyConflict
        );
        let by = store.operator(Attribution::new("ann", "to see").unwrap());
        assert_eq!(kind(by.doubt("pay", "large", ticket.token())), refused);
        assert_eq!(kind(by.forget("pay", "large")), refused);
        let pay = store.open_namespace("pay").unwrap();
        let error = pay.claim("new").unwrap_err();
        assert!(error.to_string().contains("read_only()"), "{error}");
        store.sync().unwrap();
        store.close().unwrap();
        assert_eq!(kind(pay.get("large")), ErrorKind::Closed);
        assert!(reading::fingerprint(&path) == before);
    }
}

/// `hapax scan big | less` kept its lock for as long as the operator looked at the first page, and the
/// service could not be started again that night. A reader no longer blocks a writer, and is told once
/// a process has begun to write.
#[test]
fn a_reader_does_not_block_a_writer_and_is_told() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        killed(&path, log);
        let reader = || Store::builder(&path).read_only();
        let first = reader().open().unwrap();
        let second = reader().open().unwrap();
        let mail = first.open_namespace("mail").unwrap();
        let mut keys = first.scan(KeyFilter::new()).unwrap();
        assert!(keys.next().unwrap().is_ok());
        assert!(mail.contains([3]).unwrap());

        let writer = Store::open(&path).unwrap();
        let told = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
            let text = error.to_string();
            let pid = format!("by process {}", std::process::id());
            assert!(
                text.contains(&pid) && text.contains("open it again"),
                "{text}"
            );
        };
        told(mail.contains([3]).unwrap_err());
        told(mail.get([3]).unwrap_err());
        told(keys.find_map(Result::err).unwrap());
        told(all_doubts(&first).unwrap_err());
        told(first.verify().unwrap_err());
        told(first.backup(place.path().join("backup")).unwrap_err());
        let error = reader().open().unwrap_err();
        let pid = format!("process {} has", std::process::id());
        assert!(error.to_string().contains(&pid), "{error}");
        writer.close().unwrap();

        // What it has read may be stale, although no process has the store open now.
        assert_eq!(kind(all_doubts(&second)), ErrorKind::Locked);
        second.close().unwrap();
        assert_eq!(
            reader()
                .open()
                .unwrap()
                .doubts()
                .unwrap()
                .map(Result::unwrap)
                .count(),
            3
        );
    }
}

/// Also when compaction has carried and removed everything that the reader has yet to look at.
#[test]
fn a_reader_whose_segments_are_gone_is_told_so() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let ticket = killed(&path, log);
        let store = Store::builder(&path).read_only().open().unwrap();
        let mut keys = store.scan(KeyFilter::new()).unwrap();
        let writer = Store::builder(&path).segment_frames(8).open().unwrap();
        let pay = writer.open_namespace("pay").unwrap();
        assert!(pay.forget("large").unwrap());
        assert!(writer.compact().unwrap().segments_dropped() > 0);
        writer.close().unwrap();
        assert_eq!(
            keys.find_map(Result::err).map(|error| error.kind()),
            Some(ErrorKind::Locked)
        );
        assert_eq!(kind(store.attach(&ticket)), ErrorKind::Locked);
    }
}

/// As root the permissions count for nothing: the test then shows no more than the one above.
#[test]
fn a_directory_that_cannot_be_written_to_can_be_read() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        killed(&path, log);
        let mut paths: Vec<_> = reading::fingerprint(&path).into_keys().collect();
        paths.push(path.clone());
        let allow = |file: u32, folder: u32| {
            for path in &paths {
                let mode = if path.is_dir() { folder } else { file };
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        allow(0o444, 0o555);
        let store = Store::builder(&path).read_only().open().unwrap();
        assert_eq!(store.doubts().unwrap().map(Result::unwrap).count(), 3);
        store.close().unwrap();
        allow(0o644, 0o755);
    }
}

#[test]
fn what_is_not_a_store_or_is_damaged_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let read = |path: &Path| kind(Store::builder(path).read_only().open());
    let absent = place.path().join("absent");
    assert_eq!(read(&absent), ErrorKind::NotAStore);
    assert!(!absent.exists());
    assert_eq!(read(place.path()), ErrorKind::NotAStore);
    let memory = Store::in_memory().read_only().open();
    assert_eq!(kind(memory), ErrorKind::Invalid);
    for log in KINDS {
        let path = place.path().join(log.to_string());
        killed(&path, log);
        let other = Store::builder(&path).read_only().log_kind(match log {
            LogKind::Sled => LogKind::Files,
            _ => LogKind::Sled,
        });
        assert_eq!(kind(other.open()), ErrorKind::LogConflict);
        for file in ["MARKS", "MANIFEST"] {
            let (hurt, twin) = (path.join(file), place.path().join("twin"));
            let bytes = fs::read(&hurt).unwrap();
            fs::remove_file(&hurt).unwrap();
            let before = reading::fingerprint(&path);
            let error = Store::builder(&path).read_only().open().unwrap_err();
            assert!(reading::fingerprint(&path) == before);
            reading::copy(&path, &twin);
            let opened = Store::open(&twin).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            assert_eq!(error.to_string(), opened.to_string());
            fs::remove_dir_all(&twin).unwrap();
            fs::write(&hurt, bytes).unwrap();
        }
        assert!(Store::builder(&path).read_only().open().is_ok());
    }
}

#[test]
fn a_backup_is_taken_from_it_and_can_be_read_itself() {
    for log in KINDS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        killed(&path, log);
        let before = reading::fingerprint(&path);
        let store = Store::builder(&path).read_only().open().unwrap();
        let backup = place.path().join("backup");
        store.backup(&backup).unwrap();
        assert!(reading::fingerprint(&path) == before);
        let taken = reading::fingerprint(&backup);
        let reader = Store::builder(&backup).read_only().open().unwrap();
        assert_eq!(reader.doubts().unwrap().map(Result::unwrap).count(), 3);
        reader.close().unwrap();
        assert!(reading::fingerprint(&backup) == taken);
        let back = place.path().join("back");
        Store::restore(&backup, &back).unwrap();
        assert_eq!(
            Store::open(&back)
                .unwrap()
                .doubts()
                .unwrap()
                .map(Result::unwrap)
                .count(),
            3
        );
    }
}

/// Time also passes for a reader: an answer is not given after its retention.
#[test]
fn an_answer_expires_while_it_is_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("store");
    let clock = ManualClock::new();
    let policy = || Policy::at_least_once().retention(Duration::from_secs(3600));
    let store = Store::builder(&path).clock(&clock).open().unwrap();
    store
        .namespace("mail", policy())
        .unwrap()
        .insert("a")
        .unwrap();
    store.close().unwrap();
    let before = reading::fingerprint(&path);
    let store = Store::builder(&path)
        .clock(&clock)
        .read_only()
        .open()
        .unwrap();
    let mail = store.namespace("mail", policy()).unwrap();
    assert!(mail.contains("a").unwrap());
    clock.advance(Duration::from_secs(3700));
    assert!(!mail.contains("a").unwrap());
    store.close().unwrap();
    assert!(reading::fingerprint(&path) == before);
}

/// Marks that were cut short within a slot, behind what the slot says, were believed by an open to
/// write and not by an open to read, which then called a whole store damaged. The sweep of damaged
/// images found it.
#[test]
fn short_marks_are_read_as_an_open_to_write_reads_them() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("killed");
    killed(&path, LogKind::Files);
    let mut whole = 0;
    for length in [0, 1, 2, 60, 406, 513, 514, 4096, 4097, 4502, 8191] {
        let cut = place.path().join(format!("cut-{length}"));
        reading::copy(&path, &cut);
        let marks = fs::File::options().write(true).open(cut.join("MARKS"));
        marks.unwrap().set_len(length).unwrap();
        let told = |opened: Result<Store, Error>| opened.map(drop).map_err(|error| error.kind());
        let read = told(Store::builder(&cut).read_only().open());
        let written = told(Store::open(&cut));
        assert_eq!(read, written, "{length} bytes of marks");
        whole += u32::from(read.is_ok());
    }
    assert!(whole > 0, "some cuts take nothing away");
}
