use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::conformance_tests::{check_frames, frame};
use crate::journal::log::contract::{Log, SEGMENT_BYTES_MAX, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::file_log::file_log::FileLog;
use crate::journal::log::file_log::header::{BadHeader, HEADER_BYTES, Header};
use crate::journal::log::file_log::lead::{LEAD_BYTES, Lead, align};
use crate::journal::log::file_log::segment_writer::FIRST_BYTES;

const OPTIONS: DirectoryOptions = DirectoryOptions {
    create: true,
    wait_for_lock: Duration::ZERO,
    making: None,
};

fn open(path: &Path) -> FileLog {
    FileLog::over(Arc::new(Directory::open(path, OPTIONS).unwrap()))
}

fn segment_file(path: &Path) -> PathBuf {
    path.join("segments/0000000000000001.seg")
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A log with one segment, number 1, of these frames.
fn filled(path: &Path, frames: &[Vec<u8>]) -> FileLog {
    let log = open(path);
    assert!(log.segments().unwrap().is_empty());
    log.activate(1, b"link").unwrap();
    for (index, frame) in (0..).zip(frames) {
        log.append(1, index, frame).unwrap();
    }
    log.sync(1).unwrap();
    log
}

fn frames(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(frame).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was written once must be readable for ever.
#[test]
fn the_bytes_are_those_of_the_format() {
    let header = Header {
        number: 0x0102_0304_0506_0708,
        salt: 0x1122_3344_5566_7788,
        link: b"the link".to_vec(),
    };
    let block = header.encode().unwrap();
    assert_eq!(block.len(), HEADER_BYTES);
    assert_eq!(
        hex(&block[..40]),
        "68617061787365670100000000000800080706050403020188776655443322117468\
         65206c696e6b"
            .replace(' ', "")
    );
    assert!(
        block[40..544]
            .iter()
            .chain(&block[552..])
            .all(|byte| *byte == 0)
    );
    assert_eq!(hex(&block[544..552]), GOLDEN_HEADER_CHECKSUM);
    assert_eq!(Header::decode(&block), Ok(header.clone()));
    let lead = Lead {
        index: 5,
        bytes: 65_440,
    };
    let bytes = lead.encode(header.number, header.salt);
    assert_eq!(
        hex(&bytes),
        format!("6870786c05000000a0ff000008070605{GOLDEN_LEAD_CHECKSUM}")
    );
    assert_eq!(Lead::decode(&bytes, header.number, header.salt), Some(lead));
    assert_eq!(Lead::decode(&bytes, header.number, header.salt + 1), None);
    assert_eq!(Lead::decode(&bytes[..23], header.number, header.salt), None);
}

const GOLDEN_HEADER_CHECKSUM: &str = "2435d0da71256a39";
const GOLDEN_LEAD_CHECKSUM: &str = "085e28cd19a1fd74";

#[test]
fn a_header_that_is_not_whole_is_none() {
    let header = Header {
        number: 1,
        salt: 2,
        link: vec![7; 512],
    };
    let block = header.encode().unwrap();
    for at in 0..552 {
        let mut bad = block.clone();
        bad[at] ^= 1;
        assert_eq!(Header::decode(&bad), Err(BadHeader::Corrupt), "byte {at}");
        assert!(Header::decode(&block[..at]).is_err());
    }
    let long = Header {
        link: vec![7; 513],
        ..header
    };
    assert_eq!(long.encode(), None);
    let mut newer = block;
    newer[8] = 2;
    let checksum = xxhash_rust::xxh3::xxh3_64(&newer[..544]).to_le_bytes();
    newer[544..552].copy_from_slice(&checksum);
    assert_eq!(Header::decode(&newer), Err(BadHeader::NewerFormat(2)));

    let root = TempDir::new().unwrap();
    drop(filled(root.path(), &frames(1)));
    let file = File::options()
        .write(true)
        .open(segment_file(root.path()))
        .unwrap();
    file.write_all_at(&newer, 0).unwrap();
    let error = open(root.path()).segments().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn little_is_allocated_for_little_and_given_back_at_close() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), &frames(3));
    assert_eq!(length(&segment_file(root.path())), FIRST_BYTES);
    log.prepare(2, 1).unwrap();
    assert!(log.disk_bytes().unwrap() <= 2 * FIRST_BYTES + (64 << 10));
    log.close().unwrap();
    drop(log);
    let names: Vec<_> = fs::read_dir(root.path().join("segments"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1, "what was prepared is gone");
    let used: usize = frames(3)
        .iter()
        .map(|frame| (LEAD_BYTES + frame.len()).next_multiple_of(64))
        .sum();
    assert_eq!(
        length(&segment_file(root.path())),
        (HEADER_BYTES + used) as u64
    );
}

/// Fills a segment; returns how many bytes were written for each byte of a frame.
fn amplification(sizes: impl Iterator<Item = usize>) -> f64 {
    let root = TempDir::new().unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    log.activate(1, b"").unwrap();
    let (mut payload, mut all) = (0, Vec::new());
    for (index, size) in (0..SEGMENT_FRAMES_MAX).zip(sizes) {
        if payload + size as u64 > SEGMENT_BYTES_MAX {
            break;
        }
        let frame = vec![index.to_le_bytes()[0] | 1; size];
        log.append(1, index, &frame).unwrap();
        payload += size as u64;
        all.push(frame);
    }
    log.sync(1).unwrap();
    log.prepare(2, 1).unwrap();
    log.seal(1).unwrap();
    check_frames(&log, 1, &all);
    let ratio = length(&segment_file(root.path())) as f64 / payload as f64;
    println!(
        "{} frames of {payload} bytes: written {ratio:.4} times",
        all.len()
    );
    // The next one has room for as much from the start.
    log.prepare(3, 1).unwrap();
    let next = root.path().join("segments/0000000000000003.seg");
    assert!(length(&next) >= length(&segment_file(root.path())));
    let log = open_again(log, root.path());
    check_frames(&log, 1, &all);
    ratio
}

fn open_again(log: FileLog, path: &Path) -> FileLog {
    drop(log);
    let log = open(path);
    log.segments().unwrap();
    log
}

#[test]
fn frames_are_written_once() {
    assert!(amplification(std::iter::repeat(FRAME_BYTES_MAX)) <= 1.02);
    let mixed =
        (0_usize..).map(|at| 50 + at.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (FRAME_BYTES_MAX - 49));
    assert!(amplification(mixed) <= 1.02);
    amplification(std::iter::repeat(65));
}

/// A process that dies leaves its allocated space behind; the next run gives that back, and keeps what
/// was written.
#[test]
fn what_a_crash_left_allocated_is_given_back() {
    let root = TempDir::new().unwrap();
    drop(filled(root.path(), &frames(20)));
    let file = segment_file(root.path());
    assert_eq!(length(&file), FIRST_BYTES);
    // With the beginning of a frame that the crash has torn.
    let torn = File::options().write(true).open(&file).unwrap();
    torn.write_all_at(b"torn", 600_000).unwrap();
    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    log.prepare(2, 1).unwrap();
    assert_eq!(
        length(&file),
        FIRST_BYTES,
        "what was not read is not touched"
    );
    let log = open_again(log, root.path());
    check_frames(&log, 1, &frames(20));
    log.activate(2, b"").unwrap();
    assert_eq!(length(&file), 600_064);
    assert!(fs::metadata(&file).unwrap().blocks() * 512 < FIRST_BYTES);
    check_frames(&log, 1, &frames(20));
    let log = open_again(log, root.path());
    check_frames(&log, 1, &frames(20));
}

#[test]
fn what_was_made_and_not_used_is_made_again() {
    let root = TempDir::new().unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    // As a failed preparation leaves it.
    fs::write(segment_file(root.path()), vec![0; 5000]).unwrap();
    log.prepare(1, 1).unwrap();
    assert!(log.activate(1, &[0; 513]).is_err());
    log.activate(1, b"").unwrap();
    assert_eq!(
        log.activate(1, b"").unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    log.append(1, 0, b"frame").unwrap();
    log.sync(1).unwrap();
    let log = open_again(log, root.path());
    assert_eq!(
        log.activate(1, b"").unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    check_frames(&log, 1, &[b"frame".to_vec()]);
}

/// It is like a folder of sled without its marker.
#[test]
fn a_segment_whose_header_is_lost_is_left_alone() {
    let root = TempDir::new().unwrap();
    drop(filled(root.path(), &frames(3)));
    let path = segment_file(root.path());
    let whole = fs::read(&path).unwrap();
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let bad: [Change<'_>; 5] = [
        &|bytes| bytes[..HEADER_BYTES].fill(0),
        &|bytes| bytes[20] ^= 1,
        &|bytes| bytes.truncate(551),
        &|bytes| bytes.truncate(1),
        &|bytes| {
            // Only the last frame is left.
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[..end].fill(0);
        },
    ];
    for change in bad {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let error = open(root.path()).segments().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("header is damaged"), "{error}");
        assert!(fs::read(&path).unwrap() == bytes);
    }
    // The name must match the number in the header.
    fs::write(&path, &whole).unwrap();
    let other = root.path().join("segments/0000000000000002.seg");
    fs::rename(&path, &other).unwrap();
    let error = open(root.path()).segments().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    fs::rename(&other, &path).unwrap();
    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    check_frames(&log, 1, &frames(3));
}

/// Writes frames, damages the file, and returns which frames are read from it then, and whether each is
/// as it was written. Reading must not change the file.
fn read_damaged(damage: impl FnOnce(&File, u64)) -> Vec<(u32, bool)> {
    let all = damaged_frames();
    let root = TempDir::new().unwrap();
    filled(root.path(), &all).close().unwrap();
    let path = segment_file(root.path());
    let file = File::options().read(true).write(true).open(&path).unwrap();
    damage(&file, length(&path));
    let before = fs::read(&path).unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    let mut seen = Vec::new();
    log.read_all(1, &mut |index, frame| {
        seen.push((index, frame == all[index as usize]));
        true
    })
    .unwrap();
    for index in 0..20 {
        let frame = log.read(1, index).unwrap();
        let is_whole = frame.map(|frame| frame == all[index as usize]);
        assert_eq!(
            is_whole,
            seen.iter()
                .find(|(at, _)| *at == index)
                .map(|(_, whole)| *whole)
        );
    }
    log.close().unwrap();
    assert!(
        fs::read(&path).unwrap() == before,
        "reading has changed the file"
    );
    seen
}

/// Twenty frames, some larger than others, over more than a window of the reader.
fn damaged_frames() -> Vec<Vec<u8>> {
    (0..20)
        .map(|seed| {
            frame(seed)
                .into_iter()
                .cycle()
                .take(60_000 + seed as usize)
                .collect()
        })
        .collect()
}

/// Where the lead of one of [`damaged_frames`] begins.
fn lead_of(index: u64) -> u64 {
    (0..index).fold(HEADER_BYTES as u64, |at, index| {
        align(at + 24 + 60_000 + index)
    })
}

fn flip(file: &File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, at).unwrap();
}

#[test]
fn damage_costs_its_own_frame_and_those_behind_it_are_seen() {
    let all: Vec<(u32, bool)> = (0..20).map(|index| (index, true)).collect();
    assert_eq!(read_damaged(|_, _| ()), all);
    for index in [0, 9, 17, 19] {
        let others: Vec<_> = all.iter().filter(|(at, _)| *at != index).copied().collect();
        let at = lead_of(u64::from(index));
        for byte in 0..LEAD_BYTES as u64 {
            let seen = read_damaged(|file, _| flip(file, at + byte));
            assert_eq!(seen, others, "byte {byte} of lead {index}");
        }
        // A frame that is damaged is shown as it is: its checksum is the journal's.
        let seen = read_damaged(|file, _| flip(file, at + 30_000));
        let mut damaged = all.clone();
        damaged[index as usize].1 = false;
        assert_eq!(seen, damaged);
    }
    let seen = read_damaged(|file, _| file.write_all_at(&[0; 130_000], lead_of(5) + 100).unwrap());
    assert_eq!(seen[5], (5, false));
    assert_eq!(seen[6..], all[8..]);
}

#[test]
fn a_torn_tail_is_absent() {
    let all: Vec<(u32, bool)> = (0..20).map(|index| (index, true)).collect();
    let cut = |by: u64| read_damaged(move |file, end| file.set_len(end - by).unwrap());
    // The last frame ends some bytes before the file does.
    assert_eq!(cut(1), all);
    assert_eq!(cut(100), all[..19]);
    assert_eq!(cut(61_000), all[..18]);
    assert_eq!(
        read_damaged(|file, _| file.set_len(HEADER_BYTES as u64).unwrap()),
        []
    );
    assert_eq!(
        read_damaged(|file, _| file.set_len(HEADER_BYTES as u64 + 10).unwrap()),
        []
    );
    // The last two are lost, and the lead of the third but last is left.
    let seen = read_damaged(|file, end| {
        let from = lead_of(17) + 24;
        file.write_all_at(&vec![0; usize::try_from(end - from).unwrap()], from)
            .unwrap();
    });
    assert_eq!(seen[..17], all[..17]);
    assert_eq!(seen[17..], [(17, false)]);
}

/// Bytes within a frame that look like a lead begin no frame, because no caller knows the salt. And a
/// lead that was copied to another place repeats an index.
#[test]
fn nothing_within_a_frame_is_taken_for_a_frame() {
    let root = TempDir::new().unwrap();
    let forged: Vec<u8> = (0..200)
        .flat_map(|index| {
            let mut cell = Lead { index, bytes: 40 }.encode(1, 0).to_vec();
            cell.resize(64, 7);
            cell
        })
        .collect();
    let mut first = vec![0; 40];
    first.extend(&forged);
    drop(filled(root.path(), &[first.clone(), b"second".to_vec()]));
    let path = segment_file(root.path());
    let file = File::options().read(true).write(true).open(&path).unwrap();
    flip(&file, HEADER_BYTES as u64);
    let log = open(root.path());
    log.segments().unwrap();
    let mut seen = Vec::new();
    log.read_all(1, &mut |index, frame| {
        seen.push((index, frame.to_vec()));
        true
    })
    .unwrap();
    assert_eq!(seen, [(1, b"second".to_vec())]);
    drop(log);
    // The second frame, copied over the first one: out of order, so it is not shown twice.
    let mut copy = [0; 64];
    file.read_exact_at(&mut copy, align((HEADER_BYTES + 24 + first.len()) as u64))
        .unwrap();
    file.write_all_at(&copy, HEADER_BYTES as u64 + 64).unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    let mut seen = Vec::new();
    log.read_all(1, &mut |index, _| {
        seen.push(index);
        true
    })
    .unwrap();
    assert_eq!(seen, [1]);
}

#[test]
fn a_frame_that_goes_after_it_was_read_is_missed() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), &damaged_frames());
    log.seal(1).unwrap();
    let path = segment_file(root.path());
    let file = File::options().read(true).write(true).open(&path).unwrap();
    flip(&file, lead_of(10) + 3);
    assert_eq!(log.read(1, 10).unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(log.read(1, 11).unwrap().is_some());
    let missed = |result: io::Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    };
    missed(log.read_all(1, &mut |_, _| true));
    log.read_all(1, &mut |index, _| index < 8).unwrap();
    flip(&file, lead_of(10) + 3);
    log.read_all(1, &mut |_, _| true).unwrap();
    file.set_len(lead_of(19) + 1000).unwrap();
    assert_eq!(log.read(1, 19).unwrap_err().kind(), ErrorKind::InvalidData);
    missed(log.read_all(1, &mut |_, _| true));
    fs::remove_file(&path).unwrap();
    assert_eq!(log.read(1, 0).unwrap_err().kind(), ErrorKind::InvalidData);
    missed(log.read_all(1, &mut |_, _| true));
}
