//! Logs that no store has written, under checksums that hold. A process that can write to the directory can make
//! them, because a checksum without a secret is no protection. They were found by the fuzz target `recovery`, or
//! while it was written; each is a typed refusal, or harmless.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::engine::tokens::{EPOCH_JUMP, next_epoch};
use crate::journal::format::codec;
use crate::journal::format::frame::{
    FRAME_BYTES_MAX, FRAME_NUMBER_MAX, FrameHeader, HEADER_BYTES, open_frame,
};
use crate::journal::format::manifest::{Manifest, NAMESPACES_MAX};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, LowMark, Marks};
use crate::journal::log::memory_log::image::Image;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::fencing_token::{COUNTER_END, EPOCH_END, FencingToken};
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Head, Record, RecordKind};
use crate::{Claim, ClaimOptions, Error, ErrorKind, FencingToken as Token, Policy, Store};

fn open(image: Image) -> Result<Store, Error> {
    let log = MemoryLog::of_image(image);
    Store::in_memory()
        .log(&log)
        .clock(&ManualClock::new())
        .open()
}

/// One completed key, a claim that left a record, and the token of the claim.
fn written() -> (Image, Token) {
    let log = MemoryLog::new();
    let builder = Store::in_memory().log(&log).clock(&ManualClock::new());
    let store = builder.open().unwrap();
    let space = store.namespace("space", Policy::at_least_once()).unwrap();
    space.insert("key").unwrap();
    let Claim::Granted(lease) = space.claim("open").unwrap() else {
        panic!("granted")
    };
    let token = lease.detach().unwrap().token();
    store.close().unwrap();
    (log.image(), token)
}

fn marks_of(image: &Image) -> Marks {
    Marks::newest(&image.marks).0.unwrap()
}

fn set_marks(image: &mut Image, marks: Marks) {
    image.marks = [marks.encode(), marks.encode()];
}

/// Gives the last frame this payload, and makes the marks agree.
fn set_last_payload(image: &mut Image, records: u32, payload: &[u8]) {
    let marks = marks_of(image);
    let frame = image.segments[0].frames.last_mut().unwrap();
    let bytes = frame.as_mut().unwrap();
    let header = FrameHeader {
        records,
        ..open_frame(bytes, &marks.store_id).unwrap().header
    };
    let durable_checksum = header.seal(payload, bytes);
    set_marks(
        image,
        Marks {
            durable: header.number,
            durable_checksum,
            ..marks
        },
    );
}

/// A log whose last frame holds this record of the key "open", after `change`.
fn with_record(change: impl FnOnce(&mut Record)) -> Image {
    let (mut image, token) = written();
    let mut record = Record {
        head: Head {
            kind: RecordKind::Released,
            namespace: NamespaceId(1),
            token,
            attempt: 1,
            first_claimed_at: 1_767_225_600,
            recorded_at: 1_767_225_600,
            expires_at: 1_767_300_000,
            retention_secs: 0,
            body_omitted: false,
            attached: false,
        },
        key: b"open"[..].into(),
        fingerprint: None,
        metadata: b""[..].into(),
        reason: b""[..].into(),
        body: b""[..].into(),
    };
    change(&mut record);
    let mut payload = Vec::new();
    codec::encode_record(&record.as_ref(), 0, &mut payload);
    set_last_payload(&mut image, 1, &payload);
    image
}

#[track_caller]
fn refused(image: Image, kind: ErrorKind, word: &str) {
    let error = open(image).expect_err("it must not open");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(word), "{error}");
}

#[test]
fn what_these_tests_change_opens_unchanged() {
    open(written().0).unwrap().validate();
    open(with_record(|_| {})).unwrap().validate();
}

/// The offset of a record in such a frame did not fit its 16 bits, and opening panicked.
#[test]
fn a_frame_larger_than_any_frame_is_none() {
    let (mut image, _) = written();
    let mut payload = Vec::new();
    codec::encode_part(
        0,
        &vec![1; FRAME_BYTES_MAX + HEADER_BYTES + 100],
        &mut payload,
    );
    with_record(|record| codec::encode_record(&record.as_ref(), 0, &mut payload));
    assert!(payload.len() > 1 << 16);
    set_last_payload(&mut image, 2, &payload);
    refused(image, ErrorKind::Damaged, "frame");
}

/// Counting on from some of these overflowed: a panic in a debug build, and in a release build the
/// numbers of frames or the generations of marks began anew.
#[test]
fn marks_where_no_store_can_have_come_are_damage() {
    let (image, _) = written();
    let good = marks_of(&image);
    let low = |low: LowMark| Marks { low, ..good };
    let hostile = [
        low(LowMark {
            segment: 0,
            ..good.low
        }),
        low(LowMark {
            segment: u64::MAX,
            ..good.low
        }),
        low(LowMark {
            before: u64::MAX,
            ..good.low
        }),
        low(LowMark {
            before: good.durable + 1,
            ..good.low
        }),
        Marks {
            durable: u64::MAX,
            ..good
        },
        Marks {
            epoch: EPOCH_END,
            ..good
        },
    ];
    for marks in hostile {
        let mut image = image.clone();
        // A link that agrees with the marks, so that nothing else is wrong.
        let link = Link {
            store_id: marks.store_id,
            segment: marks.low.segment,
            before: marks.low.before,
            checksum: marks.low.checksum,
        };
        image.segments[0].number = marks.low.segment;
        image.segments[0].link = link.encode();
        set_marks(&mut image, marks);
        refused(image, ErrorKind::Damaged, "marks");
    }
}

/// A store opened with a forged generation of 2^63 - 1, or the epoch before the last, wrote the next
/// one, and was refused from then on (fuzzing). Each number is tried at both sides of every bound
/// that it is read by: what opens, works, and opens again for as long as one likes.
#[test]
fn what_opens_with_forged_marks_opens_again() {
    let (image, _) = written();
    let good = marks_of(&image);
    let edges = |end: u64| {
        let near = (0..64).map(move |bit| end.wrapping_sub(1 << bit));
        near.chain([end, end.wrapping_add(1)])
    };
    let mut forged: Vec<Marks> = Vec::new();
    forged.extend(edges(u64::from(EPOCH_END)).map(|epoch| Marks {
        epoch: u32::try_from(epoch).unwrap_or(u32::MAX),
        ..good
    }));
    forged.extend(edges(u64::MAX).map(|generation| Marks { generation, ..good }));
    forged.extend(edges(u64::MAX).map(|store_ms| Marks { store_ms, ..good }));
    for marks in forged {
        let mut image = image.clone();
        set_marks(&mut image, marks);
        opens_again(image, &format!("{marks:?}"));
    }
    for number in edges(FRAME_NUMBER_MAX).chain(edges(u64::MAX)) {
        for low in [
            LowMark {
                segment: 1,
                before: number,
                checksum: 0,
            },
            LowMark {
                segment: number,
                before: 0,
                checksum: 0,
            },
        ] {
            let mut image = image.clone();
            image.segments.clear();
            let marks = Marks {
                durable: low.before,
                durable_checksum: 0,
                low,
                ..good
            };
            set_marks(&mut image, marks);
            opens_again(image, &format!("{marks:?}"));
        }
    }
}

/// Opens, works, compacts and closes three times over, if the first open is not refused.
fn opens_again(image: Image, what: &str) {
    let log = MemoryLog::of_image(image);
    let clock = ManualClock::new();
    for life in 0..3 {
        let builder = Store::in_memory().log(&log).clock(&clock);
        let store = match builder.accept_clock_jump().open() {
            Ok(store) => store,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error}");
                assert_eq!(life, 0, "{what}: opened before: {error}");
                return;
            }
        };
        match store.namespace("space", Policy::at_least_once()) {
            Ok(space) => {
                let _ = space.insert([life]).map_err(|error| is_spent(&error, what));
                let _ = space.forget([life]).map_err(|error| is_spent(&error, what));
            }
            Err(error) => is_spent(&error, what),
        }
        store.validate();
        clock.advance(Duration::from_secs(300));
        store.validate();
        store
            .close()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

fn is_spent(error: &Error, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}: {error}");
    assert!(
        error
            .to_string()
            .contains("bring its keys into a new store"),
        "{what}: {error}"
    );
}

/// The first write found no number for its frame, and panicked under the lock of the tail; later
/// versions refused to open. What the log holds is still answered.
#[test]
fn a_log_at_the_end_of_its_frame_numbers_answers_and_changes_nothing() {
    let (mut image, _) = written();
    image.segments.clear();
    let low = LowMark {
        segment: 1,
        before: FRAME_NUMBER_MAX - 1,
        checksum: 0,
    };
    let marks = Marks {
        durable: low.before,
        durable_checksum: 0,
        low,
        ..marks_of(&image)
    };
    set_marks(&mut image, marks);
    let store = open(image).unwrap();
    let refused = store.namespace("space", Policy::at_least_once());
    let refused = refused.and_then(|space| space.insert("key")).unwrap_err();
    is_spent(&refused, "frames");
    assert_eq!(store.health().troubles(), [crate::Trouble::ReadOnly]);
    store.close().unwrap();
}

/// The bug: taking back an undelivered grant counted up an attempt that cannot be counted up.
#[test]
fn the_last_attempt_that_can_be_counted_is_taken_back() {
    let store = open(with_record(|record| record.head.attempt = u32::MAX)).unwrap();
    let space = store.namespace("space", Policy::at_least_once()).unwrap();
    let Claim::Granted(lease) = space.claim("open").unwrap() else {
        panic!("granted")
    };
    assert_eq!(lease.attempt(), u32::MAX);
    let patient = ClaimOptions::new().wait(Duration::from_secs(60));
    let mut waiter = space.claim_async("open", patient);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut waiter).poll(&mut context).is_pending());
    lease.release("to the one who waits").unwrap();
    drop(waiter);
    store.validate();
    assert!(matches!(space.claim("open").unwrap(), Claim::Granted(_)));
}

/// A token of an epoch that no header names would have been higher than all tokens to come.
#[test]
fn tokens_rise_above_every_token_in_the_log() {
    let high = FencingToken::new(1000, COUNTER_END - 1);
    let store = open(with_record(|record| record.head.token = high)).unwrap();
    let space = store.namespace("space", Policy::at_least_once()).unwrap();
    let Claim::Granted(lease) = space.claim("another").unwrap() else {
        panic!("granted")
    };
    assert!(lease.token() > high);
    let last = FencingToken::new(EPOCH_END - 1, 0);
    let store = open(with_record(|record| record.head.token = last)).unwrap();
    let space = store.namespace("space", Policy::at_least_once()).unwrap();
    is_spent(&space.claim("another").unwrap_err(), "epochs");
    assert_eq!(space.get("open").unwrap().unwrap().token(), last);
}

/// A store of version 1, whose tokens had 23 bits of epoch, opens, and its tokens go on rising: above those
/// of its records, and above all that its last epoch may have granted and that left no record.
#[test]
fn a_store_of_version_1_opens_and_its_tokens_go_on_rising() {
    let old = FencingToken::from_u64((5 << 40) + 7).unwrap();
    let last_of_epoch = FencingToken::from_u64((6 << 40) - 1).unwrap();
    let mut image = with_record(|record| record.head.token = old);
    let marks = marks_of(&image);
    let (mut previous, mut number) = (marks.low.checksum, marks.low.before);
    for frame in image.segments[0].frames.iter_mut().flatten() {
        frame[8] = 1;
        frame[40..44].copy_from_slice(&5_u32.to_le_bytes());
        frame[56..64].copy_from_slice(&previous.to_le_bytes());
        let (header, payload) = frame.split_at(HEADER_BYTES);
        previous = xxhash_rust::xxh3::xxh3_64(&[&header[..72], payload].concat());
        frame[72..80].copy_from_slice(&previous.to_le_bytes());
        number += 1;
    }
    let marks = Marks {
        durable: number,
        durable_checksum: previous,
        epoch: 5,
        ..marks
    };
    let mut slot = marks.encode();
    slot[8] = 1;
    let checksum = xxhash_rust::xxh3::xxh3_64(&slot[..104]);
    slot[104..].copy_from_slice(&checksum.to_le_bytes());
    image.marks = [slot.clone(), slot];
    let log = MemoryLog::of_image(image);
    let mut highest = last_of_epoch;
    for life in 0..3 {
        let builder = Store::in_memory().log(&log).clock(&ManualClock::new());
        let store = builder.open().unwrap();
        let space = store.namespace("space", Policy::at_least_once()).unwrap();
        assert!(space.contains("key").unwrap());
        assert_eq!(space.get("open").unwrap().unwrap().token(), old);
        let Claim::Granted(lease) = space.claim([life]).unwrap() else {
            panic!("granted")
        };
        assert!(lease.token() > highest, "life {life}");
        highest = lease.token();
        lease.complete("done").unwrap();
        store.validate();
        store.close().unwrap();
    }
}

/// 128 restores in a row used up all tokens: a copy that was restored every night died in four months.
#[test]
fn a_copy_that_is_restored_every_night_lasts_for_decades() {
    let mut epoch = 0;
    for _ in 0..30_000 {
        epoch = next_epoch(next_epoch(epoch, EPOCH_JUMP).unwrap(), 1).unwrap();
    }
    let end = next_epoch(EPOCH_END - EPOCH_JUMP, EPOCH_JUMP).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::Unsupported, "{end}");
}

/// Sizes that no call lets through: a key that no claim can name, metadata that leave the next
/// record of the key no room in a frame.
#[test]
fn a_record_over_the_limits_of_its_fields_is_damage() {
    let changes: [fn(&mut Record); 4] = [
        |record| record.key = [][..].into(),
        |record| record.key = [b'k'; 1025][..].into(),
        |record| record.metadata = vec![b'm'; 16 * 1024 + 1].into(),
        |record| record.reason = vec![b'r'; 16 * 1024 + 1].into(),
    ];
    for change in changes {
        refused(with_record(change), ErrorKind::Damaged, "malformed record");
    }
    open(with_record(|record| {
        record.key = [b'k'; 1024][..].into();
        record.metadata = vec![b'm'; 16 * 1024].into();
        record.reason = vec![b'r'; 16 * 1024].into();
    }))
    .unwrap();
}

/// The lengths of two bodies that were not there overflowed the live counts of their segment.
#[test]
fn a_body_of_another_length_than_its_record_says_is_damage() {
    let (image, _) = written();
    // Ends in body_frames, body_len, and the length of the body: no bytes.
    let mut whole = Vec::new();
    with_record(|record| {
        record.head.kind = RecordKind::Completed;
        codec::encode_record(&record.as_ref(), 0, &mut whole);
    });
    let head = whole.len() - 3;
    assert_eq!(whole[head..], [0, 0, 0]);
    let huge = |frames: u8| {
        let mut end = vec![frames, 253];
        end.extend_from_slice(&u64::MAX.to_le_bytes());
        end.push(0);
        end
    };
    for (end, word) in [
        (vec![0, 5, 0], "malformed"),
        (huge(0), "malformed"),
        (huge(1), "parts"),
    ] {
        let mut image = image.clone();
        let record = [&whole[..head], &end].concat();
        set_last_payload(&mut image, 2, &record.repeat(2));
        refused(image, ErrorKind::Damaged, word);
    }
}

/// The next namespace had the id 0 in a release build, and panicked in a debug build; two
/// namespaces of one id, or of one name, shared their keys.
#[test]
fn a_manifest_with_ids_and_names_that_no_store_gives() {
    let (image, _) = written();
    let good = manifest_file::decode(image.manifest.as_ref().unwrap()).unwrap();
    let with = |change: fn(&mut Manifest)| {
        let mut manifest = good.clone();
        manifest
            .namespaces
            .push(crate::journal::format::manifest::NamespaceEntry {
                id: NamespaceId(2),
                name: "other".to_owned(),
                policy: Policy::at_most_once(),
            });
        change(&mut manifest);
        Image {
            manifest: Some(manifest_file::encode(&manifest)),
            ..image.clone()
        }
    };
    open(with(|_| {})).unwrap();
    let changes: [fn(&mut Manifest); 6] = [
        |manifest| manifest.namespaces[1].id = NamespaceId(0),
        |manifest| manifest.namespaces[1].id = NamespaceId(1),
        |manifest| manifest.namespaces[1].name = "space".to_owned(),
        |manifest| manifest.namespaces[1].name = String::new(),
        |manifest| manifest.namespaces[1].name = "n".repeat(129),
        |manifest| {
            let one = manifest.namespaces[1].clone();
            for id in 3..=u32::try_from(NAMESPACES_MAX).unwrap() + 1 {
                let mut entry = one.clone();
                (entry.id, entry.name) = (NamespaceId(id), id.to_string());
                manifest.namespaces.push(entry);
            }
        },
    ];
    for change in changes {
        refused(with(change), ErrorKind::Damaged, "manifest");
    }
    let last = with(|manifest| manifest.namespaces[1].id = NamespaceId(u32::MAX));
    let store = open(last).unwrap();
    let error = store.namespace("new", Policy::at_least_once()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
}
