//! A store stays in the directory that it was opened in, even when its path leads elsewhere now.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hapax::audit::AuditLevel;
use hapax::{LogKind, Namespace, Policy, Store};

use crate::logs::KINDS;
use crate::skipped::skipped;

/// Says to a child in which of its folders the store is to be opened.
const CHILD: &str = "HAPAX_PLACES_LOG";

fn open(path: &Path, log: LogKind) -> (Store, Namespace) {
    let builder = Store::builder(path).log_kind(log).segment_frames(4);
    let store = builder.open().unwrap();
    let policy = Policy::at_least_once().audit(AuditLevel::Keys);
    let space = store.namespace("mail", policy).unwrap();
    (store, space)
}

/// Enough to fill segments, close them, and make new ones; then to drop some, with archives.
fn work(store: &Store, space: &Namespace, name: &str) {
    for key in 0..20 {
        space.insert(format!("{name}-{key}")).unwrap();
        store.sync().unwrap();
    }
    for key in 0..10 {
        assert!(space.forget(format!("{name}-{key}")).unwrap());
    }
    store.compact().unwrap();
    let more = Policy::at_least_once();
    store.namespace(&format!("of {name}"), more).unwrap();
}

/// The store at `path` is whole, and holds only what [`work`] did under this name.
fn check(path: &Path, log: LogKind, name: &str) {
    let (store, space) = open(path, log);
    store.verify().unwrap();
    store.verify_audit().unwrap();
    store.validate();
    for key in 0..20 {
        let there = space.contains(format!("{name}-{key}")).unwrap();
        assert_eq!(there, key >= 10, "{name}-{key}");
    }
    assert_eq!(store.stats().keys(), 10);
    assert_eq!(
        store.namespaces(),
        ["mail".to_owned(), format!("of {name}")]
    );
    store.close().unwrap();
}

/// Another volume was mounted over the parent of an open store: its later segments lay there, the
/// close was fine, and both stores were damaged. A rename of the directory does the same.
#[test]
fn a_store_whose_directory_is_renamed_goes_on_there() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (path, moved) = (root.path().join("store"), root.path().join("moved"));
        let (one, ones) = open(&path, log);
        fs::rename(&path, &moved).unwrap();
        let (two, twos) = open(&path, log);
        work(&one, &ones, "one");
        work(&two, &twos, "two");
        one.close().unwrap();
        two.close().unwrap();
        check(&moved, log, "one");
        check(&path, log, "two");
    }
}

#[test]
fn a_store_behind_a_link_that_changes_goes_on_where_it_was() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        let folders = ["first", "second"].map(|name| root.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        symlink(&folders[0], &link).unwrap();
        let (one, ones) = open(&link.join("store"), log);
        fs::remove_file(&link).unwrap();
        symlink(&folders[1], &link).unwrap();
        let (two, twos) = open(&link.join("store"), log);
        work(&one, &ones, "one");
        work(&two, &twos, "two");
        let backup = root.path().join("backup");
        one.backup(&backup).unwrap();
        one.close().unwrap();
        two.close().unwrap();
        check(&folders[0].join("store"), log, "one");
        check(&folders[1].join("store"), log, "two");
        let restored = root.path().join("restored");
        Store::restore(&backup, &restored).unwrap();
        check(&restored, log, "one");
    }
}

/// As root, where the system lets it; elsewhere this says that it was skipped.
#[test]
fn a_volume_mounted_over_the_parent_changes_nothing() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("parent");
        let path = parent.join("store");
        let (one, ones) = open(&path, log);
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "hapax-test"])
            .arg(&parent)
            .output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            skipped("this process may not mount a tmpfs");
            return;
        }
        let mounted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (two, twos) = open(&path, log);
            work(&one, &ones, "one");
            work(&two, &twos, "two");
            one.close().unwrap();
            two.close().unwrap();
            check(&path, log, "two");
        }));
        // A child that another test has just forked holds its files until it has begun its program.
        let unmounted = Command::new("umount").arg("--lazy").arg(&parent).status();
        assert!(unmounted.unwrap().success());
        mounted.unwrap();
        check(&path, log, "one");
    }
}

/// The process that changes its working directory. Run as a plain test, it does nothing.
#[test]
fn changes_its_directory() {
    let Ok(log) = std::env::var(CHILD) else {
        return;
    };
    let log = KINDS.into_iter().find(|kind| kind.to_string() == log);
    let log = log.unwrap();
    let (store, space) = open(Path::new("store"), log);
    fs::create_dir("elsewhere").unwrap();
    std::env::set_current_dir("elsewhere").unwrap();
    let (other, others) = open(Path::new("store"), log);
    work(&store, &space, "one");
    work(&other, &others, "two");
    store.close().unwrap();
    other.close().unwrap();
}

#[test]
fn a_relative_path_means_the_directory_that_it_led_to_at_open() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "places::changes_its_directory"])
            .env(CHILD, log.to_string())
            .current_dir(root.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        check(&root.path().join("store"), log, "one");
        check(&root.path().join("elsewhere/store"), log, "two");
    }
}
