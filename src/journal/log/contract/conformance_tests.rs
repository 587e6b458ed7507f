//! What every [`Log`] must do, checked against each of them.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};

/// Opens the log again each time it is called, after the previous one was dropped or closed.
type Open<'a> = &'a dyn Fn() -> Arc<dyn Log>;

/// Runs the whole suite; `fresh` makes a medium and returns how to open it.
pub(crate) fn run<'a>(fresh: &dyn Fn() -> Box<dyn Fn() -> Arc<dyn Log> + 'a>) {
    manifest_and_marks(&*fresh());
    segments_and_links(&*fresh());
    frames_survive(&*fresh());
    prepared_is_not_there(&*fresh());
    sealed_frames_are_read(&*fresh());
    removal(&*fresh());
    reading_stops(&*fresh());
    refusals(&*fresh());
    // It reads thousands of frames six times each, which is too much for an interpreter.
    if !cfg!(miri) {
        limits(&*fresh());
    }
    closing(&*fresh());
}

fn manifest_and_marks(open: Open<'_>) {
    let log = open();
    assert_eq!(log.read_manifest().unwrap(), None);
    assert_eq!(log.read_marks().unwrap(), [Vec::<u8>::new(), Vec::new()]);
    log.write_manifest(b"one").unwrap();
    log.write_marks(1, &[7; 512]).unwrap();
    assert_eq!(log.read_marks().unwrap(), [vec![], vec![7; 512]]);
    log.write_manifest(b"two").unwrap();
    log.write_marks(0, b"zero").unwrap();
    log.write_marks(1, b"one").unwrap();
    assert!(log.write_marks(2, b"").is_err());
    assert!(log.write_marks(0, &[0; 513]).is_err());
    log.close().unwrap();
    drop(log);
    let log = open();
    assert_eq!(log.read_manifest().unwrap().unwrap(), b"two");
    assert_eq!(
        log.read_marks().unwrap(),
        [b"zero".to_vec(), b"one".to_vec()]
    );
}

fn segments_and_links(open: Open<'_>) {
    let log = open();
    assert!(log.segments().unwrap().is_empty());
    for segment in [3, 20, 0x1_0000_0001] {
        log.activate(segment, format!("link {segment}").as_bytes())
            .unwrap();
        assert!(log.activate(segment, b"again").is_err());
    }
    log.close().unwrap();
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [3, 20, 0x1_0000_0001]);
    assert_eq!(log.read_link(20).unwrap(), b"link 20");
    assert_eq!(log.read_link(4).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(log.activate(5, &[0; 513]).is_err());
}

fn frames_survive(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    log.activate(1, b"").unwrap();
    let frames: Vec<Vec<u8>> = (0..100).map(frame).collect();
    for (index, frame) in (0..).zip(&frames) {
        log.append(1, index, frame).unwrap();
        if index % 10 == 0 {
            log.flush(1).unwrap();
        }
    }
    log.sync(1).unwrap();
    check_frames(&*log, 1, &frames);
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [1]);
    check_frames(&*log, 1, &frames);
    log.close().unwrap();
    drop(log);
    // Without reading everything first.
    let log = open();
    log.segments().unwrap();
    assert_eq!(log.read(1, 99).unwrap().unwrap(), frames[99]);
    assert_eq!(log.read(1, 100).unwrap(), None);
}

fn prepared_is_not_there(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    log.prepare(1, 1).unwrap();
    log.prepare(1, 1).unwrap();
    log.prepare(2, 1).unwrap();
    log.activate(1, b"").unwrap();
    log.prepare(1, 1).unwrap();
    log.append(1, 0, b"x").unwrap();
    log.sync(1).unwrap();
    assert!(log.append(2, 0, b"x").is_err());
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [1]);
    log.activate(2, b"").unwrap();
    log.append(2, 0, b"y").unwrap();
    check_frames(&*log, 1, &[b"x".to_vec()]);
}

fn sealed_frames_are_read(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    log.activate(8, b"").unwrap();
    let frames: Vec<Vec<u8>> = (0..200).map(frame).collect();
    for (index, frame) in (0..).zip(&frames) {
        log.append(8, index, frame).unwrap();
    }
    log.sync(8).unwrap();
    log.activate(9, b"").unwrap();
    log.seal(8).unwrap();
    log.seal(8).unwrap();
    check_frames(&*log, 8, &frames);
    assert!(log.append(8, 200, b"late").is_err());
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [8, 9]);
    check_frames(&*log, 8, &frames);
    check_frames(&*log, 9, &[]);
    log.seal(8).unwrap();
}

fn removal(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    for segment in 0..3 {
        log.activate(segment, b"").unwrap();
        for index in 0..40 {
            log.append(segment, index, &[1; 50_000]).unwrap();
        }
        log.sync(segment).unwrap();
    }
    log.seal(0).unwrap();
    let before = log.disk_bytes().unwrap();
    log.remove(0).unwrap();
    log.remove(1).unwrap();
    assert!(before - log.disk_bytes().unwrap() >= 2 * 40 * 50_000);
    assert_eq!(log.read(0, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(log.remove(0).unwrap_err().kind(), ErrorKind::NotFound);
    log.close().unwrap();
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [2]);
    log.remove(2).unwrap();
    drop(log);
    assert!(open().segments().unwrap().is_empty());
}

fn reading_stops(open: Open<'_>) {
    for is_reopened in [false, true] {
        let log = open();
        let segment = if is_reopened {
            log.segments().unwrap()[0]
        } else {
            log.segments().unwrap();
            log.activate(1, b"").unwrap();
            for index in 0..5 {
                log.append(1, index, &frame(index)).unwrap();
            }
            log.sync(1).unwrap();
            1
        };
        let mut seen = Vec::new();
        log.read_all(segment, &mut |index, _| {
            seen.push(index);
            index < 2
        })
        .unwrap();
        assert_eq!(seen, [0, 1, 2]);
        check_frames(&*log, segment, &(0..5).map(frame).collect::<Vec<_>>());
    }
}

fn refusals(open: Open<'_>) {
    type Wrong<'a> = &'a dyn Fn(&dyn Log, u64) -> bool;
    let wrongs: [Wrong<'_>; 4] = [
        &|log, segment| log.append(segment, 2, b"skips one").is_err(),
        &|log, segment| log.append(segment, 0, b"again").is_err(),
        &|log, segment| log.append(segment, 1, &[1; FRAME_BYTES_MAX + 1]).is_err(),
        &|log, segment| log.append(segment, 1, b"").is_err(),
    ];
    let log = open();
    log.segments().unwrap();
    for (segment, wrong) in (0..).zip(wrongs) {
        log.activate(segment, b"").unwrap();
        log.append(segment, 0, b"good").unwrap();
        log.sync(segment).unwrap();
        assert!(wrong(&*log, segment));
        // The first error is final, and loses nothing that was durable.
        assert!(log.append(segment, 1, b"fine by itself").is_err());
        assert!(log.flush(segment).is_err());
        assert!(log.sync(segment).is_err());
        assert!(log.seal(segment).is_err());
        check_frames(&*log, segment, &[b"good".to_vec()]);
    }
    assert!(log.close().is_err());
    drop(log);
    let log = open();
    assert_eq!(log.segments().unwrap(), [0, 1, 2, 3]);
    check_frames(&*log, 3, &[b"good".to_vec()]);
}

fn limits(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    log.activate(1, &[9; 512]).unwrap();
    let few: Vec<Vec<u8>> = (0..50).map(frame).collect();
    let frames: Vec<Vec<u8>> = (0..SEGMENT_FRAMES_MAX)
        .map(|index| {
            if index % 2000 == 0 {
                vec![1; FRAME_BYTES_MAX]
            } else {
                few[index as usize % 50].clone()
            }
        })
        .collect();
    for (index, frame) in (0..).zip(&frames) {
        log.append(1, index, frame).unwrap();
    }
    log.sync(1).unwrap();
    assert!(log.append(1, SEGMENT_FRAMES_MAX, b"one too many").is_err());
    check_frames(&*log, 1, &frames);
    drop(log);
    let log = open();
    log.segments().unwrap();
    check_frames(&*log, 1, &frames);
}

fn closing(open: Open<'_>) {
    let log = open();
    log.segments().unwrap();
    log.activate(1, b"").unwrap();
    log.append(1, 0, b"not synced").unwrap();
    log.hold_reserve(1).unwrap();
    log.hold_reserve(0).unwrap();
    log.free_bytes().unwrap();
    log.close().unwrap();
    assert!(log.append(1, 1, b"x").is_err());
    assert!(log.read(1, 0).is_err());
    // The closed handle is still there, and holds nothing.
    let next = open();
    assert_eq!(next.segments().unwrap(), [1]);
    check_frames(&*next, 1, &[b"not synced".to_vec()]);
    drop(log);
    next.write_manifest(b"still ours").unwrap();
}

/// A frame that differs from all others, of 1 to about 3300 bytes, or fewer for a slow interpreter.
pub(crate) fn frame(seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let length = 1 + (seed * 67) % if cfg!(miri) { 33 } else { 3300 };
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(0x5851_F42D_4C95_7F2D)
                .wrapping_add(0x1405_7B7E_F767_814F);
            state.to_be_bytes()[0]
        })
        .collect()
}

/// Checks that the segment holds these frames. Checks twice, because the second read may use what the
/// first one has learned.
pub(crate) fn check_frames(log: &dyn Log, segment: u64, frames: &[Vec<u8>]) {
    for _ in 0..2 {
        let mut count = 0;
        log.read_all(segment, &mut |index, frame| {
            assert_eq!(index, count);
            assert!(
                frame == frames[index as usize],
                "frame {index} of segment {segment}"
            );
            count += 1;
            true
        })
        .unwrap();
        assert_eq!(count as usize, frames.len());
        for (index, frame) in (0..).zip(frames).step_by(7) {
            assert!(
                log.read(segment, index).unwrap().as_ref() == Some(frame),
                "frame {index}"
            );
        }
        assert_eq!(log.read(segment, count).unwrap(), None);
        assert_eq!(log.read(segment, u32::MAX).unwrap(), None);
    }
}
