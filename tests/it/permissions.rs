//! Only the owner may look into the files of a store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hapax::audit::AuditLevel;
use hapax::{LogKind, Policy, Store};

use crate::logs::KINDS;

/// Every file and folder below a place, and the place itself, is only for its owner.
fn check(path: &Path) {
    let about = fs::symlink_metadata(path).unwrap();
    let wanted = if about.is_dir() { 0o700 } else { 0o600 };
    let mode = about.permissions().mode() & 0o777;
    assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            check(&entry.unwrap().path());
        }
    }
}

/// A store with segments of every age, archives and a reserve.
fn worked(path: &Path, log: LogKind) -> Store {
    let builder = Store::builder(path).log_kind(log).segment_frames(4);
    let store = builder.open().unwrap();
    let policy = Policy::at_least_once().audit(AuditLevel::Keys);
    let space = store.namespace("mail", policy).unwrap();
    for key in 0..20_u8 {
        space.insert([key]).unwrap();
        store.sync().unwrap();
    }
    for key in 0..10_u8 {
        space.forget([key]).unwrap();
    }
    store.compact().unwrap();
    store
}

/// Answers and the seeds of fingerprints lay in files that every user of the machine could read.
#[test]
fn what_is_made_is_for_its_owner_alone() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let store = worked(&at("above/store"), log);
        check(&at("above"));
        store.backup(at("copies/backup")).unwrap();
        check(&at("copies"));
        store.close().unwrap();
        check(&at("above"));
        Store::restore(at("copies/backup"), at("restored")).unwrap();
        check(&at("restored"));
        Store::salvage(at("above/store"), at("salvaged")).unwrap();
        check(&at("salvaged"));
        let to = KINDS.into_iter().find(|kind| *kind != log).unwrap();
        Store::move_log(at("above/store"), to).unwrap();
        check(&at("above"));
        Store::open(at("above/store")).unwrap().close().unwrap();
        check(&at("above"));
    }
}

/// What the owner has opened to others stays open to them; new files in it do not.
#[test]
fn what_was_opened_to_others_stays_as_it_is() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        worked(&path, log).close().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o755);
        for entry in fs::read_dir(&path).unwrap() {
            check(&entry.unwrap().path());
        }
        let marks = path.join("MARKS");
        fs::set_permissions(&marks, fs::Permissions::from_mode(0o640)).unwrap();
        worked(&path, log).close().unwrap();
        assert_eq!(mode(&marks), 0o640);
    }
}
