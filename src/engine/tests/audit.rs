//! The audit log under crashes, under a medium that fails, and under hands that change it.

use std::collections::BTreeMap;
use std::io::ErrorKind as IoKind;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::journal::format::audit::archive::Archive;
use crate::journal::format::codec::audits;
use crate::journal::format::frame::{FrameHeader, HEADER_BYTES, open_frame};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::memory_log::image::Image;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::audit::{AuditEntry, AuditFilter, AuditLevel, Transition};
use crate::{Claim, ErrorKind, Policy, Resolution, Store};

pub(in crate::engine) const HOUR: Duration = Duration::from_secs(3600);
pub(in crate::engine) const GRACE: Duration = Duration::from_secs(121);

pub(in crate::engine) fn open(log: &MemoryLog, clock: &ManualClock) -> Store {
    let builder = Store::in_memory().log(log).clock(clock);
    let builder = builder.allow_at_most_once().segment_frames(8);
    builder.open().unwrap()
}

pub(in crate::engine) fn policy() -> Policy {
    let policy = Policy::at_least_once().retention(HOUR);
    policy.attempt_retention(HOUR).audit(AuditLevel::Keys)
}

pub(in crate::engine) fn entries(store: &Store) -> Vec<AuditEntry> {
    let all = store.audit(AuditFilter::new()).unwrap();
    all.map(Result::unwrap).collect()
}

/// An archive or two, and entries in the log.
pub(in crate::engine) fn written() -> (Image, Vec<AuditEntry>) {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let space = store.namespace("space", policy()).unwrap();
    for key in 0..24 {
        space.insert(key.to_string()).unwrap();
    }
    clock.advance(HOUR * 2);
    clock.advance(GRACE);
    clock.advance(GRACE);
    for key in 0..6 {
        space.insert(key.to_string()).unwrap();
    }
    let all = entries(&store);
    store.verify_audit().unwrap();
    drop(space);
    store.close().unwrap();
    let image = log.image();
    assert!(image.archives.len() >= 2, "{}", image.archives.len());
    (image, all)
}

/// Opens what was changed, and says whether anything was noticed, by open or by the check.
pub(in crate::engine) fn noticed(image: Image) -> bool {
    let log = MemoryLog::of_image(image);
    let builder = Store::in_memory().log(&log).clock(&ManualClock::new());
    let opened = builder.accept_clock_jump().segment_frames(8).open();
    opened.and_then(|store| store.verify_audit()).is_err()
}

#[test]
fn each_byte_of_an_archive_that_is_changed_is_noticed() {
    let (image, _) = written();
    assert!(!noticed(image.clone()));
    for at in 0..image.archives.len() {
        let step = if at == 0 { 1 } else { 37 };
        for byte in (0..image.archives[at].1.len()).step_by(step) {
            let mut image = image.clone();
            image.archives[at].1[byte] ^= 1;
            assert!(noticed(image), "archive {at}, byte {byte}");
        }
    }
}

/// Checksums are no secret: an attacker who changes an entry can make all of them fit again.
#[test]
fn each_byte_of_an_entry_is_in_the_chain_though_all_checksums_fit() {
    let (image, _) = written();
    let mut archive = Archive::decode(&image.archives[1].1).unwrap();
    for byte in 0..archive.entries.len() {
        archive.entries[byte] ^= 4;
        let mut image = image.clone();
        image.archives[1].1 = archive.encode();
        assert!(noticed(image), "byte {byte} of the entries");
        archive.entries[byte] ^= 4;
    }
    let frames = image.segments.last().unwrap().frames.len();
    for index in 0..frames {
        let bytes = image.segments.last().unwrap().frames[index].clone();
        let payload = bytes.unwrap()[HEADER_BYTES..].to_vec();
        let last = audits(&payload).last().map(|wire| wire.unwrap().bytes());
        let Some(length) = last else { continue };
        for byte in payload.len() - length..payload.len() {
            let mut changed = payload.clone();
            changed[byte] ^= 4;
            let image = resealed(image.clone(), index, &changed);
            assert!(noticed(image), "frame {index}, byte {byte}");
        }
    }
}

/// Puts another payload into a frame of the last segment, and makes all that follows fit.
fn resealed(mut image: Image, index: usize, payload: &[u8]) -> Image {
    let marks = Marks::newest(&image.marks).0.unwrap();
    let segment = image.segments.last_mut().unwrap();
    let mut previous = None;
    for (at, frame) in segment.frames.iter_mut().enumerate().skip(index) {
        let bytes = frame.as_mut().unwrap();
        let old = open_frame(bytes, &marks.store_id).unwrap().header;
        let header = FrameHeader {
            previous: previous.unwrap_or(old.previous),
            ..old
        };
        let kept = bytes[HEADER_BYTES..].to_vec();
        let payload = if at == index { payload } else { &kept };
        previous = Some(header.seal(payload, bytes));
    }
    let marks = Marks {
        durable_checksum: previous.unwrap(),
        ..marks
    };
    image.marks = [marks.encode(), marks.encode()];
    image
}

#[test]
fn an_archive_that_is_missing_or_in_anothers_place_is_noticed() {
    let (image, _) = written();
    let without = |at: usize| {
        let mut image = image.clone();
        image.archives.remove(at);
        image
    };
    // The oldest one could have expired: only a head that was noted tells.
    assert!(!noticed(without(0)));
    for at in 1..image.archives.len() {
        assert!(noticed(without(at)), "archive {at}");
    }
    let mut swapped = image.clone();
    let first = swapped.archives[0].1.clone();
    swapped.archives[0].1 = std::mem::replace(&mut swapped.archives[1].1, first);
    assert!(noticed(swapped));
    let none = Image {
        archives: Vec::new(),
        ..image
    };
    assert!(noticed(none));
}

/// A disk without room for an archive keeps the segment, and gets rid of it later.
/// Of an audit log that has expired, an archive without entries is left, which says where the chain
/// goes on. Its link was held against nothing: a store that had forgotten everything passed as the
/// one whose head was noted, whatever the link said.
#[test]
fn the_link_that_is_left_of_what_has_expired_is_held_against_the_noted_one() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let audited = policy().audit_retention(HOUR);
    let space = store.namespace("space", audited).unwrap();
    let plain = policy().audit(AuditLevel::Off);
    let plain = store.namespace("plain", plain).unwrap();
    space.insert("key").unwrap();
    let noted = store.audit_head();
    for _ in 0..2 {
        for key in 0..24 {
            plain.insert(key.to_string()).unwrap();
        }
        clock.advance(HOUR * 2);
        clock.advance(GRACE);
        clock.advance(GRACE);
    }
    assert!(entries(&store).is_empty(), "it has expired");
    store.verify_audit_against(noted).unwrap();
    drop((space, plain));
    store.close().unwrap();
    let mut image = log.image();
    let bytes = &mut image.archives[0].1;
    let mut archive = Archive::decode(bytes).unwrap();
    archive.before.link[0] ^= 1;
    archive.after = archive.before;
    *bytes = archive.encode();
    let store = open(&MemoryLog::of_image(image), &clock);
    let error = store.verify_audit_against(noted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}

/// The error that a release at the limit of attempts becomes had no digest in its entry.
#[test]
fn each_failure_has_the_digest_of_its_error() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let once = policy().max_attempts(1);
    let space = store.namespace("space", once).unwrap();
    let Claim::Granted(lease) = space.claim("key").unwrap() else {
        panic!("granted")
    };
    lease.release("no such address").unwrap();
    let failed = entries(&store).pop().unwrap();
    assert_eq!(failed.transition(), Transition::Failed);
    let digest = store.outcome_digest(b"no such address");
    assert_eq!(failed.outcome_digest(), Some(digest));
}

#[test]
fn a_segment_stays_until_there_is_room_for_its_archive() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let space = store.namespace("space", policy()).unwrap();
    for key in 0..24 {
        space.insert(key.to_string()).unwrap();
    }
    let before = entries(&store);
    log.fail_next_archive(IoKind::StorageFull);
    clock.advance(HOUR * 2);
    assert_eq!(store.engine().compaction.segments_dropped(), 0);
    clock.advance(GRACE);
    assert_eq!(entries(&store), before);
    clock.advance(GRACE);
    assert!(store.engine().compaction.segments_dropped() > 0);
    assert_eq!(entries(&store), before);
    space.insert("still").unwrap();
    store.verify_audit().unwrap();
}

/// A crash may come between an archive and the low mark: nothing is there twice.
#[test]
fn an_archive_of_a_segment_that_is_still_there_is_not_read_twice() {
    let (image, _) = written();
    // The state of before the last burial, with its archive.
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let space = store.namespace("space", policy()).unwrap();
    for key in 0..24 {
        space.insert(key.to_string()).unwrap();
    }
    let all = entries(&store);
    store.sync().unwrap();
    let mut early = log.image();
    clock.advance(HOUR * 2);
    clock.advance(GRACE);
    clock.advance(GRACE);
    let late = log.image();
    assert!(!late.archives.is_empty() && !image.archives.is_empty());
    early.archives = late.archives;
    let log = MemoryLog::of_image(early);
    drop((store, space));
    let store = open(&log, &clock);
    assert_eq!(entries(&store), all);
    store.verify_audit().unwrap();
    clock.advance(GRACE);
    clock.advance(GRACE);
    assert!(store.engine().compaction.segments_dropped() > 0);
    assert_eq!(entries(&store), all);
    store.verify_audit().unwrap();
}

/// What a store without an audit log writes is what it wrote before there was one.
#[test]
fn without_an_audit_log_no_byte_is_written_for_it() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    let space = store.namespace("space", Policy::at_least_once()).unwrap();
    let Claim::Granted(lease) = space.claim("key").unwrap() else {
        panic!("granted")
    };
    lease.complete("x").unwrap();
    space.insert("other").unwrap();
    drop(space);
    store.close().unwrap();
    let image = log.image();
    assert!(image.archives.is_empty());
    let frames: Vec<_> = image.segments.iter().flat_map(|one| &one.frames).collect();
    assert_eq!(frames.len(), 2);
    for frame in frames {
        let payload = &frame.as_ref().unwrap()[HEADER_BYTES..];
        assert_eq!(audits(payload).count(), 0);
    }
    let manifest = image.manifest.unwrap();
    assert_eq!(manifest[8..12], [1, 0, 0, 0], "version 1, as before");
    manifest_file::decode(&manifest).unwrap();
    let link = Link::decode(&image.segments[0].link).unwrap();
    assert_eq!(link.before, 0);
}

/// The entry of a policy change is on the medium before the change: a crash between the two leaves an entry
/// without its change, and never a change without its entry.
#[test]
fn no_policy_changes_before_its_entry_is_durable() {
    let changes = |store: &Store| {
        let mut all = entries(store);
        all.retain(|entry| entry.transition() == Transition::PolicyChanged);
        all
    };
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let store = open(&log, &clock);
    drop(store.namespace("space", policy()).unwrap());
    let before = log.image().manifest;
    let quiet = policy().audit(AuditLevel::Off);
    log.fail_next_sync(IoKind::Other);
    store.namespace("space", quiet.clone()).unwrap_err();
    assert_eq!(log.image().manifest, before);
    drop(store);
    log.crash();
    let store = open(&log, &clock);
    drop(store.namespace("space", quiet.clone()).unwrap());
    store.close().unwrap();
    let image = log.image();
    assert_ne!(image.manifest, before);
    // The crash that comes between.
    let log = MemoryLog::of_image(Image {
        manifest: before,
        ..image
    });
    let store = open(&log, &clock);
    drop(store.namespace("space", quiet).unwrap());
    let told = changes(&store);
    let last: Vec<_> = told.iter().rev().take(2).collect();
    // Both say what it was before, so the first of them did not come about.
    assert_eq!(last[0].reason(), last[1].reason());
    assert_eq!(last[0].outcome_digest(), last[1].outcome_digest());
    store.verify_audit().unwrap();
}

struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) % end
    }
}

/// What a key has been through, by a model that knows nothing of entries.
#[derive(Default)]
struct Model {
    history: BTreeMap<String, Vec<Transition>>,
}

impl Model {
    fn note(&mut self, key: &str, transition: Transition) {
        self.history
            .entry(key.to_owned())
            .or_default()
            .push(transition);
    }
}

/// Random calls, restarts and power cuts. Every acknowledged transition is there once and in order;
/// what was not acknowledged is there or not; and a process that died is written down.
#[test]
fn the_audit_log_is_the_history() {
    let seed: u64 = std::env::var("HAPAX_AUDIT_SEED").map_or(7, |seed| seed.parse().unwrap());
    for round in 0..12 {
        let seed = seed.wrapping_mul(1000) + round;
        println!("HAPAX_AUDIT_SEED={seed}");
        history(Random { seed, drawn: 0 });
    }
}

fn history(mut random: Random) {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let once = random.below(2) == 0;
    let policy = if once {
        Policy::at_most_once()
    } else {
        Policy::at_least_once()
    };
    let policy = policy.retention(HOUR).attempt_retention(HOUR);
    let policy = policy.audit(AuditLevel::Keys);
    let mut model = Model::default();
    let mut store = open(&log, &clock);
    for _ in 0..60 {
        let space = store.namespace("space", policy.clone()).unwrap();
        let mut open_claims = Vec::new();
        for _ in 0..=random.below(30) {
            step(
                &mut random,
                &space,
                &store,
                &mut model,
                &mut open_claims,
                once,
            );
        }
        let lapsed = random.below(6) == 0;
        if lapsed {
            clock.advance(HOUR / 2);
            for (key, _) in &open_claims {
                model.note(key, Transition::Lapsed);
            }
        }
        if random.below(5) < 2 {
            // A claim under at-least-once is acknowledged without a wait.
            store.sync().unwrap();
            log.crash_keeping(usize::try_from(random.below(3)).unwrap());
            for (key, lease) in open_claims {
                if !lapsed {
                    model.note(&key, Transition::Orphaned);
                }
                // It goes with a store that can write nothing more.
                drop(lease);
            }
            drop(space);
            store = open(&log, &clock);
        } else {
            for (key, lease) in open_claims {
                lease.complete("late").unwrap();
                model.note(&key, Transition::Completed);
            }
        }
        clock.advance(GRACE);
        clock.advance(GRACE);
        check(&store, &model);
    }
    assert!(!log.image().archives.is_empty());
}

fn step(
    random: &mut Random,
    space: &crate::Namespace,
    store: &Store,
    model: &mut Model,
    open_claims: &mut Vec<(String, crate::Lease)>,
    once: bool,
) {
    let key = random.below(40).to_string();
    match random.below(8) {
        0 => {
            if space.insert(&key).unwrap() {
                model.note(&key, Transition::Inserted);
            }
        }
        1 => {
            if space.forget(&key).unwrap_or(false) {
                model.note(&key, Transition::Forgotten);
            }
        }
        2 => {
            for doubt in store.doubts().unwrap().map(Result::unwrap) {
                let key = String::from_utf8(doubt.key().to_vec()).unwrap();
                doubt.resolve(Resolution::NeverHappened).unwrap();
                model.note(&key, Transition::ResolvedNeverHappened);
            }
        }
        act => {
            let Claim::Granted(lease) = space.claim(&key).unwrap() else {
                return;
            };
            let again = lease.attempt() > 1;
            model.note(
                &key,
                if again {
                    Transition::Reclaimed
                } else {
                    Transition::Claimed
                },
            );
            match act {
                3 => {
                    lease
                        .complete(vec![7; usize::try_from(random.below(80_000)).unwrap()])
                        .unwrap();
                    model.note(&key, Transition::Completed);
                }
                4 => {
                    lease.fail("x").unwrap();
                    model.note(&key, Transition::Failed);
                }
                5 if !once => {
                    lease.release("x").unwrap();
                    model.note(&key, Transition::Released);
                }
                6 => {
                    lease.doubt("x").unwrap();
                    model.note(&key, Transition::Doubted);
                }
                _ => open_claims.push((key, lease)),
            }
        }
    }
}

fn check(store: &Store, model: &Model) {
    store.validate();
    let report = store.verify_audit().unwrap();
    assert_eq!(report.first(), 1);
    let mut found: BTreeMap<String, Vec<Transition>> = BTreeMap::new();
    for entry in entries(store) {
        let key = String::from_utf8(entry.key().unwrap().to_vec()).unwrap();
        found.entry(key).or_default().push(entry.transition());
    }
    for (key, history) in &model.history {
        assert_eq!(found.get(key), Some(history), "{key}");
    }
    assert_eq!(found.len(), model.history.len());
    let damaged = store.verify_audit_against(crate::audit::AuditHead {
        number: 1,
        link: [0; 32],
    });
    assert_eq!(damaged.unwrap_err().kind(), ErrorKind::Damaged);
}
