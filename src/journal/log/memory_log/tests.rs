use std::io::ErrorKind;
use std::sync::Arc;

use crate::journal::log::contract::Log;
use crate::journal::log::contract::conformance_tests as conformance;
use crate::journal::log::contract::conformance_tests::check_frames;
use crate::journal::log::memory_log::memory_log::MemoryLog;
use crate::journal::log::memory_log::session::MemorySession;

fn filled(log: &MemoryLog, synced: u32, unsynced: u32) -> MemorySession {
    let session = log.session().unwrap();
    session.segments().unwrap();
    session.activate(1, b"link").unwrap();
    for index in 0..synced + unsynced {
        if index == synced {
            session.sync(1).unwrap();
        }
        session
            .append(1, index, &conformance::frame(index))
            .unwrap();
    }
    session
}

fn frames(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(conformance::frame).collect()
}

#[test]
fn conforms() {
    conformance::run(&|| {
        let log = MemoryLog::new();
        Box::new(move || Arc::new(log.session().unwrap()))
    });
}

#[test]
fn a_crash_leaves_what_was_synced() {
    for kept in [0, 1, 2, 3, 10] {
        let log = MemoryLog::new();
        let before = filled(&log, 5, 3);
        before.write_manifest(b"manifest").unwrap();
        before.activate(2, b"").unwrap();
        log.crash_keeping(kept);
        assert!(before.read(1, 0).is_err());
        assert!(before.append(2, 0, b"x").is_err());
        assert!(before.close().is_err());

        let after = log.session().unwrap();
        drop(before);
        assert_eq!(after.read_manifest().unwrap().unwrap(), b"manifest");
        assert_eq!(after.segments().unwrap(), [1, 2]);
        check_frames(&after, 1, &frames(5 + u32::try_from(kept).unwrap().min(3)));
    }
}

#[test]
fn what_was_recovered_stays() {
    let log = MemoryLog::new();
    drop(filled(&log, 2, 2));
    drop(log.session().unwrap());
    log.crash();
    check_frames(&log.session().unwrap(), 1, &frames(4));
}

#[test]
fn one_session_at_a_time() {
    let log = MemoryLog::new();
    let first = log.session().unwrap();
    assert_eq!(log.session().unwrap_err().kind(), ErrorKind::ResourceBusy);
    first.close().unwrap();
    let second = log.session().unwrap();
    drop(first);
    assert!(log.session().is_err());
    log.crash();
    let third = log.clone().session().unwrap();
    drop(second);
    third.write_manifest(b"x").unwrap();
}

#[test]
fn injected_failures_are_final() {
    let log = MemoryLog::new();
    let session = filled(&log, 1, 0);
    log.fail_next_sync(ErrorKind::StorageFull);
    assert_eq!(session.sync(1).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(
        session.append(1, 1, b"x").unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    session.activate(2, b"").unwrap();
    log.fail_next_append(ErrorKind::BrokenPipe);
    assert_eq!(
        session.append(2, 0, b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!(session.sync(2).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!((log.appends(), log.syncs()), (1, 0));
}

#[test]
fn frames_can_be_damaged() {
    let log = MemoryLog::new();
    let session = filled(&log, 3, 0);
    log.corrupt(1, 0, |frame| frame[0] ^= 1);
    log.remove_frame(1, 1);
    assert_ne!(session.read(1, 0).unwrap().unwrap(), conformance::frame(0));
    let mut seen = Vec::new();
    session
        .read_all(1, &mut |index, _| {
            seen.push(index);
            true
        })
        .unwrap();
    assert_eq!(seen, [0, 2]);
}
