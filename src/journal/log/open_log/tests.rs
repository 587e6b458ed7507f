//! What both kinds of log on a disk must do, and how a store keeps its kind.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::journal::format::log_kind_note::LogKindNote;
use crate::journal::log::contract::conformance_tests as conformance;
use crate::journal::log::contract::conformance_tests::{check_frames, frame};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::directory::files::disk_bytes;
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::open_log::OpenLog;
use crate::value::log_kind::LogKind;

const KINDS: [LogKind; 2] = [LogKind::Sled, LogKind::Files];

const OPTIONS: DirectoryOptions = DirectoryOptions {
    create: true,
    wait_for_lock: Duration::ZERO,
    making: None,
};

fn open(path: &Path, kind: LogKind) -> OpenLog {
    let open = OpenLog::open(path, OPTIONS, Some(kind)).unwrap();
    assert_eq!((open.kind, open.log.kind()), (kind, Some(kind)));
    open
}

fn frames(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(frame).collect()
}

/// A log with one segment, number 1, of these frames.
fn filled(path: &Path, kind: LogKind, frames: &[Vec<u8>]) -> OpenLog {
    let open = open(path, kind);
    assert!(open.log.segments().unwrap().is_empty());
    open.log.activate(1, b"link").unwrap();
    for (index, frame) in (0..).zip(frames) {
        open.log.append(1, index, frame).unwrap();
    }
    open.log.sync(1).unwrap();
    open
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs a test for each kind, in a directory of its own.
fn each(test: impl Fn(&Path, LogKind)) {
    for kind in KINDS {
        println!("{kind:?}");
        let root = TempDir::new().unwrap();
        test(root.path(), kind);
    }
}

#[test]
fn conforms() {
    each(|root, kind| {
        let stores = std::cell::Cell::new(0);
        conformance::run(&|| {
            stores.set(stores.get() + 1);
            let path = root.join(format!("a/b/store-{}", stores.get()));
            Box::new(move || open(&path, kind).log)
        });
    });
}

#[test]
fn a_second_open_is_told_who_has_it() {
    each(|root, kind| {
        let log = open(root, kind);
        let patient = DirectoryOptions {
            wait_for_lock: Duration::from_millis(15),
            ..OPTIONS
        };
        match OpenLog::open(root, patient, None) {
            Err(OpenFailure::Locked(holder)) => assert_eq!(holder.pid(), Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(log);
        open(root, kind);
    });
}

#[test]
fn other_directories_are_left_alone() {
    each(|root, kind| {
        let not_a_store = |path: &Path, create| {
            let result = OpenLog::open(path, DirectoryOptions { create, ..OPTIONS }, Some(kind));
            assert!(
                matches!(result, Err(OpenFailure::NotAStore(_))),
                "{result:?}"
            );
        };
        let check = |entries: &[&str], create| {
            let path = root.join("other");
            fs::create_dir(&path).unwrap();
            for entry in entries {
                File::create(path.join(entry)).unwrap();
            }
            not_a_store(&path, create);
            assert_eq!(names(&path), entries);
            fs::remove_dir_all(&path).unwrap();
        };
        check(&["photo.jpeg"], true);
        check(&["CURRENT", "LOCK", "MANIFEST-000001"], true);
        check(&["LOCK", "MANIFEST", "segments"], false);
        check(&[], false);

        let file = root.join("file");
        File::create(&file).unwrap();
        not_a_store(&file, true);
        let missing = root.join("missing");
        not_a_store(&missing, false);
        assert!(!missing.exists());
        fs::create_dir_all(missing.join("lost+found")).unwrap();
        open(&missing, kind).log.write_manifest(b"m").unwrap();
        File::create(missing.join("notes.txt")).unwrap();
        let there = DirectoryOptions {
            create: false,
            ..OPTIONS
        };
        assert_eq!(OpenLog::open(&missing, there, None).unwrap().kind, kind);
    });
}

#[test]
fn the_reserve_is_really_there() {
    each(|root, kind| {
        let log = open(root, kind).log;
        let reserve = root.join("RESERVE");
        for _ in 0..2 {
            log.hold_reserve(3 << 20).unwrap();
            let place = AnchoredPath::at(root).unwrap().join("RESERVE");
            assert!(disk_bytes(&place).unwrap() >= 3 << 20);
        }
        log.hold_reserve(0).unwrap();
        log.hold_reserve(0).unwrap();
        assert!(!reserve.exists());
        assert!(log.free_bytes().unwrap().unwrap() > 0);
    });
}

#[test]
fn marks_with_a_wrong_length_are_still_read() {
    each(|root, kind| {
        let log = open(root, kind).log;
        log.write_marks(0, b"zero").unwrap();
        let file = File::options()
            .write(true)
            .open(root.join("MARKS"))
            .unwrap();
        file.write_all_at(&[0xFF; 2], 4096).unwrap();
        let marks = log.read_marks().unwrap();
        assert_eq!(marks[0], b"zero");
        assert!(!marks[1].is_empty());
    });
}

#[test]
fn a_forked_child_is_refused() {
    each(|root, kind| {
        let open_log = filled(root, kind, &frames(2));
        open_log.pretend_forked();
        let refused = |result: io::Result<()>| {
            assert!(result.unwrap_err().to_string().contains("forked"));
        };
        let log = &open_log.log;
        refused(log.append(1, 2, b"x"));
        refused(log.flush(1));
        refused(log.sync(1));
        refused(log.seal(1));
        refused(log.prepare(2, 1));
        refused(log.activate(2, b""));
        refused(log.remove(1));
        refused(log.write_manifest(b""));
        refused(log.write_marks(0, b""));
        refused(log.hold_reserve(1));
        refused(log.close());
        let note = LogKindNote {
            kind,
            has_void: false,
        };
        refused(open_log.note(note));
        drop(open_log);
        // The lock went with the handle, because here no parent still holds it.
        let log = open(root, kind).log;
        log.segments().unwrap();
        check_frames(&*log, 1, &frames(2));
    });
}

#[test]
fn dropping_survives_a_vanished_directory() {
    each(|root, kind| {
        let path = root.join("store");
        let log = filled(&path, kind, &frames(2)).log;
        log.prepare(2, 1).unwrap();
        fs::remove_dir_all(&path).unwrap();
        if kind == LogKind::Sled {
            assert!(log.seal(1).is_err());
        }
        assert!(log.remove(1).is_ok(), "what is gone can be removed again");
        drop(log);
    });
}

#[test]
fn segments_are_read_prepared_and_written_at_once() {
    each(|root, kind| {
        let all = frames(300);
        let log = filled(root, kind, &all).log;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5 {
                    check_frames(&*log, 1, &all);
                }
            });
            scope.spawn(|| {
                log.prepare(3, 1).unwrap();
                log.seal(1).unwrap();
            });
            log.activate(2, b"").unwrap();
            for (index, frame) in (0..).zip(&all) {
                log.append(2, index, frame).unwrap();
                if index % 20 == 0 {
                    log.sync(2).unwrap();
                }
            }
            log.activate(3, b"").unwrap();
        });
        check_frames(&*log, 1, &all);
        check_frames(&*log, 2, &all);
        log.close().unwrap();
    });
}

/// The entries of a store's segments.
fn segments(root: &Path) -> Vec<String> {
    names(&root.join("segments"))
}

fn refusal(root: &Path) -> (ErrorKind, String) {
    match OpenLog::open(root, OPTIONS, None) {
        Err(OpenFailure::Io(error)) => (error.kind(), error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_keeps_its_kind() {
    each(|root, kind| {
        let log = filled(root, kind, &frames(3)).log;
        log.write_manifest(b"m").unwrap();
        log.close().unwrap();
        drop(log);
        for wanted in [None, Some(LogKind::Sled), Some(LogKind::Files)] {
            let found = OpenLog::open(root, OPTIONS, wanted).unwrap();
            assert_eq!(found.kind, kind);
            assert_eq!(found.log.segments().unwrap(), [1]);
            check_frames(&*found.log, 1, &frames(3));
        }
        // A store in sled has the same files as before there was another kind.
        assert_eq!(root.join("LOGKIND").exists(), kind == LogKind::Files);
    });
}

/// A crash came before the manifest, so there is no store, and the next open decides its kind.
#[test]
fn what_is_no_store_yet_has_no_kind_yet() {
    let root = TempDir::new().unwrap();
    for kind in [LogKind::Files, LogKind::Sled, LogKind::Files] {
        open(root.path(), kind).log.prepare(1, 1).unwrap();
        for entry in segments(root.path()) {
            let path = root.path().join("segments").join(entry);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
    let found = OpenLog::open(root.path(), OPTIONS, None).unwrap();
    assert_eq!(found.kind, LogKind::Files, "else it is as it was begun");
}

#[test]
fn a_lost_or_damaged_note_is_no_reason_to_take_the_other_log() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), LogKind::Files, &frames(3)).log;
    log.write_manifest(b"m").unwrap();
    drop(log);
    let path = root.path().join("LOGKIND");
    let note = fs::read(&path).unwrap();
    for manifest in [true, false] {
        fs::remove_file(&path).unwrap();
        let (kind, text) = refusal(root.path());
        assert_eq!(kind, ErrorKind::InvalidData);
        assert!(text.contains("LOGKIND"), "{text}");
        for at in 0..note.len() {
            let mut bad = note.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_eq!(refusal(root.path()).0, ErrorKind::InvalidData);
        }
        fs::write(&path, &note).unwrap();
        assert_eq!(segments(root.path()), ["0000000000000001.seg"]);
        if manifest {
            fs::remove_file(root.path().join("MANIFEST")).unwrap();
        }
    }
    let found = OpenLog::open(root.path(), OPTIONS, None).unwrap();
    found.log.segments().unwrap();
    check_frames(&*found.log, 1, &frames(3));
}

#[test]
fn segments_of_the_other_kind_are_void_only_where_the_note_says_so() {
    for (kind, other) in [
        (LogKind::Sled, LogKind::Files),
        (LogKind::Files, LogKind::Sled),
    ] {
        let root = TempDir::new().unwrap();
        let store = filled(root.path(), kind, &frames(3));
        store.log.write_manifest(b"m").unwrap();
        let beside = store.another(other);
        beside.segments().unwrap();
        beside.activate(7, b"").unwrap();
        drop(beside);
        store
            .note(LogKindNote {
                kind,
                has_void: true,
            })
            .unwrap();
        drop(store);
        assert_eq!(segments(root.path()).len(), 2);

        let store = OpenLog::open(root.path(), OPTIONS, None).unwrap();
        assert_eq!((store.kind, store.has_void), (kind, true));
        assert_eq!(store.log.segments().unwrap(), [1]);
        store
            .note(LogKindNote {
                kind,
                has_void: false,
            })
            .unwrap();
        drop(store);
        assert_eq!(refusal(root.path()).0, ErrorKind::InvalidData);

        let note = LogKindNote {
            kind,
            has_void: true,
        };
        fs::write(root.path().join("LOGKIND"), note.encode()).unwrap();
        let store = OpenLog::open(root.path(), OPTIONS, None).unwrap();
        store.discard_void().unwrap();
        drop(store);
        let store = OpenLog::open(root.path(), OPTIONS, None).unwrap();
        assert_eq!((store.kind, store.has_void), (kind, false));
        store.discard_void().unwrap();
        assert_eq!(store.log.segments().unwrap(), [1]);
        check_frames(&*store.log, 1, &frames(3));
    }
}

#[test]
fn leftovers_of_a_crash_are_discarded() {
    each(|root, kind| {
        let log = filled(root, kind, &frames(3)).log;
        log.prepare(2, 1).unwrap();
        drop(log);
        let entries: [PathBuf; 2] = match kind {
            LogKind::Sled => ["dead-0000000000000000/blobs", "0000000000000003"].map(PathBuf::from),
            LogKind::Files => ["not ours either", "0000000000000003.seg"].map(PathBuf::from),
        };
        let folder = root.join("segments");
        match kind {
            LogKind::Sled => entries
                .iter()
                .for_each(|entry| fs::create_dir_all(folder.join(entry)).unwrap()),
            LogKind::Files => entries
                .iter()
                .for_each(|entry| fs::write(folder.join(entry), b"").unwrap()),
        }
        fs::create_dir_all(folder.join("not ours")).unwrap();
        assert_eq!(names(&folder).len(), 5);
        let log = open(root, kind).log;
        assert_eq!(log.segments().unwrap(), [1]);
        let left = names(&folder);
        assert_eq!(
            (left.len(), &*left[1]),
            (if kind == LogKind::Sled { 2 } else { 3 }, "not ours")
        );
        check_frames(&*log, 1, &frames(3));
    });
}
