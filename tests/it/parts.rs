//! One part of a store is damaged or lost while the others are there: the store reports damage.

use std::fs;
use std::path::{Path, PathBuf};

use hapax::testing::ManualClock;
use hapax::{Error, ErrorKind, LogKind, Policy, Store};

use crate::logs::KINDS;
use crate::reading;

/// A store that was used, closed.
fn used(path: &Path, log: LogKind) {
    let store = Store::builder(path).log_kind(log).open().unwrap();
    let space = store.namespace("pay", Policy::at_most_once()).unwrap();
    space.insert("paid").unwrap();
    store.close().unwrap();
}

/// Every way into the store reports that it is damaged, and changes nothing.
fn check_damaged(path: &Path, what: &str) {
    let before = reading::fingerprint(path);
    let damaged = |error: Error, call: &str| {
        assert_eq!(error.kind(), ErrorKind::Damaged, "{what}, {call}: {error}");
    };
    damaged(Store::open(path).unwrap_err(), "open");
    let builder = || Store::builder(path);
    damaged(builder().create(false).open().unwrap_err(), "open");
    damaged(builder().read_only().open().unwrap_err(), "read");
    for to in KINDS {
        damaged(Store::move_log(path, to).unwrap_err(), "move");
    }
    for (file, bytes) in before {
        let name = file.file_name().unwrap().to_str().unwrap();
        if !["LOCK", "RESERVE"].contains(&name) {
            let after = reading::fingerprint(path).remove(&file);
            assert!(after == Some(bytes), "{what}: {} changed", file.display());
        }
    }
}

/// A flipped first byte of MANIFEST made a store with all its segments "not a store", and so did a
/// missing MANIFEST when no store was to be created.
#[test]
fn a_part_whose_first_byte_is_damaged_or_that_is_lost_is_damage() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let whole = root.path().join("whole");
        used(&whole, log);
        let segment = match log {
            LogKind::Files => "segments/0000000000000001.seg",
            _ => "segments/0000000000000001/ready",
        };
        let mut parts = vec!["MANIFEST", "MARKS", segment];
        if log == LogKind::Files {
            parts.push("LOGKIND");
        }
        for part in parts {
            for is_lost in [false, true] {
                let path = root.path().join("hurt");
                reading::copy(&whole, &path);
                let file = path.join(part);
                let mut bytes = fs::read(&file).unwrap();
                if is_lost {
                    fs::remove_file(&file).unwrap();
                } else {
                    // Of marks, the first byte of what each slot holds.
                    let first = if part == "MARKS" {
                        vec![2, 4098]
                    } else {
                        vec![0]
                    };
                    for at in first {
                        bytes[at] ^= 0x20;
                    }
                    fs::write(&file, bytes).unwrap();
                }
                let what = format!("{log:?}: {part}, lost: {is_lost}");
                if part == "MARKS" && is_lost {
                    // An open to write makes the file again, and says that it was not there.
                    assert_eq!(Store::open(&path).unwrap_err().kind(), ErrorKind::Damaged);
                }
                check_damaged(&path, &what);
                if part == "MANIFEST" {
                    let error = Store::survey(&path).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error}");
                }
                fs::remove_dir_all(&path).unwrap();
            }
        }
    }
}

#[test]
fn a_backup_without_its_manifest_or_with_a_damaged_one_is_damaged() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (path, backup) = (root.path().join("store"), root.path().join("backup"));
        used(&path, log);
        Store::open(&path).unwrap().backup(&backup).unwrap();
        let manifest = backup.join("MANIFEST");
        let whole = fs::read(&manifest).unwrap();
        let mut flipped = whole.clone();
        flipped[0] ^= 1;
        let into = root.path().join("into");
        for hurt in [Some(flipped), None] {
            fs::remove_file(&manifest).unwrap();
            if let Some(bytes) = &hurt {
                fs::write(&manifest, bytes).unwrap();
            }
            let error = Store::restore(&backup, &into).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            assert_eq!(Store::open(&backup).unwrap_err().kind(), ErrorKind::Damaged);
            assert!(!into.exists(), "a refusal leaves nothing behind");
            fs::write(&manifest, &whole).unwrap();
        }
        Store::restore(&backup, &into).unwrap();
    }
}

/// What was never a store is left alone, to the last byte.
#[test]
fn a_manifest_of_something_else_is_not_a_store() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("other");
    fs::create_dir_all(path.join("segments")).unwrap();
    fs::write(path.join("MANIFEST"), "a list of ships").unwrap();
    let before = reading::fingerprint(&path);
    for create in [false, true] {
        let error = Store::builder(&path).create(create).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAStore, "{error}");
    }
    let error = Store::builder(&path).read_only().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore, "{error}");
    assert_eq!(
        Store::survey(&path).unwrap_err().kind(),
        ErrorKind::NotAStore
    );
    assert!(reading::fingerprint(&path) == before);
}

/// The file with the frames of the only segment.
fn frames(path: &Path, log: LogKind) -> PathBuf {
    match log {
        LogKind::Files => path.join("segments/0000000000000001.seg"),
        _ => path.join("segments/0000000000000001/db"),
    }
}

/// `Stats::torn_frames` was 0 on sled after any crash: the reader of sled's file hid what was torn.
#[test]
fn a_torn_frame_is_counted_in_either_log() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (alive, path) = (root.path().join("alive"), root.path().join("killed"));
        // On this clock the marks lag behind, as they do for a moment on any.
        let clock = ManualClock::new();
        let store = Store::builder(&alive).log_kind(log).clock(&clock).open();
        let store = store.unwrap();
        let space = store.namespace("mail", Policy::at_least_once()).unwrap();
        for key in 0..5_u8 {
            space.insert([key]).unwrap();
        }
        reading::copy(&alive, &path);
        let file = frames(&path, log);
        let mut bytes = fs::read(&file).unwrap();
        let is_frame = |at: &usize| bytes[*at..].starts_with(b"hapaxfrm");
        let last = (0..bytes.len()).rev().find(is_frame).unwrap();
        bytes[last + 90..last + 96].fill(0);
        fs::write(&file, bytes).unwrap();

        let open = || Store::builder(&path).clock(&clock);
        let reader = open().read_only().open().unwrap();
        assert_eq!(reader.stats().torn_frames(), 1, "{log:?}");
        reader.close().unwrap();
        let store = open().open().unwrap();
        assert_eq!(store.stats().torn_frames(), 1, "{log:?}");
        assert_eq!(store.stats().keys(), 4, "{log:?}");
        store.close().unwrap();
        assert_eq!(open().open().unwrap().stats().torn_frames(), 1);
    }
}
