//! Archives of audit entries that are damaged or missing.

use crate::ErrorKind;
use crate::engine::tests::audit::{GRACE, HOUR, noticed, open, policy, written};
use crate::journal::format::audit::archive::Archive;
use crate::journal::format::marks::{Archived, Marks};
use crate::journal::log::memory_log::image::Image;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::audit::AuditLevel;

/// A store whose entries all lie in archives.
fn archived() -> (Image, ManualClock) {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let space = store.namespace("space", policy()).unwrap();
    let quiet = policy().audit(AuditLevel::Off);
    let plain = store.namespace("plain", quiet).unwrap();
    for key in 0..24 {
        space.insert(key.to_string()).unwrap();
    }
    for key in 0..24 {
        plain.insert(key.to_string()).unwrap();
    }
    clock.advance(HOUR * 2);
    clock.advance(GRACE);
    clock.advance(GRACE);
    let report = store.verify_audit().unwrap();
    assert_eq!((report.entries(), report.archived()), (24, 24));
    drop((space, plain));
    store.close().unwrap();
    let image = log.image();
    assert!(image.archives.len() >= 2, "{}", image.archives.len());
    (image, clock)
}

/// The bug: where the log held no entry, the chain still held after the newest archives were taken away, and the
/// next entries got the numbers of the lost ones.
#[test]
fn archives_that_were_taken_from_the_new_end_are_missed() {
    let (whole, clock) = archived();
    assert!(!noticed(whole.clone()));
    for left in 0..whole.archives.len() {
        let mut image = whole.clone();
        image.archives.truncate(left);
        let log = MemoryLog::of_image(image);
        // Now, when more was written, and when that has gone into archives.
        for _ in 0..3 {
            let store = open(&log, &clock);
            let error = store.verify_audit().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{left}: {error}");
            let space = store.open_namespace("space").unwrap();
            let before = store.audit_head().number();
            assert!(before >= 24, "no number is used again");
            for key in 0..24 {
                space.insert(key.to_string()).unwrap();
            }
            assert_eq!(store.audit_head().number(), before + 24);
            clock.advance(HOUR * 2);
            clock.advance(GRACE);
            clock.advance(GRACE);
            store.verify_audit().unwrap_err();
            drop(space);
            store.close().unwrap();
        }
    }
}

/// Of what has expired the place is left, and it is the one that the marks know.
#[test]
fn the_last_archive_is_held_against_the_marks() {
    let (whole, _) = archived();
    let mut image = whole.clone();
    let bytes = &mut image.archives.last_mut().unwrap().1;
    let mut archive = Archive::decode(bytes).unwrap();
    archive.after.link[0] ^= 1;
    archive = archive.emptied();
    *bytes = archive.encode();
    image.archives.drain(..image.archives.len() - 1);
    assert!(noticed(image.clone()));
    archive.after.link[0] ^= 1;
    image.archives[0].1 = archive.emptied().encode();
    assert!(!noticed(image));
    // Marks of an earlier version know of none.
    let mut image = whole;
    let marks = Marks::newest(&image.marks).0.unwrap();
    let older = Marks {
        archived: Archived::default(),
        ..marks
    };
    image.marks = [older.encode(), older.encode()];
    assert!(!noticed(image.clone()));
    image.archives.pop();
    assert!(!noticed(image));
}

/// A damaged newest archive kept a store without live entries from opening.
#[test]
fn a_store_opens_beside_a_damaged_newest_archive() {
    let (mut image, clock) = archived();
    *image.archives.last_mut().unwrap().1.last_mut().unwrap() ^= 1;
    let log = MemoryLog::of_image(image);
    let store = open(&log, &clock);
    assert_eq!(store.audit_head().number(), 24);
    let error = store.verify_audit().unwrap_err();
    assert!(error.to_string().contains("audit archive"), "{error}");
    let space = store.open_namespace("space").unwrap();
    space.insert("more").unwrap();
    assert_eq!(store.audit_head().number(), 25);
}

/// The next archive says what it follows, so one that was damaged poisoned the store as soon as
/// another segment went, and again after each restart.
#[test]
fn a_damaged_archive_does_not_end_the_store() {
    let (mut image, _) = written();
    let newest = image.archives.last_mut().unwrap();
    *newest.1.last_mut().unwrap() ^= 1;
    let archives = image.archives.len();
    let (log, clock) = (MemoryLog::of_image(image), ManualClock::new());
    clock.advance(HOUR * 5);
    let store = open(&log, &clock);
    let space = store.namespace("space", policy()).unwrap();
    for _ in 0..2 {
        for key in 0..24 {
            space.insert(key.to_string()).unwrap();
        }
        clock.advance(HOUR * 2);
        clock.advance(GRACE);
        clock.advance(GRACE);
    }
    space.insert("still there").unwrap();
    assert!(log.image().archives.len() > archives, "more were written");
    let error = store.verify_audit().unwrap_err();
    assert!(error.to_string().contains("audit archive"), "{error}");
}

/// The bug: a damaged archive, whose expiry cannot be read, stayed, which is right, and every archive after it
/// stayed for ever too.
#[test]
fn archives_expire_past_a_damaged_one_that_stays() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let short = policy().audit_retention(HOUR * 12);
    let space = store.namespace("space", short.clone()).unwrap();
    for key in 0..32 {
        space.insert(key.to_string()).unwrap();
    }
    clock.advance(HOUR * 2);
    for _ in 0..2 {
        clock.advance(GRACE);
    }
    drop(space);
    store.close().unwrap();
    let mut image = log.image();
    assert!(image.archives.len() >= 3, "{}", image.archives.len());
    *image.archives[0].1.last_mut().unwrap() ^= 1;
    let (evidence, newest) = (image.archives[0].clone(), image.archives.last().unwrap().0);
    let log = MemoryLog::of_image(image);
    let store = open(&log, &clock);
    clock.advance(HOUR * 24);
    for _ in 0..4 {
        clock.advance(GRACE);
    }
    let left = log.image().archives;
    assert_eq!(left[0], evidence, "it is evidence, and stays as it is");
    assert_eq!(left.len(), 2, "the others have expired");
    let last = Archive::decode(&left[1].1).unwrap();
    assert!(last.segment >= newest && last.entries.is_empty());
    store.verify_audit().unwrap_err();
    // Once an operator has taken it away, what is left holds together.
    store.close().unwrap();
    let mut image = log.image();
    image.archives.remove(0);
    let store = open(&MemoryLog::of_image(image), &clock);
    store.verify_audit().unwrap();
}
