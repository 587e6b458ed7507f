//! Faults of the medium beneath a store, and the answers of the store.
//!
//! The store is driven through its public handles; the medium is changed behind its back.

use std::io;
use std::time::Duration;

use crate::journal::format::codec;
use crate::journal::format::frame::{FrameHeader, HEADER_BYTES, open_frame};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::testing::{ManualClock, MemoryLog};
use crate::{Claim, ClaimOptions, Durability, Error, ErrorKind, Namespace, Policy, Store};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    clock: ManualClock,
    log: MemoryLog,
}

impl Bench {
    fn new() -> Self {
        Self {
            clock: ManualClock::new(),
            log: MemoryLog::new(),
        }
    }

    fn open(&self) -> Result<Store, Error> {
        Store::in_memory().log(&self.log).clock(&self.clock).open()
    }

    fn open_interval(&self) -> Store {
        let interval = Durability::Interval(SECOND);
        let builder = Store::in_memory().log(&self.log).clock(&self.clock);
        builder.durability(interval).open().unwrap()
    }

    /// The error of an open that must fail.
    fn refused(&self) -> Error {
        self.open().expect_err("the store must not open")
    }

    /// A closed store with `keys` completed keys, a frame each, in segment 1.
    fn filled(keys: usize) -> Self {
        let bench = Self::new();
        let store = bench.open().unwrap();
        let space = at_least(&store);
        (0..keys).for_each(|key| complete(&space, key));
        store.close().unwrap();
        bench
    }

    /// Takes the medium by itself, as a tool would.
    fn medium<T>(&self, act: impl FnOnce(&dyn Log) -> io::Result<T>) -> T {
        act(&self.log.session().unwrap()).unwrap()
    }
}

fn at_least(store: &Store) -> Namespace {
    store.namespace("space", Policy::at_least_once()).unwrap()
}

fn complete(space: &Namespace, key: usize) {
    let Claim::Granted(lease) = space.claim(key.to_string()).unwrap() else {
        panic!("granted")
    };
    lease.complete("done").unwrap();
}

fn damaged(error: &Error, place: &str) {
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains(place), "{error}");
}

/// After a failed write: nothing is granted or acknowledged, what was durable is answered, and
/// after reopening nothing that was acknowledged is missing.
fn poisoned_by(fail: impl FnOnce(&MemoryLog), lost: bool) {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let space = at_least(&store);
    complete(&space, 1);
    let Claim::Granted(second) = space.claim("2").unwrap() else {
        panic!("granted")
    };
    let Claim::Granted(third) = space.claim("3").unwrap() else {
        panic!("granted")
    };
    fail(&bench.log);
    let error = second.complete("done").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    assert!(
        error.to_string().contains("unknown until it is reopened"),
        "{error}"
    );
    assert!(
        std::error::Error::source(&error).is_some(),
        "the cause is kept"
    );
    let error = error.into_lease().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Poisoned,
        "nothing can be settled any more"
    );

    assert!(
        matches!(space.claim("1").unwrap(), Claim::Completed(_)),
        "durable before"
    );
    assert!(space.contains("1").unwrap());
    assert!(matches!(space.claim("3").unwrap(), Claim::InProgress(_)));
    for error in [
        space.claim("2").unwrap_err(),
        space.get("2").unwrap_err(),
        space.contains("2").unwrap_err(),
        space.claim("4").unwrap_err(),
        space.insert("4").unwrap_err(),
        space.forget("1").unwrap_err(),
        store.sync().unwrap_err(),
        third.checkpoint("half").unwrap_err(),
        third.complete("done").unwrap_err(),
        store
            .namespace("another", Policy::at_least_once())
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    }
    bench.clock.advance(SECOND * 100);
    store.validate();
    assert!(
        store.close().is_err(),
        "closing says that not everything is durable"
    );
    drop((space, store));

    if lost {
        bench.log.crash();
    }
    let store = bench.open().unwrap();
    store.validate();
    let space = at_least(&store);
    assert!(matches!(space.claim("1").unwrap(), Claim::Completed(_)));
    assert!(!lost || matches!(space.claim("2").unwrap(), Claim::Granted(_)));
    assert!(matches!(space.claim("3").unwrap(), Claim::Granted(_)));
}

#[test]
fn a_failed_append_poisons_the_store() {
    poisoned_by(|log| log.fail_next_append(io::ErrorKind::StorageFull), true);
    poisoned_by(
        |log| log.fail_next_append(io::ErrorKind::StorageFull),
        false,
    );
}

#[test]
fn a_failed_sync_poisons_the_store() {
    poisoned_by(|log| log.fail_next_sync(io::ErrorKind::Other), true);
    poisoned_by(|log| log.fail_next_sync(io::ErrorKind::Other), false);
}

#[test]
fn an_interval_store_that_is_poisoned_answers_only_what_is_durable() {
    let bench = Bench::new();
    let store = bench.open_interval();
    let space = at_least(&store);
    complete(&space, 1);
    store.sync().unwrap();
    complete(&space, 2);
    bench.log.fail_next_sync(io::ErrorKind::Other);
    assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(matches!(space.claim("1").unwrap(), Claim::Completed(_)));
    assert_eq!(space.claim("2").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(space.get("2").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(space.claim("3").unwrap_err().kind(), ErrorKind::Poisoned);
}

#[test]
fn a_claim_that_could_not_be_journaled_is_not_granted() {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let space = store.namespace("most", Policy::at_most_once()).unwrap();
    bench.log.fail_next_sync(io::ErrorKind::Other);
    assert_eq!(space.claim("1").unwrap_err().kind(), ErrorKind::Poisoned);
    bench.log.crash();
    drop((space, store));
    let store = bench.open().unwrap();
    let space = store.namespace("most", Policy::at_most_once()).unwrap();
    assert!(
        matches!(space.claim("1").unwrap(), Claim::Granted(_)),
        "no caller ever had it"
    );
}

#[test]
fn a_changed_frame_below_the_durable_mark_is_damage() {
    for index in 0..5 {
        let bench = Bench::filled(5);
        bench
            .log
            .corrupt(1, index, |bytes| bytes[HEADER_BYTES + 3] ^= 1);
        damaged(
            &bench.refused(),
            if index < 4 {
                "0000000000000001"
            } else {
                "the end of the log"
            },
        );
        damaged(&bench.refused(), "nothing was changed");
    }
}

#[test]
fn a_missing_frame_is_damage() {
    for index in 0..5 {
        let bench = Bench::filled(5);
        bench.log.remove_frame(1, index);
        damaged(
            &bench.refused(),
            &format!("frame {}", if index < 4 { index + 1 } else { 4 }),
        );
    }
}

#[test]
fn a_frame_cut_short_is_damage() {
    let bench = Bench::filled(3);
    bench
        .log
        .corrupt(1, 1, |bytes| bytes.truncate(HEADER_BYTES + 1));
    damaged(&bench.refused(), "frame 2 is missing or damaged");
}

#[test]
fn a_frame_of_another_store_is_damage() {
    let (bench, other) = (Bench::filled(3), Bench::filled(3));
    let foreign = other.medium(|log| log.read(1, 1)).unwrap();
    bench.log.corrupt(1, 1, |bytes| *bytes = foreign);
    damaged(&bench.refused(), "frame 2 is missing or damaged");
}

/// Seals a frame again, with other records.
fn reseal(bytes: &mut Vec<u8>, payload: &[u8], change: impl FnOnce(&mut FrameHeader)) {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[16..32]);
    let mut header = open_frame(bytes, &id).unwrap().header;
    change(&mut header);
    header.seal(payload, bytes);
}

#[test]
fn a_record_of_an_unknown_kind_is_refused_as_newer() {
    let bench = Bench::filled(3);
    bench.medium(|log| {
        // Marks that are older than the frame, so that only the frame speaks for itself.
        let (newest, _) = Marks::newest(&log.read_marks()?);
        let older = Marks {
            durable: 0,
            durable_checksum: 0,
            ..newest.unwrap()
        };
        log.write_marks(0, &older.encode())?;
        log.write_marks(1, &older.encode())
    });
    bench
        .log
        .corrupt(1, 2, |bytes| reseal(bytes, &[200, 0, 0], |_| {}));
    let error = bench.refused();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("unknown kind 200"), "{error}");
}

#[test]
fn a_frame_of_a_newer_format_is_refused() {
    let bench = Bench::filled(3);
    bench.log.corrupt(1, 2, |bytes| {
        bytes[8] += 1;
        let (header, payload) = bytes.split_at(HEADER_BYTES);
        let sum = xxhash_rust::xxh3::xxh3_64(&[&header[..HEADER_BYTES - 8], payload].concat());
        bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    });
    assert_eq!(bench.refused().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_frame_that_does_not_hold_what_its_header_counts_is_damage() {
    let bench = Bench::filled(3);
    bench.log.corrupt(1, 1, |bytes| {
        let payload = bytes[HEADER_BYTES..].to_vec();
        reseal(bytes, &payload, |header| header.records += 1);
    });
    damaged(&bench.refused(), "frame 2 does not hold the records");
}

#[test]
fn a_body_without_its_parts_is_damage() {
    let bench = Bench::filled(3);
    let record = {
        let frame = bench.medium(|log| log.read(1, 2)).unwrap();
        let Ok((codec::Entry::Record(wire), _)) = codec::decode_entry(&frame[HEADER_BYTES..])
        else {
            panic!("a record")
        };
        wire.to_record(None).unwrap()
    };
    let mut payload = Vec::new();
    codec::encode_record(&record.as_ref(), 2, &mut payload);
    bench
        .log
        .corrupt(1, 2, |bytes| reseal(bytes, &payload, |_| {}));
    let error = bench.refused();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}

#[test]
fn a_valid_frame_that_is_not_the_one_the_marks_name_is_damage() {
    let bench = Bench::filled(3);
    bench.log.corrupt(1, 2, |bytes| {
        let payload = bytes[HEADER_BYTES..].to_vec();
        reseal(bytes, &payload, |header| header.store_secs += 1);
    });
    damaged(
        &bench.refused(),
        "frame 3 is not the one that the marks call durable",
    );
}

#[test]
fn a_frame_that_is_not_chained_to_the_one_before_is_damage() {
    let bench = Bench::filled(5);
    bench.log.corrupt(1, 1, |bytes| {
        let payload = bytes[HEADER_BYTES..].to_vec();
        reseal(bytes, &payload, |header| header.store_secs += 1);
    });
    damaged(&bench.refused(), "frame 3 is missing or damaged");
}

#[test]
fn a_namespace_that_the_manifest_lacks_is_damage() {
    let bench = Bench::filled(3);
    bench.medium(|log| {
        let mut manifest = manifest_file::decode(&log.read_manifest()?.unwrap()).unwrap();
        manifest.namespaces.clear();
        log.write_manifest(&manifest_file::encode(&manifest))
    });
    damaged(&bench.refused(), "namespace 1");
}

/// Frames that were not acknowledged: a torn one ends the log, and what follows is void.
///
/// `verify` once took the void for a part of the log: the next segment goes on with the same frame
/// numbers, and those counted.
#[test]
fn a_bad_frame_above_the_durable_mark_is_a_torn_tail() {
    let bench = Bench::new();
    let store = bench.open_interval();
    let space = at_least(&store);
    complete(&space, 1);
    store.sync().unwrap();
    for key in 2..5 {
        // Larger than a frame: each is written at once, and not synced.
        let Claim::Granted(lease) = space.claim(key.to_string()).unwrap() else {
            panic!("granted")
        };
        lease.complete(vec![9; 100_000]).unwrap();
    }
    bench.clock.advance(SECOND / 10);
    bench.log.crash_keeping(100);
    bench.log.corrupt(1, 3, |bytes| bytes[HEADER_BYTES] ^= 1);
    drop((space, store));

    for _ in 0..3 {
        let store = bench.open().unwrap();
        store.validate();
        store.verify().unwrap();
        let space = at_least(&store);
        assert!(matches!(space.claim("1").unwrap(), Claim::Completed(_)));
        complete(
            &space,
            space.scan(crate::scan::KeyFilter::new()).unwrap().count() + 100,
        );
        store.verify().unwrap();
        store.close().unwrap();
    }
}

#[test]
fn one_damaged_slot_of_the_marks_is_survived_and_two_are_not() {
    for slot in 0..2 {
        let bench = Bench::filled(3);
        bench.medium(|log| log.write_marks(slot, b"torn"));
        let store = bench.open().unwrap();
        assert!(matches!(
            at_least(&store).claim("2").unwrap(),
            Claim::Completed(_)
        ));
        store.close().unwrap();
    }
    let bench = Bench::filled(3);
    bench.medium(|log| {
        log.write_marks(0, b"torn")
            .and_then(|()| log.write_marks(1, b""))
    });
    damaged(&bench.refused(), "the marks");
}

#[test]
fn marks_of_another_store_are_damage() {
    let (bench, other) = (Bench::filled(3), Bench::filled(3));
    let marks = other.medium(|log| log.read_marks());
    bench.medium(|log| {
        log.write_marks(0, &marks[0])?;
        log.write_marks(1, &marks[1])
    });
    damaged(&bench.refused(), "another store");
}

#[test]
fn a_lost_tail_is_damage() {
    let bench = Bench::filled(3);
    bench.medium(|log| {
        let (newest, _) = Marks::newest(&log.read_marks()?);
        let newest = newest.unwrap();
        let ahead = Marks {
            durable: newest.durable + 1,
            generation: newest.generation + 1,
            ..newest
        };
        log.write_marks(0, &ahead.encode())
    });
    damaged(
        &bench.refused(),
        "the log ends at frame 3, but frame 4 was durable",
    );
}

#[test]
fn segments_that_are_missing_are_damage() {
    let bench = Bench::filled(3);
    bench.medium(|log| log.remove(1));
    damaged(&bench.refused(), "all of its segments are missing");

    let bench = Bench::filled(3);
    for key in 10..12 {
        let store = bench.open().unwrap();
        complete(&at_least(&store), key);
        store.close().unwrap();
    }
    bench.medium(|log| log.remove(2));
    damaged(&bench.refused(), "segment 0000000000000002 should be here");
}

#[test]
fn a_damaged_manifest_is_refused() {
    let bench = Bench::filled(1);
    let whole = bench.medium(|log| log.read_manifest()).unwrap();
    let with = |bytes: &[u8]| {
        bench.medium(|log| log.write_manifest(bytes));
        bench.refused()
    };
    let mut changed = whole.clone();
    changed[30] ^= 1;
    damaged(&with(&changed), "the manifest is damaged");
    damaged(&with(&whole[..whole.len() - 1]), "the manifest is damaged");
    damaged(&with(b""), "the manifest is damaged");
    let mut newer = whole.clone();
    newer[8] = 9;
    assert_eq!(with(&newer).kind(), ErrorKind::Unsupported);
    damaged(&with(&[b'x'; 100]), "the manifest is damaged");
    bench.medium(|log| log.write_manifest(&whole));
    bench.open().unwrap();
}

#[test]
fn an_answer_that_rests_on_a_damaged_frame_is_an_error() {
    let bench = Bench::filled(3);
    let store = bench.open().unwrap();
    let space = at_least(&store);
    bench.log.corrupt(1, 1, |bytes| bytes[HEADER_BYTES] ^= 1);
    damaged(&space.claim("1").unwrap_err(), "frame 2");
    damaged(&space.get("1").unwrap_err(), "frame 2");
    damaged(&store.verify().unwrap_err(), "frame 2");
    assert!(
        matches!(space.claim("2").unwrap(), Claim::Completed(_)),
        "the others are whole"
    );
}

#[test]
fn a_forked_child_is_refused_and_its_parent_is_left_alone() {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let space = at_least(&store);
    complete(&space, 1);
    store.engine().lifecycle.process.pretend_forked(true);
    for error in [
        space.claim("1").unwrap_err(),
        space.get("1").unwrap_err(),
        space.insert("2").unwrap_err(),
        space.forget("1").unwrap_err(),
        store.sync().unwrap_err(),
        store.verify().unwrap_err(),
        store.close().unwrap_err(),
        store.doubts().unwrap_err(),
        store.namespace("new", Policy::at_least_once()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Forked, "{error}");
        assert!(error.to_string().contains("fork of process"), "{error}");
    }
    store.engine().lifecycle.process.pretend_forked(false);
    assert!(matches!(space.claim("1").unwrap(), Claim::Completed(_)));
    store.close().unwrap();
}

/// A raw system call forks without a word to the C library, so the fork is not counted. A wait in such a child
/// would never end: it is refused with the reason instead.
#[test]
fn a_child_that_was_not_counted_is_refused_where_it_would_wait() {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let space = at_least(&store);
    complete(&space, 1);
    let [lease, _held] = ["2", "held"].map(|key| match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{other:?}"),
    });
    store.engine().lifecycle.process.pretend_forked_uncounted();
    let error = lease.complete("done").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forked, "{error}");
    let error = space.insert("3").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forked, "{error}");
    let wait = ClaimOptions::new().wait(Duration::from_secs(1));
    let error = space.claim_with("held", wait).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forked, "{error}");
}

/// The bug: compaction had copied an old outcome to the end of the log when a write failed. The key
/// pointed to the copy, which was not on the medium, so the store refused an answer that was
/// durable all the while, where its original lies.
#[test]
fn a_poisoned_store_answers_what_compaction_was_copying() {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let space = at_least(&store);
    complete(&space, 1);
    for key in 100..800 {
        let Claim::Granted(lease) = space.claim(key.to_string()).unwrap() else {
            panic!("granted")
        };
        lease.complete(vec![1; 60_000]).unwrap();
        assert!(space.forget(key.to_string()).unwrap());
    }
    bench.log.fail_next_append(io::ErrorKind::StorageFull);
    bench.clock.advance(SECOND);
    let refused = space.claim("new").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    assert!(
        store.engine().compaction.records_carried() > 0,
        "{:?}",
        store.stats()
    );
    assert!(matches!(space.claim("1").unwrap(), Claim::Completed(_)));
    assert!(space.contains("1").unwrap());
}

/// The timer touches the marks once a minute. It used to wait for the writer there, so a sync that
/// hung kept it from noticing just that, and `close` from ending.
#[test]
fn the_timer_does_not_wait_for_a_writer_that_is_stuck() {
    let bench = Bench::new();
    let store = bench.open().unwrap();
    let journal = &store.engine().journal;
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let touched = journal.while_busy(|| {
            scope.spawn(move || {
                journal.touch_marks(0);
                tell.send(()).unwrap();
            });
            // Only a failure takes this long.
            told.recv_timeout(10 * SECOND)
        });
        assert!(touched.is_ok(), "the timer waited for the writer");
    });
    store.close().unwrap();
}
