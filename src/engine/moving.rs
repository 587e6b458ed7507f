//! Moving a store from one kind of log to the other, where it lies.

use std::io;

use super::backup::Unseen;
use super::recovery::load_marks;
use super::to_u64;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::kind::{Note, OpenLog};
use crate::journal::log::Log;
use crate::journal::manifest::Manifest;
use crate::journal::marks::Marks;
use crate::journal::recovery::{Found, FoundSegment, recover};
use crate::options::LogKind;

/// Bytes after which what was copied is handed to the operating system.
const FLUSH_BYTES: u64 = 4 << 20;

/// What was copied.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Copied {
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// Moves the store into the other log. Until the note says that the new one counts, everything in
/// it is void; from then on, everything in the old one is.
pub(crate) fn move_log(store: &OpenLog, to: LogKind) -> Result<Copied> {
    let from = store.kind;
    let marks = read_marks(&*store.log)?;
    let found = recover(&*store.log, &marks, &mut Unseen)?;
    if from == to {
        clear(store, to)?;
        return Ok(Copied::default());
    }
    let note = |kind, has_void| store.note(Note { kind, has_void });
    note(from, true).map_err(|error| Error::io("beginning to move the store", error))?;
    let built = store
        .discard(to)
        .map_err(|error| Error::io("making room for the new log", error))
        .and_then(|()| build(store, to, &marks, &found));
    let copied = built.inspect_err(|_| {
        // As it was; what cannot be removed now stays void.
        let _ = store.discard(to).and_then(|()| note(from, false));
    })?;
    note(to, true).map_err(|error| Error::io("changing over to the new log", error))?;
    clear_old(store, from, to)?;
    Ok(copied)
}

fn read_marks(log: &dyn Log) -> Result<Marks> {
    let bytes = log
        .read_manifest()
        .map_err(|error| Error::io("reading the manifest", error))?;
    let bytes = bytes.ok_or_else(|| {
        Error::new(
            ErrorKind::NotAStore,
            "there is no finished store in this directory: check the path",
        )
    })?;
    let manifest = Manifest::decode(&bytes)?;
    Ok(load_marks(log, &manifest)?.0)
}

/// Copies the log and reads the copy back.
fn build(store: &OpenLog, to: LogKind, marks: &Marks, found: &Found) -> Result<Copied> {
    let copied = copy(&*store.log, &*store.another(to), found)
        .map_err(|error| Error::io("copying the log", error))?;
    // Through a log that has not written it.
    let there = recover(&*store.another(to), marks, &mut Unseen)?;
    let firsts = |found: &Found| -> Vec<(u64, u64)> {
        let first = |segment: &FoundSegment| (segment.number, segment.first_frame);
        found.segments.iter().map(first).collect()
    };
    // The checksum of the last frame is chained to those of all frames before it.
    let is_same = (there.last, there.checksum) == (found.last, found.checksum);
    if !is_same || firsts(&there) != firsts(found) {
        return Err(Error::new(
            ErrorKind::Io,
            "the copy of the log is not what was written: the store lies where it was; look at the disk, then try again",
        ));
    }
    Ok(copied)
}

/// Copies every frame that counts, and leaves out what a crash has left behind the last one of a
/// segment.
fn copy(from: &dyn Log, to: &dyn Log, found: &Found) -> io::Result<Copied> {
    let mut copied = Copied {
        segments: to_u64(found.segments.len()),
        ..Copied::default()
    };
    to.segments()?;
    for (at, segment) in found.segments.iter().enumerate() {
        let next = found.segments.get(at + 1);
        let last = next.map_or(found.last, |next| next.first_frame - 1);
        to.activate(segment.number, &from.read_link(segment.number)?)?;
        let (mut result, mut unflushed) = (Ok(()), 0);
        from.read_all(segment.number, &mut |index, frame| {
            let counts = segment.first_frame + u64::from(index) <= last;
            if counts {
                result = to.append(segment.number, index, frame);
                copied.frames += 1;
                copied.bytes += to_u64(frame.len());
                unflushed += to_u64(frame.len());
            }
            if unflushed > FLUSH_BYTES && result.is_ok() {
                result = to.flush(segment.number);
                unflushed = 0;
            }
            counts && result.is_ok()
        })?;
        result?;
        to.sync(segment.number)?;
        to.seal(segment.number)?;
    }
    Ok(copied)
}

fn clear_old(store: &OpenLog, from: LogKind, to: LogKind) -> Result<()> {
    let cleared = store.discard(from).and_then(|()| {
        store.note(Note {
            kind: to,
            has_void: false,
        })
    });
    cleared.map_err(|error| {
        Error::io(
            "the store has been moved, but what is left of its old log could not be removed, which the next open tries again",
            error,
        )
    })
}

/// The store lies there already; what an earlier move has left goes.
fn clear(store: &OpenLog, to: LogKind) -> Result<()> {
    store.discard_void().map_err(|error| {
        let doing = format!("removing what is left of the log other than {to:?}");
        Error::io(&doing, error)
    })
}
