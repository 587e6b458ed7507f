//! Moving a store from one kind of log to the other, within its directory.

use std::io;

use crate::engine::sizes::to_u64;
use crate::engine::upkeep::backup::Unseen;
use crate::engine::upkeep::copying::copy_segments;
use crate::engine::upkeep::recovery::identity::{load_marks, read_manifest};
use crate::journal::format::log_kind_note::LogKindNote;
use crate::journal::format::marks::Marks;
use crate::journal::log::contract::Log;
use crate::journal::log::open_log::OpenLog;
use crate::journal::recovery::{FoundLog, FoundSegment, recover};
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::log_kind::LogKind;

/// What was copied.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Copied {
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// Moves the store into the other log. Until the note names the new log, everything in the new one is void;
/// from then on, everything in the old one is.
pub(crate) fn move_log(store: &OpenLog, to: LogKind) -> Result<Copied> {
    let from = store.kind;
    let marks = read_marks(&*store.log)?;
    let found = recover(&*store.log, &marks, &mut Unseen)?;
    if from == to {
        clear(store, to)?;
        return Ok(Copied::default());
    }
    let note = |kind, has_void| store.note(LogKindNote { kind, has_void });
    note(from, true).while_doing("beginning to move the store")?;
    let built = store
        .discard(to)
        .while_doing("making room for the new log")
        .and_then(|()| build(store, to, &marks, &found));
    let copied = built.inspect_err(|_| {
        // The old log counts, as before; files that cannot be removed now stay void.
        let _ = store.discard(to).and_then(|()| note(from, false));
    })?;
    note(to, true).while_doing("changing over to the new log")?;
    clear_old(store, from, to)?;
    Ok(copied)
}

fn read_marks(log: &dyn Log) -> Result<Marks> {
    let manifest = read_manifest(log)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotAStore,
            "there is no finished store in this directory: check the path",
        )
    })?;
    Ok(load_marks(log, &manifest)?.0)
}

/// Copies the log and reads the copy back.
fn build(store: &OpenLog, to: LogKind, marks: &Marks, found: &FoundLog) -> Result<Copied> {
    let copied = copy(&*store.log, &*store.another(to), found).while_doing("copying the log")?;
    // The copy is read through a log that has not written it.
    let there = recover(&*store.another(to), marks, &mut Unseen);
    match there {
        Ok(there) if is_same(&there, found) => Ok(copied),
        Err(error) if error.kind() != ErrorKind::Damaged => Err(error),
        _ => Err(Error::new(
            ErrorKind::Io,
            "the copy of the log differs from the log: the store stays in its old log; look at the disk, then try again",
        )),
    }
}

/// Whether two logs hold the same frames in the same segments.
fn is_same(one: &FoundLog, other: &FoundLog) -> bool {
    let firsts = |found: &FoundLog| -> Vec<(u64, u64)> {
        let first = |segment: &FoundSegment| (segment.number, segment.first_frame);
        found.segments.iter().map(first).collect()
    };
    // The checksum of the last frame is chained to those of all frames before it.
    (one.last, one.checksum) == (other.last, other.checksum) && firsts(one) == firsts(other)
}

fn copy(from: &dyn Log, to: &dyn Log, found: &FoundLog) -> io::Result<Copied> {
    let mut copied = Copied {
        segments: to_u64(found.segments.len()),
        ..Copied::default()
    };
    to.segments()?;
    copy_segments(from, to, found, &mut |frame| {
        copied.frames += 1;
        copied.bytes += to_u64(frame.len());
        true
    })?;
    Ok(copied)
}

fn clear_old(store: &OpenLog, from: LogKind, to: LogKind) -> Result<()> {
    let note = LogKindNote {
        kind: to,
        has_void: false,
    };
    let cleared = store.discard(from).and_then(|()| store.note(note));
    cleared.while_doing(
        "the store has been moved, but the rest of its old log could not be removed: the next open tries again",
    )
}

/// The store is there already; the remains of an earlier move go.
fn clear(store: &OpenLog, to: LogKind) -> Result<()> {
    let doing = format!("removing what is left of the log other than {to:?}");
    store.discard_void().while_doing(&doing)
}

#[cfg(test)]
mod tests {
    use super::{copy, is_same};
    use crate::journal::log::contract::Log;
    use crate::journal::log::memory_log::memory_log::MemoryLog;
    use crate::journal::recovery::{FoundLog, FoundSegment};

    fn found(segments: &[(u64, u64)], last: u64, checksum: u64) -> FoundLog {
        let segment = |(number, first_frame): &(u64, u64)| FoundSegment {
            number: *number,
            first_frame: *first_frame,
        };
        FoundLog {
            segments: segments.iter().map(segment).collect(),
            last,
            checksum,
            epoch: 1,
            store_secs: 0,
            torn_frames: 0,
            audit: None,
        }
    }

    fn frames(log: &dyn Log, segment: u64) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        log.read_all(segment, &mut |index, frame| {
            assert_eq!(index as usize, frames.len());
            frames.push(frame.to_vec());
            true
        })
        .unwrap();
        frames
    }

    /// The bytes that a crash has left behind the last frame of a segment may have holes, and are not copied.
    #[test]
    fn only_frames_that_count_are_copied() {
        let medium = MemoryLog::new();
        let from = medium.session().unwrap();
        let write = |segment: u64, link: &[u8], count: u8| {
            from.activate(segment, link).unwrap();
            for index in 0..count {
                let frame = [segment.to_le_bytes()[0], index];
                from.append(segment, u32::from(index), &frame).unwrap();
            }
        };
        write(4, b"four", 6);
        write(5, b"five", 3);
        write(6, b"six", 0);
        // Frames 11 to 13 count in segment 4, and 14 and 15 in segment 5.
        medium.remove_frame(4, 4);
        let found = found(&[(4, 11), (5, 14), (6, 16)], 15, 0);
        let to = MemoryLog::new().session().unwrap();
        let copied = copy(&from, &to, &found).unwrap();
        assert_eq!((copied.segments, copied.frames, copied.bytes), (3, 5, 10));
        assert_eq!(to.segments().unwrap(), [4, 5, 6]);
        assert_eq!(to.read_link(5).unwrap(), b"five");
        assert_eq!(frames(&to, 4), [[4, 0], [4, 1], [4, 2]]);
        assert_eq!(frames(&to, 5), [[5, 0], [5, 1]]);
        assert!(frames(&to, 6).is_empty());
        assert_eq!(
            to.append(6, 0, b"x").unwrap_err().to_string(),
            "segment 6 is sealed"
        );
    }

    #[test]
    fn a_copy_that_differs_is_not_the_same() {
        let one = found(&[(1, 1), (2, 9)], 20, 7);
        assert!(is_same(&one, &found(&[(1, 1), (2, 9)], 20, 7)));
        assert!(!is_same(&one, &found(&[(1, 1), (2, 9)], 20, 8)));
        assert!(!is_same(&one, &found(&[(1, 1), (2, 9)], 19, 7)));
        assert!(!is_same(&one, &found(&[(1, 1), (2, 8)], 20, 7)));
        assert!(!is_same(&one, &found(&[(1, 1)], 20, 7)));
    }
}
