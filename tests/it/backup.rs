//! Backup and restore: everything up to the call comes back, under tokens far ahead.

use std::path::Path;

use hapax::{Claim, Error, ErrorKind, LogKind, Namespace, Policy, Store};

use crate::logs::KINDS;

fn spaces(store: &Store) -> (Namespace, Namespace) {
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    (mail, pay)
}

fn complete(space: &Namespace, key: &str, body: &[u8]) {
    let Claim::Granted(lease) = space.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.complete(body).unwrap();
}

fn answer(space: &Namespace, key: &str) -> Vec<u8> {
    match space.claim(key).unwrap() {
        Claim::Completed(answer) => answer.response().to_vec(),
        other => panic!("{key}: {other:?}"),
    }
}

fn kind(result: Result<impl Sized, Error>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

/// A store with every kind of key, over more than one segment, and a backup of it.
fn backed_up(root: &Path, log: LogKind) -> (Store, Vec<u8>, i64) {
    let builder = Store::builder(root.join("store"));
    let store = builder.log_kind(log).open().unwrap();
    let (mail, pay) = spaces(&store);
    let large: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    complete(&mail, "small", b"sent");
    for key in 0..60 {
        complete(&mail, &format!("large-{key}"), &large);
    }
    assert!(mail.forget("large-7").unwrap());
    let Claim::Granted(lease) = pay.claim("doubted").unwrap() else {
        panic!("granted")
    };
    lease.doubt("timed out").unwrap();
    let Claim::Granted(running) = pay.claim("running").unwrap() else {
        panic!("granted")
    };
    store.backup(root.join("backup")).unwrap();
    complete(&mail, "after the backup", b"");
    let Claim::Granted(last) = mail.claim("last").unwrap() else {
        panic!("granted")
    };
    let highest = last.token().as_i64();
    assert!(store.stats().segments() > 1);
    drop((running, last));
    (store, large, highest)
}

#[test]
fn what_was_backed_up_comes_back_and_no_token_twice() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (store, large, highest) = backed_up(root.path(), log);
        let restored = root.path().join("restored");
        Store::restore(root.path().join("backup"), &restored).unwrap();
        let copy = Store::open(&restored).unwrap();
        assert_eq!(copy.log_kind(), Some(log));
        let (mail, pay) = spaces(&copy);
        assert_eq!(answer(&mail, "small"), b"sent");
        for key in (0..60).filter(|key| *key != 7) {
            assert_eq!(answer(&mail, &format!("large-{key}")), large);
        }
        assert!(mail.get("large-7").unwrap().is_none(), "it was forgotten");
        assert!(mail.get("after the backup").unwrap().is_none());
        for key in ["doubted", "running"] {
            assert!(
                matches!(pay.claim(key).unwrap(), Claim::InDoubt(_)),
                "{key}"
            );
        }
        let Claim::Granted(lease) = mail.claim("new").unwrap() else {
            panic!("granted")
        };
        assert!(lease.token().as_i64() > highest);
        assert!(
            lease.token().as_i64() >> 32 > 1 << 16,
            "the epoch jumps ahead"
        );
        copy.verify().unwrap();
        copy.validate();
        // Fingerprints and derived keys are those of the original.
        let original = spaces(&store).0;
        let print = |space: &Namespace| space.fingerprint_of("body").unwrap();
        assert_eq!(print(&original), print(&mail));
    }
}

#[test]
fn a_backup_is_not_a_store_nor_a_store_a_backup_and_neither_is_overwritten() {
    for log in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (store, _, _) = backed_up(root.path(), log);
        let (backup, other) = (root.path().join("backup"), root.path().join("other"));
        assert_eq!(kind(Store::open(&backup)), ErrorKind::NotAStore);
        assert_eq!(kind(store.backup(&backup)), ErrorKind::NotAStore);
        store.close().unwrap();
        let path = root.path().join("store");
        assert_eq!(kind(Store::restore(&path, &other)), ErrorKind::NotAStore);
        assert_eq!(kind(Store::restore(&backup, &path)), ErrorKind::NotAStore);
        Store::open(&path).unwrap().verify().unwrap();
    }
}
