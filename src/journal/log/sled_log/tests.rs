use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::conformance_tests::{check_frames, frame};
use crate::journal::log::contract::{
    Log, SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX,
};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::sled_log::db_file::DB;
use crate::journal::log::sled_log::folder::Folder;
use crate::journal::log::sled_log::marker::write_link;
use crate::journal::log::sled_log::messages::{self, BLOCK_BYTES, Layout};
use crate::journal::log::sled_log::sled_log::SledLog;
use crate::runtime::clock::pretend_before_1970;

const OPTIONS: DirectoryOptions = DirectoryOptions {
    create: true,
    wait_for_lock: Duration::ZERO,
    making: None,
};

fn open(path: &Path) -> SledLog {
    SledLog::over(Arc::new(Directory::open(path, OPTIONS).unwrap()))
}

/// A log with one segment, number 1, of these frames.
fn filled(path: &Path, frames: &[Vec<u8>]) -> SledLog {
    let log = open(path);
    assert!(log.segments().unwrap().is_empty());
    log.activate(1, b"link").unwrap();
    for (index, frame) in (0..).zip(frames) {
        log.append(1, index, frame).unwrap();
        if index % 64 == 63 {
            log.flush(1).unwrap();
        }
    }
    log.sync(1).unwrap();
    log
}

fn frames(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(frame).collect()
}

fn place(path: &Path) -> AnchoredPath {
    let folder = AnchoredPath::at(path.parent().unwrap()).unwrap();
    folder.join(path.file_name().unwrap())
}

fn segment_folder(path: &Path) -> PathBuf {
    path.join("segments/0000000000000001")
}

/// The bug: sled counts time from 1970, and panics if the wall clock is before that. The store opened,
/// a panic was printed, and the first segment poisoned the store, although every file was whole.
#[test]
fn a_wall_clock_before_1970_is_refused_and_ends_nothing() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), &frames(3));
    let refused = |error: io::Error| assert!(error.to_string().contains("1970"), "{error}");
    pretend_before_1970(true);
    // A log that is open only cannot begin a new segment.
    refused(log.prepare(2, 100).unwrap_err());
    refused(log.activate(2, b"link").unwrap_err());
    log.append(1, 3, &frame(3)).unwrap();
    log.sync(1).unwrap();
    log.seal(1).unwrap();
    assert_eq!(log.read(1, 3).unwrap(), Some(frame(3)));
    log.close().unwrap();
    drop(log);
    refused(open(root.path()).segments().unwrap_err());
    pretend_before_1970(false);
    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    log.prepare(2, 100).unwrap();
    log.activate(2, b"link").unwrap();
    assert_eq!(log.read(1, 3).unwrap(), Some(frame(3)));
}

/// The bug: opening took a folder without its marker for an unused one, and deleted it with its frames;
/// only then it found that the log ended too early.
#[test]
fn a_segment_whose_marker_is_lost_is_left_alone() {
    let root = TempDir::new().unwrap();
    drop(filled(root.path(), &frames(3)));
    let ready = segment_folder(root.path()).join("ready");
    let marker = fs::read(&ready).unwrap();
    fs::remove_file(&ready).unwrap();
    let error = open(root.path()).segments().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(
        error.to_string().contains("ready marker is missing"),
        "{error}"
    );
    fs::write(&ready, marker).unwrap();
    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    check_frames(&log, 1, &frames(3));
}

#[test]
fn an_unfinished_snapshot_is_removed_before_sled_sees_it() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("folder");
    let folder = Folder::create(&place(&path), 1).unwrap();
    folder.insert(0, b"frame").unwrap();
    folder.close().unwrap();
    let snapshot = path.join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&snapshot, b"cut sho").unwrap();

    let folder = Folder::open(&place(&path)).unwrap();
    assert!(!snapshot.exists());
    assert_eq!(folder.get(0).unwrap().unwrap(), b"frame");
    assert_eq!(folder.get(1).unwrap(), None);
    // Keys that were never made are missing, which differs from an empty value.
    assert_eq!(
        folder.get(SEGMENT_FRAMES_MAX + 32).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
}

#[test]
fn another_configuration_is_refused() {
    let root = TempDir::new().unwrap();
    drop(filled(root.path(), &frames(3)));
    let conf = segment_folder(root.path()).join("conf");
    let good = fs::read(&conf).unwrap();
    let db = fs::read(segment_folder(root.path()).join(DB)).unwrap();
    let mut flipped = good.clone();
    flipped[15] ^= 1;
    for bad in [&[][..], &good[1..], &flipped] {
        fs::write(&conf, bad).unwrap();
        let log = open(root.path());
        log.segments().unwrap();
        assert_eq!(log.read(1, 0).unwrap_err().kind(), ErrorKind::InvalidData);
        let result = log.read_all(1, &mut |_, _| panic!("nothing can be read"));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidData);
        let folder = Folder::open(&place(&segment_folder(root.path())));
        assert_eq!(folder.unwrap_err().kind(), ErrorKind::InvalidData);
    }
    assert_eq!(fs::read(segment_folder(root.path()).join(DB)).unwrap(), db);
    fs::write(&conf, &good).unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    check_frames(&log, 1, &frames(3));
}

/// Every folder used to have room for 8192 frames: it took 0.1 s to fill with keys, for which the first
/// change after an open had to wait, and 2 MiB of disk, even for a single frame.
#[test]
fn a_folder_has_room_for_what_was_asked_and_no_more() {
    let root = TempDir::new().unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    log.prepare(1, 1).unwrap();
    log.activate(1, b"link").unwrap();
    for index in 0..SEGMENT_FRAMES_FIRST {
        log.append(1, index, &frame(index)).unwrap();
    }
    assert!(log.read(1, SEGMENT_FRAMES_FIRST).unwrap().is_none());
    let error = log.append(1, SEGMENT_FRAMES_FIRST, b"one too many");
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    drop(log);
    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    check_frames(&log, 1, &frames(SEGMENT_FRAMES_FIRST));
}

/// In stores of every version the number of keys says how many frames a folder has room for.
#[test]
fn a_folder_tells_its_room_and_misses_keys() {
    let root = TempDir::new().unwrap();
    for (frames, room) in [(1, 512), (512, 512), (513, 1024), (8192, 8192)] {
        let path = root.path().join(frames.to_string());
        let folder = Folder::create(&place(&path), frames).unwrap();
        assert_eq!(folder.frames(), room);
        folder.close().unwrap();
        let folder = Folder::open(&place(&path)).unwrap();
        assert_eq!(folder.frames(), room);
        folder.close().unwrap();
    }
    let path = root.path().join("512");
    let config = sled::Config::default().path(&path).flush_every_ms(None);
    let database = config.open().unwrap();
    database.remove(543_u64.to_be_bytes()).unwrap();
    drop(database);
    let error = Folder::open(&place(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("has lost keys: 543"), "{error}");
}

/// Fills a segment that has room for `room` frames; returns how many bytes were written for each byte
/// of a frame.
fn amplification(room: u32, sizes: impl Iterator<Item = usize>, flush_bytes: usize) -> f64 {
    let root = TempDir::new().unwrap();
    let log = open(root.path());
    log.segments().unwrap();
    log.prepare(1, room).unwrap();
    log.activate(1, b"").unwrap();
    let (mut payload, mut unflushed, mut index) = (0, 0, 0);
    for size in sizes.take(room as usize) {
        if payload + size as u64 > SEGMENT_BYTES_MAX {
            break;
        }
        log.append(1, index, &vec![1; size]).unwrap();
        index += 1;
        payload += size as u64;
        unflushed += size;
        if unflushed > flush_bytes {
            log.flush(1).unwrap();
            unflushed = 0;
        }
    }
    log.sync(1).unwrap();
    let db = segment_folder(root.path()).join(DB);
    // Nothing was written twice, so the length of the file is all that was written.
    assert_eq!(
        messages::layout(&File::open(&db).unwrap()).unwrap(),
        Layout::WriteOnce
    );
    let ratio = fs::metadata(&db).unwrap().len() as f64 / payload as f64;
    println!("{index} frames of {payload} bytes: written {ratio:.3} times");
    log.seal(1).unwrap();
    ratio
}

/// Sizes from tiny to full, the same each time.
fn mixed_sizes() -> impl Iterator<Item = usize> {
    (0_usize..).map(|at| 50 + at.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (FRAME_BYTES_MAX - 49))
}

#[test]
fn full_frames_are_written_once() {
    for room in [SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX] {
        let sizes = std::iter::repeat(FRAME_BYTES_MAX);
        assert!(amplification(room, sizes, 4 << 20) <= 1.10, "{room}");
    }
}

#[test]
fn mixed_frames_are_written_little_more_than_once() {
    for room in [SEGMENT_FRAMES_FIRST, 2048, SEGMENT_FRAMES_MAX] {
        assert!(
            amplification(room, mixed_sizes(), 4 << 20) <= 1.20,
            "{room}"
        );
    }
    assert!(amplification(SEGMENT_FRAMES_MAX, mixed_sizes(), 0) <= 1.20);
}

#[test]
fn tiny_frames_recycle_nothing() {
    for room in [SEGMENT_FRAMES_FIRST, 1024, 2048, 4096] {
        for flush_bytes in [0, 1 << 20] {
            amplification(room, std::iter::repeat(65), flush_bytes);
        }
    }
    for flush_bytes in [0, 1 << 20] {
        amplification(SEGMENT_FRAMES_MAX, std::iter::repeat(65), flush_bytes);
        let mut count = 0;
        amplification(
            SEGMENT_FRAMES_MAX,
            std::iter::from_fn(|| {
                count += 1;
                Some(if count < 5000 { 100 } else { FRAME_BYTES_MAX })
            }),
            flush_bytes,
        );
    }
}

/// Writes frames, damages the file, and returns which frames are read from it then. They must be right
/// despite any damage, and reading must not change the file.
fn read_damaged(damage: impl FnOnce(&File, u64)) -> Vec<u32> {
    // Made once, because only the bytes of the file matter.
    static WHOLE: OnceLock<(TempDir, Vec<u8>)> = OnceLock::new();
    let frames = damaged_frames();
    let (whole, bytes) = WHOLE.get_or_init(|| {
        let whole = TempDir::new().unwrap();
        drop(filled(whole.path(), &frames));
        let bytes = fs::read(segment_folder(whole.path()).join(DB)).unwrap();
        (whole, bytes)
    });
    let root = TempDir::new().unwrap();
    drop(open(root.path()));
    let folder = segment_folder(root.path());
    fs::create_dir_all(folder.join("blobs")).unwrap();
    for file in ["conf", "ready"] {
        fs::copy(segment_folder(whole.path()).join(file), folder.join(file)).unwrap();
    }
    let db = folder.join(DB);
    fs::write(&db, bytes).unwrap();
    let file = File::options().read(true).write(true).open(&db).unwrap();
    damage(&file, file.metadata().unwrap().len());
    let before = fs::read(&db).unwrap();

    let log = open(root.path());
    log.segments().unwrap();
    let mut seen = Vec::new();
    log.read_all(1, &mut |index, frame| {
        // A torn frame is shown without its bytes.
        if !frame.is_empty() {
            assert!(frame == frames[index as usize], "frame {index}");
            seen.push(index);
        }
        true
    })
    .unwrap();
    for index in 0..20 {
        let frame = log.read(1, index).unwrap();
        assert_eq!(frame.is_some(), seen.contains(&index));
        assert!(frame.is_none_or(|frame| frame == frames[index as usize]));
    }
    log.close().unwrap();
    assert!(
        fs::read(&db).unwrap() == before,
        "reading has changed the file"
    );
    seen
}

/// Twenty frames over four of sled's own segments.
fn damaged_frames() -> Vec<Vec<u8>> {
    (0..20)
        .map(|seed| frame(seed).into_iter().cycle().take(60_000).collect())
        .collect()
}

fn flip(file: &File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, at).unwrap();
}

#[test]
fn a_flipped_bit_costs_its_own_frame() {
    let all: Vec<u32> = (0..20).collect();
    assert_eq!(read_damaged(|_, _| ()), all);
    // The last one begins this far before the end.
    for back in [100, 59_000] {
        assert_eq!(read_damaged(|file, end| flip(file, end - back)), all[..19]);
    }
    let seen = read_damaged(|file, end| flip(file, end - 10 * 60_100));
    assert_eq!(seen.len(), 19);
    assert_eq!(
        seen[18], 19,
        "what follows the damage is seen, so it can be told from a tail"
    );
}

#[test]
fn flipped_bits_anywhere_give_no_wrong_frame() {
    for step in 0..24 {
        read_damaged(|file, end| flip(file, end * step / 24 + step % 7));
        // The headers of sled's segments and of the messages in them.
        let blocks = end_of_blocks();
        read_damaged(|file, _| flip(file, blocks + step));
    }
}

/// Where the last whole one of sled's own segments of [`damaged_frames`] begins.
fn end_of_blocks() -> u64 {
    5 * BLOCK_BYTES as u64
}

#[test]
fn a_torn_tail_is_absent() {
    let cut = read_damaged(|file, end| file.set_len(end - 1).unwrap());
    assert_eq!(cut.len(), 19);
    let cut = read_damaged(|file, end| file.set_len(end - 100_000).unwrap());
    assert_eq!(cut, (0..18).collect::<Vec<_>>());
    let zeroed = read_damaged(|file, end| file.write_all_at(&[0; 70_000], end - 70_000).unwrap());
    assert_eq!(zeroed, (0..18).collect::<Vec<_>>());
    assert!(read_damaged(|file, _| file.set_len(0).unwrap()).is_empty());
}

#[test]
fn a_frame_that_changes_after_it_was_read_is_refused() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), &damaged_frames());
    log.seal(1).unwrap();
    let db = segment_folder(root.path()).join(DB);
    let file = File::options().read(true).write(true).open(&db).unwrap();
    let end = file.metadata().unwrap().len();
    flip(&file, end - 100);
    assert_eq!(log.read(1, 19).unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(log.read(1, 18).is_ok());
    let result = log.read_all(1, &mut |_, _| true);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidData);
    file.set_len(end - 1000).unwrap();
    assert_eq!(log.read(1, 19).unwrap_err().kind(), ErrorKind::InvalidData);
    fs::remove_file(&db).unwrap();
    assert_eq!(log.read(1, 0).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_folder_that_sled_has_recycled_is_read_through_sled() {
    let root = TempDir::new().unwrap();
    drop(open(root.path()));
    let path = segment_folder(root.path());
    drop(Folder::create(&place(&path), SEGMENT_FRAMES_MAX).unwrap());
    let database = sled::Config::default()
        .path(&path)
        .flush_every_ms(None)
        .open()
        .unwrap();
    let layout = || messages::layout(&File::open(path.join(DB)).unwrap()).unwrap();
    let mut rounds = 0_u32;
    while !matches!(layout(), Layout::Recycled(_)) {
        rounds += 1;
        assert!(rounds < 1000, "{:?}", layout());
        for index in 0..1000_u64 {
            database
                .insert(index.to_be_bytes(), &rounds.to_be_bytes())
                .unwrap();
        }
        database.flush().unwrap();
    }
    drop(database);
    write_link(&place(&path), b"").unwrap();

    let log = open(root.path());
    assert_eq!(log.segments().unwrap(), [1]);
    check_frames(&log, 1, &vec![rounds.to_be_bytes().to_vec(); 1000]);
}

#[test]
fn sealing_finds_a_broken_layout() {
    let root = TempDir::new().unwrap();
    let log = filled(root.path(), &frames(10));
    File::create(segment_folder(root.path()).join("blobs/17")).unwrap();
    let error = log.seal(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("0000000000000001"), "{error}");
    check_frames(&log, 1, &frames(10));
}
