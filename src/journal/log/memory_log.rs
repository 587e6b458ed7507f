//! [`MemoryLog`]: a log in memory that can crash.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::contract::{FRAME_BYTES_MAX, Log, SEGMENT_FRAMES_MAX};
use crate::runtime::sync::Mutex;

/// A medium in memory: what a store writes, and what of it a crash would leave.
///
/// Handles are cheap to clone and share one medium. One store at a time has it open; a store that
/// is opened on it later finds what an earlier one has left.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    medium: Arc<Mutex<Medium>>,
    /// Taken by each sync for as long as it lasts, so that a test can make one hang.
    #[cfg(all(test, hapax_shuttle))]
    syncing: Arc<Mutex<()>>,
}

/// A [`MemoryLog`] that is open: the [`Log`] itself.
#[derive(Debug)]
pub(crate) struct MemorySession {
    log: MemoryLog,
    number: u64,
}

#[derive(Debug, Default)]
struct Medium {
    /// The session that is open. Its number is never used again.
    open: Option<u64>,
    sessions: u64,
    manifest: Option<Vec<u8>>,
    marks: [Vec<u8>; 2],
    segments: BTreeMap<u64, Stored>,
    archives: BTreeMap<u64, Vec<u8>>,
    fail_append: Option<ErrorKind>,
    fail_sync: Option<ErrorKind>,
    /// How many syncs succeed before one fails.
    #[cfg(test)]
    syncs_left: Option<u64>,
    fail_archive: Option<ErrorKind>,
    appends: u64,
    syncs: u64,
}

#[derive(Debug, Default)]
struct Stored {
    link: Vec<u8>,
    /// By index; `None` is a hole.
    frames: Vec<Option<Vec<u8>>>,
    /// How many of them a crash leaves.
    durable: usize,
    sealed: bool,
    /// The first failure of a write, which is the last.
    failure: Option<(ErrorKind, String)>,
}

impl MemoryLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: whatever was appended and not synced is lost, and the store that has the
    /// log open gets errors from now on. What was synced is there for the next one.
    pub fn crash(&self) {
        self.crash_keeping(0);
    }

    /// Cuts the power like [`crash`](Self::crash), but the first `unsynced_frames` of those that
    /// were not synced have reached the medium all the same, as they may.
    pub fn crash_keeping(&self, unsynced_frames: usize) {
        let mut medium = self.medium.lock();
        let mut left = unsynced_frames;
        for stored in medium.segments.values_mut() {
            let kept = left.min(stored.frames.len() - stored.durable);
            stored.durable += kept;
            stored.frames.truncate(stored.durable);
            left -= kept;
        }
        medium.open = None;
        medium.fail_append = None;
        medium.fail_sync = None;
        #[cfg(test)]
        {
            medium.syncs_left = None;
        }
        medium.fail_archive = None;
    }

    /// Opens the log; [`ErrorKind::ResourceBusy`] while it is open elsewhere.
    pub(crate) fn session(&self) -> io::Result<MemorySession> {
        let mut medium = self.medium.lock();
        if medium.open.is_some() {
            let what = "another store has this log open";
            return Err(io::Error::new(ErrorKind::ResourceBusy, what));
        }
        medium.sessions += 1;
        medium.open = Some(medium.sessions);
        for stored in medium.segments.values_mut() {
            // As recovery does on a real medium: nothing may rest on what could still vanish.
            stored.durable = stored.frames.len();
            stored.sealed = true;
            stored.failure = None;
        }
        Ok(MemorySession {
            log: self.clone(),
            number: medium.sessions,
        })
    }
}

/// What tests do to the medium behind a store's back.
#[cfg(test)]
impl MemoryLog {
    /// Changes the bytes of a stored frame.
    pub(crate) fn corrupt(&self, segment: u64, index: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let mut medium = self.medium.lock();
        let stored = medium
            .segments
            .get_mut(&segment)
            .expect("a segment that is there");
        let frame = stored.frames[index as usize]
            .as_mut()
            .expect("a frame that is there");
        change(frame);
    }

    /// Takes a stored frame away, which leaves a hole.
    pub(crate) fn remove_frame(&self, segment: u64, index: u32) {
        let mut medium = self.medium.lock();
        let stored = medium
            .segments
            .get_mut(&segment)
            .expect("a segment that is there");
        stored.frames[index as usize] = None;
    }

    /// Lets no sync end before the guard is dropped.
    #[cfg(hapax_shuttle)]
    pub(crate) fn hang_syncs(&self) -> crate::runtime::sync::MutexGuard<'_, ()> {
        self.syncing.lock()
    }

    /// Lets so many more syncs succeed, and none after those.
    pub(crate) fn fail_sync_after(&self, syncs: u64) {
        self.medium.lock().syncs_left = Some(syncs);
    }

    /// How many frames have been appended.
    pub(crate) fn appends(&self) -> u64 {
        self.medium.lock().appends
    }

    /// Whether a store has it open.
    #[cfg(hapax_shuttle)]
    pub(crate) fn is_open(&self) -> bool {
        self.medium.lock().open.is_some()
    }

    /// How many frames a crash would leave.
    #[cfg(hapax_shuttle)]
    pub(crate) fn durable_frames(&self) -> usize {
        let medium = self.medium.lock();
        medium.segments.values().map(|stored| stored.durable).sum()
    }

    /// How many syncs have succeeded.
    pub(crate) fn syncs(&self) -> u64 {
        self.medium.lock().syncs
    }
}

impl MemorySession {
    /// Runs `act` on the medium, unless a crash or `close` has ended this session.
    fn with<T>(&self, act: impl FnOnce(&mut Medium) -> io::Result<T>) -> io::Result<T> {
        let mut medium = self.log.medium.lock();
        if medium.open == Some(self.number) {
            act(&mut medium)
        } else {
            Err(io::Error::other("this log has crashed or was closed"))
        }
    }

    fn with_stored<T>(
        &self,
        segment: u64,
        act: impl FnOnce(&mut Stored) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with(|medium| act(medium.stored(segment)?))
    }

    /// Runs a write to a segment, whose first failure is its last.
    fn write<T>(
        &self,
        segment: u64,
        act: impl FnOnce(&mut Medium) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with(|medium| {
            let stored = medium.stored(segment)?;
            stored.check()?;
            if stored.sealed {
                return Err(io::Error::other(format!("segment {segment} is sealed")));
            }
            act(medium).inspect_err(|error| {
                if let Some(stored) = medium.segments.get_mut(&segment) {
                    stored.failure = Some((error.kind(), error.to_string()));
                }
            })
        })
    }
}

impl Medium {
    fn stored(&mut self, segment: u64) -> io::Result<&mut Stored> {
        let what = || io::Error::new(ErrorKind::NotFound, format!("no segment {segment}"));
        self.segments.get_mut(&segment).ok_or_else(what)
    }
}

impl Stored {
    fn check(&self) -> io::Result<()> {
        match &self.failure {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }
}

impl Log for MemorySession {
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.with(|medium| Ok(medium.manifest.clone()))
    }

    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            medium.manifest = Some(bytes.to_vec());
            Ok(())
        })
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.with(|medium| Ok(medium.marks.clone()))
    }

    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| match medium.marks.get_mut(slot) {
            Some(mark) if bytes.len() <= 512 => {
                bytes.clone_into(mark);
                Ok(())
            }
            _ => Err(ErrorKind::InvalidInput.into()),
        })
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        self.with(|medium| Ok(medium.segments.keys().copied().collect()))
    }

    fn prepare(&self, _segment: u64, _frames: u32) -> io::Result<()> {
        self.with(|_| Ok(()))
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            if link.len() > 512 || medium.segments.contains_key(&segment) {
                let what = format!("segment {segment} cannot be activated");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            let stored = Stored {
                link: link.to_vec(),
                ..Stored::default()
            };
            medium.segments.insert(segment, stored);
            Ok(())
        })
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.with_stored(segment, |stored| Ok(stored.link.clone()))
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.write(segment, |medium| {
            if let Some(kind) = medium.fail_append.take() {
                return Err(kind.into());
            }
            let stored = medium.stored(segment)?;
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < SEGMENT_FRAMES_MAX;
            if !fits || index as usize != stored.frames.len() {
                let what = format!("frame {index} of {} bytes", frame.len());
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            stored.frames.push(Some(frame.to_vec()));
            medium.appends += 1;
            Ok(())
        })
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.write(segment, |_| Ok(()))
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        #[cfg(all(test, hapax_shuttle))]
        let _hangs = self.log.syncing.lock();
        self.write(segment, |medium| {
            if let Some(kind) = medium.fail_sync.take() {
                return Err(kind.into());
            }
            #[cfg(test)]
            match &mut medium.syncs_left {
                Some(0) => return Err(ErrorKind::TimedOut.into()),
                Some(left) => *left -= 1,
                None => {}
            }
            let stored = medium.stored(segment)?;
            stored.durable = stored.frames.len();
            medium.syncs += 1;
            Ok(())
        })
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        self.with_stored(segment, |stored| {
            stored.check()?;
            stored.durable = stored.frames.len();
            stored.sealed = true;
            Ok(())
        })
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.with_stored(segment, |stored| {
            Ok(stored.frames.get(index as usize).cloned().flatten())
        })
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        // One frame at a time: `visit` may call this log.
        let frames = self.with_stored(segment, |stored| Ok(stored.frames.len()))?;
        for index in 0..u32::try_from(frames).unwrap_or(SEGMENT_FRAMES_MAX) {
            if let Some(frame) = self.read(segment, index)? {
                if !visit(index, &frame) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        self.with(|medium| {
            medium.stored(segment)?;
            medium.segments.remove(&segment);
            Ok(())
        })
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.with(|medium| Ok(medium.archives.keys().copied().collect()))
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        let size = |(segment, bytes): (&u64, &Vec<u8>)| (*segment, bytes.len() as u64);
        self.with(|medium| Ok(medium.archives.iter().map(size).collect()))
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.with(|medium| {
            let found = medium.archives.get(&segment).cloned();
            found.ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            if let Some(kind) = medium.fail_archive.take() {
                return Err(kind.into());
            }
            medium.archives.insert(segment, bytes.to_vec());
            Ok(())
        })
    }

    fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.with(|medium| {
            medium.archives.remove(&segment);
            Ok(())
        })
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        self.with(|medium| {
            let frames = medium.segments.values().flat_map(|stored| &stored.frames);
            Ok(frames.flatten().map(|frame| frame.len() as u64).sum())
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn hold_reserve(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.with(|medium| {
            medium.open = None;
            medium.segments.values().try_for_each(Stored::check)
        })
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        let mut medium = self.log.medium.lock();
        if medium.open == Some(self.number) {
            medium.open = None;
        }
    }
}

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(any(test, fuzzing))]
pub(crate) mod image;
#[cfg(test)]
mod tests;
