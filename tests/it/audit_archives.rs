//! Archives of the audit log in a directory: those that are missing, and those that are damaged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hapax::audit::AuditLevel;
use hapax::testing::ManualClock;
use hapax::{Builder, ErrorKind, LogKind, Policy, Store};

use crate::contract_support::HOUR;
use crate::logs::KINDS;

const GRACE: Duration = Duration::from_secs(121);

fn builder(path: &Path, kind: LogKind, clock: &ManualClock) -> Builder {
    let builder = Store::builder(path).clock(clock).segment_frames(8);
    builder.log_kind(kind)
}

/// A store with 24 audit entries, all of them in archives, and other keys in its log.
fn archived(path: &Path, kind: LogKind, clock: &ManualClock) -> Store {
    let store = builder(path, kind, clock).open().unwrap();
    let quiet = Policy::at_least_once().retention(HOUR);
    let space = quiet.clone().audit(AuditLevel::Keys);
    let (space, plain) = (
        store.namespace("space", space).unwrap(),
        store.namespace("plain", quiet).unwrap(),
    );
    for namespace in [&space, &plain] {
        for key in 0..24 {
            namespace.insert(key.to_string()).unwrap();
        }
    }
    clock.advance(HOUR * 2);
    for _ in 0..2 {
        clock.advance(GRACE);
    }
    let report = store.verify_audit().unwrap();
    assert_eq!((report.entries(), report.archived()), (24, 24));
    store
}

/// Oldest first.
fn archives(path: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(path.join("audit")).unwrap();
    let mut found: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

fn place_of_damage(store: &Store) -> String {
    let error = store.verify_audit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    error.to_string()
}

/// The end of the archives moves along with the store.
#[test]
fn the_newest_archive_is_missed_in_every_copy() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let clock = ManualClock::new();
        let store = archived(&at("store"), kind, &clock);
        store.backup(at("backup")).unwrap();
        store.close().unwrap();
        Store::restore(at("backup"), at("restored")).unwrap();
        for name in ["store", "restored"] {
            let open = |kind| builder(&at(name), kind, &clock);
            open(kind).open().unwrap().verify_audit().unwrap();
            let newest = archives(&at(name)).pop().unwrap();
            std::fs::remove_file(newest).unwrap();
            let reader = open(kind).read_only().open().unwrap();
            assert!(place_of_damage(&reader).contains("the newest are missing"));
            assert_eq!(reader.audit_head().number(), 24);
            reader.close().unwrap();
            let salvage = Store::salvage(at(name), at(&format!("{name}-saved"))).unwrap();
            assert!(salvage.lost_audit_entries() > 0, "{salvage}");
            let saved = salvage.audit_entries() + salvage.lost_audit_entries();
            assert_eq!(saved, 24, "{salvage}");
            let other = KINDS[usize::from(KINDS[0] == kind)];
            Store::move_log(at(name), other).unwrap();
            let store = open(other).open().unwrap();
            place_of_damage(&store);
            store.backup(at(&format!("{name}-again"))).unwrap();
            store.close().unwrap();
            Store::restore(at(&format!("{name}-again")), at(&format!("{name}-copy"))).unwrap();
            let copy = builder(&at(&format!("{name}-copy")), other, &clock);
            place_of_damage(&copy.open().unwrap());
        }
    }
}

/// One damaged archive made every backup fail, and every restore of a backup that was damaged
/// later: for all keys, because of the history of some.
#[test]
fn a_damaged_archive_is_copied_as_it_is() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let clock = ManualClock::new();
        let store = archived(&at("store"), kind, &clock);
        let whole = store.backup(at("whole")).unwrap();
        assert_eq!(whole.damaged_audit_archives(), 0);
        assert_eq!(whole.audit_archives(), archives(&at("store")).len() as u64);
        store
            .open_namespace("plain")
            .unwrap()
            .insert("key")
            .unwrap();
        let damaged = archives(&at("store")).remove(0);
        let mut bytes = std::fs::read(&damaged).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&damaged, &bytes).unwrap();
        let report = store.backup(at("backup")).unwrap();
        assert_eq!(report.damaged_audit_archives(), 1, "{report:?}");
        assert_eq!(report.audit_archives(), whole.audit_archives());
        assert!(report.frames() > whole.frames(), "{report:?}");
        store.close().unwrap();
        let again = Store::restore(at("backup"), at("restored")).unwrap();
        assert_eq!(again, report);
        let copy = archives(&at("restored")).remove(0);
        assert_eq!(copy.file_name(), damaged.file_name());
        assert_eq!(std::fs::read(copy).unwrap(), bytes, "evidence stays");
        let store = builder(&at("restored"), kind, &clock).open().unwrap();
        assert!(place_of_damage(&store).contains("audit archive"));
        let plain = store.open_namespace("plain").unwrap();
        assert!(plain.contains("key").unwrap());
    }
}

/// No metric had what archives take on the disk.
#[test]
fn entries_and_bytes_of_archives_are_measured() {
    let on_disk = |path: &Path| -> u64 {
        let found = std::fs::read_dir(path.join("audit")).unwrap();
        found
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    };
    let gauge = |store: &Store| {
        let found = store.metrics().gauge("hapax_audit_archive_bytes", &[]);
        found.unwrap()
    };
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let clock = ManualClock::new();
        let store = archived(&path, kind, &clock);
        let written = store.metrics().total("hapax_audit_entries_total", &[]);
        assert_eq!(written, 24);
        let bytes = on_disk(&path);
        assert!(bytes > 24 * 89, "{bytes}");
        assert_eq!(gauge(&store), bytes as f64);
        store.close().unwrap();
        let reader = builder(&path, kind, &clock).read_only().open().unwrap();
        assert_eq!(gauge(&reader), bytes as f64);
        reader.close().unwrap();
        let store = builder(&path, kind, &clock).open().unwrap();
        let since_open = store.metrics().total("hapax_audit_entries_total", &[]);
        assert_eq!((gauge(&store), since_open), (bytes as f64, 0));
        // Everything expires except the place in the chain.
        clock.advance(HOUR * 24 * 401);
        for _ in 0..4 {
            clock.advance(GRACE);
        }
        assert!(on_disk(&path) < bytes);
        assert_eq!(gauge(&store), on_disk(&path) as f64);
    }
}
